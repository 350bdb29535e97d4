"""What a viewer chose, from the address and back."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from page.view import WIDGETS, View, bin_sec, chosen, read
from ticks import Asset

SYMBOLS = ["AAPL", "EURUSD", "BTC-USD"]
FIRST = View(rows=3, base="AAPL")


def test_an_empty_address_is_the_first_view() -> None:
    """Everything as it is at first, and nothing to note."""
    assert read({}, SYMBOLS) == (FIRST, [])


def test_every_widget_is_a_choice() -> None:
    """What has a widget of Streamlit's is part of a view."""
    assert {*WIDGETS} <= {field.name for field in fields(View)}


def test_an_address_is_a_view() -> None:
    """Every parameter is taken."""
    view, notes = read(
        {
            "rank": ["volatility"],
            "lists": ["by class"],
            "rows": ["2"],
            "base": ["EURUSD"],
            "bars": ["60 s"],
            "correlate": ["crypto", "stocks"],
            "colours": ["blue up"],
            "freeze": ["true"],
            "kiosk": ["0"],
            "area": ["range"],
            "group": ["majors"],
            "awake": ["1"],
            "span": ["day"],
            "compare": ["AAPL", "EURUSD"],
            "unit": ["percent"],
            "tz": ["Europe/Berlin"],
            "symbol": ["BTC-USD"],
            "at": ["2026-01-31T14:32:05Z"],
            "severity": ["alert"],
            "events": ["forex"],
            "heat": ["true"],
            "sound": ["true"],
            "notify": ["false"],
        },
        SYMBOLS,
        groups=["majors"],
    )
    assert notes == []
    assert view == View(
        rank="volatility",
        lists="by class",
        rows=2,
        base="EURUSD",
        bars="60 s",
        correlate=("stocks", "crypto"),
        colours="blue up",
        freeze=True,
        kiosk=False,
        area="range",
        group="majors",
        awake=True,
        span="day",
        compare=("AAPL", "EURUSD"),
        unit="percent",
        tz="Europe/Berlin",
        symbol="BTC-USD",
        at=1769869925,
        severity="alert",
        events=("forex",),
        heat=True,
        sound=True,
        notify=False,
    )


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("rank", "loudness", "expected one of heat, heat up, heat down, surprise"),
        ("rows", "0", "expected a number from 1 to 3"),
        ("rows", "4", "expected a number from 1 to 3"),
        ("rows", "1e3", "expected a number from 1 to 3"),
        ("rows", "²", "expected a number from 1 to 3"),
        ("rows", "9" * 5000, "expected a number from 1 to 3"),
        ("base", "NOPE", "expected one of AAPL, EURUSD, BTC-USD"),
        ("bars", "20", "expected one of auto, 10 s, 20 s, 30 s, 60 s"),
        ("correlate", "bonds", "expected some of stocks, forex, crypto"),
        ("kiosk", "yes", "expected true or false"),
        ("tz", "Mars/Olympus", "expected a time zone like Europe/Berlin"),
        ("tz", "posix/Europe/Berlin", "expected a time zone like Europe/Berlin"),
        ("tz", "localtime", "expected a time zone like Europe/Berlin"),
        ("freeze", "1", "expected true or false"),
        ("rows", "0000000011234", "expected a number from 1 to 3"),
        ("tz", "../../etc/passwd", "expected a time zone like Europe/Berlin"),
        ("at", "yesterday", "expected a time like 2026-01-31T14:32:05Z"),
        ("at", "9999-99-99", "expected a time like 2026-01-31T14:32:05Z"),
        ("at", "9999-12-31T23:59:59-23:59", "expected a time like 2026-01-31T14:32:05Z"),
        ("symbol", "<img src=x>", "expected one of AAPL, EURUSD, BTC-USD"),
    ],
)
def test_a_bad_value_falls_back_with_a_note(name: str, value: str, expected: str) -> None:
    """What was found, what was expected, what is shown instead."""
    view, notes = read({name: [value]}, SYMBOLS)
    assert view == FIRST
    (note,) = notes
    assert expected in note
    assert f"The link's {name}={value[:20]}" in note
    assert len(note) < 300


def test_a_note_shows_all_that_a_link_holds() -> None:
    """What leaves no mark, or turns the direction of others, as its code."""
    _, (note,) = read({"base": ["A\u202eB"]}, SYMBOLS)
    assert note.startswith("The link's base=AU+202EB is not possible")


@pytest.mark.parametrize(
    ("name", "value", "meant"),
    [
        ("at", "2026-01-31T16:32:05 02:00", 1769869925),
        ("at", "2026-01-31 16:32:05 02:00", 1769869925),
        ("at", "2026-01-31T16:32 0200", 1769869920),
        ("at", "2026-01-31 14:32:05", 1769869925),
        ("at", "2026-01-31T14:32:05+00:00", 1769869925),
        ("tz", "Etc/GMT 5", "Etc/GMT+5"),
        ("tz", "Etc/GMT+5", "Etc/GMT+5"),
    ],
)
def test_a_plus_that_was_not_escaped_is_a_plus(name: str, value: str, meant: object) -> None:
    """Addresses write a blank as a plus, so that is what a plus becomes on its way here."""
    view, notes = read({name: [value]}, SYMBOLS)
    assert (getattr(view, name), notes) == (meant, [])


def test_a_symbol_is_known_by_the_name_that_is_shown() -> None:
    """What cannot be seen is in a link as a code; the symbol itself is known too."""
    odd = "AAPL\u202e"
    for name in (odd, "AAPLU+202E", "AAPLU 202E"):
        view, notes = read({"symbol": [name], "base": [name]}, [*SYMBOLS, odd])
        assert (view.symbol, view.base, notes) == (odd, odd, [])


def test_a_note_is_short_however_many_symbols_are_watched() -> None:
    """A few of them show how they are spelled."""
    _, (note,) = read({"symbol": ["NOPE"]}, [f"S{number}" for number in range(50_000)])
    assert "expected one of S0, S1, S2" in note
    assert len(note) < 300


def test_the_presenter_view_is_tiles_or_one_list() -> None:
    """Big type leaves room for no more, and for fewer rows."""
    view, notes = read({"kiosk": ["1"], "lists": ["by class"]}, [f"S{n}" for n in range(50)])
    assert view.kiosk
    assert (view.lists, view.form) == ("auto", "tiles")
    assert read({"kiosk": ["1"], "lists": ["list"]}, SYMBOLS)[0].form == "list"
    assert FIRST.form == "list"
    assert replace(FIRST, lists="by class").form == "by class"
    assert view.rows == 12
    assert notes == []


def test_the_classes_to_compare_with_are_those_of_the_market_unless_the_address_says() -> None:
    """Without stocks there is nothing to compare with them."""
    first: tuple[Asset, ...] = ("forex", "crypto")
    assert read({}, SYMBOLS, first)[0].correlate == first
    assert read({"correlate": ["crypto"]}, SYMBOLS, first)[0].correlate == ("crypto",)


def test_other_parameters_are_somebody_elses() -> None:
    """What is not ours is neither read nor noted."""
    assert read({"utm_source": ["mail"]}, SYMBOLS) == (FIRST, [])


def test_a_choice_changes_what_it_names() -> None:
    """And leaves the rest as it is; what is left out again has its default."""
    view = replace(FIRST, symbol="AAPL", rank="5m", compare=("EURUSD",))
    changed = {"at": 1_795_000_000, "rows": 2, "compare": [], "other": 1}
    after, notes = chosen(view, changed, SYMBOLS)
    assert after == replace(view, at=1_795_000_000, rows=2, compare=())
    assert notes == []
    assert chosen(after, {"at": None}, SYMBOLS)[0] == replace(after, at=None)


def test_symbols_to_compare_with_that_are_not_watched_are_left_out() -> None:
    """And the note says so, not what is shown instead of them: nothing is."""
    view, notes = read({"symbol": ["AAPL"], "compare": ["AAPL", "XYZ"]}, SYMBOLS)
    assert view.compare == ()
    (note,) = notes
    assert note.startswith("The link's compare=AAPL, XYZ is not possible: expected one of AAPL")
    assert note.endswith(". It is left out.")


def test_a_link_of_former_days_is_understood() -> None:
    """The list had another name once."""
    assert read({"lists": ["one list"]}, SYMBOLS) == (replace(FIRST, lists="list"), [])


def test_a_kiosk_that_is_chosen_is_live_tiles() -> None:
    """As one that the address asks for, and not any more when it is left."""
    view = replace(FIRST, lists="by class", at=1_795_000_000)
    after, _ = chosen(view, {"kiosk": True}, SYMBOLS)
    assert (after.kiosk, after.form, after.at) == (True, "tiles", None)
    assert chosen(after, {"kiosk": False}, SYMBOLS)[0].form == "list"


@given(
    st.dictionaries(
        st.sampled_from([field.name for field in fields(View)]),
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text()
        | st.lists(st.text() | st.integers()),
    )
)
def test_a_browser_may_send_anything(changed: dict[str, Any]) -> None:
    """What is not possible is as it is at first; nothing raises."""
    view, notes = chosen(replace(FIRST, symbol="AAPL"), changed, SYMBOLS)
    assert len(notes) <= len(changed)
    assert view.symbol in ("", *SYMBOLS)
    assert 1 <= view.rows <= len(SYMBOLS)
    assert view.form in ("list", "tiles", "by class")


def test_bars_are_seconds_or_to_be_found() -> None:
    """The choice of bars as a number."""
    assert bin_sec("auto") is None
    assert bin_sec("20 s") == 20


def test_a_kiosk_that_is_left_leaves_the_list_as_long_as_usual() -> None:
    """It shows fewer rows by itself; a number that was chosen stays."""
    symbols = [f"S{number}" for number in range(30)]
    before, _ = read({}, symbols)
    kiosk, _ = chosen(before, {"kiosk": True}, symbols)
    assert kiosk.rows < before.rows
    assert chosen(kiosk, {"kiosk": False}, symbols) == (before, [])
    more, _ = chosen(kiosk, {"rows": 20}, symbols)
    assert chosen(more, {"kiosk": False}, symbols)[0].rows == 20
    assert chosen(kiosk, {"kiosk": False, "rows": 5}, symbols)[0].rows == 5
