"""The stream as other people's clients follow it: the README's, curl, a browser's WebSocket."""

from __future__ import annotations

import hashlib
import json
import re
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import jwt
import pytest
from playwright.sync_api import Browser
from websockets.asyncio.server import ServerConnection

from api.broadcast import Patience
from settings import ApiSettings
from tests.browser_fixtures import browser  # noqa: F401 - a fixture
from tests.local_server import LocalServer
from tests.station import BEGIN, NAMES, Station, frame_of
from tests.waiting import HANG_SEC, until

KEY = "a key that is long enough for a signature of this kind"
README = (Path(__file__).parent.parent / "README.md").read_text("utf-8")
PRICES = {"BTC-USD": 90_000.0}


@contextmanager
def readme_client(url: str, token: str) -> Iterator[subprocess.Popen[str]]:
    """The README's client, as it stands there."""
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    process = subprocess.Popen(
        [sys.executable, "-c", code, url, token],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def line(stream: IO[str] | None) -> str:
    """The next line of what a process says."""
    assert stream is not None
    return stream.readline()


def test_the_readmes_client_follows_comes_back_and_gives_up_if_it_may_not() -> None:
    """Its token expires: it is closed with 3005, comes back, is refused with 401, and ends."""
    token = jwt.encode({"exp": BEGIN + 100, "aud": "market-pulse"}, KEY)
    patience = Patience(heartbeat_sec=0.05)
    with Station(patience, ApiSettings(jwt_key=KEY)) as station:
        station.second(PRICES)
        with readme_client(station.address, token) as process:
            seen = [line(process.stdout)]
            for _ in range(4):
                station.second(PRICES)
                station.second(PRICES)
                seen.append(line(process.stdout))
            seconds = [int(text.split()[0]) for text in seen]
            assert seconds == sorted(set(seconds))
            assert all(symbol in seen[-1] for symbol in NAMES)
            station.now = BEGIN + 100.0
            assert "3005" in line(process.stdout)
            assert process.wait(HANG_SEC) == 1
            assert "401" in process.communicate()[1]


@pytest.mark.parametrize("code", [1008, 3500])
def test_the_readmes_client_gives_up_when_it_is_told_that_it_may_not_come_back(code: int) -> None:
    async def attend(ws: ServerConnection) -> None:
        await ws.close(code, "no")

    async def nothing(*_: object) -> None:
        return None

    with (
        LocalServer(nothing, attend, nothing) as server,
        readme_client(f"ws://127.0.0.1:{server.port}", "") as process,
    ):
        assert process.wait(HANG_SEC) == 1
        assert str(code) in process.communicate()[1]


def message(stream: IO[bytes]) -> dict[str, Any]:
    """The next message of a server, whose frames are small; pings are passed over."""
    kind = 0
    while kind != 0x81:
        kind, length = stream.read(2)
        if length == 126:
            (length,) = struct.unpack("!H", stream.read(2))
        content = stream.read(length)
    found: dict[str, Any] = json.loads(content)
    return found


def test_curl_follows_the_stream(curl: str) -> None:
    """What it sends, once it was let in, is a frame that subscribes."""
    headers = (
        *("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"),
        *("Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", "Transfer-Encoding:", "Expect:"),
    )
    options = [word for header in headers for word in ("-H", header)]
    with Station() as station:
        station.second(PRICES)
        address = station.address.replace("ws://", "http://")
        with subprocess.Popen(
            [curl, "-sSNi", "--http1.1", "-X", "GET", "-T", ".", *options, address],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            try:
                assert process.stdout.readline().startswith(b"HTTP/1.1 101 ")
                while process.stdout.readline().strip():
                    pass
                assert message(process.stdout)["auth"] == "ok"
                process.stdin.write(
                    frame_of({"type": "subscribe", "channel": "frame", "fields": ["last"]})
                )
                process.stdin.flush()
                for price in (90_000.0, 1.0, 2.0):
                    found = message(process.stdout)
                    assert (found["seq"], found["last"][0]) == (station.now - 1.0, price)
                    station.second({"BTC-USD": price % 90_000.0 + 1.0})
            finally:
                process.kill()


def test_a_browsers_websocket_follows_the_stream(browser: Browser) -> None:  # noqa: F811
    """It cannot set a header, so its token goes in the first message."""
    token = "of a browser"  # noqa: S105 - of nothing
    known = {"page": hashlib.sha256(token.encode()).hexdigest()}
    with Station(api=ApiSettings(tokens=known)) as station:
        station.second(PRICES)
        page = browser.new_page()
        page.evaluate(
            """([address, token]) => {
                window.heard = [];
                const socket = new WebSocket(address, ["market-pulse.v1.json"]);
                const say = (said) => socket.send(JSON.stringify(said));
                socket.onmessage = ({ data }) => {
                    const message = JSON.parse(data);
                    window.heard.push(message);
                    if (message.auth === "wanted") say({ type: "auth", token });
                    if (message.auth === "ok") {
                        say({ type: "subscribe", channel: "frame", acks: 1 });
                    }
                    if (message.type === "frame") say({ type: "ack" });
                };
            }""",
            [station.address, token],
        )
        frames = "window.heard.filter((each) => each.type === 'frame').map((each) => each.seq)"
        until(lambda: page.evaluate(frames) == [BEGIN])
        station.second(PRICES)
        until(lambda: page.evaluate(frames) == [BEGIN, BEGIN + 1])
        assert page.evaluate("window.heard.map((each) => each.type)")[:2] == ["hello", "hello"]
        page.close()
