"""Visit: what one viewer chose in one tab, and which second that shows.

Read once from the page's address, changed by the controls and by the board. Every change
makes a new one, so that a run that the viewer's next choice interrupts leaves nothing half done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Self

import msgspec

from engine.reader import GRACE_SEC, REWIND_SEC
from page.view import FIRST, View, chosen, read
from page.words import Words
from ticks import Asset

__all__ = ["Frozen", "Visit"]

FUTURE: Final = "The link's moment is in the future: live instead."
NOT_YET: Final = "The moment that was chosen is in the future: live again."
LET_GO: Final = "The moment that was shown is not kept any more: live again."
THAWED: Final = "The page was frozen for an hour: live again."


@dataclass(frozen=True, slots=True)
class Frozen:
    """What a frozen page shows."""

    at: int
    """The second that is held."""
    since: int
    """The newest second when the page was frozen."""


class _Panels(msgspec.Struct, frozen=True):
    """Which parts are open that are sent only then."""

    details: bool = False
    alerts: bool = False
    earlier: bool = False
    event: str = ""
    since: int | None = None
    find: str | None = None


class _Choice(msgspec.Struct, frozen=True):
    """What the board sends."""

    number: float
    changed: dict[str, Any]
    panels: _Panels = _Panels()
    is_link: bool = False
    """Whether an address said it, to which the viewer went back: then ``changed`` is its texts."""
    held: int | None = None
    """The second that a frozen page held when the server lost this visit; None: it lost none."""


@dataclass(frozen=True, slots=True)
class Visit:
    """One tab's choices, and what the page made of them."""

    view: View
    first: View = FIRST
    """What an address that chooses nothing shows."""
    notes: tuple[str, ...] = ()
    """Told at the top until the viewer chooses something else."""
    wants_details: bool = False
    """Whether everything the status knows is to be sent."""
    wants_alerts: bool = False
    """Whether everything of the alerts is to be sent."""
    wants_earlier: bool = False
    """Whether all events that are over are to be listed, and not only the newest."""
    event: str = ""
    """The id of the event whose detail is to be sent; empty: none."""
    since: int | None = None
    """When the page was last looked at: what happened since is to be sent; None: nothing is."""
    finds: str | None = None
    """What a symbol is looked for by; None: nobody looks."""
    asked: int | None = None
    """The number up to which all is done that the board asked for; None until it is looked at."""
    answer: Words = ()
    """What was answered to what it asked for last."""
    frozen: Frozen | None = None
    """None until a frozen view is shown for the first time."""
    held: int | None = None
    """The second that it held before the server lost it, to be held again; None: none."""
    thaws: bool = False
    """Whether the page stopped being frozen by itself, and the control has yet to follow."""
    taken: float = 0
    """The number of the choice that the board made last; 0 if nothing was chosen there yet."""
    session: str = ""
    """What tells this visit from the one that a tab had before the server lost it."""

    @classmethod
    def from_address(
        cls,
        params: Mapping[str, Sequence[str]],
        symbols: Sequence[str],
        newest: int,
        correlate: tuple[Asset, ...] = ("stocks",),
        groups: Sequence[str] = (),
    ) -> Self:
        """The visit that an address asks for, at the second ``newest``.

        ``correlate`` are the classes to compare with if the address names none, ``groups`` the
        names of the groups that there are.
        """
        view, notes = read(params, symbols, correlate, groups)
        if view.at is not None and view.at > newest:
            view = replace(view, at=None)
            notes.append(FUTURE)
        first, _ = read({}, symbols, correlate)
        return cls(view, first, tuple(notes))

    def with_controls(self, view: View) -> Visit:
        """The visit after its controls were drawn, which now say ``view``."""
        return replace(
            self,
            view=view,
            notes=self.notes if view == self.view else (),
            frozen=self.frozen if view.freeze else None,
            thaws=False,
        )

    # What was chosen is whatever a browser sends: any JSON.
    def with_board(self, sent: object, symbols: Sequence[str], groups: Sequence[str] = ()) -> Visit:
        """The visit after a choice made on the board, if that is a new one.

        ``sent`` is the number of the choice, which grows; all ``changed`` values of the view, those
        of earlier choices that may not have arrived included; and which panels are open.
        ``symbols`` are those that are watched, ``groups`` the names of their groups.
        """
        try:
            choice = msgspec.convert(sent, _Choice)
        except msgspec.ValidationError:
            return self  # no board of ours sent it
        if choice.number == self.taken:
            return self
        view, notes = chosen(self.view, choice.changed, symbols, self.first.correlate, groups)
        return replace(
            self,
            view=view,
            # A board shows what is possible alone; anybody may have written an address.
            notes=tuple(notes) if choice.is_link else (),
            frozen=self.frozen if view.freeze and choice.held is None else None,
            held=choice.held,
            wants_details=choice.panels.details,
            wants_alerts=choice.panels.alerts,
            wants_earlier=choice.panels.earlier,
            event=choice.panels.event,
            since=choice.panels.since,
            finds=choice.panels.find,
            taken=choice.number,
        )

    def shown(self, oldest: int, newest: int, *, has_prices: bool) -> tuple[Visit, int | None]:
        """The second to show, None for live, and the visit that it leaves behind.

        ``oldest`` and ``newest`` are the seconds that can be shown. A frozen page holds the second
        at which it was frozen, for an hour at most; a moment that is out of reach is dropped. Then
        the page is live again, with a note that says why. Before there are any prices, no moment
        can be held or missed.
        """
        if not has_prices:
            return self, None
        at, frozen, held = self.view.at, self.frozen, self.held
        # A held second may be ahead of a clock that was set back since.
        if at is not None and at > newest and frozen is None:
            return self._live_again(NOT_YET), None
        if self.view.freeze:
            if at is None and held is not None and 0 < held <= newest:
                frozen = frozen or Frozen(held, since=held)
            frozen = frozen or Frozen(newest if at is None else at, since=newest)
            if newest - frozen.since > REWIND_SEC:
                return self._live_again(THAWED), None
            at = frozen.at
        if at is not None and at < oldest - GRACE_SEC:
            return self._live_again(LET_GO), None
        return replace(self, frozen=frozen, held=None), at

    def _live_again(self, note: str) -> Visit:
        return replace(
            self,
            view=replace(self.view, at=None, freeze=False),
            notes=(note,),
            frozen=None,
            held=None,
            thaws=self.view.freeze,
        )
