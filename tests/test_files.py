"""Open files: the limit is raised, viewers beyond it are turned away, and the page lives on."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.testing.v1 import AppTest
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

import worker
from engine.files import FREE_FILES, is_within
from settings import Settings, SourceSettings
from tests.browsing import ROOT, Server, copy_app
from tests.stage import staged
from tests.waiting import until

FEW: Final = 256
"""As many files as some systems allow a process at first."""

DRAWN: Final = b"market_pulse_pipe"
TURNED_AWAY: Final = b"Too many viewers"

RAISED: Final = """
import resource
from engine.files import raise_limit
raise_limit()
print(*resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@pytest.mark.parametrize(("soft", "hard"), [(128, 400), (400, 400), (100, 4096)])
def test_the_limit_is_raised_as_far_as_it_may_be(soft: int, hard: int) -> None:
    """To the hard one, whatever it was before."""
    done = subprocess.run(
        [sys.executable, "-c", RAISED],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard)),
    )
    assert done.stdout.split() == [str(hard), str(hard)]


def test_some_files_stay_free() -> None:
    """For what is not a tab: at least some, and more where there are many."""
    assert is_within(FEW - FREE_FILES, FEW)
    assert not is_within(FEW - FREE_FILES + 1, FEW)
    assert is_within(7168, 8192)
    assert not is_within(7169, 8192)


def test_a_viewer_too_many_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Instead of the page; a tab that is there already stays."""
    engine = staged(Settings(SourceSettings("simulated", seed=42)))
    monkeypatch.setattr(worker, "shared", lambda load: engine)
    there = AppTest.from_file(ROOT / "app.py", default_timeout=20).run()
    monkeypatch.setattr("page.tabs.has_room", lambda: False)
    come = AppTest.from_file(ROOT / "app.py", default_timeout=20).run()
    assert [error.value for error in come.error] == ["Too many viewers."]
    assert not come.exception
    assert [each.proto.component_name for each in come.get("bidi_component")] == [
        "market_pulse_away"
    ]
    assert not there.run().error
    assert not there.exception


def test_sessions_whose_browser_has_gone_are_let_go_soon() -> None:
    """Each keeps three files for as long."""
    config = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text("utf-8"))
    assert config["server"]["disconnectedSessionTTL"] == 20


# A real server.


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """One that may open few files, and lets go of a session after two seconds."""
    copy_app(tmp_path)
    made = Server(
        tmp_path,
        {"MARKET_PULSE_SOURCE": "simulated", "MARKET_PULSE_SEED": "7"},
        "--server.disconnectedSessionTTL=2",
    )
    resource.prlimit(made.process.pid, resource.RLIMIT_NOFILE, (FEW, FEW))
    yield made
    made.kill()


async def look(ws: ClientConnection) -> bytes:
    """What a tab is shown first: the page, or that there are too many."""
    await ws.send(BackMsg(rerun_script=ClientState()).SerializeToString())
    shown = b""
    while DRAWN not in shown and TURNED_AWAY not in shown:
        shown += await ws.recv(decode=False)
    return DRAWN if DRAWN in shown else TURNED_AWAY


async def visit(url: str) -> bytes:
    """Look at the page once, and go."""
    async with (
        asyncio.timeout(30),
        connect(url, subprotocols=[Subprotocol("streamlit")], max_size=None) as ws,
    ):
        return await look(ws)


def files_of(server: Server) -> int:
    """How many it has open."""
    return len(list(Path(f"/proc/{server.process.pid}/fd").iterdir()))


def test_viewers_beyond_what_is_safe_are_told_and_the_page_lives_on(server: Server) -> None:
    """The first tabs go on, later ones are turned away, and when some have gone others come in."""
    url = server.url.replace("http", "ws") + "_stcore/stream"

    async def crowd() -> tuple[int, int]:
        async with contextlib.AsyncExitStack() as tabs:

            async def come() -> tuple[ClientConnection, bytes]:
                ws = await tabs.enter_async_context(
                    connect(url, subprotocols=[Subprotocol("streamlit")], max_size=None)
                )
                async with asyncio.timeout(30):
                    return ws, await look(ws)

            first, shown = await come()
            admitted = 0
            while shown == DRAWN:
                admitted += 1
                _, shown = await come()
            before = files_of(server)
            for _ in range(10):
                assert (await come())[1] == TURNED_AWAY
            kept = files_of(server) - before
            await first.send(BackMsg(rerun_script=ClientState()).SerializeToString())
            async with asyncio.timeout(30):
                while DRAWN not in await first.recv(decode=False):
                    pass
            return admitted, kept

    admitted, kept = asyncio.run(crowd())
    assert 30 <= admitted <= (FEW - FREE_FILES) / 4
    assert kept <= 14  # a socket each, and the last one's session may be about to end
    until(lambda: asyncio.run(visit(url)) == DRAWN)
    assert_no_fault(server)


def test_abandoned_visits_leave_a_page_that_works(server: Server) -> None:
    """However many come and go: a session that nobody looks at any more is let go of."""
    url = server.url.replace("http", "ws") + "_stcore/stream"

    async def visitors() -> set[bytes]:
        return {await visit(url) for _ in range(90)}

    assert asyncio.run(visitors()) <= {DRAWN, TURNED_AWAY}
    until(lambda: asyncio.run(visit(url)) == DRAWN)
    assert_no_fault(server)


def assert_no_fault(server: Server) -> None:
    """Nothing went wrong on the server's side."""
    lines = server.log.read_text("utf-8")
    assert "Traceback" not in lines
    assert "Too many open files" not in lines
