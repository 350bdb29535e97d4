"""The figures of an opened symbol in plain words, made of its own numbers, and the user's rules."""

from __future__ import annotations

import math
from typing import Any

import pytest

from engine.reader import DayRange
from formulas import COLUMNS
from page.figures import Dated, Figure, figures_of
from page.rule_words import rule_text
from rules import Rule, When

NOW = 1_795_000_000.0


def row(**known: Any) -> dict[str, Any]:
    """A row of the frame of which only this is known."""
    return {
        **dict.fromkeys(COLUMNS, math.nan),
        "asset": "stocks",
        "regime": "unknown",
        "early": False,
        **known,
    }


def told(of_day: DayRange | None = None, **known: Any) -> dict[str, Figure]:
    """The figures by their names."""
    return {figure.name: figure for figure in figures_of(row(**known), NOW, of_day)}


def test_what_is_not_known_has_no_entry() -> None:
    """Never a zero, nor a dash to explain."""
    assert told() == {}


def test_a_surprise_is_told_by_its_own_numbers_first() -> None:
    """Then by the formula, for who asks."""
    found = told(surprise=-8.1, z=-8.1, ret_1m=-0.0093, sigma_1m=0.00115)["Surprise"]
    assert (found.value, found.tone) == ("−8.1σ", -3)
    assert found.words == (
        "Its last minute moved −0.93 %, 8.1 × its usual minute of 0.115 %:"
        " rarer than 99.9 % of its own last day."
    )
    early = told(surprise=2.0, z=2.0, ret_1m=0.001, sigma_1m=0.0005, early=True)["Surprise"]
    assert "of 0.050 % (early: under six hours" in str(early.words)
    assert found.formula.startswith("z = move of the last minute ÷ (vol · √(60/900))")


def test_peers_are_told_with_their_median() -> None:
    """Nothing if there are too few."""
    found = told(surprise=-3.0, vs_peers=-3.2)["Beside its peers"]
    assert found.words == (
        "Its peers do not move along: the median of the others of its class is +0.2σ."
    )


def test_a_move_that_is_remembered_says_when() -> None:
    """The instant is for the viewer's clock."""
    found = told(surprise=0.1, z=0.1, heat=1.55, heat_ts=NOW - 180)["Lately"]
    assert found.value == "+3.1σ"
    assert isinstance(found.words, Dated)
    assert found.words.at == [NOW - 180]


def test_a_range_has_a_place() -> None:
    """Between its ends; that of a day says from when on it is known, if not from its begin."""
    whole = DayRange(690.0, 710.0, NOW - 20_000, NOW - 19_900)
    found = told(whole, last=705.0, range_low=700.0, range_high=705.0)
    assert found["Day's range"].value == "690.00 – 710.00"
    assert found["Day's range"].place == 0.75
    assert found["Day's range"].words == "Lowest 690.00, highest 710.00 in this session."
    assert found["Hour's range"].place == 1.0
    assert "0.71 % apart" in str(found["Hour's range"].words)
    part = told(whole._replace(known_since=NOW - 3600))["Day's range"]
    assert part.place is None
    assert isinstance(part.words, Dated)
    assert part.words.text.endswith("as far as prices are kept: since {}.")
    assert part.words.at == [NOW - 3600]


def test_a_trend_that_chance_makes_is_grey() -> None:
    """Its noise is said beside it."""
    calm = told(trend_15m=0.0002, vol_15m=0.002)["Trend"]
    assert (calm.value, calm.tone) == ("+0.020 % a minute", 0)
    assert calm.words == (
        "Over 15 minutes it went +0.020 % a minute, no more than chance makes (0.029 % a minute)."
    )
    strong = told(trend_15m=-0.0004, vol_15m=0.002)["Trend"]
    assert strong.tone == -2
    assert "more than chance makes" in str(strong.words)


def test_volatility_is_told_beside_its_median() -> None:
    """With the regime."""
    found = told(vol_15m=0.004, vol_median=0.002, regime="high_vol", usual_1m=0.0012)
    assert found["Volatility"].words == (
        "A typical 15 minutes moves it 0.40 %, 2.0 × its hourly median: volatile."
    )
    assert found["Rare minute"].words == "One minute of 200 moves it more than 0.12 %."


@pytest.mark.parametrize(
    ("when", "limits", "text"),
    [
        (When.MOVE, {"by": 0.02, "within_sec": 300}, "it moves 2.00 % or more within 5 min 00 s"),
        (When.ABOVE, {"price": 700.0}, "its price is above 700.00"),
        (When.BELOW, {"price": 700.0}, "its price is below 700.00"),
        (When.CROSSES, {"price": 700.0}, "its price crosses 700.00"),
        (When.VOLATILITY, {"by": 0.005}, "a typical 15 minutes moves it 0.50 % or more"),
        (When.SURPRISE, {"by": 3.5}, "its minute is 3.5σ or more from what is usual"),
        (When.DAY, {"by": 0.03}, "its day changes by 3.00 % or more"),
        (When.CORRELATION, {"low": 0.2}, "its correlation with MSFT leaves what is above +0.20"),
        (When.CORRELATION, {"high": 0.9}, "its correlation with MSFT leaves what is below +0.90"),
        (
            When.CORRELATION,
            {"low": -0.2, "high": 0.9},
            "its correlation with MSFT leaves −0.20 to +0.90",
        ),
        (
            When.SILENT,
            {"within_sec": 60},
            "its feed brings nothing for 1 min 00 s while its market is open",
        ),
        (
            When.UNHEARD,
            {"within_sec": 60},
            "it is not heard for 1 min 00 s while its market is open",
        ),
        (When.MOVE_1M, {"by": 0.002}, "a move in 1 min is an event from 0.20 % on"),
        (When.MOVE_5M, {"by": 0.002}, "a move in 5 min is an event from 0.20 % on"),
        (When.VOL_SPIKE, {"by": 0.002}, "its volatility is an event from 0.20 % on"),
    ],
)
def test_a_rule_is_one_sentence(when: When, limits: dict[str, Any], text: str) -> None:
    """Of the limits that it has."""
    rule = Rule(name="mine", when=when, symbols=("AAPL", "MSFT"), **limits)
    assert rule_text(rule, "AAPL", "stocks") == text


def test_a_rule_says_how_severe_it_is() -> None:
    """If it says so itself."""
    rule = Rule(name="mine", when=When.CROSSES, price=700.0, severity="extreme")
    assert rule_text(rule, "AAPL", "stocks") == "its price crosses 700.00: extreme"
