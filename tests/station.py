"""Station: the stream of a worker of which the test brings the ticks and the seconds."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import msgspec
from starlette.routing import WebSocketRoute
from websockets.sync.client import ClientConnection, connect

from api.broadcast import USUAL, Patience
from api.facts import Facts
from api.hub import Hub
from api.protocol import Form
from api.spool import Spool
from api.stream import PATH, Stream
from api.transfer import MARK
from bars import Bars
from engine.heartbeat import SecondOver, Subscriber
from engine.status import ArchiveState, ArchiveStatus, Status
from events import Event
from history.recorder import Recorder
from settings import ApiSettings, HistorySettings, Settings, SourceSettings
from tests.api_server import ApiServer
from tests.stage import play, staged
from tests.waiting import HANG_SEC
from ticks import Asset, Tick
from worker import Worker

__all__ = ["BEGIN", "HANDSHAKE", "NAMES", "Client", "Station", "frame_of"]

BEGIN: Final = 1_795_600_800
"""A whole hour, in seconds since the epoch."""

NAMES: Final = ("BTC-USD", "ETH-USD", "SOL-USDT")

HANDSHAKE: Final = (
    f"GET {PATH} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
).encode()
"""What a client begins with that has no library to say it."""

_WATCHLIST: Final[Mapping[Asset, tuple[str, ...]]] = {"stocks": (), "forex": (), "crypto": NAMES}


class Client:
    """A client of the stream, by the official library."""

    def __init__(self, socket: ClientConnection, form: Form) -> None:
        self.socket = socket
        self._form = form

    def say(self, type_: str, **fields: Any) -> None:
        """Say something."""
        said = {"type": type_, **{name.rstrip("_"): value for name, value in fields.items()}}
        is_json = self._form is Form.JSON
        self.socket.send(json.dumps(said) if is_json else msgspec.msgpack.encode(said))

    def hear(self, *types: str) -> dict[str, Any]:
        """The next message but for chunks; the next of some types, if any are given."""
        while True:
            content = self.socket.recv(HANG_SEC)
            found: dict[str, Any]
            if isinstance(content, bytes) and content.startswith(MARK):
                continue
            if isinstance(content, str):
                found = json.loads(content)
            else:
                found = msgspec.msgpack.decode(content)
            if not types or found["type"] in types:
                return found

    def hear_all(self) -> list[dict[str, Any]]:
        """All that was told before this was asked for."""
        found = []
        # A pong may come before what is due: that is sent before the next one.
        for _ in range(2):
            self.say("ping", n=77)
            while (message := self.hear())["type"] != "pong":
                found.append(message)
        return found


def frame_of(said: Mapping[str, object]) -> bytes:
    """A small message in a frame of WebSocket, as such a client sends it: masked with zeros."""
    content = json.dumps(said).encode()
    return bytes([0x81, 0x80 | len(content), 0, 0, 0, 0]) + content


class _Seen:
    """A worker as programs see it: of its archive it says what the test wants."""

    def __init__(self, engine: Worker, archive_state: ArchiveState) -> None:
        self._engine = engine
        self.reader = engine.reader
        self.archive = engine.archive
        self.archive_state = archive_state

    def status(self) -> Status:
        """The worker's, but of the archive."""
        return replace(self._engine.status(), archive=ArchiveStatus(state=self.archive_state))

    def alive(self) -> bool:
        """Whether it runs."""
        return True


class Station:
    """A worker that is open but does not run, and its stream, in use as a context.

    ``data`` is the folder of an archive; None: there is none. ``clock`` is the stream's steady one.
    """

    def __init__(
        self,
        patience: Patience = USUAL,
        api: ApiSettings | None = None,
        data: Path | None = None,
        names: Iterable[str] = NAMES,
        clock: Callable[[], float] = time.monotonic,
        send_bytes: int | None = None,
    ) -> None:
        self.now = float(BEGIN)
        self.hub = Hub()
        source = SourceSettings("eodhd", keys={"eodhd": ("KEY",)}, watchlist=_WATCHLIST)
        source = replace(source, watchlist={**_WATCHLIST, "crypto": tuple(names)})
        self._settings = Settings(source, history=HistorySettings(folder=data))
        self.begin_anew()
        self.facts = Facts(lambda: self._seen, api or ApiSettings(), lambda: self.now)
        self.stream = Stream(self.facts, Spool(), patience, clock)
        self.hub.listen(self.stream)
        routes = [WebSocketRoute(PATH, self.stream.serve)]
        self.server = ApiServer(routes, self.hub, send_bytes=send_bytes)

    def begin_anew(self) -> None:
        """Let another worker take the place of this one, if there is one."""
        self.engine: Worker = staged(
            self._settings,
            clock=lambda: self.now,
            subscribers=(Subscriber("api", self.hub.receive),),
        )
        has_archive = self.engine.archive is not None
        self._seen = _Seen(self.engine, ArchiveState.WRITING if has_archive else ArchiveState.OFF)

    def say_of_archive(self, state: ArchiveState) -> None:
        """Have the status say this of the archive."""
        self._seen.archive_state = state

    def __enter__(self) -> Self:
        self.server.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.server.__exit__(kind, error, traceback)

    @property
    def address(self) -> str:
        """Where the stream is."""
        return f"ws://127.0.0.1:{self.server.port}{PATH}"

    def second(self, prices: Mapping[str, float], late: Iterable[Tick] = ()) -> int:
        """Let a second pass in which each of some symbols had a tick; which it was."""
        second = int(self.now)
        ticks = [Tick(symbol, "crypto", second + 0.5, price) for symbol, price in prices.items()]
        play(self.engine, second, [*late, *ticks])
        self.end(second)
        return second

    def end(self, second: int) -> None:
        """Show and search a second."""
        self.now = second + 1.0
        self.engine.heartbeat.show(second)
        self.engine.heartbeat.search(second)

    def tell(self, event: Event, second: int, *, is_history: bool = False) -> None:
        """Have a second be over in which an event came into a state."""
        self.hub.receive(SecondOver(second, second + 0.999, None, (event,), is_history))

    def record(self, bars: Bars, events: Iterable[Event] = ()) -> None:
        """Have the archive hold these, too."""
        assert self.engine.archive is not None
        recorder = Recorder(self.engine.archive.path, bars_days=7.0, events_days=90.0)
        recorder.start()
        recorder.record(bars, [*events])
        recorder.stop()

    @contextmanager
    def client(self, form: Form | None = Form.JSON, token: str = "") -> Iterator[Client]:
        """A client that was let in; with no ``form`` it names no subprotocol."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        subprotocols: Any = [form] if form else None
        with connect(self.address, additional_headers=headers, subprotocols=subprotocols) as ws:
            yield Client(ws, form or Form.JSON)
