"""The worker remembers: after a restart everything is as it was, with a hole where nobody was."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from operator import attrgetter
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pytest

import sessions
from bars import CELL, Bars, Begin
from engine.reader import REWIND_SEC
from history.archive import Archive
from history.hours import HOUR_SEC
from history.recorder import DAY_SEC
from history.writer import connect, write_bars, write_begins
from page.headline import headline
from page.hour import area, area_span
from page.since import since_line
from page.troubles import archive_reason
from page.words import Instant
from sessions import ALWAYS, HoursFrom, MarketHours, Session
from settings import SourceSettings
from tests.stage import Start
from tests.waiting import until
from ticks import ASSETS, Asset
from wording import brief_percent_text
from worker import Worker

# Nobody listens there.
NOWHERE: Final = "ws://127.0.0.1:9/ws"

# Sunday, 22 November 2026, 15:00 UTC: stocks and forex are closed.
SUNDAY: Final = 1_795_359_600.0

pytest_plugins = ("tests.starting",)


def always(asset: Asset, now: float) -> Session:
    """Every market is always open."""
    return ALWAYS


def live(engine: Worker) -> bool:
    """Whether every feed is."""
    return all(feed.state == "live" for feed in engine.status().feeds)


def vendor_of(symbol: str, begins: Sequence[Begin]) -> str:
    """Who serves a symbol in the end."""
    return max(
        (begin for begin in begins if begin.symbol == symbol), key=attrgetter("second")
    ).vendor


def walk(symbols: Sequence[str], assets: Sequence[str], begin: int, end: int) -> Bars:
    """One bar a second and symbol of a random walk."""
    count = end - begin
    cells = np.zeros(count * len(symbols), CELL)
    cells["second"] = np.repeat(np.arange(begin, end), len(symbols))
    cells["row"] = np.tile(np.arange(len(symbols)), count)
    cells["n"], cells["ms"] = 1, 500
    steps = np.random.default_rng(begin).normal(0, 1e-4, (count, len(symbols)))
    cells["price"] = cells["sum"] = 100 * np.exp(steps.cumsum(axis=0)).reshape(-1)
    return Bars(tuple(symbols), tuple(assets), cells)


def archived(path: Path, *bars: Bars) -> None:
    """An archive with these bars."""
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = connect(path)
    connection.execute("BEGIN")
    for one in bars:
        write_bars(connection, one)
    connection.execute("COMMIT")
    connection.close()


def test_after_a_restart_every_card_is_as_it_was(start: Start) -> None:
    """The same market goes on: prices, figures, regimes and events of the seconds before."""
    first = start()
    until(lambda: live(first) and not first.status().is_searching_past)
    now = first.reader.pulse()[0]
    until(lambda: first.reader.pulse()[0] > now + 3)
    first.stop()
    at, frame = first.reader.pulse()
    events = first.events.latest(500, at)
    assert events
    seed = first.status().source.seed

    second = start()
    assert second.status().source.seed == seed
    again = second.store.frame(at)
    # A tick that came after its bar was sampled is in the sample that is taken anew.
    sampled = ["vol_15m", "vol_median", "sigma_1m", "sigma_5m", "z", "surprise", "vs_peers"]
    sampled += ["heat", "heat_ts", "move_1m_surprise", "move_5m_surprise"]
    pd.testing.assert_frame_equal(
        again.drop(columns=[*sampled, "regime"]),
        frame.drop(columns=[*sampled, "regime"]),
        rtol=1e-9,
        atol=1e-12,
    )
    assert (again[sampled].isna() == frame[sampled].isna()).all(axis=None)
    for names, atol in ((sampled[:4], 0.0), (sampled[4:8], 0.02)):
        near = np.isclose(again[names], frame[names], rtol=0.02, atol=atol, equal_nan=True)
        assert near.mean() >= 0.95
    assert (again["regime"] == frame["regime"]).sum() >= len(frame) - 2
    assert second.events.latest(500, at) == events
    # What the detector remembers, so that what goes on is not found again.
    tracks = {t.symbol: (t.leader, t.event) for t in first.detector.tracks}
    assert tracks
    restored = {t.symbol: (t.leader, t.event) for t in second.detector.tracks}
    assert restored == tracks
    assert second.reader.span()[0] <= first.reader.span()[0] + 5
    before, after = (
        each.reader.correlation("AAPL", 20, ASSETS, at).top for each in (first, second)
    )
    assert [pair.symbol for pair in after] == [pair.symbol for pair in before]
    assert [p.corr for p in after] == pytest.approx([p.corr for p in before])
    until(lambda: live(second))


def test_the_time_nobody_was_there_is_a_hole(start: Start) -> None:
    """No price, no line and no move across it, and the market goes on from where it was."""
    first = start()
    until(lambda: live(first))
    first.stop()
    last = first.reader.pulse()[1]["last"]
    # What is shown may be seconds behind what came.
    ended = int(max(row["last_ts"] or 0.0 for row in first.store.snapshots(time.time())))
    # As if half an hour had gone by.
    second = start(clock=lambda: time.time() + 1800.0)
    until(lambda: live(second) and bool((second.reader.pulse()[1]["age"] < 5).sum() > 12))
    now, frame = second.reader.pulse()
    history = second.store.history("BTC-USD", now, REWIND_SEC)["price"]
    assert history.loc[ended + 1 : ended + 1790].isna().all()
    assert history.loc[: ended - 1].notna().any()
    assert frame["ret_1m"].isna().all()
    assert frame["ret_5m"].isna().all()
    fresh = frame["age"] < 5
    assert (frame["last"] / last - 1)[fresh].abs().max() < 0.02
    assert not [event for event in second.events.latest(500) if event.ts > ended + 10]


def test_a_simulated_market_whose_hour_is_over_begins_anew(start: Start) -> None:
    """With an hour behind it, as at first; the archive still knows the other."""
    first = start()
    until(lambda: live(first))
    first.stop()
    ended = int(first.reader.pulse()[0])
    seed = first.status().source.seed
    second = start(clock=lambda: time.time() + 3 * HOUR_SEC)
    _, frame = second.reader.pulse()
    assert second.status().source.seed == seed
    assert frame["vol_15m"].notna().all()
    assert second.flush()
    assert second.archive is not None
    span = second.archive.span()
    assert span is not None
    assert span[0] < ended - 3000
    assert span[1] > ended + 2 * HOUR_SEC
    # What both hours lie apart is nothing.
    assert second.reader.store_at(ended + 1800.0).frame(ended + 1800.0)["ret_1m"].isna().all()


def test_another_seed_is_another_market(start: Start, tmp_path: Path) -> None:
    """A seed that was chosen has a history of its own, and so has every source."""
    for seed in (None, 7, 8):
        engine = start(SourceSettings("simulated", seed=seed))
        until(lambda engine=engine: live(engine))  # type: ignore[misc]
        engine.stop()
    found = {path.name for path in (tmp_path / "data").glob("*.sqlite")}
    assert found == {"simulated.sqlite", "simulated-7.sqlite", "simulated-8.sqlite"}
    assert Archive(tmp_path / "data" / "simulated-7.sqlite").meta("seed") == "7"


def test_off_writes_nothing(start: Start, tmp_path: Path) -> None:
    """Without a folder there is no file, no thread and no past but the hour in memory."""
    engine = start(is_kept=False)
    assert engine.status().archive.state == "off"
    assert engine.archive is None
    assert engine.reader.span()[1] - engine.reader.span()[0] <= REWIND_SEC
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_archive_stops_nothing(start: Start, tmp_path: Path) -> None:
    """It is set aside and named, the feeds are live, and a new one is written."""
    path = tmp_path / "data" / "simulated.sqlite"
    path.parent.mkdir()
    path.write_bytes(b"rubbish" * 5000)
    engine = start()
    until(lambda: live(engine))
    status = engine.status().archive
    assert status.state == "writing"
    assert [aside.name.startswith("simulated.damaged-") for aside in status.set_aside] == [True]
    until(lambda: engine.status().archive.bars > 0)
    engine.stop()
    assert Archive(path).span() is not None


def test_a_folder_that_cannot_be_made_stops_nothing(start: Start, tmp_path: Path) -> None:
    """The page can say what is wrong; prices come all the same."""
    (tmp_path / "data").write_text("in the way")
    engine = start()
    until(lambda: live(engine))
    status = engine.status().archive
    assert status.state == "trouble"
    assert "MARKET_PULSE_DATA" in archive_reason(status)
    assert engine.reader.pulse()[1]["last"].notna().all()


def test_a_second_worker_on_the_file_reads_what_the_first_writes(start: Start) -> None:
    """It says so, shows the hour that was, and writes when the first has gone."""
    first = start()
    until(lambda: live(first))
    assert first.flush()  # the whole hour
    second = start()
    assert second.status().archive.state == "reading only"
    assert second.reader.pulse()[1]["vol_15m"].notna().all()
    first.stop()
    until(lambda: second.status().archive.state == "writing")
    before = second.status().archive.bars
    until(lambda: second.status().archive.bars > before)


@pytest.fixture
def week(tmp_path: Path) -> Path:
    """A live archive: stocks and forex up to Friday's close, crypto to a Sunday's afternoon."""
    path = tmp_path / "data" / "eodhd.sqlite"
    stocks = sessions.last_session("stocks", SUNDAY)
    forex = sessions.last_session("forex", SUNDAY)
    assert stocks is not None
    assert forex is not None
    archived(
        path,
        walk(("AAPL", "MSFT"), ("stocks",) * 2, int(stocks[1]) - 5000, int(stocks[1])),
        walk(("EURUSD",), ("forex",), int(forex[1]) - 3000, int(forex[1])),
        walk(("BTC-USD", "ETH-USD"), ("crypto",) * 2, int(SUNDAY) - 5 * HOUR_SEC, int(SUNDAY)),
    )
    return path


LIVE: Final = SourceSettings(
    "eodhd",
    keys={"eodhd": ("k",)},
    urls={"eodhd": NOWHERE},
    watchlist={
        "stocks": ("AAPL", "MSFT"),
        "forex": ("EURUSD",),
        "crypto": ("BTC-USD", "ETH-USD"),
    },
)


@pytest.mark.usefixtures("week")
def test_on_a_sunday_the_week_is_still_known(start: Start) -> None:
    """Closed rows keep Friday's price, crypto its hour, and last session's figures are there."""
    began = time.monotonic()
    engine = start(LIVE, clock=lambda: SUNDAY + time.monotonic() - began)
    now, frame = engine.reader.pulse()
    assert engine.reader.states(frame, now)[:3] == ["closed"] * 3
    assert frame["last"].notna().all()
    assert frame["ret_15m"].isna().tolist() == [True] * 3 + [False] * 2
    assert frame["vol_15m"].isna().tolist() == [True] * 3 + [False] * 2
    assert engine.reader.order("heat", now).rows[:2] in ((3, 4), (4, 3))
    for asset in ("stocks", "forex"):
        last = engine.reader.last_session(asset, now)
        assert last is not None
        assert (last.begin, last.end) == sessions.last_session(asset, SUNDAY)
        for symbol, figures in last.figures.items():
            assert figures.last == frame["last"][symbol]
            assert figures.low <= figures.first <= figures.high
    assert engine.reader.last_session("crypto", now) is None
    assert engine.reader.hours("stocks", now).phase == "closed"
    assert engine.reader.hours("stocks", now).opens == sessions.session("stocks", now).opens
    assert engine.reader.hours("crypto", now) == MarketHours(
        "crypto", "open", None, None, None, HoursFrom.CALENDAR
    )


def test_after_a_restart_nothing_is_from_one_vendor_to_another(
    start: Start, tmp_path: Path
) -> None:
    """What was archived of one that failed is in no window of the one that followed.

    What yesterday's prices were is known again, of the vendor that serves.
    """
    coins, now = ("BTC-USD", "ETH-USD"), int(SUNDAY)
    path = tmp_path / "data" / "live.sqlite"
    archived(
        path,
        walk(coins, ("crypto",) * 2, now - 90_000, now - 86_000),
        walk(coins, ("crypto",) * 2, now - HOUR_SEC, now),
    )
    with closing(connect(path)) as connection:
        begins = [Begin(coin, now - 90_000, "Coinbase") for coin in coins]
        write_begins(connection, [*begins, Begin("ETH-USD", now - 40, "Kraken")])
    began = time.monotonic()
    engine = start(LIVE, clock=lambda: SUNDAY + time.monotonic() - began)
    at, frame = engine.reader.pulse(SUNDAY - 1)
    frame = frame.loc[list(coins)]
    assert frame["ret_1m"].isna().tolist() == [False, True]
    assert frame["vol_15m"].isna().tolist() == [False, True]
    assert frame["ret_day"].isna().tolist() == [False, True]
    (yesterday,) = Archive(path).last_prices(now - 86_400 - 300, ["BTC-USD"])
    assert frame["prev_close"]["BTC-USD"] == yesterday.price
    vendors = engine.store.vendors(at)
    assert [vendors[coin] for coin in coins] == ["Coinbase", "Kraken"]
    # What begins now is told to the archive, ...
    until(lambda: vendor_of("BTC-USD", Archive(path).begins()) == "EODHD")
    # ... and not before it: a begin undoes those of later seconds.
    engine.heartbeat.begin_anew(coins, now + 60, "Kraken")
    until(lambda: Begin("BTC-USD", now + 60, "Kraken") in Archive(path).begins())


@pytest.mark.usefixtures("week")
def test_rewind_reaches_into_the_archive(start: Start) -> None:
    """Any second that was recorded can be looked back at, on the same symbols."""
    began = time.monotonic()
    engine = start(LIVE, clock=lambda: SUNDAY + time.monotonic() - began)
    oldest, newest = engine.reader.span()
    stocks = sessions.last_session("stocks", SUNDAY)
    assert stocks is not None
    forex = sessions.last_session("forex", SUNDAY)
    assert forex is not None
    assert oldest == int(forex[1]) - 3000  # the first that was recorded
    at = int(SUNDAY) - 3 * HOUR_SEC
    now, frame = engine.reader.pulse(at)
    assert int(now) == at
    assert list(frame.index) == list(engine.reader.pulse()[1].index)
    assert engine.reader.store_at(now) is not engine.store
    assert engine.reader.pulse(at)[1] is frame
    assert frame["vol_15m"].notna().tolist()[3:] == [True] * 2
    assert engine.reader.states(frame, now) == ["closed", "closed", "closed", "live", "live"]
    assert engine.reader.correlation("BTC-USD", 20, ("crypto",), at).top[0].symbol == "ETH-USD"
    assert len(engine.reader.order("heat", now).rows) == 5
    # What happened since is told from prices of then; and the hour of then has its stress.
    shown, left = engine.reader.pulse(), int(SUNDAY) - 2 * HOUR_SEC
    since = since_line(engine.reader, shown.now, 0, left)
    assert since is not None
    assert since.begin == ("Since ", Instant(left), ": ")
    (mover,) = since.movers
    then = engine.reader.pulse(left).frame["last"]
    change = shown.frame["last"][mover.symbol] / then[mover.symbol] - 1.0
    assert mover.text == f"{mover.symbol} {brief_percent_text(change)}"
    hour = at // HOUR_SEC * HOUR_SEC
    values = area(engine.reader, *area_span(hour, hour + HOUR_SEC - 1)).values
    assert len(values) == 360
    assert None not in values
    assert headline(engine.reader, now, 0).breadth[-1].word != "closed"
    # Friday, a minute before the close: an hour of stocks, and crypto not yet recorded.
    now, frame = engine.reader.pulse(int(stocks[1]) - 60)
    assert engine.reader.states(frame, now)[:2] == ["live", "live"]
    assert frame["vol_15m"]["AAPL"] > 0
    assert np.isnan(frame["last"]["BTC-USD"])
    # In memory as before.
    assert engine.reader.store_at(newest - REWIND_SEC) is engine.store


def test_a_closed_market_raises_no_event(start: Start) -> None:
    """Whatever prices say: of the hour in which an open one is full of events there is none."""
    hours, began = replace_phase("closed"), time.time()
    engine = start(
        SourceSettings("simulated", seed=7), is_kept=False, session=lambda asset, now: hours
    )
    until(lambda: not engine.status().is_searching_past)
    now, frame = engine.reader.pulse()
    assert (frame["surprise"].abs() > 0).any()
    # But for stocks from about the start on: their trades say that their market is open.
    assert engine.reader.states(frame, now)[7:] == ["closed"] * 10
    assert not [
        event
        for event in engine.events.latest(500)
        if event.asset != "stocks" or event.ts < began - 60
    ]


def replace_phase(phase: str) -> Session:
    """A session that lasts for ever."""
    return ALWAYS._replace(phase=phase)  # type: ignore[arg-type]


def test_the_oldest_is_let_go_and_the_reach_ends_there(start: Start, tmp_path: Path) -> None:
    """Retention is by age, and the page's reach follows."""
    path = tmp_path / "data" / "eodhd.sqlite"
    crypto = ("BTC-USD", "ETH-USD")
    archived(
        path,
        walk(crypto, ("crypto",) * 2, int(SUNDAY - 8 * DAY_SEC), int(SUNDAY - 8 * DAY_SEC) + 600),
        walk(crypto, ("crypto",) * 2, int(SUNDAY - 6 * DAY_SEC), int(SUNDAY - 6 * DAY_SEC) + 600),
        walk(crypto, ("crypto",) * 2, int(SUNDAY) - 600, int(SUNDAY)),
    )
    began = time.monotonic()
    engine = start(LIVE, clock=lambda: SUNDAY + 60 * (time.monotonic() - began))
    until(lambda: engine.reader.span()[0] == int(SUNDAY - 6 * DAY_SEC))


def test_a_newer_file_is_left_alone(start: Start, tmp_path: Path) -> None:
    """It is told, and the dashboard runs without an archive."""
    path = tmp_path / "data" / "simulated.sqlite"
    archived(path, walk(("AAPL",), ("stocks",), 1_790_000_000, 1_790_000_010))
    connection = connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = path.read_bytes()
    engine = start()
    until(lambda: live(engine))
    status = engine.status().archive
    assert (status.state, "newer Market Pulse" in archive_reason(status)) == ("trouble", True)
    engine.stop()
    assert path.read_bytes() == before
