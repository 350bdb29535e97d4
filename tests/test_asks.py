"""What a viewer asks of the alerts: what is done of it, when a mute ends, and what is answered."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from alerts.status import AlertsStatus, DestinationStatus
from engine.alerts_elsewhere import AlertsElsewhere, grant
from history.deliveries import Mute, MuteOf
from page.asks import (
    DeskAsk,
    Lift,
    MuteFor,
    SendAgain,
    SendTest,
    TryNow,
    answered,
    asked,
    asks_in,
    muted_until,
)
from page.words import Instant, Words
from sources.wishes import Wish

TOKYO = ZoneInfo("Asia/Tokyo")
BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 27, 23, 30, tzinfo=TOKYO).timestamp()


class Told:
    """A desk that notes what it is told, and does it if ``is_willing``."""

    def __init__(self, *, is_willing: bool = True, is_sending: bool = True, mutes: int = 0) -> None:
        self.is_willing = is_willing
        self.is_sending = is_sending
        self.told: list[tuple[str, ...]] = []
        self.mutes: list[Mute] = [Mute(MuteOf.SYMBOL, str(one), NOW + 60) for one in range(mutes)]

    def status(self) -> AlertsStatus:
        """One destination, and what is muted."""
        desk = DestinationStatus(name="desk", type="slack")
        return AlertsStatus(
            destinations=(desk,), is_sending=self.is_sending, mutes=tuple(self.mutes)
        )

    def mute(self, mute: Mute) -> None:
        """Note a mute."""
        self.mutes.append(mute)

    def test(self, destination: str) -> bool:
        """Note a test."""
        return self._note("test", destination)

    def send_again(self, destination: str, key: str) -> bool:
        """Note what is to be sent again."""
        return self._note("again", destination, key)

    def try_now(self, destination: str) -> bool:
        """Note a try."""
        return self._note("try", destination)

    def _note(self, *what: str) -> bool:
        self.told.append(what)
        return self.is_willing


class Line:
    """Carries wishes to a desk of another process."""

    can_ask = True

    def __init__(self, desk: Told) -> None:
        self._desk = desk

    def ask(self, wish: Wish) -> None:
        """Have a wish granted at once."""
        grant(self._desk, wish)


def numbered(number: int, **ask: Any) -> dict[str, Any]:
    """Something asked, as the board sends it."""
    return {"number": number, "ask": ask}


def test_each_thing_asked_is_done_once() -> None:
    """The browser sends the same list with every choice, and the newest of it may overtake."""
    sent = [numbered(7, ask="test", destination="desk")]
    assert asks_in(sent, 0) == ([SendTest("desk")], 7)
    assert asks_in(sent, 7) == ([], 7)
    later = [
        numbered(9, ask="try", destination="b"),
        *sent,
        numbered(8, ask="try", destination="a"),
    ]
    assert asks_in(later, 7) == ([TryNow("a"), TryNow("b")], 9)
    # A list that was overtaken says nothing new.
    assert asks_in(sent, 9) == ([], 9)


def test_what_was_asked_before_a_restart_is_not_asked_again() -> None:
    """A browser sends its list again to a server that has never seen it."""
    sent = [numbered(7, ask="test", destination="desk")]
    assert asks_in(sent, None) == ([], 7)
    assert asks_in(None, None) == ([], 0)


@pytest.mark.parametrize(
    "sent",
    [
        None,
        "test",
        {"number": 1},
        [1, None, [], {"number": "1", "ask": {"ask": "test", "destination": "desk"}}],
        [numbered(1, ask="format", destination="desk")],
        [numbered(1, ask="test", destination=3)],
        [numbered(1, ask="mute", of="symbol", name="AAPL", span="ever")],
        [numbered(1, ask="mute", of="planet", name="AAPL", span="1 h")],
        [numbered(1, ask="mute", of="symbol", name="A" * 81, span="1 h")],
    ],
)
def test_what_no_board_sends_does_nothing(sent: object) -> None:
    """It comes from a browser: any JSON."""
    assert asks_in(sent, 0) == ([], 0)


@pytest.mark.parametrize(
    ("span", "zone", "until"),
    [
        ("15 min", TOKYO, NOW + 900),
        ("1 h", TOKYO, NOW + 3600),
        ("morning", TOKYO, NOW + 7.5 * 3600),
        # In Berlin it is 15:30.
        ("morning", BERLIN, NOW + 15.5 * 3600),
    ],
)
def test_a_mute_ends_by_the_viewers_clock(span: Any, zone: ZoneInfo, until: float) -> None:
    """The morning is the next one there."""
    assert muted_until(span, NOW, zone) == until


def test_a_morning_after_the_clocks_went_forward_comes_earlier() -> None:
    """The night of 29 March 2026 has an hour less in Berlin; at seven the next morning is meant."""
    night = datetime(2026, 3, 28, 23, 0, tzinfo=BERLIN).timestamp()
    assert muted_until("morning", night, BERLIN) == night + 7 * 3600
    seven = datetime(2026, 3, 30, 7, 0, tzinfo=BERLIN).timestamp()
    assert muted_until("morning", seven, BERLIN) == seven + 24 * 3600


def test_what_is_muted_is_named_with_its_end_and_can_be_lifted() -> None:
    """A symbol, a kind in words, a rule, a destination."""
    desk = Told()
    words = answered(desk, MuteFor(MuteOf.SYMBOL, "AAPL", "15 min"), NOW, TOKYO)
    assert words == ("Muted: AAPL, until ", Instant(NOW + 900), ". ")
    assert desk.mutes == [Mute(MuteOf.SYMBOL, "AAPL", NOW + 900)]
    kind, *_ = answered(desk, MuteFor(MuteOf.KIND, "move_1m", "1 h"), NOW, TOKYO)
    assert kind == "Muted: moves over 1 min, until "
    assert answered(desk, Lift(MuteOf.RULE, "flash"), NOW, TOKYO) == (
        "No longer muted: the rule flash. ",
    )
    assert desk.mutes[-1].until < NOW


def test_names_from_a_browser_do_not_fill_the_memory() -> None:
    """From some number on nothing more is muted, and the answer says so."""
    desk = Told(mutes=200)
    (text,) = answered(desk, MuteFor(MuteOf.SYMBOL, "ONE-MORE", "1 h"), NOW, TOKYO)
    assert text == "200 mutes are the most: lift some first. "
    assert len(desk.mutes) == 200


@pytest.mark.parametrize(
    ("ask", "told", "done", "refused"),
    [
        (
            SendTest("desk"),
            ("test", "desk"),
            "A test is on its way to desk. ",
            "desk was tried less than ten seconds ago: press again later. ",
        ),
        (
            TryNow("desk"),
            ("try", "desk"),
            "desk is tried now. ",
            "desk was tried less than ten seconds ago: press again later. ",
        ),
        (
            SendAgain("desk", "k"),
            ("again", "desk", "k"),
            "It is on its way to desk again. ",
            "It is not kept any more, so it cannot be sent again. ",
        ),
    ],
)
def test_the_answer_says_whether_it_is_done(
    ask: Any, told: tuple[str, ...], done: str, refused: str
) -> None:
    """In words for whoever pressed the button."""
    willing, unwilling = Told(), Told(is_willing=False)
    assert answered(willing, ask, NOW, TOKYO) == (done,)
    assert answered(unwilling, ask, NOW, TOKYO) == (refused,)
    assert willing.told == unwilling.told == [told]


def test_a_destination_that_is_gone_from_the_settings_is_named() -> None:
    """A page that was open before a restart may still show it."""
    for ask in (SendTest("old"), TryNow("old")):
        answer = answered(Told(is_willing=False), ask, NOW, TOKYO)
        assert answer == ("There is no destination old any more. ",)


WHERE = "where host-a collects"


def test_what_another_process_can_be_asked_for_is_asked() -> None:
    """And the answer says where, and claims nothing that is not done yet."""
    here, there = Told(is_sending=False), Told()
    asks: list[tuple[DeskAsk, Words]] = [
        (SendTest("desk"), ("a test is on its way to desk",)),
        (TryNow("desk"), ("desk is tried",)),
        (SendAgain("desk", "k"), ("it is on its way to desk again",)),
        (MuteFor(MuteOf.SYMBOL, "AAPL", "15 min"), ("AAPL is muted until ", Instant(NOW + 900))),
        (Lift(MuteOf.RULE, "flash"), ("the rule flash is no longer muted",)),
    ]
    for ask, what in asks:
        answer = asked(here, AlertsElsewhere(Line(there)), ask, NOW, TOKYO, WHERE)
        assert answer == (f"Asked {WHERE}: in a moment ", *what, ". ")
    assert (here.told, here.mutes) == ([], [])
    assert there.told == [("test", "desk"), ("try", "desk"), ("again", "desk", "k")]
    assert [mute.name for mute in there.mutes] == ["AAPL", "flash"]


def test_what_cannot_be_done_is_not_asked_elsewhere() -> None:
    """A destination that is gone, and one mute too many."""
    here, there = Told(is_sending=False, mutes=200), Told()
    asks: list[tuple[DeskAsk, str]] = [
        (SendTest("old"), "There is no destination old any more. "),
        (MuteFor(MuteOf.SYMBOL, "AAPL", "1 h"), "200 mutes are the most: lift some first. "),
    ]
    for ask, words in asks:
        assert asked(here, AlertsElsewhere(Line(there)), ask, NOW, TOKYO, WHERE) == (words,)
    assert (there.told, there.mutes) == ([], [])


def test_what_another_process_sends_is_asked_of_that() -> None:
    """Of two dashboards on one folder one sends."""
    for ask in (SendTest("desk"), TryNow("desk")):
        answer = answered(Told(is_willing=False, is_sending=False), ask, NOW, TOKYO)
        assert answer == ("Another Market Pulse sends to desk: press it there. ",)
    other = Told(is_sending=False)
    for each in (
        SendAgain("desk", "k"),
        MuteFor(MuteOf.SYMBOL, "AAPL", "1 h"),
        Lift(MuteOf.SYMBOL, "AAPL"),
    ):
        answer = answered(other, each, NOW, TOKYO)
        assert answer == ("Another Market Pulse sends: press it there. ",)
    assert not other.told
    assert not other.mutes
