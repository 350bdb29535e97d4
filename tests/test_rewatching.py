"""Symbols that are added and removed while everything runs: the source, the store, the archive."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Final

import pytest

from engine.watchlist import Outcome, Watched
from events import Event
from feeds import FeedStatus, Timing
from history.archive import Archive
from rules import Rule, When
from settings import HistorySettings, Settings, SettingsError, SourceSettings, StressSettings
from tests.harbor import Harbor, HarborServer
from tests.stage import Start, staged
from tests.statuses import feed_of
from tests.waiting import HANG_SEC, until
from ticks import Tick
from worker import Worker

pytest_plugins = ("tests.starting",)

KEY: Final = "SECRETKEY0123456789"

SIMULATED: Final = SourceSettings("simulated", seed=7)
LIVE: Final = SourceSettings(
    "live", watchlist={"stocks": (), "forex": (), "crypto": ("BTC-USD", "ETH-USD")}
)


def symbols(engine: Worker) -> list[str]:
    """Those of the newest frame."""
    return [str(symbol) for symbol in engine.reader.pulse().frame.index]


def test_what_is_added_has_its_past_and_what_is_removed_is_gone_after_a_restart_too(
    start: Start,
) -> None:
    """In the simulated market: an hour of prices at once, and new ones through its feed."""
    engine = start(SIMULATED)
    at = engine.reader.span()[1] - 600
    others = feed_of(engine, "forex")
    assert "AAPL" in engine.reader.pulse(at).frame.index
    assert engine.watchlist.add("stocks", "IBM").outcome is Outcome.DONE
    assert engine.watchlist.remove("AAPL").outcome is Outcome.DONE
    until(lambda: "IBM" in symbols(engine) and "AAPL" not in symbols(engine))
    until(lambda: engine.reader.pulse().frame["last"].notna()["IBM"])
    now, frame = engine.reader.pulse()
    assert len(frame) == 17
    assert frame["vol_15m"].notna()["IBM"]
    assert frame["regime"]["IBM"] != "unknown"
    assert len(engine.reader.order("heat", now, frame=frame).rows) == 17
    assert engine.store.history("IBM", now, 3500)["price"].notna().sum() > 300
    # So it is in the past.
    then = engine.reader.pulse(at).frame
    assert then.index.tolist() == frame.index.tolist()
    assert then["last"].notna()["IBM"]
    assert "AAPL" not in engine.reader.symbols(("stocks",))
    assert engine.reader.correlation("IBM", None, ("stocks",)).top
    until(lambda: "IBM" in feed_of(engine, "stocks").asked)
    # The other feeds know nothing of it.
    assert feed_of(engine, "forex").ticks >= others.ticks
    assert feed_of(engine, "forex").asked == others.asked
    newest = engine.reader.pulse().frame["last_ts"]["IBM"]
    until(lambda: engine.reader.pulse().frame["last_ts"]["IBM"] > newest)
    assert engine.flush()
    engine.stop()
    again = start(SIMULATED)
    assert symbols(again)[:8] == [
        *("TSLA", "NVDA", "AMZN", "MSFT", "META", "GOOGL", "IBM", "EURUSD")
    ]
    assert again.reader.pulse().frame["last"].notna()["IBM"]
    assert again.status().watch.is_kept


def test_a_stress_is_played_and_nothing_is_kept_without_an_archive(start: Start) -> None:
    """Of a symbol that has just been added, too: its price jumps by more than any usual minute."""
    engine = start(SIMULATED, is_kept=False)
    answer = engine.watchlist.add("crypto", "DOGE-USD")
    assert (answer.outcome, answer.is_kept) == (Outcome.DONE, False)
    until(lambda: "DOGE-USD" in symbols(engine))
    until(lambda: engine.reader.pulse().frame["last"].notna()["DOGE-USD"])
    assert engine.status().watch.can_play
    answer = engine.watchlist.play("DOGE-USD")
    assert answer.outcome is Outcome.DONE
    until(lambda: abs(engine.reader.pulse().frame["ret_1m"]["DOGE-USD"]) > 0.006)
    assert engine.watchlist.play("IBM").outcome is Outcome.UNKNOWN
    assert engine.watchlist.play().outcome is Outcome.DONE


def test_events_of_what_is_removed_read_the_same_after_a_restart(start: Start) -> None:
    """One that ran until then has its end to come, whoever runs by then."""
    engine = start(SIMULATED)
    until(lambda: not engine.status().is_searching_past)
    assert engine.watchlist.play("SOL-USDT").outcome is Outcome.DONE

    def of_it(engine: Worker, at: float | None = None) -> list[Event]:
        return [one for one in engine.events.latest(500, at) if one.symbol == "SOL-USDT"]

    until(lambda: any(one.over_ts is None for one in of_it(engine)))
    assert engine.watchlist.remove("SOL-USDT").outcome is Outcome.DONE
    until(lambda: "SOL-USDT" not in symbols(engine))
    at = engine.reader.pulse().now
    engine.stop()
    before = of_it(engine, at)
    assert before[0].over_ts is None
    again = start(SIMULATED, clock=lambda: time.time() + 1800.0)
    assert of_it(again, at) == before
    until(lambda: all(one.over_ts is not None for one in of_it(again)))


def test_a_second_that_was_shown_keeps_its_rows() -> None:
    """A page reads it again and again while it is made: a part of it may not lack a symbol."""
    engine = staged(Settings(SIMULATED))
    second = 1_795_000_000
    engine.store.update(Tick("AAPL", "stocks", second + 0.5, 300.0))
    engine.heartbeat.show(second)
    shown = engine.reader.pulse()
    order = engine.reader.order("heat", shown.now, frame=shown.frame)
    engine.store.unwatch(["AAPL"])
    engine.heartbeat.show(second + 1)
    assert len(engine.reader.pulse().frame) == 16
    assert engine.reader.pulse(shown.now).frame is shown.frame
    assert engine.reader.order("heat", shown.now, frame=shown.frame) == order
    assert len(engine.reader.order("heat", shown.now + 1, frame=shown.frame).rows) == 17
    for later in range(second + 2, second + 7):
        engine.heartbeat.show(later)
    assert "AAPL" not in engine.reader.pulse(shown.now).frame.index


def test_the_embedded_exchange_has_no_limit_of_symbols() -> None:
    """Five hundred, and not the fifty of the vendor whose protocol it speaks."""
    names = tuple(f"S{chr(65 + n // 26)}{chr(65 + n % 26)}" for n in range(520))
    watchlist: Watched = {"stocks": names, "forex": (), "crypto": ("BTC-USD",)}
    engine = staged(Settings(SourceSettings("simulated", seed=7, watchlist=watchlist)))
    assert len(symbols(engine)) == 521
    assert [feed.over_limit for feed in engine.status().feeds] == [(), (), ()]
    assert [room.limit for room in engine.status().watch.rooms] == [None]
    assert engine.watchlist.add("stocks", "IBM").outcome is Outcome.DONE


def test_a_vendor_is_asked_anew_with_what_was_believed_before(start: Start) -> None:
    """It connects once more, for other symbols; those that stay go on from their last price."""
    with HarborServer(KEY) as one, HarborServer(KEY) as two:
        chain = (Harbor(one.url, KEY, name="One"), Harbor(two.url, KEY, name="Two"))
        engine = start(
            LIVE,
            vendors={"stocks": (), "forex": (), "crypto": chain},
            timing=Timing(backoff_floor_sec=0.02, backoff_cap_sec=0.05),
            is_kept=False,
        )
        until(lambda: engine.reader.has_prices())
        assert engine.watchlist.add("crypto", "SOL-USD").vendor == "One"
        assert engine.watchlist.add("crypto", "SOL-EUR").outcome is Outcome.NOT_CARRIED
        engine.watchlist.remove("ETH-USD")
        until(lambda: symbols(engine) == ["BTC-USD", "SOL-USD"])
        until(lambda: engine.reader.pulse().frame["last"].notna()["SOL-USD"])

        def serving() -> FeedStatus:
            return next(feed for feed in engine.status().feeds if feed.vendor == "One")

        # What is said of a feed is published once a second.
        until(lambda: serving().asked == ("BTC-USD", "SOL-USD"))
        assert "BTC-USD" in serving().heard
        assert engine.store.vendors(engine.reader.now()) == {"BTC-USD": "One", "SOL-USD": "One"}
        assert (one.most_open, two.connections) == (1, 0)
        assert "eth/usd" not in one.joins[-2:]


def test_what_a_rule_names_can_be_removed_and_the_next_start_takes_the_rule(
    start: Start, tmp_path: Path
) -> None:
    """Even if only viewers ever added it, so that the settings' watchlist lacks it."""
    engine = start(SIMULATED)
    assert engine.watchlist.add("stocks", "IBM").outcome is Outcome.DONE
    engine.stop()
    rule = Rule(name="high", when=When.ABOVE, price=1000.0, symbols=("IBM",))
    settings = Settings(
        SIMULATED,
        stress=StressSettings(rules=(rule,)),
        history=HistorySettings(folder=tmp_path / "data"),
    )
    engine = Worker(settings)
    engine.start()
    assert engine.ready.wait(HANG_SEC)
    assert engine.watchlist.remove("IBM").outcome is Outcome.DONE
    engine.stop()
    again = staged(settings)
    assert "IBM" not in again.watchlist.watched["stocks"]
    assert again.watchlist.add("stocks", "IBM").outcome is Outcome.DONE


def test_a_rule_of_a_class_outlives_the_last_symbol_of_that(start: Start, tmp_path: Path) -> None:
    """Even if only viewers ever added any: the next start takes the rule."""
    none = SourceSettings(
        "simulated", seed=7, watchlist={"stocks": ("AAPL",), "forex": (), "crypto": ()}
    )
    engine = start(none)
    assert engine.watchlist.add("crypto", "BTC-USD").outcome is Outcome.DONE
    assert engine.watchlist.remove("BTC-USD").outcome is Outcome.DONE
    engine.stop()
    rule = Rule(name="coins", when=When.ABOVE, price=1e5, assets=("crypto",))
    history = HistorySettings(folder=tmp_path / "data")
    again = staged(Settings(none, stress=StressSettings(rules=(rule,)), history=history))
    assert not again.watchlist.watched["crypto"]


def test_the_settings_groups_are_of_what_is_watched(tmp_path: Path) -> None:
    """Or of what a viewer has removed: that may come back."""
    groups = {"big": ("AAPL", "NVDA")}
    settings = Settings(SIMULATED, groups=groups)
    assert staged(settings).watchlist.symbols_of("big") == ("AAPL", "NVDA")
    with pytest.raises(SettingsError, match="the group big has AAPPL, which is not watched: did"):
        staged(Settings(SIMULATED, groups={"big": ("AAPPL",)}))
    history = HistorySettings(folder=tmp_path)
    engine = Worker(Settings(SIMULATED, groups=groups, history=history))
    engine.start()
    assert engine.ready.wait(HANG_SEC)
    engine.watchlist.remove("AAPL")
    assert engine.flush()
    engine.stop()
    file = engine.archive
    assert isinstance(file, Archive)
    assert json.loads(file.meta("watchlist") or "")["removed"] == ["AAPL"]
    again = staged(Settings(SIMULATED, groups=groups, history=history))
    assert "AAPL" not in again.watchlist.watched["stocks"]
    assert again.watchlist.symbols_of("big") == ("AAPL", "NVDA")
