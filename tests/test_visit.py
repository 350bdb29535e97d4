"""Which second a visit shows, and what it tells about it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from engine.reader import GRACE_SEC, REWIND_SEC
from page.view import View
from page.visit import Frozen, Visit

SYMBOLS = ["AAPL", "EURUSD", "BTC-USD"]
NOW = 1_795_000_000
OLDEST = NOW - REWIND_SEC
LIVE = Visit(View())


def choice(
    number: float = 1, *, panels: dict[str, bool] | None = None, **changed: Any
) -> dict[str, Any]:
    """What the board sends."""
    return {"number": number, "changed": changed, "panels": panels or {}}


def looking_back(at: int, *, freeze: bool = False) -> Visit:
    """A visit whose viewer chose a moment."""
    return replace(LIVE, view=View(at=at, freeze=freeze))


def test_without_a_choice_the_page_is_live() -> None:
    """And nothing is told."""
    assert LIVE.shown(OLDEST, NOW, has_prices=True) == (LIVE, None)


def test_a_chosen_moment_is_shown_for_as_long_as_it_is_kept() -> None:
    """With a grace, so that the oldest moment can be chosen; then the page is live again."""
    visit = looking_back(OLDEST)
    assert visit.shown(OLDEST, NOW, has_prices=True) == (visit, OLDEST)
    assert visit.shown(OLDEST + GRACE_SEC, NOW, has_prices=True) == (visit, OLDEST)
    after, at = visit.shown(OLDEST + GRACE_SEC + 1, NOW, has_prices=True)
    assert at is None
    assert after.view.at is None
    assert "not kept any more" in after.notes[0]
    assert not after.thaws


@pytest.mark.parametrize("at", [None, NOW - 100])
def test_a_frozen_page_holds_its_second(at: int | None) -> None:
    """The newest, or the one that was looked back at, however far time goes on."""
    visit = replace(LIVE, view=View(at=at, freeze=True))
    held = NOW if at is None else at
    for second in range(NOW, NOW + REWIND_SEC + 1, 60):
        visit, shown = visit.shown(second - REWIND_SEC, second, has_prices=True)
        if held < second - REWIND_SEC - GRACE_SEC:
            break
        assert shown == held
        assert visit.frozen == Frozen(held, since=NOW)
    assert visit.notes == ()


def again(held: Any, **changed: Any) -> dict[str, Any]:
    """What the board of a page that was frozen sends to a server that came back."""
    return {**choice(freeze=True, **changed), "held": held}


def test_a_frozen_page_holds_its_second_over_a_restart() -> None:
    """Although the address, which the new visit began with, does not say which it was."""
    begun, _ = replace(LIVE, view=View(freeze=True)).shown(OLDEST, NOW, has_prices=True)
    visit = begun.with_board(again(NOW - 40), SYMBOLS)
    # Until there are prices again it waits.
    visit, _ = visit.shown(NOW, NOW, has_prices=False)
    visit, at = visit.shown(OLDEST, NOW + 3, has_prices=True)
    assert (at, visit.frozen, visit.notes) == (NOW - 40, Frozen(NOW - 40, since=NOW - 40), ())
    # Held once: what is frozen later holds the newest.
    thawed = visit.with_controls(View())
    frozen, _ = thawed.with_controls(View(freeze=True)).shown(OLDEST, NOW + 9, has_prices=True)
    assert frozen.frozen == Frozen(NOW + 9, since=NOW + 9)


def test_a_held_second_that_is_lost_is_told() -> None:
    """Without an archive a server that came back knows only what came since."""
    visit = LIVE.with_board(again(NOW - 40), SYMBOLS)
    after, at = visit.shown(NOW + GRACE_SEC, NOW + GRACE_SEC + 9, has_prices=True)
    assert (at, after.view, after.thaws, after.held) == (None, View(), True, None)
    assert "not kept any more" in after.notes[0]


@pytest.mark.parametrize("held", [NOW + 1, 2**70, 0, -5])
def test_a_second_that_cannot_have_been_held_is_not(held: int) -> None:
    """Anybody may send one."""
    visit = LIVE.with_board(again(held), SYMBOLS)
    assert visit.shown(OLDEST, NOW, has_prices=True)[1] == NOW


def test_a_frozen_page_thaws_after_an_hour() -> None:
    """It is live again, tells why, and has its control turned off."""
    frozen, _ = replace(LIVE, view=View(freeze=True)).shown(OLDEST, NOW, has_prices=True)
    assert frozen.shown(0, NOW + REWIND_SEC, has_prices=True)[1] == NOW
    after, at = frozen.shown(0, NOW + REWIND_SEC + 1, has_prices=True)
    assert at is None
    assert (after.view, after.frozen, after.thaws) == (View(), None, True)
    assert "frozen for an hour" in after.notes[0]
    # The control follows, which is no new choice: the note stays.
    followed = after.with_controls(View())
    assert (followed.notes, followed.thaws) == (after.notes, False)


def test_a_frozen_moment_that_is_lost_thaws_too() -> None:
    """What is not kept cannot be held."""
    after, at = looking_back(10, freeze=True).shown(OLDEST, NOW, has_prices=True)
    assert (at, after.thaws, after.view.freeze) == (None, True, False)
    assert "not kept any more" in after.notes[0]


def test_before_there_are_prices_nothing_is_held_or_missed() -> None:
    """The choice stays until it can be judged."""
    for visit in (looking_back(10), replace(LIVE, view=View(freeze=True))):
        assert visit.shown(NOW, NOW, has_prices=False) == (visit, None)


def test_unfreezing_lets_go_of_the_held_second() -> None:
    """The next freeze holds another one."""
    frozen, _ = replace(LIVE, view=View(freeze=True)).shown(OLDEST, NOW, has_prices=True)
    live = frozen.with_controls(View())
    assert live.frozen is None
    again, at = live.with_controls(View(freeze=True)).shown(OLDEST, NOW + 9, has_prices=True)
    assert at == NOW + 9
    assert again.frozen == Frozen(NOW + 9, since=NOW + 9)


def test_a_links_notes_are_told_until_the_next_choice() -> None:
    """Drawn again the controls say the same."""
    visit = Visit.from_address({"rank": ["loudness"]}, SYMBOLS, NOW)
    assert len(visit.notes) == 1
    assert visit.with_controls(visit.view).notes == visit.notes
    assert visit.with_controls(replace(visit.view, rows=1)).notes == ()
    assert visit.with_board(choice(), SYMBOLS).notes == ()


def test_an_address_that_was_gone_back_to_says_what_is_not_possible() -> None:
    """Its texts are taken as those of a link; to a board nothing is told."""
    sent = choice(symbol=["NOSUCH"], at=["yesterday"], span=["day"], rank=["5m"])
    visit = LIVE.with_board({**sent, "is_link": True}, SYMBOLS)
    assert visit.view == replace(View(), span="day", rank="5m")
    names = [note.partition("=")[0] for note in visit.notes]
    assert names == ["The link's symbol", "The link's at"]
    assert LIVE.with_board(sent, SYMBOLS).notes == ()


def test_a_moment_to_come_is_live() -> None:
    """A link from a clock that is ahead, say."""
    visit = Visit.from_address({"at": ["2099-01-01T00:00:00Z"]}, SYMBOLS, NOW)
    assert visit.view.at is None
    assert visit.notes == ("The link's moment is in the future: live instead.",)


@pytest.mark.parametrize("freeze", [False, True])
def test_a_chosen_moment_to_come_is_live(freeze: bool) -> None:
    """No board offers one, and nothing is known of it."""
    visit = replace(LIVE, view=View(freeze=freeze)).with_board(choice(at=NOW + 1), SYMBOLS)
    after, at = visit.shown(OLDEST, NOW, has_prices=True)
    assert at is None
    assert (after.view, after.frozen) == (View(), None)
    assert "in the future" in after.notes[0]
    held = replace(LIVE, view=View(freeze=True), frozen=Frozen(NOW + 1, since=NOW))
    assert held.shown(OLDEST, NOW, has_prices=True)[1] == NOW + 1


@pytest.mark.parametrize(
    "forged", [[], "at", None, 7, True, {}, {"number": "1"}, {"number": 1, "changed": []}]
)
def test_what_is_no_choice_changes_nothing(forged: object) -> None:
    """A browser may send any JSON."""
    assert LIVE.with_board(forged, SYMBOLS) is LIVE


def test_a_choice_is_taken_once() -> None:
    """The browser sends it again with whatever follows; what came later from a control stays."""
    visit = LIVE.with_board(choice(5, symbol="AAPL", panels={"details": True}), SYMBOLS)
    assert visit.view == View(symbol="AAPL")
    assert (visit.taken, visit.wants_details, visit.wants_alerts) == (5, True, False)
    closed = replace(visit, view=View(symbol=""))
    assert closed.with_board(choice(5, symbol="AAPL"), SYMBOLS) is closed
    assert not closed.with_board(choice(6), SYMBOLS).wants_details


def test_a_board_that_thaws_lets_go_of_the_held_second() -> None:
    """As the control does."""
    frozen, _ = replace(LIVE, view=View(freeze=True)).shown(OLDEST, NOW, has_prices=True)
    assert frozen.with_board(choice(freeze=False), SYMBOLS).frozen is None
