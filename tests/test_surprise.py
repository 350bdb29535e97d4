"""How unusual a symbol's minute is, in its cell and in words, from rows made by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest

from page.surprise import BLANK, gauge, minute_words, past_words, peers, remembered
from pulse_store import PulseStore
from ticks import Tick

NAN = math.nan
NOW = 1_795_000_000.999


def row(**figures: Any) -> dict[str, Any]:
    """A row in which nothing is known but what is given."""
    known = {"z": NAN, "surprise": NAN, "early": False, "heat": NAN, "heat_ts": NAN}
    return {**known, "vs_peers": NAN, **figures}


def rare(**figures: Any) -> dict[str, Any]:
    """A row whose minute is a rare one."""
    return row(**{"z": 8.24, "surprise": 3.1, "heat": 3.1, "heat_ts": NOW // 1, **figures})


def past(heat: float, seconds_ago: int, **figures: Any) -> dict[str, Any]:
    """A row of a usual minute that remembers a move."""
    ts = NOW // 1 - seconds_ago
    return row(**{"z": 0.31, "surprise": 0.4, "heat": heat, "heat_ts": ts, **figures})


def test_a_rare_minute_says_how_large_and_how_rare_it_is() -> None:
    """The number is a multiple of its usual minute, the bar its rarity, the sentence both."""
    cell = gauge(rare(), NOW)
    assert (cell.text, cell.tone, cell.filled, cell.mark) == ("+8.2 ×", 2, 0.775, 0.775)
    assert cell.note == "99.8 %"
    assert cell.text + cell.rest == "+8.2 × its usual minute, rarer than 99.8 % of its own last day"


def test_a_usual_minute_is_told_calmly() -> None:
    """No strength and no note; the sentence says that it is usual."""
    cell = gauge(row(z=-0.31, surprise=-0.4, heat=-0.4, heat_ts=NOW // 1), NOW)
    assert (cell.text, cell.tone, cell.filled, cell.note) == ("−0.3 ×", -1, -0.1, "")
    assert cell.rest == " its usual minute, no rarer than usual"


def test_a_surprise_beyond_the_gauge_fills_it() -> None:
    """In either direction, for bar and mark."""
    cell = gauge(rare(z=-40.2, surprise=-12.0, heat=-12.0), NOW)
    assert (cell.text, cell.filled, cell.mark, cell.note) == ("−40 ×", -1.0, -1.0, "99.9 %")


def test_an_early_surprise_says_so_and_nothing_of_its_own_day() -> None:
    """The number is true all the same; what early means is in the sentence."""
    cell = gauge(rare(early=True), NOW)
    assert (cell.text, cell.tone, cell.note) == ("+8.2 ×", 2, "early")
    assert "under six hours of its own minutes are known" in cell.rest
    assert "own last day" not in cell.rest


def test_what_the_whole_card_says_no_row_repeats() -> None:
    """The sentence still has it."""
    cell = gauge(rare(early=True), NOW, notes_early=False)
    assert (cell.text, cell.note) == ("+8.2 ×", "")
    assert "under six hours of its own minutes are known" in cell.rest


@pytest.mark.parametrize(
    ("heat", "seconds_ago", "note"),
    [
        (1.5, 180, "3 min ago"),  # 3.0 then
        (-1.5, 180, "3 min ago"),
        (1.2, 180, ""),  # 2.4 then: not unusual
        (2.6, 5, "just now"),
        (0.5, 899, "14 min ago"),
    ],
)
def test_a_row_says_which_move_it_ranks_by(heat: float, seconds_ago: int, note: str) -> None:
    """If its newest minute does not say why it is where it is; the mark is what is left of it."""
    cell = gauge(past(heat, seconds_ago), NOW)
    assert cell.note == note
    assert cell.mark == pytest.approx(heat / 4, abs=1e-3)


def test_a_remembered_move_is_told_with_its_direction() -> None:
    """Of a fall it says fall, and how rare it was then, not by what is left of it."""
    cell = gauge(past(-1.55, 180), NOW)
    assert cell.rest.endswith("; 3 min ago a fall rarer than 99.8 % of its own last day")
    early = gauge(past(1.55, 180, early=True), NOW)
    assert early.note == "3 min ago"
    assert early.rest.endswith("; 3 min ago a rise beyond its usual")
    found = remembered(past(-1.55, 180), NOW)
    assert found is not None
    assert found.surprise == pytest.approx(-3.1)
    assert past_words(found, is_early=False) == (
        "Most unusual lately: a fall rarer than 99.8 % of its own last day, in the minute to {}."
    )


def test_a_store_remembers_the_surprise_that_it_had() -> None:
    """What a minute's surprise was is told three and ten minutes later by what is left of it."""
    store = PulseStore()
    for second in range(-1500, 660):
        price = 100.0 * (1 + 1e-4 * (second // 10 % 7) + 0.004 * (second >= -30))
        store.update(Tick("AAPL", "stocks", second + 2e9, price))
        store.advance(second + 2e9 + 1)

    def row_at(second: float) -> dict[str, Any]:
        frame = store.frame(second)
        return {name: frame[name].iloc[0] for name in frame.columns}

    for second in (180, 600):
        past = remembered(row_at(second + 2e9 + 0.999), second + 2e9 + 0.999)
        assert past is not None
        assert -30 <= past.ts - 2e9 <= 30
        assert past.surprise == pytest.approx(row_at(past.ts + 0.999)["surprise"], rel=1e-4)
    assert remembered(row_at(2e9 - 0.001), 2e9 - 0.001) is None


def test_a_rare_minute_needs_no_memory() -> None:
    """Whatever was before it."""
    assert remembered(rare(heat=5.0, heat_ts=NOW // 1 - 60), NOW) is None


def test_what_is_not_known_is_a_dash_and_remembers() -> None:
    """A symbol without a newest minute keeps what it did before; of nothing, nothing is known."""
    cell = gauge(past(2.0, 180, z=NAN, surprise=NAN), NOW)
    assert (cell.text, cell.tone, cell.filled, cell.note) == ("–", 0, 0.0, "3 min ago")
    assert cell.rest.startswith(": not known; 3 min ago a rise rarer than")
    nothing = gauge(row(), NOW)
    assert (nothing.text, nothing.mark, nothing.note, nothing.rest) == (
        "–",
        None,
        "",
        ": not known",
    )
    assert (BLANK.text, BLANK.mark, BLANK.rest) == ("", None, "")


@pytest.mark.parametrize(
    ("beyond", "cell"),
    [
        (2.14, ("+2.1", 2)),
        (-2.0, ("−2.0", -2)),
        (1.2, ("+1.2", 1)),
        (0.9, ("+0.9", 0)),
        (-0.04, ("0.0", 0)),
        (NAN, ("–", 0)),
    ],
)
def test_like_its_peers_is_grey(beyond: float, cell: tuple[str, int]) -> None:
    """Within 1 of the others a symbol has no tone, from 2 a strong one."""
    assert peers(row(vs_peers=beyond)) == cell


@pytest.mark.parametrize(
    ("surprise", "beyond", "text"),
    [
        (3.1, 0.4, "Its peers move alike"),
        (0.2, -0.4, "Its peers move alike"),
        (3.1, 2.9, "Its peers do not move along"),
        (3.1, 5.0, "Its peers move the other way"),
        (3.5, 2.0, "Its peers move less"),
        (-3.5, -2.0, "Its peers move less"),
        (1.5, -1.5, "Its peers move more"),
    ],
)
def test_the_peers_are_told_in_words(surprise: float, beyond: float, text: str) -> None:
    """As the median of the others; nothing if there are too few."""
    words = minute_words(rare(surprise=surprise, vs_peers=beyond))
    assert words[1] == f"{text} (median of the others of its class)."
    assert len(minute_words(rare())) == 1
    assert minute_words(row()) == []
