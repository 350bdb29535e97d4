"""A glance is cheap: a refresh of the page beside the same elements filled with constants."""

from __future__ import annotations

import shutil
import statistics
import tempfile
from pathlib import Path
from typing import Any

import msgspec
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import connect

from benchmarks.constant_page import Captured, Component
from benchmarks.report import Row
from benchmarks.tabs import SIMULATED, warm_up, watched
from benchmarks.viewers import Viewers
from tests.browsing import ROOT, Server, copy_app

TABS = 40
ROUNDS = 3
WATCH_SEC = 12.0
SETTLE_SEC = 3.0
IDLE_SEC = 4.0
PROMISE = 1.5


def measure() -> list[Row]:
    """Processor time of a refresh of either, in turns."""
    with tempfile.TemporaryDirectory() as real_folder, tempfile.TemporaryDirectory() as folder:
        copy_app(Path(real_folder))
        with Server(Path(real_folder), SIMULATED) as real, Viewers(real) as real_viewers:
            warm_up(real_viewers)
            set_up_constants(Path(folder), capture(real.port))
            with Server(Path(folder), {}) as still, Viewers(still) as still_viewers:
                rounds = [
                    (_refresh_ms(real, real_viewers), _refresh_ms(still, still_viewers))
                    for _ in range(ROUNDS)
                ]
    ratio = statistics.median(ours / constant for ours, constant in rounds)
    ours, constant = (statistics.median(times) for times in zip(*rounds, strict=True))
    return [
        Row("a refresh of the page", f"{ours:.2f} ms"),
        Row("the same elements, constant", f"{constant:.2f} ms"),
        Row("ratio of the two", f"{ratio:.2f}", f"≤ {PROMISE:g}", ratio <= PROMISE),
    ]


def _refresh_ms(server: Server, viewers: Viewers) -> float:
    """Processor time per refresh of a tab, without what the server spends with nobody there."""
    viewers.open(0)
    idle_percent, _ = watched(server, viewers, IDLE_SEC)
    viewers.open(TABS)
    viewers.watch(SETTLE_SEC)
    percent, seen = watched(server, viewers, WATCH_SEC)
    viewers.open(0)
    if seen.failed or seen.errors:
        raise RuntimeError(f"{seen.failed} tabs failed and {seen.errors} errors were shown")
    return (percent - idle_percent) / 100 * WATCH_SEC / seen.refreshes * 1e3


def set_up_constants(folder: Path, captured: Captured) -> None:
    """Put the page of constants into ``folder``, under the same settings of Streamlit."""
    set_up_still(folder, (Path(__file__).parent / "constant_page.py").read_text("utf-8"))
    (folder / "captured.json").write_bytes(msgspec.json.encode(captured))


def set_up_still(folder: Path, script: str) -> None:
    """Put a page of ``script`` into ``folder``, under the same settings of Streamlit as ours."""
    (folder / "app.py").write_text(script, "utf-8")
    shutil.copytree(
        ROOT / ".streamlit", folder / ".streamlit", ignore=shutil.ignore_patterns("secrets*")
    )


def capture(port: int) -> Captured:
    """What the page on ``port`` draws, and what one refresh of it does."""
    with connect(
        f"ws://127.0.0.1:{port}/_stcore/stream",
        subprotocols=["streamlit"],  # type: ignore[list-item]
        max_size=None,
    ) as ws:
        request: Any = BackMsg()
        request.rerun_script.SetInParent()
        whole: list[Any] = _answer(ws, request)
        (told,) = [message.auto_rerun for message in whole if message.HasField("auto_rerun")]
        request.rerun_script.fragment_id = told.fragment_id
        request.rerun_script.is_auto_rerun = True
        refreshed = _elements(_answer(ws, request))
    still = _elements(whole, outside=told.fragment_id)
    return Captured(
        widgets=sum(_is_widget(element) for element in still),
        still=[_component(element) for element in still if _is_component(element)],
        refreshed=[_component(element) for element in refreshed],
    )


def _answer(ws: Any, request: Any) -> list[Any]:
    """The messages of one run."""
    ws.send(request.SerializeToString())
    messages: list[Any] = []
    while not messages or not messages[-1].HasField("script_finished"):
        messages.append(ForwardMsg.FromString(ws.recv(timeout=20)))
    return messages


def _elements(messages: list[Any], outside: str | None = None) -> list[Any]:
    return [
        message.delta.new_element
        for message in messages
        if message.HasField("delta")
        and message.delta.HasField("new_element")
        and (outside is None or message.delta.fragment_id != outside)
    ]


def _is_component(element: Any) -> bool:
    return bool(element.WhichOneof("type") == "bidi_component")


def _is_widget(element: Any) -> bool:
    return not _is_component(element) and bool(
        getattr(getattr(element, element.WhichOneof("type")), "id", "")
    )


def _component(element: Any) -> Component:
    """The only kind of element a refresh of the page draws; another would have to be added here."""
    if not _is_component(element):
        raise ValueError(f"the refresh draws {element.WhichOneof('type')}, expected a component")
    drawn = element.bidi_component
    return Component(
        html=drawn.html_content,
        css=drawn.css_content,
        js=drawn.js_content,
        payload=drawn.bytes if drawn.WhichOneof("data") == "bytes" else None,
    )
