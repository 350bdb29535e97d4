"""Viewers: many tabs without browsers, which speak Streamlit's own protocol.

Run as a process of its own, beside the server that is measured: it takes the port and a browser's
request for a refresh, then commands on standard input. ``open N`` brings the number of tabs to N
and says when all have drawn the page once; ``watch S`` says as JSON what they met in the next S
seconds. Like a browser's, a tab runs the script once and then asks for a refresh as often as the
page has told it to.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import random
import statistics
import subprocess
import sys
import time
from types import TracebackType
from typing import Any, Self

import msgspec
from playwright.sync_api import sync_playwright
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from tests.browsing import FLAGS, ROOT, Server, chromium_path
from tests.deltas import changed

_OPENING_AT_ONCE = 4
_OPEN_SEC = 60.0
_ASKED_BEFORE = 3
"""A browser has set all its widgets when it asks for the third time."""


class Seen(msgspec.Struct):
    """What all tabs together met while they were watched; times from request to answer."""

    tabs: int
    refreshes: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    kilobytes: float
    """Of a refresh."""
    interval_sec: float
    """Between two refreshes of a tab, as the page asks most of the tabs to."""
    behind_sec: float
    """How far the newest complete second was behind the clock at worst."""
    searching: bool
    """Whether the worker was still looking through the backfilled past, or had not been heard."""
    silent_feeds: int
    failed: int
    """Tabs that were not let in, never drew the page, or were closed by the server."""
    errors: int
    """Error boxes that the page has shown."""


class _Feed(msgspec.Struct):
    state: str


class _Status(msgspec.Struct):
    feeds: list[_Feed]
    searching: bool


class _Payload(msgspec.Struct):
    """The little that is looked at of what the page shows on its board."""

    live_now: float
    status: _Status


class _Message(msgspec.Struct):
    """What the page sends to its board: a payload, or what changed of it."""

    payload: dict[str, Any] | None = None
    change: dict[str, Any] | None = None


_read = msgspec.json.Decoder(_Message).decode


class _Tally:
    """What the tabs meet; emptied when a watch begins."""

    def __init__(self) -> None:
        self.waits: list[float] = []
        self.bytes = 0
        self.behind = 0.0
        self.newest: _Payload | None = None
        self.errors = 0

    def take(self, payload: _Payload) -> None:
        self.newest = payload
        self.behind = max(self.behind, time.time() - payload.live_now)


class _Tab:
    """One session: its socket, and the timer of its fragment."""

    def __init__(self, url: str, request: bytes, tally: _Tally) -> None:
        self._url = url
        self._request = request
        self.tally = tally
        self.has_drawn = asyncio.Event()
        self.interval_sec = 0.0
        self._held: dict[str, Any] = {}
        self._asked_at: float | None = None
        self._timer: asyncio.Task[None] | None = None

    async def live(self) -> None:
        """Run until cancelled, or until the server does not let it in or closes it."""
        with contextlib.suppress(OSError, WebSocketException), contextlib.ExitStack() as ended:
            ended.callback(self._stop_timer)
            async with connect(
                self._url,
                subprotocols=["streamlit"],  # type: ignore[list-item]
                max_size=None,
                compression=None,
            ) as ws:
                await ws.send(_first_request())
                async for frame in ws:
                    if isinstance(frame, bytes):
                        self._take(ws, frame)

    def _take(self, ws: ClientConnection, frame: bytes) -> None:
        message: Any = ForwardMsg.FromString(frame)
        if self.has_drawn.is_set():
            self.tally.bytes += len(frame)
        match message.WhichOneof("type"):
            case "new_session" if not message.metadata.run.fragment_ids:
                self._stop_timer()
            case "auto_rerun":
                self._stop_timer()
                self.interval_sec = message.auto_rerun.interval
                request: Any = BackMsg.FromString(self._request)
                request.rerun_script.fragment_id = message.auto_rerun.fragment_id
                self._timer = asyncio.create_task(self._refresh(ws, request.SerializeToString()))
            case "stop_auto_rerun":
                self._stop_timer()
            case "delta" if message.delta.WhichOneof("type") == "new_element":
                self._draw(message.delta.new_element)
            case "script_finished":
                self.has_drawn.set()
                if self._asked_at is not None:
                    self.tally.waits.append(time.perf_counter() - self._asked_at)
                    self._asked_at = None

    def _draw(self, element: Any) -> None:
        match element.WhichOneof("type"):
            case "bidi_component" if element.bidi_component.WhichOneof("data") == "bytes":
                message = _read(element.bidi_component.bytes)
                # A page of constants says for ever what changed, and never of what.
                if self._held and message.change:
                    self._held = changed(self._held, message.change)
                self._held = message.payload or self._held
                if self._held:
                    self.tally.take(msgspec.convert(self._held, _Payload))
            case "exception" | "alert":
                self.tally.errors += 1

    async def _refresh(self, ws: ClientConnection, request: bytes) -> None:
        # Viewers do not open their tabs in step.
        await asyncio.sleep(random.random() * self.interval_sec)
        loop = asyncio.get_running_loop()
        due = loop.time()
        with contextlib.suppress(WebSocketException):
            while True:
                if self._asked_at is None:
                    self._asked_at = time.perf_counter()
                await ws.send(request)
                due = max(due + self.interval_sec, loop.time())
                await asyncio.sleep(due - loop.time())

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def browser_request(url: str) -> bytes:
    """What a real browser sends to have the page refresh: the state of all its widgets.

    Widgets are called alike in every session, so any tab may send it.
    """
    sent: list[bytes] = []

    def hear(told: str | bytes) -> None:
        message: Any = BackMsg.FromString(told if isinstance(told, bytes) else told.encode())
        if message.rerun_script.is_auto_rerun:
            # The tabs keep no messages, so they must not be sent references to any.
            del message.rerun_script.cached_message_hashes[:]
            sent.append(message.SerializeToString())

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=list(FLAGS))
        page = browser.new_page()
        page.on("websocket", lambda socket: socket.on("framesent", hear))
        page.goto(url)
        while len(sent) < _ASKED_BEFORE:
            page.wait_for_timeout(100)
        browser.close()
    return sent[-1]


def _first_request() -> bytes:
    message: Any = BackMsg()
    message.rerun_script.context_info.timezone = "UTC"
    request: bytes = message.SerializeToString()
    return request


class _Crowd:
    """All tabs of one server."""

    def __init__(self, url: str, request: bytes) -> None:
        self._url = url
        self._request = request
        self._tally = _Tally()
        self._tabs: dict[_Tab, asyncio.Task[None]] = {}

    async def open(self, count: int) -> None:
        """Open or close tabs until there are ``count``."""
        while len(self._tabs) > count:
            _, task = self._tabs.popitem()
            task.cancel()
            await asyncio.wait([task])
        opening = asyncio.Semaphore(_OPENING_AT_ONCE)

        async def one() -> None:
            async with opening:
                tab = _Tab(self._url, self._request, self._tally)
                self._tabs[tab] = living = asyncio.create_task(tab.live())
                drawn = asyncio.create_task(tab.has_drawn.wait())
                await asyncio.wait(
                    (living, drawn), timeout=_OPEN_SEC, return_when=asyncio.FIRST_COMPLETED
                )
                drawn.cancel()

        async with asyncio.TaskGroup() as tasks:
            for _ in range(count - len(self._tabs)):
                tasks.create_task(one())

    async def watch(self, seconds: float) -> Seen:
        """What the tabs meet from now on."""
        self._tally = tally = _Tally()
        for tab in self._tabs:
            tab.tally = tally
        await asyncio.sleep(seconds)
        waits = sorted(tally.waits) or [0.0]
        feeds = tally.newest.status.feeds if tally.newest else []
        failed = sum(task.done() or not tab.has_drawn.is_set() for tab, task in self._tabs.items())
        return Seen(
            tabs=len(self._tabs),
            refreshes=len(tally.waits),
            p50_ms=_quantile(waits, 0.50) * 1e3,
            p95_ms=_quantile(waits, 0.95) * 1e3,
            p99_ms=_quantile(waits, 0.99) * 1e3,
            kilobytes=tally.bytes / max(1, len(tally.waits)) / 1e3,
            interval_sec=statistics.mode([tab.interval_sec for tab in self._tabs] or [0.0]),
            behind_sec=tally.behind,
            searching=tally.newest is None or tally.newest.status.searching,
            silent_feeds=sum(feed.state != "live" for feed in feeds),
            failed=failed,
            errors=tally.errors,
        )


def _quantile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


class Viewers:
    """The process with the tabs of a server, for the benchmark that starts it."""

    def __init__(self, server: Server) -> None:
        request = base64.b64encode(browser_request(server.url)).decode("ascii")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.viewers", str(server.port), request],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def open(self, count: int) -> None:
        """Open or close tabs until there are ``count``."""
        self._tell(f"open {count}")

    def watch(self, seconds: float) -> Seen:
        """What the tabs measure in the next ``seconds``."""
        return msgspec.json.decode(self._tell(f"watch {seconds}"), type=Seen)

    def _tell(self, command: str) -> str:
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("the viewers have no pipes")
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"the viewers ended at: {command}")
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()


async def main(port: int, request: bytes) -> None:
    """Obey until standard input ends."""
    crowd = _Crowd(f"ws://127.0.0.1:{port}/_stcore/stream", request)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        command, argument = line.split()
        if command == "open":
            await crowd.open(int(argument))
            print("open", flush=True)
        else:
            print(msgspec.json.encode(await crowd.watch(float(argument))).decode(), flush=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), base64.b64decode(sys.argv[2])))
