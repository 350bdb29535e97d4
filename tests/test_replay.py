"""A replay: the same frames and the same events at any speed, and the events of a known day."""

from __future__ import annotations

import gzip
import math
import random
import re
from collections.abc import Mapping, Sequence
from contextlib import closing
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from events import Event, StressDetector
from history.writer import connect, write_bars, write_begins
from page.status import status_card
from page.words import Instant
from pulse_store import PulseStore, to_snapshots
from settings import Settings, SourceSettings
from sources.source import Span
from sources.tape import TAPE_EPOCH, Tape
from tests.statuses import feed_of
from tests.waiting import until
from ticks import ASSETS, Tick
from vendors import eodhd
from worker import Worker

GOLDEN = Path(__file__).parent / "golden" / "tape_events.txt"

Seen = list[Mapping[str, Any]]


def replay(
    tape: Path,
    speed: float,
    begin: float | None = None,
    end: float | None = None,
) -> tuple[Seen, list[Event]]:
    """Every snapshot the detector was shown, and every event in its last state."""
    seen: Seen = []

    class Recorder(StressDetector):
        def check_all(self, snapshots: Sequence[Mapping[str, Any]], **known: Any) -> list[Event]:
            seen.extend(snapshots)
            return super().check_all(snapshots, **known)

    engine = Worker(
        Settings(
            SourceSettings(
                "replay", replay_file=tape, replay_from=begin, replay_to=end, speed=speed
            )
        ),
        make_detector=Recorder,
    )
    engine.start()
    try:
        until(lambda: engine.status().source.has_ended)
        status = engine.status()
        assert status.faults == ()
        assert all(feed.dropped == 0 for feed in status.feeds)
        return seen, engine.events.latest(1000)[::-1]
    finally:
        engine.stop()


def excerpt(tape: Path, begin_sec: int, end_sec: int, target: Path) -> Path:
    """The tape's rows of some seconds, on a clock of their own."""
    with gzip.open(tape, "rt", encoding="utf-8") as rows:
        lines = [next(rows)]
        for row in rows:
            ms, rest = row.split(",", 1)
            if begin_sec * 1000 <= int(ms) < end_sec * 1000:
                lines.append(f"{int(ms) - begin_sec * 1000},{rest}")
    target.write_text("".join(lines), "utf-8")
    return target


def line(event: Event) -> str:
    """One event as a line of the golden file: from when, its peak, what, how often."""
    times = [int(ts or 0.0) % 86400 for ts in (event.ts, event.lead.to_ts)]
    begun, peak = (f"{s // 3600:02d}:{s // 60 % 60:02d}:{s % 60:02d}" for s in times)
    words = " | ".join(filter(None, (event.text, event.more)))
    return f"{begun} peak {peak} {event.severity} ×{event.count} {event.regime} | {words}"


def test_speed_changes_neither_frames_nor_events(tape_path: Path, tmp_path: Path) -> None:
    """Four and a half minutes around a jump, at speed 60 and as fast as possible."""
    short = excerpt(tape_path, 9 * 60, 13 * 60 + 30, tmp_path / "short.csv")
    at_60 = replay(short, 60.0)
    unpaced = replay(short, math.inf)
    assert len(at_60[0]) > 1000
    assert at_60[1]
    assert at_60 == unpaced


def test_real_speed_gives_the_same_frames(tape_path: Path, tmp_path: Path) -> None:
    """Four seconds as they were recorded take four seconds and show what a fast replay shows."""
    short = excerpt(tape_path, 600, 604, tmp_path / "short.csv")
    assert replay(short, 1.0) == replay(short, math.inf)


def test_the_events_of_the_recorded_hour(tape_path: Path) -> None:
    """A press conference of a central bank and a rising stock market, told in some lines."""
    seen, events = replay(tape_path, math.inf)
    assert len(seen) > 3600 * 6
    assert [line(event) for event in events] == GOLDEN.read_text("utf-8").splitlines()
    for event, later in combinations(events, 2):
        is_over = event.over_ts is not None and event.over_ts < later.ts
        assert is_over or not {*event.symbols} & {*later.symbols}


def test_a_replay_says_what_it_is_and_when_it_is_over(tmp_path: Path) -> None:
    """The status names the file and the end; the ended tape is a closed market, not a silence."""
    tape = tmp_path / "two.csv"
    tape.write_text("ms,feed,symbol,price,bid,ask,size\n0,us,SPY,100,,,1\n900,us,SPY,101,,,1\n")
    engine = Worker(Settings(SourceSettings("replay", replay_file=tape, speed=math.inf)))
    engine.start()
    try:
        until(lambda: engine.status().source.has_ended)
        status = engine.status()
        assert (status.source.name, status.source.file) == ("replay", "two.csv")
        assert feed_of(engine, "stocks").heard == ("SPY",)
        assert feed_of(engine, "stocks").state == "closed market"
        assert feed_of(engine, "stocks").ticks_per_sec == 0.0
        assert feed_of(engine, "forex").state == "off"
        snapshot = engine.store.snapshot("SPY", engine.reader.pulse()[0])
        assert snapshot is not None
        assert snapshot["last"] == 101.0
        assert snapshot["ret_1m"] is None
    finally:
        engine.stop()


def test_a_tape_of_a_crash_is_replayed_whole(tmp_path: Path) -> None:
    """Nine percent down in twenty seconds and back in a minute; what nobody confirmed is told."""
    rng = random.Random(5)
    rows = []
    for ms in range(0, 120_000, 200):
        fallen = 0.09 * max(0.0, min(1.0, (ms - 30_000) / 20_000) - max(0, ms - 55_000) / 60_000)
        mid = 1.26 * math.exp(-fallen + rng.gauss(0, 0.0005))
        rows.append(f"{ms},forex,GBPUSD,,{mid - 0.002:.5f},{mid + 0.002:.5f},")
    rows += [f"{120_000 + n},forex,GBPUSD,,{2.0 + n % 7},{2.1 + n % 7}," for n in range(900)]
    tape = tmp_path / "crash.csv"
    tape.write_text("\n".join(["ms,feed,symbol,price,bid,ask,size", *rows, ""]), "utf-8")
    engine = Worker(Settings(SourceSettings("replay", replay_file=tape, speed=math.inf)))
    engine.start()
    try:
        until(lambda: engine.status().source.has_ended)
        feed = feed_of(engine, "forex")
        assert feed.refused == {"far off": 900}
        assert feed.state == "closed market", "and not held back for ever"
        (held,) = feed.held
        assert (held.symbol, held.number) == ("GBPUSD", 900)
        prices = engine.store.history("GBPUSD", engine.reader.pulse()[0], 130)["price"].dropna()
        assert prices.min() == pytest.approx(1.26 * math.exp(-0.09), rel=0.002)
    finally:
        engine.stop()


def test_the_time_before_a_tapes_end_stays_open(tmp_path: Path) -> None:
    """Looking back from the end shows what was live as live."""
    tape = tmp_path / "four.csv"
    rows = [f"{second}000,us,SPY,167.2{second % 10},,,10" for second in range(40)]
    tape.write_text("\n".join(["ms,feed,symbol,price,bid,ask,size", *rows]), "utf-8")
    engine = Worker(Settings(SourceSettings("replay", replay_file=tape, speed=math.inf)))
    engine.start()
    try:
        until(lambda: engine.status().source.has_ended)
        end, frame = engine.reader.pulse()
        assert engine.reader.states(frame, end) == ["closed"]
        before, frame = engine.reader.pulse(end - 20)
        assert engine.reader.states(frame, before) == ["live"]
    finally:
        engine.stop()


def test_a_silence_of_the_tape_is_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A gap longer than the watchdog's patience is replayed, not reconnected and half lost."""
    monkeypatch.setattr(eodhd, "SILENCE_SEC", dict.fromkeys(ASSETS, 0.2))
    tape = tmp_path / "gap.csv"
    tape.write_text("ms,feed,symbol,price,bid,ask,size\n0,us,SPY,100,,,1\n3900,us,SPY,101,,,1\n")
    engine = Worker(Settings(SourceSettings("replay", replay_file=tape, speed=2.0)))
    engine.start()
    try:
        until(lambda: engine.status().source.has_ended)
        feed = feed_of(engine, "stocks")
        assert (feed.ticks, feed.reconnects) == (2, 0)
    finally:
        engine.stop()


HEADER = "ms,feed,symbol,price,bid,ask,size"


def walk(begin_sec: int, seconds: int, seed: int) -> list[str]:
    """Rows of a stock and a coin, of some seconds with a jump half a minute before their end."""
    rng, rows = random.Random(seed), []
    for second in range(begin_sec, begin_sec + seconds):
        jump = 1.02 if second >= begin_sec + seconds - 30 else 1.0
        for ms in sorted(rng.sample(range(1000), 2)):
            at, price = second * 1000 + ms, jump * (1 + rng.gauss(0, 2e-4))
            rows.append(f"{at},us,SPY,{500 * price:.2f},,,10")
            rows.append(f"{at},crypto,BTC-USD,{64_000 * price:.2f},,,0.5")
    return rows


def written(path: Path, rows: Sequence[str]) -> Path:
    """A tape with these rows."""
    path.write_text("\n".join([HEADER, *rows, ""]), "utf-8")
    return path


def test_time_in_which_nothing_can_change_is_skipped(tmp_path: Path) -> None:
    """What comes after such a quarter of an hour is as if all had been played."""
    first, then, after = 60, 4500, 480
    rows = [*walk(0, first, seed=1), *walk(then, after, seed=2)]
    tape = written(tmp_path / "gap.csv", rows)
    seen, events = replay(tape, math.inf)
    seconds = sorted({int(snapshot["now"] - TAPE_EPOCH) for snapshot in seen})
    assert seconds == [*range(first + 3600), *range(then, then + after)]

    store, detector = PulseStore(), StressDetector()
    expected: Seen = []
    told: dict[str, Event] = {}
    recorded = Tape.load(tape)
    for asset in ASSETS:
        store.watch(asset, recorded.symbols[asset])
    for second in range(int(TAPE_EPOCH), int(recorded.end) + 1):
        quotes = recorded.read_until(second + 1.0)
        store.update_many([Tick(q.symbol, q.asset, q.ts, q.price) for q in quotes])
        store.advance(second + 1)
        snapshots = store.snapshots(second + 0.999)
        told |= {event.id: event for event in detector.check_all(snapshots)}
        if second - TAPE_EPOCH >= then:
            expected += snapshots
    assert seen[-len(expected) :] == expected
    assert sorted(map(line, events)) == sorted(map(line, told.values()))
    assert {event.symbol for event in events} == {"SPY", "BTC-USD"}


def test_a_replay_says_what_it_skipped(tmp_path: Path) -> None:
    """At its own speed too: a tape whose first price comes after hours begins with that."""
    rows = [f"{at},us,SPY,5,,,1" for at in (7_200_000, 7_200_400)]
    engine = Worker(
        Settings(
            SourceSettings("replay", replay_file=written(tmp_path / "late.csv", rows), speed=1.0)
        )
    )
    engine.start()
    try:
        until(lambda: engine.status().source.has_ended)
        source = engine.status().source
        assert source.skipped == Span(TAPE_EPOCH, TAPE_EPOCH + 7200)
        assert source.next_price_at is None
    finally:
        engine.stop()


@pytest.mark.parametrize("speed", [1.0, 60.0])
def test_a_replay_says_when_the_next_price_is_due(tmp_path: Path, speed: float) -> None:
    """At any speed, for as long as every symbol is stale until then."""
    rows = [f"{at},us,SPY,5,,,1" for at in (0, 400, 3_000_000)]
    engine = Worker(
        Settings(
            SourceSettings("replay", replay_file=written(tmp_path / "gap.csv", rows), speed=speed)
        )
    )
    engine.start()
    try:
        until(lambda: engine.status().source.next_price_at is not None)
        status = engine.status()
        assert status.source.next_price_at == TAPE_EPOCH + 3000
        card = status_card(status, status.now, status.now)
        (message,) = [one for one in card.messages if one.passing]
        assert message.text == ("There is no price until ", Instant(TAPE_EPOCH + 3000), ".")
        assert re.fullmatch(
            r"Due in (49|50) s\." if speed == 60 else r"Due in 49 min \d\d s\.", message.counts
        )
        assert message.passing == tuple(card.passing)
    finally:
        engine.stop()


def test_a_replay_says_what_became_of_the_rows(tmp_path: Path) -> None:
    """In the status, and in words on the page; the rest is played."""
    rows = [f"{second}000,us,{600519 + second % 2},5,,,1" for second in range(20)]
    rows[7], rows[8] = rows[8], rows[7]
    rows[3] = "3000,us,600520,x,,,1"
    engine = Worker(
        Settings(
            SourceSettings(
                "replay", replay_file=written(tmp_path / "day.csv", rows), speed=math.inf
            )
        )
    )
    engine.start()
    try:
        until(lambda: engine.status().source.has_ended)
        status = engine.status()
        assert feed_of(engine, "stocks").heard == ("600519", "600520")
        assert feed_of(engine, "stocks").ticks == 19
        texts = [one.text for one in status_card(status, status.now, status.now).messages]
        assert (
            "1 of the 20 rows of day.csv was left out: row 5 (a number is expected, price is 'x')."
            " To help: correct them, and start again.",
        ) in texts
        assert ("1 row was out of order in day.csv; all are played by their times.",) in texts
    finally:
        engine.stop()


def test_a_damaged_archive_is_replayed_without_what_is_damaged(tmp_path: Path) -> None:
    """The page says which seconds that is; the others come as they were."""
    path = tmp_path / "archive.sqlite"
    store = PulseStore(records=True)
    store.update_many([Tick("SPY", "stocks", BEGIN + at + 0.5, 500.0 + at) for at in range(20)])
    with closing(connect(path)) as connection:
        write_bars(connection, store.collect_changed())
        connection.execute(
            "UPDATE bar SET cells = zeroblob(length(cells)) WHERE second IN (?, ?, ?)",
            (BEGIN + 4, BEGIN + 5, BEGIN + 9),
        )
    engine = Worker(Settings(SourceSettings("replay", replay_file=path, speed=math.inf)))
    engine.start()
    try:
        until(lambda: engine.status().source.has_ended)
        status = engine.status()
        assert feed_of(engine, "stocks").ticks == 17
        texts = [one.text for one in status_card(status, status.now, status.now).messages]
        span = Instant(BEGIN + 4), " to ", Instant(BEGIN + 9)
        assert ("The archive is damaged: 3 seconds are left out, from ", *span, ".") in texts
        end, _ = engine.reader.pulse()
        prices = engine.store.history("SPY", end, 20)["price"].dropna()
        assert prices.tolist() == [500.0 + at for at in range(20) if at not in (4, 5, 9)]
    finally:
        engine.stop()


def test_a_tape_of_many_symbols_is_replayed_whole(tmp_path: Path) -> None:
    """The vendor's limit of an account is no limit of a file."""
    tape = tmp_path / "many.csv"
    rows = [f"{i},us,S{i},100,,,1" for i in range(80)]
    tape.write_text("\n".join(["ms,feed,symbol,price,bid,ask,size", *rows]) + "\n")
    engine = Worker(Settings(SourceSettings("replay", replay_file=tape, speed=math.inf)))
    engine.start()
    try:
        until(lambda: engine.status().source.has_ended)
        assert engine.reader.pulse()[1]["last"].notna().sum() == 80
    finally:
        engine.stop()


BEGIN = 1_795_600_800  # 2026-11-25T10:00:00Z


def archived(path: Path) -> dict[int, list[dict[str, Any]]]:
    """An archive of nine minutes with a jump in the eighth, and what its store showed meanwhile.

    In the ninth EURUSD has the prices of another vendor.
    """
    prices = {"SPY": 512.37, "EURUSD": 1.139005, "BTC-USD": 84_588.01}
    rng, store, shown = random.Random(6), PulseStore(records=True), {}
    for asset, symbol in zip(ASSETS, prices, strict=True):
        store.watch(asset, [symbol])
    with closing(connect(path)) as connection:
        for second in range(BEGIN, BEGIN + 540):
            jump = 1.05 if second >= BEGIN + 450 else 1.0
            if second in (BEGIN, BEGIN + 490):
                store.begin_anew(["EURUSD"], second, f"that of {second}")
            for asset, symbol in zip(ASSETS, prices, strict=True):
                for ms in sorted(rng.sample(range(1000), rng.choice([0, 1, 2, 5]))):
                    price = prices[symbol] * jump * (1 + rng.gauss(0, 1e-4))
                    store.update(Tick(symbol, asset, (second * 1000 + ms) / 1000, price))
            store.advance(second + 1)
            shown[second] = to_snapshots(store.frame(second + 0.999), second + 0.999)
            write_bars(connection, store.collect_changed())
        write_begins(connection, store.collect_begins())
    return shown


def test_a_replayed_archive_is_what_was_seen(tmp_path: Path) -> None:
    """From the first second of a span on, whose figures look back before it; events as well."""
    shown = archived(tmp_path / "archive.sqlite")
    begin, end = BEGIN + 420, BEGIN + 520
    expected = [snapshot for second in range(begin, end) for snapshot in shown[second]]
    seen, events = replay(tmp_path / "archive.sqlite", math.inf, begin=begin, end=end)
    assert len(seen) == len(expected)
    for found, before in zip(seen, expected, strict=True):
        assert found == {
            name: pytest.approx(value, rel=1e-9, abs=1e-12) if isinstance(value, float) else value
            for name, value in before.items()
        }
    detector = StressDetector()
    told = {event.id: event for snapshot in expected for event in detector.check(snapshot)}
    assert {event.symbol for event in events} == {"SPY", "EURUSD", "BTC-USD"}
    assert {(e.kind, e.symbol, e.ts, e.count, e.text) for e in events} == {
        (e.kind, e.symbol, e.ts, e.count, e.text) for e in told.values()
    }
