"""A process among several, for tests: a worker that says of every second what it shows.

Run as ``python -m tests.member``; its settings come from the environment, as those of the
dashboard do, and MEMBER_TIMING and MEMBER_CLOCK_SEC say how patient it is and how wrong its clock.
It writes a line of JSON for every second that it shows, one if events were found in a second, and
one for every line that it is asked.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
import threading
import time
from typing import Any

import msgspec
import pandas as pd

import worker
from engine.heartbeat import SecondOver, Subscriber
from engine.ranking import order_of
from history.deliveries import Mute, MuteOf
from settings import Settings, load
from sources.leading import RelayTiming


def running() -> worker.Worker:
    """The process's worker."""
    found = worker.current()
    assert found is not None
    return found


def figures_of(frame: pd.DataFrame) -> str:
    """A hash of all figures of a second, to the last bit."""
    digest = hashlib.sha256()
    for symbol in sorted(frame.index):
        digest.update(repr((symbol, frame.loc[symbol].tolist())).encode())
    return digest.hexdigest()[:16]


def main() -> None:
    """Run until told to end."""
    behind_sec = float(os.environ.pop("MEMBER_CLOCK_SEC", "0"))
    timing = msgspec.json.decode(os.environ.pop("MEMBER_TIMING", "{}"), type=RelayTiming)
    lock = threading.Lock()
    shown = dict[int, pd.DataFrame]()

    def say(kind: str, **what: Any) -> None:
        with lock:
            sys.stdout.write(json.dumps({"kind": kind, "at": time.monotonic(), **what}) + "\n")
            sys.stdout.flush()

    def show(second: int) -> None:
        # As it is shown: a busy process searches it later, and some once more after a restart.
        engine = running()
        now, frame = engine.heartbeat.newest
        shown[second] = frame
        calm = engine.heartbeat.ranking.order(second, "heat", frame.index)
        order = order_of("heat", frame, engine.reader.states(frame, now), calm).rows
        names = [str(frame.index[row]) for row in order]
        say("second", second=second, figures=figures_of(frame), order=names)

    def find(over: SecondOver) -> None:
        if over.events:
            say("found", events=[[event.id, event.updated_ts] for event in over.events])

    def make(settings: Settings) -> worker.Worker:
        return worker.Worker(
            settings,
            subscribers=(Subscriber("test", find, show),),
            status_sec=0.1,
            relay_timing=timing,
            clock=(lambda: time.time() - behind_sec) if behind_sec else None,
        )

    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    worker.shared(load, make)
    say("started")

    def answer() -> None:
        for line in sys.stdin:
            if line.strip() == "status":
                status = running().status()
                relay = status.relay
                say(
                    "status",
                    relay=json.loads(msgspec.json.encode(relay)),
                    faults=[[fault.name, fault.error] for fault in status.faults],
                    feeds=[feed.state for feed in status.feeds],
                )
            elif line.startswith("frame "):
                frame = shown.get(int(line.split()[1]), pd.DataFrame())
                say(
                    "frame",
                    frame={str(k): {c: repr(v) for c, v in r.items()} for k, r in frame.iterrows()},
                )
            elif line.startswith("remove "):
                answer = running().watchlist.remove(line.split()[1])
                say("remove", outcome=answer.outcome)
            elif line.startswith("add "):
                answer = running().watchlist.add("crypto", line.split()[1])
                say("add", outcome=answer.outcome)
            elif line.startswith("mute "):
                elsewhere = running().alerts_elsewhere
                assert elsewhere is not None
                elsewhere.mute(Mute(MuteOf.SYMBOL, line.split()[1], time.time() + 3600))
                say("mute")
            elif line.strip() == "mutes":
                say("mutes", names=[mute.name for mute in running().desk.status().mutes])
            elif line.strip() == "watched":
                say("watched", symbols=list(running().watchlist.watched["crypto"]))
            elif line.startswith("price "):
                second = int(line.split()[1])
                found = running().store.seconds(running().store.symbols[0], second, second + 1)[0]
                say("price", price=None if found != found else float(found))

    threading.Thread(target=answer, daemon=True).start()
    ended.wait()
    worker.stop_shared()
    say("stopped")


if __name__ == "__main__":
    main()
