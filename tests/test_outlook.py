"""What matters at a second, on frames and events made by hand."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from engine.ranking import State, is_usual
from events import Event
from page.outlook import Breadth, Outlook, Picked, Second, picked, review_second
from tests.told import event_of
from ticks import Severity

NOW = 1_760_000_399
"""The last second of its ten."""

CLASSES = {"AAPL": "stocks", "META": "stocks", "EURUSD": "forex", "BTC-USD": "crypto"}


def second(
    heats: Mapping[str, tuple[float, float]],
    *events: Event,
    now: int = NOW,
    states: Mapping[str, State] | None = None,
    age: float = 0.5,
) -> Second:
    """A second with the heat of some symbols and how long ago it was made; of the others 0."""
    known = states or {}
    rows = [
        {
            "asset": asset,
            "age": math.nan if known.get(name) == "no data" else age,
            "heat": heats.get(name, (0.0, math.nan))[0],
            "heat_ts": now - heats.get(name, (0.0, math.nan))[1],
        }
        for name, asset in CLASSES.items()
    ]
    frame = pd.DataFrame(rows, index=pd.Index(list(CLASSES), dtype=object))
    of_rows = [known.get(name, "live") for name in CLASSES]
    usual = is_usual(frame, of_rows, now + 0.999, [])
    return Second(now + 0.999, frame, of_rows, events, usual)


def event(symbol: str, ts: float, severity: Severity = "watch", **known: Any) -> Event:
    """An event that began, and peaked, at ``ts``."""
    own: dict[str, Any] = {
        "id": f"burst:{symbol}:{ts}",
        "symbol": symbol,
        "asset": CLASSES[symbol],
        "severity": severity,
    }
    return event_of(ts, **own, **known)


def picked_of(at: Second) -> Picked:
    """What matters in a second in which it is picked."""
    return picked(at, at)


def test_a_running_event_comes_before_a_hotter_symbol() -> None:
    """And once it is over its symbol is remembered by it."""
    own = event("META", NOW - 100.0)
    found = picked_of(second({"META": (-5.0, 100.0), "AAPL": (9.0, 10.0)}, own))
    assert (found.outlook, found.event) == (Outlook.RUNNING, own)
    over = event("META", NOW - 100.0, over_ts=NOW - 40.0, updated_ts=NOW - 10.0)
    found = picked_of(second({"META": (-5.0, 100.0)}, over))
    assert (found.outlook, found.event) == (Outlook.REMEMBERED, over)


@pytest.mark.parametrize(
    ("severity", "surprise", "leader"),
    [("watch", 4.0, "META"), ("alert", 4.0, "AAPL"), ("alert", 1.5, "META")],
)
def test_the_hottest_event_leads_and_severity_counts(
    severity: Severity, surprise: float, leader: str
) -> None:
    """An alert counts twice: it leads until it has faded to less than half of the other."""
    own = event("META", NOW - 60.0, surprise=-5.0)
    found = picked_of(second({}, own, event("AAPL", NOW - 50.0, severity, surprise=-surprise)))
    assert found.event is not None
    assert found.event.symbol == leader


def test_what_goes_on_leads_by_how_new_its_peak_is() -> None:
    """A volatility has a heat of its own, by how far it is beyond its threshold."""
    old = event("META", NOW - 600.0, kind="vol_spike", value=0.0069, threshold=0.003)
    new = event("AAPL", NOW - 30.0, kind="vol_spike", value=0.0057, threshold=0.003)
    assert picked_of(second({"META": (4.0, 1.0)}, old, new)).event == new
    mild = event("AAPL", NOW - 30.0, surprise=2.5)
    assert picked_of(second({}, replace(new, id="other"), mild)).event == replace(new, id="other")


def test_two_of_about_one_heat_do_not_take_turns() -> None:
    """Whoever of them moves a little anew, the first to begin stays; until one is far ahead."""
    leaders = []
    for of_meta, of_aapl in ((4.4, 4.3), (4.4, 4.5), (4.6, 4.5), (4.6, 4.7), (4.6, 9.0)):
        first = event("META", NOW - 52.0, surprise=of_meta)
        other = event("AAPL", NOW - 50.0, surprise=of_aapl)
        found = picked_of(second({}, first, other))
        assert found.event is not None
        leaders.append(found.event.symbol)
    assert leaders == ["META"] * 4 + ["AAPL"]


def test_a_fading_order_never_changes() -> None:
    """For as long as both are remembered and nothing moves anew: all halve alike."""
    events = [
        event(name, NOW - ago, over_ts=NOW - ago, updated_ts=NOW - ago)
        for name, ago in (("META", 5.0), ("AAPL", 1.0))
    ]
    leaders = set()
    for ago in range(890):
        left = 2.0 ** (-ago / 180.0)
        heats = {"META": (9.0 * left, 5.0 + ago), "AAPL": (8.0 * left, 1.0 + ago)}
        found = picked_of(second(heats, *events, now=NOW + ago))
        assert found.event is not None
        leaders.add(found.event.symbol)
    assert len(leaders) == 1


def test_between_two_reviews_only_a_severe_event_takes_the_place() -> None:
    """That comes before what was picked; what was picked is told as it stands."""
    own = event("META", NOW - 60.0, surprise=-5.0)
    review = second({}, own)
    grown = replace(own, severity="alert", updated_ts=NOW + 2.0)
    mild = event("AAPL", NOW + 3.0, surprise=9.0)
    severe = event("AAPL", NOW + 3.0, "alert", surprise=9.0)
    assert picked(review, second({}, grown, mild, now=NOW + 3)).event == grown
    assert picked(review, second({}, own, severe, now=NOW + 3)).event == severe
    less = event("AAPL", NOW + 3.0, "alert", surprise=1.1)
    assert picked(review, second({}, own, less, now=NOW + 3)).event == own


def test_what_is_not_watched_any_more_matters_no_more() -> None:
    """Nor what has just become too old, though it was picked some seconds ago."""
    own = event("META", NOW - 60.0)
    without = second({}, own, now=NOW + 3)
    frame = without.frame.drop("META")
    without = without._replace(frame=frame, states=["live"] * 3, usual=[True] * 3)
    assert picked(second({}, own), without).outlook is Outlook.GOING_ON
    review = second({"META": (-5.0, 10.0)})
    assert picked(review, without._replace(events=())).outlook is Outlook.QUIET
    old = event("META", NOW - 899.0, over_ts=NOW - 800.0, updated_ts=NOW - 790.0)
    assert picked(second({}, old), second({}, old, now=NOW + 3)).outlook is Outlook.QUIET


def test_a_second_is_reviewed_at_the_end_of_ten() -> None:
    """The last of ten is its own review."""
    assert [review_second(NOW + ago) for ago in (-1, 0, 1, 9, 10)] == [
        NOW - 10,
        NOW,
        NOW,
        NOW,
        NOW + 10,
    ]


def test_a_symbol_is_remembered_for_a_rare_move_without_an_event() -> None:
    """While two standard deviations of it are left, if it was as rare as an event's."""
    found = picked_of(second({"EURUSD": (2.6, 12.0)}))
    assert (found.outlook, found.symbol, found.moved_ts) == (
        Outlook.REMEMBERED,
        "EURUSD",
        NOW - 12.0,
    )
    assert picked_of(second({"EURUSD": (2.3, 1.0)})).outlook is Outlook.ORDINARY
    assert picked_of(second({"EURUSD": (1.4, 400.0)})).outlook is Outlook.QUIET


def test_an_old_event_is_no_news() -> None:
    """A quarter of an hour after its peak, whether it goes on or not."""
    old = event("META", NOW - 901.0)
    assert picked_of(second({}, old)).outlook is Outlook.GOING_ON
    over = event("META", NOW - 901.0, over_ts=NOW - 800.0)
    assert picked_of(second({}, over)).outlook is Outlook.QUIET


def test_the_breadth_counts_who_is_beyond_its_usual_range() -> None:
    """By class and direction; what is quiet, closed, silent or not known says so."""
    heats = {"AAPL": (2.1, 1.0), "META": (-1.6, 400.0), "EURUSD": (1.9, 1.0)}
    assert picked_of(second(heats)).breadth == (
        Breadth("stocks", 1, 1, ""),
        Breadth("forex", 0, 0, "quiet"),
        Breadth("crypto", 0, 0, "quiet"),
    )
    found = picked_of(
        second(
            {"META": (math.nan, math.nan), "BTC-USD": (9.0, 1.0)},
            states={"AAPL": "stale", "EURUSD": "closed", "BTC-USD": "halted"},
        )
    )
    assert [(one.word, one.up) for one in found.breadth] == [
        ("learning", 0),
        ("closed", 0),
        ("no prices", 0),
    ]
    assert found.outlook is Outlook.LEARNING


@pytest.mark.parametrize(
    ("state", "outlook"),
    [("closed", Outlook.CLOSED), ("stale", Outlook.SILENT), ("no data", Outlook.SILENT)],
)
def test_what_is_not_live_is_no_news(state: State, outlook: Outlook) -> None:
    """However hot it was: its market is closed, or nothing is heard of it."""
    heats = {"META": (-7.0, 1.0)}
    found = picked_of(second(heats, states=dict.fromkeys(CLASSES, state), age=90.0))
    assert found.outlook is outlook
    assert found.symbol == ""
    if state == "stale":
        assert found.silent_sec == 90.0
