"""Auth: who may read, by which token, from where, and until when."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any

import jwt
import pytest
from starlette.types import Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from api.auth import LOCAL, Caller, Refusal, bearer, is_local, who_may
from settings import ApiSettings

NOW = 1_790_000_000.0
TOKEN = "x4LJ_a-token-of-its-own-9c2b"  # noqa: S105 - of nothing
OTHER = "another-token-of-somebody-7d1"
KEY = "a-key-of-more-than-sixty-four-characters-that-nobody-but-us-knows"


def digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


TWO = ApiSettings(tokens={"desk": digest(TOKEN), "phone": digest(OTHER)})
WEB = ApiSettings(jwt_key=KEY)


def web_token(key: str = KEY, algorithm: str = "HS256", **claims: object) -> str:
    usual = {"aud": "market-pulse", "exp": int(NOW) + 60, "sub": "ann"}
    said = {name: value for name, value in (usual | claims).items() if value is not None}
    return jwt.encode(said, key, algorithm)


def test_without_any_token_programs_of_this_computer_read_and_nobody_else() -> None:
    """Whatever they show."""
    nobody = ApiSettings()
    assert who_may(nobody, None, NOW, is_local=True) == Caller(LOCAL)
    assert who_may(nobody, TOKEN, NOW, is_local=True) == Caller(LOCAL)
    assert who_may(nobody, None, NOW, is_local=False) is Refusal.WANTED
    assert who_may(nobody, TOKEN, NOW, is_local=False) is Refusal.WANTED


@pytest.mark.parametrize("local", [True, False])
def test_with_tokens_everybody_needs_one(local: bool) -> None:
    """And is known by its name."""
    assert who_may(TWO, TOKEN, NOW, is_local=local) == Caller("desk")
    assert who_may(TWO, OTHER, NOW, is_local=local) == Caller("phone")
    assert who_may(TWO, None, NOW, is_local=local) is Refusal.WANTED
    for wrong in (TOKEN[:-1], TOKEN + "x", "desk", digest(TOKEN), "\u00e9\ud800", "x" * 10_000):
        assert who_may(TWO, wrong, NOW, is_local=local) is Refusal.WRONG


def test_a_web_token_is_good_until_its_end() -> None:
    """By the clock that is given, which need not be today's."""
    token = web_token()
    assert who_may(WEB, token, NOW, is_local=False) == Caller("jwt:ann", NOW + 60)
    assert who_may(WEB, token, NOW + 60, is_local=False) is Refusal.EXPIRED
    assert who_may(WEB, web_token(nbf=int(NOW) + 1), NOW, is_local=False) is Refusal.EXPIRED
    assert who_may(WEB, web_token(sub=None), NOW, is_local=False) == Caller("jwt:", NOW + 60)


@pytest.mark.parametrize(
    "token",
    [
        web_token(key=KEY + "x"),
        web_token(algorithm="HS512"),
        web_token(key="", algorithm="none"),
        web_token(aud="others"),
        web_token(aud=None),
        web_token(exp=None),
        web_token(exp="soon"),
        web_token() + "x",
        "a.b.c",
        TOKEN,
    ],
)
@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
def test_a_web_token_that_is_not_ours_is_wrong(token: str) -> None:
    """Another key, algorithm or audience, or a claim that is not there."""
    assert who_may(WEB, token, NOW, is_local=True) is Refusal.WRONG


def test_a_web_token_whose_end_is_no_number_is_never_good() -> None:
    """JSON as Python writes it has some."""
    for end in (float("nan"), float("-inf")):
        assert who_may(WEB, web_token(exp=end), NOW, is_local=True) in tuple(Refusal)


def test_tokens_and_web_tokens_go_together() -> None:
    """Where both are set."""
    both = ApiSettings(tokens=TWO.tokens, jwt_key=KEY)
    assert who_may(both, TOKEN, NOW, is_local=False) == Caller("desk")
    assert who_may(both, web_token(), NOW, is_local=False) == Caller("jwt:ann", NOW + 60)


@pytest.mark.parametrize(
    ("header", "token"),
    [
        (f"Bearer {TOKEN}", TOKEN),
        (f"  bearer   {TOKEN} ", TOKEN),
        (f"Basic {TOKEN}", None),
        (TOKEN, None),
        ("Bearer", None),
        ("Bearer  ", None),
        (None, None),
    ],
)
def test_a_token_stands_in_a_header_of_type_bearer(header: str | None, token: str | None) -> None:
    """In capitals or not."""
    assert bearer(header) == token


@pytest.mark.parametrize(
    ("client", "host", "expected"),
    [
        ("127.0.0.1", "localhost:8501", True),
        ("127.0.0.1", "LOCALHOST", True),
        ("127.0.0.1", "127.0.0.1", True),
        ("::1", "[::1]:8501", True),
        ("::ffff:127.0.0.1", "127.0.0.1:8501", True),
        ("192.168.0.9", "localhost:8501", False),
        ("127.0.0.1", "evil.example:8501", False),
        ("127.0.0.1", "localhost.evil.example", False),
        ("127.0.0.1", "127.0.0.1.evil.example:1", False),
        ("127.0.0.1", "", False),
        ("127.0.0.1", "192.168.0.9:8501", False),
        ("somewhere", "localhost", False),
    ],
)
def test_local_is_who_connects_from_here_to_here(client: str, host: str, expected: bool) -> None:
    """By the address, and by the name that was asked for."""
    scope = {"client": (client, 5), "headers": [(b"host", host.encode())]}
    assert is_local(scope) is expected


def test_local_is_nobody_without_an_address_or_with_two_names() -> None:
    """As a socket of the file system has none."""
    headers = [(b"host", b"localhost")]
    assert not is_local({"client": None, "headers": headers})
    assert not is_local({"client": ("127.0.0.1", 5), "headers": headers * 2})


@pytest.mark.parametrize("proxy", ["127.0.0.1", "::1"])
def test_a_proxy_on_this_computer_makes_nobody_local(proxy: str) -> None:
    """It says whom it asks for, whichever address of this computer it comes from."""
    found: list[bool] = []

    async def look(scope: Scope, receive: Receive, send: Send) -> None:
        found.append(is_local(scope))

    served: Any = ProxyHeadersMiddleware(look, list(ApiSettings().proxies))  # type: ignore[arg-type]
    for headers in ([], [(b"x-forwarded-for", b"203.0.113.7")]):
        scope = {
            "type": "http",
            "scheme": "http",
            "client": (proxy, 50_000),
            "headers": [(b"host", b"localhost"), *headers],
        }
        asyncio.run(served(scope, None, None))
    assert found == [True, False]
