"""Strangers: by a foreign name or from a foreign page nobody gets more than an empty page."""

from __future__ import annotations

import asyncio
import http.client
import json
from collections.abc import Iterator, Mapping

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from tests.browsing import Server, copy_app


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The page as it is started, with its own settings of Streamlit."""
    folder = tmp_path_factory.mktemp("hosts")
    copy_app(folder)
    made = Server(folder, {"MARKET_PULSE_SOURCE": "simulated", "MARKET_PULSE_DATA": "off"})
    yield made
    made.kill()


def stream_status(server: Server, headers: Mapping[str, str]) -> int:
    """The status with which the page's connection answers: 101 is let in."""

    async def ask() -> int:
        address = ("127.0.0.1", server.port)
        host = headers.get("Host", f"localhost:{server.port}")
        others = {name: value for name, value in headers.items() if name != "Host"}
        try:
            async with connect(
                f"ws://{host}/_stcore/stream",
                subprotocols=[Subprotocol("streamlit")],
                additional_headers=others,
                host=address[0],
                port=address[1],
            ):
                return 101
        except InvalidStatus as refused:
            return refused.response.status_code

    return asyncio.run(ask())


def get(server: Server, path: str, host: str = "localhost") -> tuple[Mapping[str, str], bytes]:
    """The headers and the body of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    try:
        connection.request("GET", path, headers={"Host": host})
        answer = connection.getresponse()
        return {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_its_own_names_are_let_in(server: Server, host: str) -> None:
    """Whatever the port, and from its own page."""
    own = f"{host}:{server.port}"
    assert stream_status(server, {"Host": own}) == 101
    assert stream_status(server, {"Host": own, "Origin": f"http://{own}"}) == 101


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "169.254.169.254"]
)
def test_a_foreign_name_shows_nothing(server: Server, host: str) -> None:
    """Not even to a page of the same name, as one has that points its name to this machine."""
    assert stream_status(server, {"Host": host}) == 403
    assert stream_status(server, {"Host": host, "Origin": f"http://{host}"}) == 403
    _, body = get(server, "/", host)
    for secret in (b"AAPL", b"BTC-USD", b"market_pulse"):
        assert secret not in body


def test_a_foreign_page_is_refused(server: Server) -> None:
    """By the browser's word about where the script comes from."""
    for origin in ("http://evil.example", "null", f"http://127.0.0.1.evil.example:{server.port}"):
        assert stream_status(server, {"Origin": origin}) == 403


def test_no_page_around_it_may_control_it(server: Server) -> None:
    """None is named, and nothing is read by a foreign script."""
    headers, body = get(server, "/_stcore/host-config")
    assert json.loads(body)["allowedOrigins"] == []
    assert headers.get("access-control-allow-origin") in (None, "http://localhost")
    assert "access-control-allow-origin" not in get(server, "/_stcore/host-config", "evil")[0]


def test_its_cookie_is_for_its_own_page(server: Server) -> None:
    """No other site's request carries it."""
    headers, _ = get(server, "/_stcore/health")
    assert "samesite=strict" in headers.get("set-cookie", "").lower()
