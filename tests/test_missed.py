"""What a viewer missed: the events that run and those before, one in detail, and what is since."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from engine.reader import SECOND_END
from events import Company, Event
from page.event_detail import event_detail
from page.payload import payload
from page.since import Since, since_line
from page.stress import EARLIER_SHOWN, marks, standing, stress_card
from page.symbol import symbol_card
from page.tabs import OpenTabs
from page.view import read
from page.visit import Visit
from page.words import Instant
from rules import When
from settings import Settings, SourceSettings
from tests.stage import play, staged
from tests.told import event_of
from ticks import ASSETS, Asset, Tick
from worker import Worker

NOW = 1_795_000_000
WATCHLIST: dict[Asset, tuple[str, ...]] = {
    "stocks": (),
    "forex": (),
    "crypto": ("BTC-USD", "BTC-USDT", "ETH-USD", "SOL-USD"),
}

TWINS = ("BTC-USD", "BTC-USDT")


@pytest.fixture
def engine() -> Worker:
    """A worker that is not running, on which coins have ticked for twenty minutes."""
    settings = Settings(
        SourceSettings("eodhd", keys={"eodhd": ("SECRETKEY",)}, watchlist=WATCHLIST)
    )
    engine = staged(settings, clock=lambda: float(NOW))
    engine.heartbeat.know_past(NOW - 1200, NOW)
    tick(engine, NOW - 1200, NOW)
    return engine


def tick(engine: Worker, first: int, end: int, **jumps: float) -> None:
    """Let seconds pass, with some coins' prices higher or lower by a fraction."""
    for second in range(first, end):
        price = 1.0 + 0.0001 * ((second // 10) % 7)
        ticks = [
            Tick(name, "crypto", second + 0.5, price * (1.0 + jumps.get(name[:3], 0.0)))
            for name in WATCHLIST["crypto"]
        ]
        play(engine, second, ticks)
    engine.heartbeat.show(end - 1)


def since(engine: Worker, second: int) -> Since | None:
    """What happened since, at the newest second."""
    return since_line(engine.reader, engine.reader.pulse().now, engine.events.version, second)


def test_what_happened_since_is_told_in_one_line(engine: Worker) -> None:
    """How many events, and what moved most for itself: two prices of one thing once."""
    engine.events.add_many(event_of(ts) for ts in (NOW - 400.0, NOW + 5.0, NOW + 9.0))
    tick(engine, NOW, NOW + 140, BTC=0.012, SOL=-0.0093)
    found = since(engine, NOW - 1)
    assert found is not None
    assert found.events == "2 events"
    assert found.begin == ("Since ", Instant(NOW - 1), ": ")
    assert [(mover.symbol, mover.text, mover.rises) for mover in found.movers] == [
        ("BTC-USD", "BTC +1.2 %", True),
        ("SOL-USD", "SOL-USD −0.93 %", False),
    ]


def test_what_the_events_are_of_is_named_first(engine: Worker) -> None:
    """Unless it ended where it began: then others are named alone."""
    engine.events.add(event_of(NOW + 5.0, symbol="SOL-USD", asset="crypto"))
    tick(engine, NOW, NOW + 140, BTC=0.012, SOL=-0.0093)
    found = since(engine, NOW - 1)
    assert found is not None
    assert [mover.symbol for mover in found.movers] == ["SOL-USD", "BTC-USD"]
    engine.events.add(event_of(NOW + 6.0, symbol="ETH-USD", asset="crypto"))
    again = since(engine, NOW - 1)
    assert again is not None
    assert (again.events, again.movers) == ("2 events", found.movers)


def test_more_than_is_known_is_not_claimed(engine: Worker) -> None:
    """Before the first second that is known; and of the newest nothing can be told."""
    assert since(engine, NOW) is None
    assert since(engine, 10**30) is None
    for second in (NOW - 90_000, -(10**30)):
        found = since(engine, second)
        assert found is not None
        assert found.begin == ("In the last 19 min 59 s: ",)
        assert (found.since, found.events, found.movers) == (second, "no event", [])


def test_a_tab_is_sent_what_it_asks_for(engine: Worker) -> None:
    """What happened since, and one event in detail; nothing of either unless it asks."""
    event = event_of(NOW - 60.0, symbol="BTC-USD", asset="crypto")
    engine.events.add(event)
    view, _ = read({}, engine.reader.symbols(ASSETS))
    panels = {"since": NOW - 100, "event": event.id, "earlier": True}
    visit = Visit(view).with_board({"number": 1, "changed": {}, "panels": panels}, [])
    sent = payload(engine.reader, engine.status(), visit, None, OpenTabs())
    assert msgspec.json.decode(sent["since"])["events"] == "1 event"
    assert msgspec.json.decode(sent["event"])["id"] == event.id
    assert visit.wants_earlier
    plain = payload(engine.reader, engine.status(), Visit(view), None, OpenTabs())
    assert (bytes(plain["since"]), bytes(plain["event"])) == (b"null", b"null")
    asked = replace(visit, event="burst:NOBODY:1")
    unknown = payload(engine.reader, engine.status(), asked, None, OpenTabs())
    assert bytes(unknown["event"]) == b"null"


def test_running_events_stand_first_and_the_rest_is_counted(engine: Worker) -> None:
    """A refresh carries the newest of the rest, and all of them only if they are listed."""
    for number in range(14):
        ts = NOW - 1000.0 + 10 * number
        over = {"over_ts": ts + 5, "updated_ts": ts + 40}
        engine.events.add_many((event_of(ts), event_of(ts, **over)))
    engine.events.add(event_of(NOW - 1200.0, id="old", twins=("B",)))
    card = stress_card(engine.reader, NOW + 1.0, 0, "watch", ASSETS)
    assert [line.id for line in card.running] == ["old"]
    assert (len(card.earlier), card.earlier_count) == (EARLIER_SHOWN, 14)
    assert card.running[0].title == "AAPL and B +0.40 %"
    assert (card.running[0].over_ts, card.earlier[0].over_ts) == (None, NOW - 865.0)
    assert len(msgspec.json.encode((card.running, card.earlier))) < 6000
    assert len(stress_card(engine.reader, NOW + 1.0, 0, "watch", ASSETS, True).earlier) == 14
    assert stress_card(engine.reader, NOW + 1.0, 0, "watch", ("crypto",)).earlier_count == 0
    # As it stood then: one that has ended since was running.
    then = stress_card(engine.reader, NOW - 980.0, 0, "watch", ASSETS)
    assert [line.ts for line in then.running] == [
        NOW - 980.0,
        NOW - 990.0,
        NOW - 1000.0,
        NOW - 1200.0,
    ]


def test_a_mark_says_what_it_is_of(engine: Worker) -> None:
    """For a pointer at rest; it lies at the peak."""
    engine.events.add(event_of(NOW - 60.0, to_ts=NOW - 50.5, company=Company.ALONE))
    (mark,) = marks(engine.reader, NOW + 1.0, 0, NOW - 3600, NOW)
    assert (mark.ts, mark.symbol, mark.title) == (NOW - 51, "AAPL", "AAPL +0.40 %")


def test_a_twin_shows_the_event_that_tells_of_it(engine: Worker) -> None:
    """In its own sheet, under the title of both."""
    engine.events.add(event_of(NOW - 60.0, symbol="BTC-USD", asset="crypto", twins=("BTC-USDT",)))
    for symbol, titles in (("BTC-USDT", ["BTC (USD, USDT) +0.40 %"]), ("ETH-USD", [])):
        sheet = symbol_card(engine.reader, NOW + 1.0, 0, symbol, "auto")
        assert sheet is not None
        assert [line.title for line in sheet.events] == titles


@pytest.mark.parametrize(
    ("other", "is_told"),
    [
        ({}, True),
        ({"over_ts": None}, False),
        ({"value": -0.004}, False),
        ({"severity": "extreme"}, False),
        ({"rule": "flash"}, False),
        ({"ts": 300.0, "updated_ts": 340.0, "over_ts": 310.0}, False),
    ],
)
def test_an_event_that_another_took_in_is_not_told_twice(
    other: dict[str, Any], *, is_told: bool
) -> None:
    """Of the same direction and time, and no severer: anything else is an event of its own."""
    first = event_of(0.0, symbol="BTC-USD", twins=("BTC-USDT",), over_ts=90.0, severity="alert")
    known = {"ts": 20.0, "symbol": "BTC-USDT", "id": "taken in", "over_ts": 60.0, **other}
    taken = event_of(**known)
    assert standing([taken, first]) == ([first] if is_told else [taken, first])


def text_of(event: Event, engine: Worker) -> dict[str, str]:
    """The rows of an event's detail, with instants as seconds after now."""
    engine.events.add(event)
    found = event_detail(engine.reader, NOW + 9000.0, 0, event.id)
    assert found is not None
    return {
        label: "".join(part if isinstance(part, str) else f"{part.at - NOW:+.0f}" for part in words)
        for label, words in found.rows
    }


def test_an_event_says_what_it_was_held_against(engine: Worker) -> None:
    """Its threshold, what is usual, how rare it was, its company, the regime of then, its times."""
    event = event_of(
        NOW + 0.0,
        symbol="SOL-USD",
        asset="crypto",
        vs_peers=2.9,
        company=Company.ALONE,
        over_ts=NOW + 75.0,
        updated_ts=NOW + 105.0,
        count=2,
    )
    assert text_of(event, engine) == {
        "Move": "+0.40 % in 1 min, 100.00 → 100.40, -60 to +0",
        "Threshold": "0.12 %, it was 3.3 × that",
        "Usual": "0.05 % in 1 min, it was 8.0 × that",
        "Rarity": "+3.1σ, rarer than 99.8 % of its own last day",
        "Peers": "alone, +2.9σ beyond the median of its class",
        "Regime": "calm then",
        "Began": "+0",
        "Peak": "+0",
        "Ended": "+75, after 1 min 15 s",
        "Came": "2 times",
    }


@pytest.mark.parametrize(
    ("when", "value", "threshold", "told", "threshold_text"),
    [
        (When.ABOVE, 90_010.0, 90_000.0, ("Price", "90,010.00"), "90,000.00"),
        (When.CORRELATION, 0.31, 0.5, ("Correlation", "r +0.31"), "r +0.50"),
        (When.UNHEARD, 61.0, 60.0, ("Silence", "1 min 01 s"), "1 min 00 s, it was 1.0 × that"),
        (When.SURPRISE, -4.2, 3.0, ("Surprise", "−4.2σ"), "+3.0σ, it was 1.4 × that"),
        (
            When.VOLATILITY,
            0.02,
            0.01,
            ("Volatility", "2.00 % per 15 min"),
            "1.00 %, it was 2.0 × that",
        ),
    ],
)
def test_a_rules_hit_says_what_it_was_held_against(
    engine: Worker,
    when: When,
    value: float,
    threshold: float,
    told: tuple[str, str],
    threshold_text: str,
) -> None:
    """In the unit of what the rule watches."""
    event = event_of(
        NOW + 0.0,
        symbol="BTC-USD",
        asset="crypto",
        kind="rule",
        when=when,
        rule="mine",
        value=value,
        threshold=threshold,
        horizon_sec=900,
        from_price=None,
        from_ts=None,
        surprise=None,
        times_usual=None,
    )
    rows = text_of(event, engine)
    assert rows[told[0]] == told[1]
    assert (rows["Threshold"], rows["Rule"]) == (threshold_text, "mine")


def test_two_prices_of_one_thing_are_one_event_and_not_alone(engine: Worker) -> None:
    """Found by the search itself, and told so on the card and in the headline."""
    engine.heartbeat.search(NOW - 1)
    for second in range(NOW, NOW + 40):
        tick(engine, second, second + 1, BTC=0.012)
        engine.heartbeat.search(second)
        assert [event.symbols for event in engine.events.latest(9)] in ([], [TWINS])
    (event,) = engine.events.latest(9)
    assert event.company is not Company.ALONE
    view, _ = read({}, engine.reader.symbols(ASSETS))
    sent = payload(engine.reader, engine.status(), Visit(view), None, OpenTabs())
    line = msgspec.json.decode(sent["headline"])
    assert (line["lead"], line["event"]) == ("BTC (USD, USDT) +1.2 %", event.id)
    assert "alone" not in f"{line['rest']} {line['hover']} {event.text}"


def test_the_headline_of_a_move_without_an_event_says_who_moved(engine: Worker) -> None:
    """From the second in which it moved; two prices of one thing are told as one, and not alone."""
    tick(engine, NOW, NOW + 30, BTC=0.002)
    view, _ = read({}, engine.reader.symbols(ASSETS))
    sent = payload(engine.reader, engine.status(), Visit(view), None, OpenTabs())
    line = msgspec.json.decode(sent["headline"])
    assert line["lead"] == "BTC (USD, USDT) +0.19 %"
    assert "alone" not in line["rest"]
    assert (line["symbol"], line["event"]) == ("BTC-USD", "")
    assert NOW <= line["ts"] <= NOW + 29 + SECOND_END
