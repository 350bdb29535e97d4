"""The guard: which names and origins are let in, and what is added to answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from starlette.responses import PlainTextResponse
from starlette.types import Message
from streamlit import config
from streamlit.web.server.starlette.starlette_websocket import is_host_allowed

from api.guarding import Guard, is_allowed_host, is_allowed_origin
from tests.asgi import asked

NAMES: Final = ("localhost", "127.0.0.1", "*.example.com", "Pulse.Example.ORG.", "::1")

HOSTS: Final = st.one_of(
    st.text(st.characters(max_codepoint=0x2FF), max_size=20),
    st.from_regex(r"[a-z@\[\]:./?#*-]{0,8}(localhost|example\.com|127\.0\.0\.1)\.?(:[0-9]{0,6})?"),
)


@given(host=HOSTS)
@example(host="localhost:99999")
@example(host="[::1]:8501")
@example(host="a.b.example.com:1")
@example(host="example.com")
@example(host="user@localhost")
@example(host="pulse.example.org")
@example(host="")
def test_a_name_is_let_in_as_streamlit_lets_it_in(host: str) -> None:
    """So that the page's own connection and what is beside it never differ."""
    before = config.get_option("server.allowedHosts")
    config.set_option("server.allowedHosts", list(NAMES))
    try:
        assert is_allowed_host(host, NAMES) == is_host_allowed(host)
    finally:
        config.set_option("server.allowedHosts", before)


def test_without_names_any_is_let_in_and_with_some_none_is_needed() -> None:
    """As Streamlit reads its list."""
    assert is_allowed_host("evil.example", ())
    assert is_allowed_host(None, ())
    assert not is_allowed_host(None, NAMES)
    assert is_allowed_host("evil.example", ("*",))


@pytest.mark.parametrize(
    ("origin", "host", "is_let_in"),
    [
        ("http://localhost:8501", "localhost:8501", True),
        ("https://pulse.example.com", "pulse.example.com", True),
        ("https://pulse.example.com", "pulse.example.com:443", True),
        ("https://PULSE.example.com", "pulse.example.com", True),
        ("https://friend.example", "localhost:8501", True),
        ("http://friend.example", "localhost:8501", False),
        ("https://friend.example:444", "localhost:8501", False),
        ("https://a.friend.example", "localhost:8501", False),
        ("http://localhost:8502", "localhost:8501", False),
        ("http://localhost", "localhost:8501", False),
        ("http://localhost:8501.evil.example", "localhost:8501", False),
        ("http://localhost:8501@evil.example", "localhost:8501", False),
        ("http://localhost:99999", "localhost:8501", False),
        ("ftp://localhost:8501", "localhost:8501", False),
        ("localhost:8501", "localhost:8501", False),
        ("null", "localhost:8501", False),
        ("null", "null", False),
        ("", "", False),
        ("http://", "", False),
    ],
)
def test_a_page_may_read_if_it_is_ours_or_is_named(origin: str, host: str, is_let_in: bool) -> None:
    """Its scheme may be the proxy's, its port may not be another's."""
    assert is_allowed_origin(origin, host, ("https://friend.example",)) == is_let_in


def guarded(hosts: Sequence[str]) -> Guard:
    """A guard of something that has a policy of its own."""
    own = PlainTextResponse("there", headers={"Referrer-Policy": "same-origin"})
    return Guard(own, hosts=lambda: hosts, origins=tuple, is_ours=lambda scope: True)


def test_what_says_two_names_is_refused() -> None:
    """Whoever passes it on may have looked at the other one; and every origin must be allowed."""
    guard = guarded(["localhost"])
    named = ("Host", "localhost")
    assert asked(guard, "/", named)[0]["status"] == 200
    assert asked(guard, "/", named, named)[0]["status"] == 403
    own, other = ("Origin", "http://localhost"), ("Origin", "http://evil.example")
    assert asked(guard, "/", named, own)[0]["status"] == 200
    assert asked(guard, "/", named, own, other)[0]["status"] == 403
    assert asked(guard, "/")[0]["status"] == 403


def test_a_policy_of_an_answer_stays() -> None:
    """What it says itself is not said twice."""
    headers = asked(guarded([]), "/")[0]["headers"]
    assert [value for name, value in headers if name == b"referrer-policy"] == [b"same-origin"]
    assert (b"x-content-type-options", b"nosniff") in headers


def test_our_own_fault_is_told_without_a_word_of_it() -> None:
    """To who asked; the error itself goes on to whoever logs it."""

    async def fail(*_: Any) -> None:
        raise ValueError("SECRET")

    guard = Guard(fail, hosts=tuple, origins=tuple, is_ours=lambda scope: True)
    sent: list[Message] = []
    with pytest.raises(ValueError, match="SECRET"):
        asked(guard, "/", sent=sent)
    begin, body = sent
    assert begin["status"] == 500
    assert (b"x-content-type-options", b"nosniff") in begin["headers"]
    assert b"SECRET" not in body["body"]
