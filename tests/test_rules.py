"""The user's rules, word by word, on prices that go through the store and the heartbeat."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Final

import pytest

from engine.heartbeat import Heartbeat, SecondOver, Subscriber
from events import Event, EventStore, Rule, StressDetector, When
from pulse_store import PulseStore
from ticks import ASSETS, Asset, Tick

START: Final = 1_760_000_400
"""A whole hour, in seconds since the epoch."""

Prices = Callable[[int], Mapping[str, float]]
"""By symbol, the price of a second after the start, of those that tick in it."""

CLASS: Final[Mapping[str, Asset]] = {
    "BTC-USD": "crypto",
    "ETH-USD": "crypto",
    "AAPL": "stocks",
    "MSFT": "stocks",
    "EURUSD": "forex",
}


class Market:
    """A heartbeat over prices that are given second by second, and what it told."""

    def __init__(
        self,
        *rules: Rule,
        streams_at: Callable[[Asset, float], bool] = lambda asset, now: True,
        said_halted: Callable[[], Mapping[str, float]] = dict,
        symbols: Iterable[str] = CLASS,
        live_from: int = 0,
    ) -> None:
        self.told: list[Event] = []
        self.store = PulseStore(7200)
        for symbol in symbols:
            self.store.watch(CLASS[symbol], [symbol])
        self.detector = StressDetector(rules=rules)
        self.events = EventStore()
        self.heartbeat = Heartbeat(
            self.store,
            self.events,
            self.detector,
            streams_at,
            float(START),
            (Subscriber("test", self.receive),),
            said_halted=said_halted,
            rules=rules,
        )
        self.heartbeat.know_past(None, START + live_from)

    def receive(self, over: SecondOver) -> None:
        """Keep what is told of the user's rules."""
        self.told += [event for event in over.events if event.rule]

    def run(self, prices: Prices, begin: int, end: int, since: int = 0) -> list[Event]:
        """Let the seconds ``begin`` to ``end`` (excluded) pass; all that was told so far.

        Those before ``since`` are only written, which takes no time.
        """
        for second in range(begin, end):
            self.store.update_many(
                Tick(symbol, CLASS[symbol], START + second + 0.5, price)
                for symbol, price in prices(second).items()
            )
            if second >= since:
                self.heartbeat.show(START + second)
                self.heartbeat.search(START + second)
        return self.told


def steady(second: int) -> dict[str, float]:
    """Every symbol at one price."""
    return dict.fromkeys(CLASS, 100.0)


def bitcoin(price: Callable[[int], float | None]) -> Prices:
    """Everything steady but one, which may not tick at all."""

    def at(second: int) -> dict[str, float]:
        own = price(second)
        rest = {name: 100.0 for name in CLASS if name != "BTC-USD"}
        return rest if own is None else rest | {"BTC-USD": own}

    return at


def began(told: Iterable[Event]) -> list[tuple[str, int]]:
    """Which symbol's events began, and in which second after the start, each once."""
    return [*dict.fromkeys((event.symbol, int(event.ts) - START) for event in told)]


FLASH: Final = Rule(name="flash", when=When.MOVE, by=0.02, within_sec=10)


def test_a_spike_of_six_seconds_is_a_move_within_ten() -> None:
    """From end to end of the ten seconds nothing moved, but within them it did."""
    market = Market(replace(FLASH, severity="extreme"))
    spike = bitcoin(lambda second: 103.0 if 300 <= second < 306 else 100.0)
    told = market.run(spike, 0, 350, since=290)
    assert began(told) == [("BTC-USD", 300)]
    first = told[0]
    assert (first.kind, first.rule, first.severity, first.asset) == (
        "rule",
        "flash",
        "extreme",
        "crypto",
    )
    assert first.id == f"rule:flash:BTC-USD:{round(first.ts * 1000)}"
    assert not first.early, "no surprise is judged"
    (part,) = first.parts
    assert (part.when, part.value, part.threshold, part.horizon_sec) == (
        When.MOVE,
        103.0 / 100.0 - 1.0,
        0.02,
        10,
    )
    assert (part.from_price, part.from_ts) == (100.0, START + 299.5)
    assert (part.to_price, part.to_ts) == (103.0, START + 300.5)
    assert first.text == "BTC-USD rose 3.00 % within 10 s: rule flash, 100.00 → 103.00"
    # The fall back is of the same, and no further: nothing new is told until the end. From the
    # last second of the spike the price of ten seconds later still differs.
    assert [(event.over_ts, event.count) for event in told[1:]] == [(START + 315.999, 1)]
    assert told[-1].updated_ts == START + 345.999
    kept = {event.id: event for event in market.events.latest(9)}
    assert kept[first.id] == told[-1]


def test_a_move_that_grows_is_updated_and_gets_severer() -> None:
    """One event, in further states: severity by how many times the threshold it is."""
    market = Market(FLASH)
    rising = bitcoin(lambda second: 100.0 * 1.01 ** max(0, min(second, 309) - 299))
    told = market.run(rising, 0, 315, since=290)
    assert began(told) == [("BTC-USD", 301)]
    assert [event.severity for event in told][:8:3] == ["watch", "alert", "extreme"]
    assert {event.count for event in told} == {1}
    assert told[-1].lead.value == pytest.approx(1.01**10 - 1)


def test_one_event_in_a_cooldown() -> None:
    """What comes back within it is the same; what comes later is new."""
    rule = replace(FLASH, cooldown_sec=60.0)
    spikes = (300, 340, 460)
    prices = bitcoin(lambda second: 103.0 if second in spikes else 100.0)
    market = Market(rule)
    told = market.run(prices, 0, 540, since=290)
    assert began(told) == [("BTC-USD", 300), ("BTC-USD", 460)]
    assert [event.count for event in told if event.over_ts] == [2, 1]


def test_it_is_armed_again_below_four_fifths() -> None:
    """A value between 0.8 × and 1 × goes on, and begins nothing."""
    market = Market(replace(FLASH, cooldown_sec=0.0))

    def price(second: int) -> float:
        return {300: 102.5, 301: 101.7, 302: 101.5}.get(second, 100.0)

    told = market.run(bitcoin(price), 0, 303, since=290)
    assert [(event.over_ts, event.count) for event in told] == [(None, 1), (START + 301.999, 1)]
    nearly = bitcoin(lambda second: 101.9 if second > 300 else 100.0)
    assert Market(FLASH).run(nearly, 0, 320, since=290) == []


def test_a_rule_is_of_its_symbols_or_classes() -> None:
    """All that nothing else is said of."""

    def jump(second: int) -> dict[str, float]:
        return dict.fromkeys(CLASS, 100.0 if second < 300 else 105.0)

    for rule, symbols in (
        (FLASH, set(CLASS)),
        (replace(FLASH, symbols=("AAPL", "ETH-USD")), {"AAPL", "ETH-USD"}),
        (replace(FLASH, assets=("crypto", "forex")), {"BTC-USD", "ETH-USD", "EURUSD"}),
    ):
        assert {event.symbol for event in Market(rule).run(jump, 0, 302, since=290)} == symbols


def test_until_an_instant() -> None:
    """From then on it does not fire, and what goes on comes to its end."""
    jumps = bitcoin(lambda second: 100.0 + second // 100 * 5.0)
    told = Market(replace(FLASH, until=START + 250.0)).run(jumps, 0, 310, since=95)
    assert began(told) == [("BTC-USD", 100), ("BTC-USD", 200)]
    above = Rule(name="high", when=When.ABOVE, price=101.0, until=START + 250.0)
    told = Market(above).run(jumps, 0, 310, since=95)
    assert [(int(event.ts) - START, event.over_ts) for event in told] == [
        (100, None),
        (100, START + 250.999),
    ]


def test_a_symbol_that_has_just_begun_has_not_moved() -> None:
    """Nor is anything told across a window's begin."""
    late = bitcoin(lambda s: None if s < 300 else 103.0 if s >= 320 else 100.0)
    assert Market(FLASH).run(late, 0, 330, since=290) == []
    market = Market(FLASH)
    market.heartbeat.begin_anew(["BTC-USD"], START, "one")
    market.run(steady, 0, 300, since=290)
    market.heartbeat.begin_anew(["BTC-USD"], START + 300, "another")
    assert market.run(bitcoin(lambda second: 103.0), 300, 330) == []


def test_nothing_of_what_is_stale_closed_or_halted() -> None:
    """A level that was passed in a closed market is told once it streams."""
    above = Rule(name="high", when=When.ABOVE, price=101.0, symbols=("BTC-USD",))
    high = bitcoin(lambda second: 102.0)
    closed = Market(above, streams_at=lambda asset, now: asset != "crypto" or now > START + 50)
    assert began(closed.run(high, 0, 60)) == [("BTC-USD", 50)]
    halted: dict[str, float] = {"BTC-USD": START + 10_000.0}
    assert Market(above, said_halted=lambda: halted).run(high, 0, 60) == []
    stale = Market(above, streams_at=lambda asset, now: now > START + 50)
    once = bitcoin(lambda second: 102.0 if second == 10 else None)
    assert stale.run(once, 0, 100) == []


def test_above_holds_while_it_holds() -> None:
    """It fires at once if the level is passed already; again only 0.1 % below it and back."""
    above = Rule(name="high", when=When.ABOVE, price=101.0, symbols=("BTC-USD",), cooldown_sec=5.0)
    high = {**dict.fromkeys(range(100), 102.0), 150: 100.95, 160: 101.2, 170: 100.8, 190: 101.5}

    def price(second: int) -> float:
        return high[max(at for at in high if at <= second)]

    market = Market(above)
    told = market.run(bitcoin(price), 0, 200)
    assert began(told) == [("BTC-USD", 0), ("BTC-USD", 190)]
    assert [event.over_ts for event in told] == [None, START + 170.999, None]
    assert told[0].text == "BTC-USD is above 101.00: rule high, at 102.00"
    assert (told[0].lead.value, told[0].lead.threshold, told[0].severity) == (102.0, 101.0, "watch")


def test_what_was_above_before_anybody_looked_is_told_in_the_present() -> None:
    """Once, as the same event, if it still is; not if it was so in the past alone."""
    above = Rule(name="high", when=When.ABOVE, price=101.0)
    told = Market(above, live_from=50).run(bitcoin(lambda second: 102.0), 0, 60)
    assert [(event.history, event.updated_ts) for event in told] == [
        (True, START + 0.999),
        (False, START + 50.999),
    ]
    assert replace(told[0], history=False, updated_ts=told[1].updated_ts) == told[1]
    fell = bitcoin(lambda second: 102.0 if second < 45 else 100.0)
    told = Market(above, live_from=50).run(fell, 0, 80)
    assert [(event.history, event.over_ts) for event in told] == [
        (True, None),
        (True, START + 45.999),
    ]


def test_below() -> None:
    """As above, the other way."""
    below = Rule(name="low", when=When.BELOW, price=99.0, severity="alert")
    told = Market(below).run(bitcoin(lambda second: 100.0 if second < 40 else 98.5), 0, 60)
    assert began(told) == [("BTC-USD", 40)]
    assert (told[0].text, told[0].severity) == (
        "BTC-USD is below 99.00: rule low, at 98.50",
        "alert",
    )


def test_crosses_waits_for_the_next_crossing() -> None:
    """A level already passed is none; a price that stays within 0.1 % of it crosses once."""
    crosses = Rule(name="round", when=When.CROSSES, price=100.0, cooldown_sec=5.0)
    path = [102.0] * 20 + [100.05, 99.95, 100.05, 99.95] + [99.0] * 20 + [100.0, 99.0] + [101.0] * 9

    def price(second: int) -> float:
        return path[min(second, len(path) - 1)]

    symbols = ("BTC-USD",)
    told = Market(crosses, symbols=symbols).run(
        lambda second: {"BTC-USD": price(second)}, 0, len(path) + 10
    )
    assert began(told) == [("BTC-USD", 21), ("BTC-USD", 46)]
    assert told[0].text == "BTC-USD crossed 100.00 downwards: rule round, at 99.95"
    assert [event.over_ts for event in told] == [
        None,
        START + 21.999,
        None,
        START + 46.999,
    ]
    assert told[2].text == "BTC-USD crossed 100.00 upwards: rule round, at 101.00"


def test_volatility() -> None:
    """Of fifteen minutes, as the pulse table shows it."""
    rule = Rule(name="wild", when=When.VOLATILITY, by=0.01)
    shaking = bitcoin(lambda second: 100.0 * (1.0 + 0.004 * (second // 10 % 2)))
    calm, wild = Market(rule), Market(rule)
    assert calm.run(steady, 0, 400, since=390) == []
    told = wild.run(shaking, 0, 400, since=390)
    assert {event.symbol for event in told} == {"BTC-USD"}
    row = wild.store.snapshot("BTC-USD", told[0].ts)
    assert row is not None
    assert told[0].lead.value == row["vol_15m"] >= 0.01
    assert told[0].lead.rises is None
    assert told[0].text.startswith("BTC-USD volatility ")
    assert "per 15 min: rule wild" in told[0].text


def test_surprise() -> None:
    """In standard deviations of the symbol's own usual minutes, either way."""
    rule = Rule(name="odd", when=When.SURPRISE, by=6.0)
    path = [100.0 + 0.01 * (second // 10 % 2) for second in range(900)]
    market = Market(rule)
    assert market.run(bitcoin(lambda second: path[second]), 0, 900, since=890) == []
    told = market.run(bitcoin(lambda second: 98.0), 900, 905)
    assert began(told) == [("BTC-USD", 900)]
    part = told[0].lead
    assert part.value == part.surprise
    assert part.value <= -6.0
    assert told[0].early
    assert told[0].text.startswith("BTC-USD fell with a surprise of ")


def test_day() -> None:
    """The change since what the day is measured against."""
    rule = Rule(name="day", when=When.DAY, by=0.05)
    market = Market(rule)
    market.store.set_reference(
        "AAPL", 100.0, START, START + 86_400.0, counts_from=float(START), vendor=""
    )
    prices = {10: 104.0, 20: 94.5}

    def at(second: int) -> dict[str, float]:
        return {"AAPL": prices[max(key for key in prices if key <= max(second, 10))]}

    told = market.run(at, 0, 30)
    assert began(told) == [("AAPL", 20)]
    assert told[0].text == "AAPL fell 5.50 % on the day: rule day, 100.00 → 94.50"


@pytest.mark.parametrize(("low", "high", "tells"), [(0.5, None, False), (None, 0.5, True)])
def test_correlation_of_a_pair_leaves_its_band(
    low: float | None, high: float | None, tells: bool
) -> None:
    """Two prices that walk alike are above a bound, and not below one."""
    rule = Rule(name="pair", when=When.CORRELATION, symbols=("AAPL", "MSFT"), low=low, high=high)
    market = Market(rule)

    def alike(second: int) -> dict[str, float]:
        step = 1.0 + 0.001 * ((second // 10) * 7919 % 13 - 6)
        return {"AAPL": 200.0 * step, "MSFT": 400.0 * step}

    told = market.run(alike, 0, 300, since=170)
    assert bool(told) is tells
    if tells:
        assert (told[0].symbol, told[0].twins, told[0].more) == ("AAPL", ("MSFT",), "")
        assert told[0].lead.value > 0.9
        assert told[0].lead.threshold == high
        assert int(told[0].ts) % 60 == 0
        assert told[0].text.startswith("AAPL correlates with MSFT at +0.9") or told[
            0
        ].text.startswith("AAPL correlates with MSFT at +1.00")
        assert len({event.id for event in told}) == 1


def test_a_feed_that_falls_silent_in_an_open_market() -> None:
    """Of its class, once; its end when a price comes."""
    rule = Rule(name="quiet", when=When.SILENT, within_sec=20, severity="alert", cooldown_sec=5.0)
    market = Market(rule)

    def at(second: int) -> dict[str, float]:
        rest = {"AAPL": 100.0, "MSFT": 100.0, "EURUSD": 1.1}
        return rest | ({} if 100 <= second < 200 else {"BTC-USD": 100.0, "ETH-USD": 100.0})

    told = market.run(at, 0, 260)
    assert [(event.symbol, event.asset, int(event.ts) - START) for event in told[:1]] == [
        ("", "crypto", 119)
    ]
    assert told[0].text == "No price of crypto for 20 s: rule quiet"
    assert told[0].lead.to_price is None
    assert [event.over_ts for event in told] == [None, START + 200.999]
    assert told[1].lead.value == pytest.approx(100.499)


def test_a_closed_market_is_not_silent() -> None:
    """It counts from the moment it streams; the past, which nobody heard, never does."""
    rule = Rule(name="quiet", when=When.SILENT, within_sec=20)

    def streams(asset: Asset, now: float) -> bool:
        return asset == "crypto" and now > START + 100

    market = Market(rule, streams_at=streams)
    assert began(market.run(lambda second: {}, 0, 130)) == [("", 120)]
    past = Market(rule, live_from=200)
    assert began(past.run(lambda second: {}, 0, 260)) == [("", 220)]
    assert {event.asset for event in past.told} == set(ASSETS)


def test_a_symbol_that_is_not_heard() -> None:
    """While others of its class are, or not; one that never had a price, too."""
    rule = Rule(name="mute", when=When.UNHEARD, within_sec=60, assets=("crypto",))
    market = Market(rule)
    told = market.run(lambda second: {"ETH-USD": 10.0} if second < 100 else {}, 0, 200)
    assert began(told) == [("BTC-USD", 60), ("ETH-USD", 159)]
    assert told[0].text == "No price of BTC-USD for 1 min 00 s: rule mute"
    halted: dict[str, float] = {"BTC-USD": float(START)}
    quiet = Market(rule, said_halted=lambda: halted)
    assert quiet.run(lambda second: {"ETH-USD": 10.0}, 0, 100) == []


def test_a_rule_of_a_built_in_kind_is_its_threshold() -> None:
    """The one that names the symbol beats the class's, and that the one of all."""
    rules = (
        Rule(name="all", when=When.MOVE_1M, by=0.5),
        Rule(name="coins", when=When.MOVE_1M, by=0.04, assets=("crypto",)),
        Rule(name="one", when=When.MOVE_1M, by=0.02, symbols=("ETH-USD",)),
    )
    found: list[Event] = []
    market = Market(*rules)
    market.detector = StressDetector(rules=rules, min_surprise=0.0)

    def jump(second: int) -> dict[str, float]:
        return dict.fromkeys(CLASS, 100.0 if second < 700 else 103.0)

    market.run(jump, 0, 720, since=719)
    rows = market.store.snapshots(START + 719.999)
    found = market.detector.check_all(rows)
    assert {event.symbol for event in found for part in event.parts if part.kind == "move_1m"} == {
        "ETH-USD"
    }
    assert found[0].rule == ""
    thresholds = {
        part.threshold for event in found for part in event.parts if part.kind == "move_1m"
    }
    assert thresholds == {0.02}


def test_a_detector_restored_tells_nothing_twice() -> None:
    """What goes on goes on as the same event, and a level that was passed stays passed."""
    rules = (
        FLASH,
        Rule(name="high", when=When.ABOVE, price=101.0),
        Rule(name="round", when=When.CROSSES, price=102.0),
    )
    prices = bitcoin(lambda second: 103.0 if second >= 300 else 100.0)
    whole, first, second = Market(*rules), Market(*rules), Market(*rules)
    whole.run(prices, 0, 350, since=295)
    first.run(prices, 0, 305, since=295)
    second.detector.restore(first.detector.watches)
    second.run(prices, 0, 350, since=305)
    assert second.told == whole.told[len(first.told) :]
    assert any(event.over_ts for event in second.told)
    assert {event.rule for event in whole.told} == {"flash", "high", "round"}


def test_the_past_is_marked_and_gives_the_same() -> None:
    """Seconds that are searched after all find what they would have found."""
    spike = bitcoin(lambda second: 103.0 if 300 <= second < 306 else 100.0)
    live, past = Market(FLASH), Market(FLASH, live_from=400)
    told = live.run(spike, 0, 350, since=295)
    assert past.run(spike, 0, 350, since=295) == [replace(event, history=True) for event in told]
    late = Market(FLASH)
    for second in range(350):
        late.store.update_many(
            Tick(symbol, CLASS[symbol], START + second + 0.5, price)
            for symbol, price in spike(second).items()
        )
    for second in range(295, 350):
        late.heartbeat.search(START + second)
    assert late.told == live.told
