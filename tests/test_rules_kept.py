"""The user's rules through a whole worker: from the settings file to replay, archive and export."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

import settings
from engine.reader import Reader
from events import OF_FEED, Event, EventStore, Remembered, StressDetector
from history.archive import Archive
from history.export import write
from history.hours import HOUR_SEC, ArchivedHours
from history.writer import connect, write_events, write_tracks
from page.stress import news
from rules import When
from settings import load
from tests.test_rules import CLASS, FLASH, START, Market, bitcoin
from tests.waiting import HANG_SEC, until
from ticks import Asset
from worker import Worker

RULES = """
[[rule]]
name = "flash"
when = "move"
by = 0.02
within = "10s"
severity = "extreme"

[[rule]]
name = "quiet"
when = "silent"
within = "20s"
assets = ["crypto"]
"""


@pytest.fixture(autouse=True)
def _no_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No file of this computer is read."""
    places = settings.Places(tmp_path / "none.toml", tmp_path / "data", ())
    monkeypatch.setattr(settings, "USUAL", places)


def configured(tmp_path: Path, rules: str, **environ: str) -> settings.Settings:
    """The settings of a process whose file holds these rules."""
    file = tmp_path / "market_pulse.toml"
    file.write_text(rules, "utf-8")
    variables = {f"MARKET_PULSE_{name}": value for name, value in environ.items()}
    return load({"MARKET_PULSE_CONFIG": str(file), **variables})


def hits(worker: Worker) -> list[Event]:
    """All hits of the user's rules, in their last states, the first first."""
    return [event for event in worker.events.latest(1000)[::-1] if event.rule]


@pytest.mark.parametrize("speed", ["inf", "90"])
def test_a_tape_gives_the_same_hits_at_any_speed(tmp_path: Path, speed: str) -> None:
    """A spike of six seconds, and then nothing while the market is open."""
    rows = ["ms,feed,symbol,price,bid,ask,size"]
    for second in range(100):
        price = 103.0 if 70 <= second < 76 else 100.0
        rows.append(f"{second * 1000 + 500},crypto,BTC-USD,{price},,,1")
    rows.append("180500,crypto,BTC-USD,100.0,,,1")
    tape = tmp_path / "tape.csv"
    tape.write_text("\n".join([*rows, ""]), "utf-8")
    worker = Worker(configured(tmp_path, RULES, SOURCE=f"replay:{tape}", SPEED=speed))
    worker.start()
    try:
        until(lambda: worker.status().source.has_ended)
        assert worker.status().faults == ()
        begin = math.floor(worker.reader.span()[0])
        found = [
            (event.rule, event.symbol, int(event.ts) - begin, event.severity, event.lead.value)
            for event in hits(worker)
        ]
        assert found == [
            ("flash", "BTC-USD", 70, "extreme", 103.0 / 100.0 - 1.0),
            ("quiet", OF_FEED, 119, "extreme", pytest.approx(80.5, abs=0.01)),
        ]
    finally:
        worker.stop()


def test_a_hit_is_archived_and_told_once_over_a_restart(tmp_path: Path) -> None:
    """A level that was passed is in the archive, in its exports, and not found again."""
    level = '[[rule]]\nname = "up"\nwhen = "above"\nprice = 1\nsymbols = ["AAPL"]\n'
    rules = '[watchlist]\nstocks = ["AAPL"]\n' + level
    chosen = configured(tmp_path, rules, SOURCE="simulated", SEED="7")
    first = Worker(chosen)
    first.start()
    try:
        assert first.ready.wait(HANG_SEC)
        until(lambda: hits(first) and not hits(first)[0].history)
        assert first.flush()
    finally:
        first.stop()
    (hit,) = hits(first)
    assert (hit.symbol, hit.kind, hit.over_ts) == ("AAPL", "rule", None)
    archive = first.archive
    assert archive is not None
    (row,) = [row for row in exported(archive, hit.ts) if row["kind"] == "rule"]
    assert (row["rule"], row["when"], row["text"]) == ("up", "above", hit.text)
    second = Worker(chosen)
    second.start()
    try:
        assert second.ready.wait(HANG_SEC)
        now = second.reader.pulse()[0]
        until(lambda: second.reader.pulse()[0] > now + 3)
        assert hits(second) == [hit]
    finally:
        second.stop()


def exported(archive: Archive, ts: float) -> list[dict[str, Any]]:
    """The events of the hour that begins at an instant, as an export in JSON has them."""
    target = archive.path.with_suffix(".json")
    with target.open("wb") as out:
        write(archive, "events", "json", out, ts - 1.0, ts + 3600.0)
    found: list[dict[str, Any]] = json.loads(target.read_text("utf-8"))
    return found


def remembered() -> tuple[list[Event], Sequence[Remembered]]:
    """What a market told of rules that watch a symbol and a feed, and what it remembers."""
    quiet = replace(FLASH, name="quiet", when=When.SILENT, by=None, within_sec=20)
    crosses = replace(FLASH, name="round", when=When.CROSSES, by=None, price=101.0)
    market = Market(FLASH, quiet, crosses)

    def stops(second: int) -> Mapping[str, float]:
        spike = bitcoin(lambda at: 103.0 if at >= 300 else 100.0)
        return {} if second > 305 else spike(second)

    market.run(stops, 0, 335, since=290)
    return market.told, market.detector.collect_changed()


def test_what_is_remembered_of_rules_comes_back_as_it_was(tmp_path: Path) -> None:
    """Beside the bursts of symbols, each under a name of its own."""
    told, changed = remembered()
    path = tmp_path / "archive.sqlite"
    connection = connect(path)
    write_tracks(connection, changed)
    write_events(connection, told)
    connection.close()
    found = Archive(path).tracks()
    assert sorted(found, key=lambda one: one.key) == sorted(changed, key=lambda one: one.key)
    detector = StressDetector(rules=[FLASH])
    detector.restore(found)
    assert {watch.rule for watch in detector.watches} == {"flash"}, "the others' rules are gone"


def test_the_silence_of_a_feed_is_in_the_hour_that_is_looked_back_at(tmp_path: Path) -> None:
    """It is of no symbol that is watched, and of every hour it was in."""
    told, _ = remembered()
    path = tmp_path / "archive.sqlite"
    connection = connect(path)
    write_events(connection, told)
    connection.close()
    watched: dict[Asset, list[str]] = {"stocks": [], "forex": [], "crypto": []}
    for symbol, asset in CLASS.items():
        watched[asset].append(symbol)
    hours = ArchivedHours(Archive(path), watched, 500, lambda error: None)
    events = hours.moment(START + 100, START + HOUR_SEC).events.latest(100)
    assert {(event.rule, event.symbol) for event in events} == {
        ("flash", "BTC-USD"),
        ("round", "BTC-USD"),
        ("quiet", OF_FEED),
    }
    assert sorted(events, key=lambda event: event.id) == sorted(
        {event.id: event for event in told}.values(), key=lambda event: event.id
    )


def test_the_end_of_an_event_is_no_news_of_the_page() -> None:
    """Unless it began within the two minutes in which it may still be told."""
    told, _ = remembered()
    first = next(event for event in told if event.rule == "flash")
    events = EventStore()
    events.add(first)
    reader = cast("Reader", SimpleNamespace(events=events))
    assert [line.id for line in news(reader, first.ts + 1.0, 0)] == [first.id]
    over = replace(first, updated_ts=first.ts + 300.0, over_ts=first.ts + 270.0)
    events.add(over)
    assert news(reader, over.updated_ts + 1.0, 0) == []
    (event,) = events.latest(1)
    assert event == over
