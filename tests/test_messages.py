"""The words of alerts, and how they fit."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest

from alerts.messages import (
    Market,
    Message,
    compose,
    cut,
    is_edit,
    lines_within,
    link,
    plain,
    size_utf8,
    size_utf16,
)
from events import Event, Part, When
from history.deliveries import Delivery, Told
from page.view import read
from tests.alerting import NOW, burst, delivery, move, trial

PAGE = "https://pulse.example.org"


def composed(*deliveries: Delivery, market: Market = Market.REAL, late: int = 0) -> Message:
    return compose(deliveries, public_url=PAGE, market=market, now=NOW, late=late)


def hit(when: When, value: float, **changed: object) -> Event:
    """A hit of the user's rule "mine"."""
    part = Part(
        kind="rule",
        horizon_sec=10,
        value=value,
        threshold=0.02,
        surprise=None,
        times_usual=None,
        from_price=None,
        from_ts=None,
        to_price=None,
        to_ts=None,
        when=when,
    )
    return replace(move(), parts=(part,), rule="mine", **changed)  # type: ignore[arg-type]


def test_the_worst_comes_first() -> None:
    """By severity, then by how far it is beyond its threshold."""
    events = [
        move("A", 0.0200, "watch"),
        move("B", 0.0100, "extreme"),
        move("C", -0.0150, "alert"),
        move("D", -0.0300, "extreme"),
    ]
    message = composed(*map(delivery, events))
    assert [line.split()[1] for line in message.lines] == ["D", "B", "C", "A"]
    assert (message.severity, message.rises) == ("extreme", False)
    assert message.link.startswith(f"{PAGE}/?symbol=D&")


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0.0, "2 moves in 1 s"), (1.2, "2 moves in 2 s"), (75, "2 moves in 1 min 15 s")],
)
def test_a_group_says_how_many_came_within_which_time(seconds: float, expected: str) -> None:
    """From the first to the last that began."""
    events = [move("A"), move("B", ts=NOW + seconds)]
    assert composed(*map(delivery, events)).title == expected


def test_what_has_no_direction_is_no_move() -> None:
    """Volatility, say, or a feed that is silent."""
    (part,) = move().parts
    shaky = replace(move("B"), parts=(replace(part, kind="vol_spike", value=0.009),))
    assert composed(delivery(move()), delivery(shaky)).title == "2 events in 1 s"
    assert composed(delivery(shaky)).title == "B volatility 0.90 %"


def test_what_became_worse_counts_from_then() -> None:
    """It began long before."""
    worse = replace(move("A", severity="extreme"), updated_ts=NOW + 600)
    later = move("B", ts=NOW + 601)
    message = composed(delivery(worse, Told.WORSE), delivery(later))
    assert message.title == "2 moves in 1 s"
    assert message.worst == "A −1.23 % in 5 min, now extreme"


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (hit(When.MOVE, -0.024), "AAPL: mine"),
        (hit(When.SILENT, 90.0, symbol="", asset="crypto"), "crypto: mine"),
    ],
)
def test_a_rule_is_told_by_its_name(event: Event, expected: str) -> None:
    """Of a feed by its class."""
    assert composed(delivery(event)).title == expected


@pytest.mark.parametrize(
    ("event", "peak"),
    [
        (move(value=-0.0193), ", peak −1.93 %"),
        (hit(When.MOVE, 0.024), ", peak +2.40 %"),
        (hit(When.DAY, -0.05), ", peak −5.00 %"),
        (hit(When.VOLATILITY, 0.009), ", peak 0.90 %"),
        (hit(When.SURPRISE, -4.12), ", peak −4.1"),
        (hit(When.CORRELATION, 0.31), ", furthest +0.31"),
        (hit(When.ABOVE, 301.5), ", highest 301.50"),
        (hit(When.BELOW, 92010.5, asset="crypto"), ", lowest 92,010.50"),
        (hit(When.SILENT, 95.0), ""),
    ],
)
def test_the_end_says_how_long_and_how_far(event: Event, peak: str) -> None:
    """In the unit of what is watched."""
    over = replace(event, updated_ts=NOW + 300, over_ts=NOW + 242)
    message = composed(delivery(over, Told.OVER))
    assert message.notes == (f"Over after 4 min 02 s{peak}.",)
    assert message.title.endswith(", over")
    assert message.lines[0].startswith("[alert, over] ")


def test_what_happens_in_a_moment_has_no_duration() -> None:
    """Nothing lasts no time at all, and a crossing has none."""
    at_once = replace(move(value=-0.0193), updated_ts=NOW + 30, over_ts=NOW)
    assert composed(delivery(at_once, Told.OVER)).notes == ("Over after 1 s, peak −1.93 %.",)
    crossed = hit(When.CROSSES, 301.5, updated_ts=NOW + 30, over_ts=NOW)
    assert composed(delivery(crossed, Told.OVER)).notes == ("Over.",)


def test_the_lines_of_a_group_say_how_long_what_is_over_was() -> None:
    """There is no other place for it."""
    over = replace(move("B", value=-0.0193), updated_ts=NOW + 300, over_ts=NOW + 242)
    message = composed(delivery(move("A")), delivery(over, Told.OVER))
    assert message.lines[0].startswith("[alert, over after 4 min 02 s] B fell 1.93 % ")
    assert message.lines[1].startswith("[alert] A fell 1.23 % ")
    assert message.notes == ()


def test_what_came_several_times_says_how_often() -> None:
    """And what moved along."""
    event = replace(move(), count=3, twins=("MSFT",))
    assert composed(delivery(event)).lines[0].endswith(" (×3); MSFT moved along")


def test_a_link_leads_to_the_peak_of_the_symbol() -> None:
    """Of a feed only to the moment; without an address nowhere."""
    (part,) = move().parts
    earlier = replace(move("BTC&x"), parts=(replace(part, to_ts=NOW - 7.5),))
    assert link(earlier, PAGE) == f"{PAGE}/?symbol=BTC%26x&at=2026-11-26T21:22:24Z"
    silent = hit(When.SILENT, 90.0, symbol="", updated_ts=NOW + 5)
    assert link(silent, PAGE) == f"{PAGE}/?at=2026-11-26T21:22:37Z"
    assert link(move(), "") == ""


def test_the_page_understands_its_links() -> None:
    """Whatever the symbol is called."""
    for symbol in ("AAPL", "BTC&x", "a b+c%41"):
        params = parse_qs(urlsplit(link(move(symbol), PAGE)).query)
        view, notes = read(params, [symbol])
        assert (view.symbol, view.at, notes) == (symbol, int(NOW), [])


def test_no_link_is_too_long_for_a_channel() -> None:
    """Of a symbol that is, it leads to the moment alone."""
    assert link(move("𝔘" * 200), PAGE) == f"{PAGE}/?at=2026-11-26T21:22:32Z"
    assert link(move(), f"{PAGE}/{'x' * 1000}") == ""


def test_what_was_not_told_is_said() -> None:
    """With what is, or alone."""
    assert composed(delivery(move()), late=1).notes[0].startswith("1 earlier message was not sent")
    alone = composed(late=1200)
    assert alone.lines[0].startswith("1,200 earlier messages were not sent")
    assert (alone.notes, alone.title) == ((), "Alerts were not sent")


def test_a_message_of_a_market_that_is_not_real_says_so_first() -> None:
    """Whatever it tells."""
    for told in ([delivery(move())], burst(3), [trial()], []):
        message = composed(*told, market=Market.SIMULATED, late=1)
        assert message.headline.startswith("SIMULATED: ")
        assert plain(message, 4096).startswith("SIMULATED")


def test_only_what_has_a_reference_is_edited() -> None:
    """And only by a change or an end; the last is what is new."""
    began, over = delivery(move()), delivery(move(), Told.OVER)
    named = replace(over, reference="7")
    assert is_edit([named])
    assert is_edit([replace(began, reference="7"), named])
    assert not is_edit([over])
    assert not is_edit([replace(began, reference="7")])
    assert not is_edit([])


@pytest.mark.parametrize("room", [0, 1, 3, 10, 40, 41, 10_000])
@pytest.mark.parametrize("size", [len, size_utf8, size_utf16])
@pytest.mark.parametrize("text", ["", "a b" * 20, "é" * 40, "𝔘" * 40, "x\n\r\ty"])
def test_what_is_cut_fits_and_is_one_line(text: str, room: int, size: object) -> None:
    """Whatever is counted: characters, bytes or units of UTF-16."""
    assert callable(size)
    found = cut(text, room, size)
    assert size(found) <= room
    assert "\n" not in found
    if size(text) <= room and text.isprintable():
        assert found == text


def test_as_many_lines_as_fit_are_shown_and_the_rest_counted() -> None:
    """Ten at most; none if not even one fits."""
    message = composed(*burst(17))
    lines = lines_within(message, 100_000)
    assert len(lines) == 11
    assert lines[-1] == "and 7 more"
    room = sum(len(line) + 1 for line in lines[:4]) + len("and 13 more\n")
    assert lines_within(message, room) == [*lines[:4], "and 13 more"]
    assert lines_within(message, room - 1) == [*lines[:3], "and 14 more"]
    assert lines_within(message, 5) == ["and 17 more"]


def test_ten_events_need_no_count() -> None:
    """Nothing is left out."""
    assert len(lines_within(composed(*burst(10)), 100_000)) == 10
