"""What vendors are asked about the time before their streams, by a clock that is an argument."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

import sessions
from sources.agenda import Agenda, AgendaCount
from ticks import Asset
from vendors.rest import Past, Reference, Request, Want

HOUR, DAY = Want.LAST_HOUR, Want.DAY


def utc(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


WEDNESDAY = utc("2026-11-18 15:30")  # an hour after the opening


class Shelf:
    """A vendor with two requests for the hour of a symbol, and one for the day of all.

    It has nothing of symbols that begin with X.
    """

    spacing_sec = 0.0

    def __init__(self) -> None:
        self.day_at = math.nan

    def requests(
        self, asset: Asset, symbols: Sequence[str], now: float, day_at: float
    ) -> Sequence[Request]:
        self.day_at = day_at
        known = tuple(symbol for symbol in symbols if not symbol.startswith("X"))
        hours = [Request(HOUR, (s,), f"{part}/{s}") for part in ("bars", "trades") for s in known]
        return (*hours, *([Request(DAY, known, "day")] if known else []))

    def read(self, request: Request, body: bytes, now: float) -> Past:
        raise NotImplementedError


def agenda(*asked: tuple[Asset, str], now: float = WEDNESDAY) -> Agenda:
    made = Agenda(Shelf(), sessions.session)
    for asset, symbol in asked:
        made.add(asset, [symbol], now)
    return made


def told(requests: Sequence[Request]) -> list[str]:
    return [request.url for request in requests]


def answer(made: Agenda, now: float, past: Past | None = None) -> list[str]:
    """Have everything that is due answered; returns what it was."""
    found = []
    while requests := made.round(now):
        for request in requests:
            made.sent(request)
            made.answered(request, past or Past(), now)
        found += told(requests)
    return found


def test_all_of_a_symbol_is_asked_for_once() -> None:
    """Its hour and its day; then nothing is due."""
    made = agenda(("stocks", "AAPL"), ("stocks", "TSLA"))
    assert made.count(WEDNESDAY) == AgendaCount(2, 2, 0)
    assert answer(made, WEDNESDAY) == [
        "bars/AAPL",
        "bars/TSLA",
        "trades/AAPL",
        "trades/TSLA",
        "day",
    ]
    assert made.count(WEDNESDAY) == AgendaCount(2, 0, 0)
    assert not made.round(WEDNESDAY + 600)


def test_an_hour_is_known_once_all_its_requests_are_answered() -> None:
    """If one of two fails, both are asked for anew."""
    made = agenda(("crypto", "BTC-USD"))
    bars, trades, day = made.round(WEDNESDAY)
    made.answered(bars, Past(), WEDNESDAY)
    made.answered(day, Past(), WEDNESDAY)
    made.unreadable(trades, WEDNESDAY)
    assert told(made.round(WEDNESDAY)) == ["bars/BTC-USD", "trades/BTC-USD"]


def test_what_was_asked_in_vain_comes_last() -> None:
    """So that one that fails holds up no other."""
    made = agenda(("crypto", "BTC-USD"), ("crypto", "ETH-USD"))
    made.sent(made.round(WEDNESDAY)[0])
    hours = ["bars/BTC-USD", "trades/BTC-USD"]
    assert told(made.round(WEDNESDAY)) == ["bars/ETH-USD", "trades/ETH-USD", "day", *hours]
    made = agenda(*(("crypto", f"C{n}-USD") for n in range(150)))
    first = made.round(WEDNESDAY)
    assert len(first[-1].symbols) == 100
    for request in first:
        made.sent(request)
    assert made.round(WEDNESDAY)[0].symbols == ("C100-USD",)


def test_what_the_vendor_has_not_is_done() -> None:
    """It has no request for that symbol."""
    made = agenda(("stocks", "XX"), ("crypto", "X-USD"))
    assert made.round(WEDNESDAY) == []
    assert made.count(WEDNESDAY) == AgendaCount(2, 0, 0)


def test_hour_of_a_closed_market_is_not_asked_for() -> None:
    """Nothing of it may enter a figure; what it did in its last session may be told."""
    sunday = utc("2026-11-22 12:00")
    made = agenda(("stocks", "AAPL"), ("crypto", "BTC-USD"), now=sunday)
    assert answer(made, sunday) == ["day", "bars/BTC-USD", "trades/BTC-USD", "day"]


def test_hour_is_given_up_when_the_stream_knows_it() -> None:
    """An hour after it was asked for."""
    made = agenda(("crypto", "BTC-USD"))
    assert told(made.round(WEDNESDAY + 3599)) == ["bars/BTC-USD", "trades/BTC-USD", "day"]
    assert told(made.round(WEDNESDAY + 3601)) == ["day"]
    assert made.count(WEDNESDAY + 3601) == AgendaCount(1, 1, 1)


@pytest.mark.parametrize(
    ("asset", "begin", "instants"),
    [
        # The next day, its hours' begin, when it is settled; not at their end nor in the night.
        (
            "stocks",
            "2026-11-18 15:30",
            {
                "2026-11-18 21:30": False,
                "2026-11-19 03:00": False,
                "2026-11-19 09:00": True,
                "2026-11-19 14:31": False,
                "2026-11-19 15:00": True,
                "2026-11-19 20:00": False,
                "2026-11-20 03:00": False,
                "2026-11-23 09:30": True,
            },
        ),
        (
            "forex",
            "2026-11-18 15:30",
            {
                "2026-11-18 21:59": False,
                "2026-11-18 22:00": True,
                "2026-11-19 21:59": False,
                "2026-11-20 21:00": True,
                "2026-11-21 15:00": False,
                "2026-11-22 23:00": True,
            },
        ),
    ],
)
def test_day_is_asked_for_again_when_it_begins(
    asset: Asset, begin: str, instants: dict[str, bool]
) -> None:
    """At the market's own turns of the day, and not before."""
    made = agenda((asset, "A"), now=utc(begin))
    answer(made, utc(begin))
    found = {text: answer(made, utc(text)) for text in instants}
    assert found == {text: ["day"] if is_due else [] for text, is_due in instants.items()}


def test_price_of_a_day_ago_is_asked_for_when_it_runs_out() -> None:
    """To five minutes: with one price soon, with those of the day in a day."""
    made = agenda(("crypto", "BTC-USD"))
    first = WEDNESDAY - 86_400
    answer(made, WEDNESDAY, Past(references=[Reference("BTC-USD", 70.0, first)]))
    assert not made.round(WEDNESDAY + 239)
    assert told(made.round(WEDNESDAY + 240)) == ["day"]
    more = [Reference("BTC-USD", 70.0, first + 300 * n) for n in range(289)]
    answer(made, WEDNESDAY + 240, Past(references=more))
    assert not made.round(WEDNESDAY + 86_399)
    assert told(made.round(WEDNESDAY + 86_400)) == ["day"]


def test_what_cannot_be_read_is_left_alone_after_three_tries() -> None:
    """Until the next day."""
    made = agenda(("forex", "EURUSD"))
    for _ in range(3):
        assert "day" in told(made.round(WEDNESDAY))
        for request in made.round(WEDNESDAY):
            made.unreadable(request, WEDNESDAY)
    assert made.round(WEDNESDAY) == []
    assert made.count(WEDNESDAY) == AgendaCount(1, 0, 1)
    assert told(made.round(WEDNESDAY + 86_400)) == ["day"]


def test_what_fails_for_good_holds_up_nothing_else() -> None:
    """The others of the round are still asked for."""
    made = agenda(("crypto", "BTC-USD"), ("crypto", "ETH-USD"))
    made.failed(made.round(WEDNESDAY)[0], WEDNESDAY)
    assert told(made.round(WEDNESDAY)) == ["bars/ETH-USD", "trades/ETH-USD", "day"]
    assert made.count(WEDNESDAY) == AgendaCount(2, 2, 1)


def test_refusal_is_of_one_kind_and_class() -> None:
    """It is asked for again in an hour, or never."""
    made = agenda(("crypto", "BTC-USD"), ("crypto", "ETH-USD"), ("forex", "EURUSD"))
    day = made.round(WEDNESDAY)[-1]
    made.refused(day, WEDNESDAY, is_final=False)
    hours = ["bars/BTC-USD", "bars/ETH-USD", "trades/BTC-USD", "trades/ETH-USD"]
    assert answer(made, WEDNESDAY) == [*hours, "bars/EURUSD", "trades/EURUSD", "day"]
    assert not made.round(WEDNESDAY + 3599)
    assert told(made.round(WEDNESDAY + 3600)) == ["day"]
    made.refused(day, WEDNESDAY + 3600, is_final=True)
    assert answer(made, WEDNESDAY + 10 * 86_400) == ["day"]  # of forex


def test_what_another_vendor_serves_is_asked_of_this_one_no_more() -> None:
    """And an answer that is under way is for nobody."""
    made = agenda(("crypto", "BTC-USD"), ("crypto", "ETH-USD"))
    bars, *_, day = made.round(WEDNESDAY)
    made.discard(["BTC-USD"])
    assert made.wanted(bars) == frozenset()
    assert made.wanted(day) == {"ETH-USD"}
    assert not made.is_due(bars, WEDNESDAY)
    assert made.is_due(day, WEDNESDAY)
    made.answered(bars, Past(), WEDNESDAY)
    made.failed(bars, WEDNESDAY)
    assert answer(made, WEDNESDAY) == ["bars/ETH-USD", "trades/ETH-USD", "day"]


def test_all_is_asked_for_once_more() -> None:
    """If the computer slept, say."""
    made = agenda(("crypto", "BTC-USD"))
    answer(made, WEDNESDAY)
    made.renew(WEDNESDAY + 7200)
    assert told(made.round(WEDNESDAY + 7200)) == ["bars/BTC-USD", "trades/BTC-USD", "day"]


def test_day_is_that_of_the_market() -> None:
    """What its change is measured against."""
    shelf = Shelf()
    made = Agenda(shelf, sessions.session)
    made.add("forex", ["EURUSD"], WEDNESDAY)
    made.round(WEDNESDAY)
    assert shelf.day_at == utc("2026-11-17 22:00")
