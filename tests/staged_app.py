"""Runs the unchanged ``app.py`` in a process whose shared objects a test has prepared.

``tests.browsing.Server`` copies this file beside ``app.py`` and has ``streamlit run`` run it
instead. What all tabs share is made once, with the arguments of this script; the page then finds
it there, as every tab after the first does.
"""

from __future__ import annotations

import argparse
import runpy
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Listener
from pathlib import Path
from typing import Final

import sessions
import worker
from engine.process import once_per_process
from events import EventStore
from page.tabs import REFRESH_SEC, OpenTabs
from sessions import Session
from settings import Settings, load
from sources.failover import PASS_OVER_SEC, Patience
from ticks import WINDOW_SEC, Asset

APP: Final = Path(__file__).parent / "app.py"


def arguments() -> argparse.Namespace:
    """What the test wants changed; ``tests.browsing.Stage`` writes the arguments."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--refresh-sec", type=float, default=REFRESH_SEC)
    parser.add_argument("--clock-ahead-sec", type=float)
    parser.add_argument("--always-open", action="store_true")
    parser.add_argument("--pass-over-sec", type=float, default=PASS_OVER_SEC)
    parser.add_argument("--past-sec", type=int, default=WINDOW_SEC)
    parser.add_argument(
        "--orders", type=Path, help="path of the socket on which events are ordered"
    )
    return parser.parse_args()


def make_worker(settings: Settings, stage: argparse.Namespace) -> worker.Worker:
    """The real worker, perhaps by another clock, with other hours, less past and less patience."""
    return worker.Worker(
        settings,
        clock=None if stage.clock_ahead_sec is None else clock_ahead(stage.clock_ahead_sec),
        session=always_open if stage.always_open else None,
        patience=Patience(pass_over_sec=stage.pass_over_sec, look_sec=0.1),
        past_sec=stage.past_sec,
    )


def clock_ahead(seconds: float) -> Callable[[], float]:
    """The wall clock, set ahead."""
    return lambda: time.time() + seconds


def always_open(asset: Asset, now: float) -> Session:
    """The hours of markets that never close: a test about something else passes on any day."""
    return sessions.ALWAYS


def start_taking_orders(path: Path, events: EventStore) -> threading.Thread:
    """Add the events that arrive on a socket, and answer when they are there."""
    bound = path.with_suffix(".bound")
    listener = Listener(str(bound))
    # Under its own name only once it listens.
    bound.rename(path)

    def run() -> None:
        while True:
            with listener.accept() as connection:
                events.add_many(connection.recv())
                connection.send(None)

    thread = threading.Thread(target=run, name="orders", daemon=True)
    thread.start()
    return thread


def set_stage(stage: argparse.Namespace) -> None:
    """Make what the process shares, unless it is there already."""
    once_per_process("open tabs", lambda: OpenTabs(refresh_sec=stage.refresh_sec))
    engine = worker.shared(load, lambda settings: make_worker(settings, stage))
    if stage.orders is not None:
        once_per_process("orders", lambda: start_taking_orders(stage.orders, engine.events))


if __name__ == "__main__":
    set_stage(arguments())
    runpy.run_path(str(APP), run_name="__main__")
