"""The chart: which seconds it shows, what is sent of them, and the band of usual moves."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import pytest

from page.chart import SPANS, spanned
from page.deltas import Sent, next_message
from page.payload import payload
from page.tabs import OpenTabs
from page.view import read
from page.visit import Frozen, Visit
from settings import Settings, SourceSettings
from tests.deltas import decoded
from tests.stage import play, staged
from ticks import ASSETS, Asset, Tick
from worker import Worker

NOW: Final = 1_795_000_000
WATCHLIST: Final[dict[Asset, tuple[str, ...]]] = {
    "stocks": (),
    "forex": (),
    "crypto": ("BTC-USD", "ETH-USD", "SOL-USDT"),
}


def price_of(symbol: str, second: int) -> float:
    """A price that goes up and down, each symbol's its own way."""
    base = {"BTC-USD": 90_000.0, "ETH-USD": 2_800.0, "SOL-USDT": 140.0}[symbol]
    return base * (1 + 0.001 * math.sin(second / 97 + base))


def tick(engine: Worker, second: int, *, but: str = "") -> None:
    """A price of every symbol in a second, ``but`` of one."""
    symbols = [symbol for symbol in WATCHLIST["crypto"] if symbol != but]
    play(
        engine,
        second,
        [Tick(symbol, "crypto", second + 0.5, price_of(symbol, second)) for symbol in symbols],
    )


@pytest.fixture(scope="module")
def engine() -> Worker:
    """Real parts that do not run, an hour and a half after the first price.

    BTC-USD has a hole of ten minutes.
    """
    settings = Settings(SourceSettings("eodhd", keys={"eodhd": ("K",)}, watchlist=WATCHLIST))
    engine = staged(settings, clock=lambda: float(NOW))
    for second in range(NOW - 5400, NOW):
        tick(engine, second, but="BTC-USD" if NOW - 1800 <= second < NOW - 1200 else "")
    engine.heartbeat.show(NOW - 1)
    return engine


Parts = Callable[..., Any]


@pytest.fixture
def parts(engine: Worker) -> Parts:
    """The parts of a payload, with choices for the view."""

    def parts(at: int | None = None, frozen: Frozen | None = None, **options: Any) -> Any:
        view = replace(read({}, engine.reader.symbols(ASSETS))[0], **options)
        visit = Visit(view, frozen=frozen)
        return payload(engine.reader, engine.status(), visit, at, OpenTabs())

    return parts


def chart(parts: Parts, **options: Any) -> dict[str, Any]:
    """The chart of BTC-USD."""
    found: dict[str, Any] = decoded(parts(symbol="BTC-USD", **options))["chart"]
    return found


def prices(line: dict[str, Any], step: int) -> dict[int, float | None]:
    """The prices of a line by the begin of their steps."""
    return {
        int(begin) + place * step: price
        for begin, found in line["chunks"].items()
        for place, price in enumerate(found)
    }


@pytest.mark.parametrize("span", ["15m", "1h"])
def test_a_line_is_the_newest_price_of_each_step(parts: Parts, span: str) -> None:
    """Aligned to the epoch; a step without a tick is a hole."""
    drawn = chart(parts, span=span)
    sec, step = SPANS[span]
    assert (drawn["end"], drawn["end"] - drawn["begin"], drawn["step"]) == (NOW, sec, step)
    (line,) = drawn["lines"]
    found = prices(line, step)
    assert {begin % step for begin in found} == {0}
    assert min(found) <= drawn["begin"] < min(found) + 60 * step
    for begin, price in found.items():
        last = min(begin + step, NOW) - 1
        is_hole = NOW - 1800 <= last < NOW - 1200
        assert price == (None if is_hole else price_of("BTC-USD", last)), begin


def test_a_refresh_adds_a_step_and_no_more(parts: Parts, engine: Worker) -> None:
    """Of an hour of prices only the newest are sent again."""
    shown = parts(symbol="BTC-USD")
    _, sent = next_message(shown, None, 1, engine.reader.once)
    for number, second in enumerate(range(NOW, NOW + 20, 2), 2):
        for each in (second, second + 1):
            tick(engine, each)
        engine.heartbeat.show(second + 1)
        message, sent = next_message(parts(symbol="BTC-USD"), sent, number, engine.reader.once)
        change = json.loads(message)["change"]["in"]
        assert len(json.dumps(change["chart"])) < 300
        assert len(json.dumps(change["chart"]) + json.dumps(change["opened"])) < 4000
    assert isinstance(sent, Sent)
    assert len(bytes(sent.parts["chart"])) > 4000


def test_the_band_begins_at_a_minute_with_the_usual_move_of_then(
    parts: Parts, engine: Worker
) -> None:
    """Whatever came later."""
    drawn = chart(parts)
    anchor = drawn["lines"][0]["anchor"]
    assert anchor["ts"] % 60 == 0
    assert 0 <= anchor["ts"] - drawn["begin"] < 120
    then = engine.store.snapshot("BTC-USD", anchor["ts"])
    assert then is not None
    assert anchor["price"] == then["last"]
    assert anchor["vol"] == pytest.approx(then["vol_15m"], rel=1e-3)


def test_compared_symbols_are_lines_of_their_own(parts: Parts) -> None:
    """In their order; the opened one is not compared with itself."""
    drawn = chart(parts, compare=("SOL-USDT", "BTC-USD"))
    assert [line["symbol"] for line in drawn["lines"]] == ["BTC-USD", "SOL-USDT"]
    assert all(line["anchor"] for line in drawn["lines"])


def test_without_an_archive_no_day_is_kept(parts: Parts) -> None:
    """What memory has is drawn, and it is said that this is all."""
    drawn = chart(parts, span="day")
    assert not drawn["is_kept"]
    assert drawn["step"] == 120
    found = [price for price in prices(drawn["lines"][0], 120).values() if price is not None]
    assert 35 <= len(found) <= 60


def test_no_chart_is_sent_if_no_symbol_is_opened(parts: Parts) -> None:
    """Nor is any if it is not watched any more."""
    assert decoded(parts())["chart"] is None
    assert decoded(parts(symbol="GONE"))["chart"] is None


def test_a_moment_is_seen_with_what_came_after_it(parts: Parts) -> None:
    """The line goes on to now; frozen, to when the page was frozen."""
    assert chart(parts, at=NOW - 900)["end"] >= NOW
    frozen = Frozen(NOW - 900, since=NOW - 300)
    assert chart(parts, at=NOW - 900, freeze=True, frozen=frozen)["end"] == NOW - 299


@pytest.mark.parametrize(
    ("span", "back", "first", "last"),
    [
        ("1h", None, -3600, 0),
        ("1h", 3599, -3600, 0),
        # Longer ago: half hours by the clock, the second of which holds the moment.
        ("1h", 9000, -11_200, -7600),
        ("1h", 3601, -5800, -2200),
        ("15m", 3600, -4450, -3550),
        ("day", 86_399, -86_400, 0),
    ],
)
def test_what_is_shown_of_a_moment(span: str, back: int | None, first: int, last: int) -> None:
    """The newest span as long as that holds it."""
    newest = NOW - 1
    found = spanned(span, None if back is None else newest - back, newest)
    assert (found.begin - NOW, found.end - NOW) == (first, last)
