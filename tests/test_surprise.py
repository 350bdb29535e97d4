"""How unusual a symbol's minute is, in its cell and in words, from rows made by hand."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest

from page.surprise import BLANK, COLD, gauge, heat, past_words, peer_words, peers, remembered
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
    cell = gauge(rare())
    assert (cell.text, cell.tone, cell.filled, cell.note) == ("+8.2 ×", 3, 0.78, "99.8 %")
    assert cell.text + cell.rest == "+8.2 × its usual minute, rarer than 99.8 % of its own last day"


def test_a_usual_minute_is_told_calmly() -> None:
    """Grey, without a note, and in a sentence that does not change."""
    cell = gauge(row(z=-0.31, surprise=-0.4, heat=-0.4, heat_ts=NOW // 1))
    assert (cell.text, cell.tone, cell.filled, cell.note) == ("−0.3 ×", 0, -0.1, "")
    assert cell.rest == " its usual minute"


@pytest.mark.parametrize(("surprise", "tone"), [(0.99, 0), (-1.0, -1), (2.5, 2), (-12.0, -3)])
def test_the_colour_grows_with_the_surprise(surprise: float, tone: int) -> None:
    """By whole standard deviations."""
    assert gauge(rare(surprise=surprise)).tone == tone


def test_a_surprise_beyond_the_gauge_fills_it() -> None:
    """In either direction."""
    cell = gauge(rare(z=-40.2, surprise=-12.0))
    assert (cell.text, cell.filled, cell.note) == ("−40 ×", -1.0, "99.9 %")


def test_an_early_surprise_says_so_and_nothing_of_its_own_day() -> None:
    """The number is true all the same; what early means is in the sentence."""
    cell = gauge(rare(early=True))
    assert (cell.text, cell.tone, cell.note) == ("+8.2 ×", 3, "early")
    assert "under six hours of its own minutes are known" in cell.rest
    assert "own last day" not in cell.rest


def test_what_the_whole_card_says_no_row_repeats() -> None:
    """Neither beside the number nor in its sentence."""
    cell = gauge(rare(early=True), notes_early=False)
    assert (cell.text, cell.note, cell.rest) == ("+8.2 ×", "", " its usual minute")


@pytest.mark.parametrize(
    ("heat_now", "seconds_ago", "cell"),
    [
        (1.5, 180, ("+3.0σ", 1, "3 min ago")),
        (-4.05, 180, ("−8.1σ", -3, "3 min ago")),
        (2.6, 5, ("+2.7σ", 2, "now")),
        (0.5, 899, ("+15.9σ", 0, "14 min ago")),
    ],
)
def test_a_row_says_which_move_it_ranks_by(
    heat_now: float, seconds_ago: int, cell: tuple[str, int, str]
) -> None:
    """How unusual that was and when; the colour is that of what is left of it."""
    found = heat(past(heat_now, seconds_ago), NOW)
    assert (found.text, found.tone, found.note) == cell
    assert found.rest.startswith(f"{cell[2]}: a {'rise' if heat_now > 0 else 'fall'} rarer than 9")


def test_a_heat_is_told_in_words_if_it_was_beyond_its_usual() -> None:
    """By what it was then; early it claims nothing of its own day."""
    assert heat(past(-1.55, 180), NOW).rest == (
        "3 min ago: a fall rarer than 99.8 % of its own last day"
    )
    assert heat(past(1.55, 180, early=True), NOW).rest == "3 min ago: a rise beyond its usual"
    assert heat(past(1.2, 60), NOW).rest == ""


def test_without_a_move_there_is_no_heat() -> None:
    """Neither of what is not known, nor of a price that never moved."""
    assert tuple(map(str, msgspec.to_builtins(heat(row(), NOW)))) == ("–", "0", "", "")
    assert heat(row(heat=0.0), NOW).text == "0.0σ"


def test_a_remembered_move_is_told_with_its_direction() -> None:
    """Of a fall it says fall, and how rare it was then, not by what is left of it."""
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


def test_what_is_not_known_is_a_dash() -> None:
    """And says so."""
    cell = gauge(past(2.0, 180, z=NAN, surprise=NAN))
    assert (cell.text, cell.tone, cell.filled, cell.note) == ("–", 0, 0.0, "")
    assert cell.rest == ": not known"
    assert (BLANK.text, BLANK.rest, COLD.text, COLD.rest) == ("", "", "", "")


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
    """As the median of the others."""
    assert peer_words(rare(surprise=surprise, vs_peers=beyond)) == text
