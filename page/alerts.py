"""The alerts card: where events are told outside the page, and what becomes of them there.

Pure functions of ``AlertsStatus``. Of a chip's worth everybody is sent a line; the rest is sent to
who opened it. Instants are those of the computer's clock, whatever the source's is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final, Literal

import msgspec

from engine.status import AlertsStatus, DestinationState, DestinationStatus
from history.deliveries import Delivery, Mute, MuteOf, Told
from page.asks import KINDS, muted_name
from page.words import Instant, Words
from ticks import legible

__all__ = [
    "AlertsCard",
    "AlertsPanel",
    "DeadLine",
    "DestinationLine",
    "MuteLine",
    "Muted",
    "alerts_card",
]

_HOW: Final = (
    "Nothing is told outside this page: docs/alerts.md says how events reach a phone, a chat or a"
    " program."
)

_ASKED_ONLY: Final = (
    "The market is simulated or replayed: nothing is sent of it, but to destinations that ask for"
    " it with simulated = true."
)

_ELSEWHERE: Final = (
    "Another Market Pulse records into the same archive, and sends. This one does when that has"
    " ended."
)

_AMONG: Final = "Alerts are sent {where}; this process sends none unless it collects itself."

_NOT_SIMULATED: Final = "told of a real market only"

_FORGETFUL: Final = (
    "What waits is not remembered, as the archive is off or cannot be written: it is lost when"
    " Market Pulse ends."
)

_DEAD_SHOWN: Final = 10

_MUTED: Final = "muted"
_IDLE: Final = "idle"
"""States beside those of ``DestinationState``: nothing is told there, for no fault of its own."""
_FAILING: Final = "failing"
"""It is tried, and what was sent last was refused for good."""

_WORST_FIRST: Final = (
    DestinationState.REFUSED,
    DestinationState.OFF,
    _FAILING,
    DestinationState.RESTING,
)

_HELP: Final[Mapping[str, str]] = {
    DestinationState.REFUSED: "Nothing more is tried. Check its entry in the settings and what the"
    " variable that it names holds, and restart; or press Try once it is mended there.",
    DestinationState.OFF: "It is gone for good, and nothing more is sent. Give it a new address in"
    " the settings, or take it out of them, and restart; or press Try if it is back.",
    DestinationState.RESTING: "It is tried again by itself.",
    _FAILING: "Not delivered, below, lists what it did not take. What comes next is sent to it all"
    " the same.",
}


class DestinationLine(msgspec.Struct, frozen=True, kw_only=True):
    """One destination, and what may be asked of it."""

    name: str
    """As the settings have it: what is asked names it so."""
    shown: str
    type: str
    state: str
    """In one word, by which it is marked."""
    state_text: Words
    why: str
    """What is wrong and what to do about it; empty: nothing."""
    counts: Words
    can_try: bool
    is_muted: bool


class DeadLine(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a destination refused for good."""

    destination: str
    key: str
    text: Words
    why: str


class MuteLine(msgspec.Struct, frozen=True, kw_only=True):
    """Something of which nothing is told for now."""

    of: str
    name: str
    text: Words


class Muted(msgspec.Struct, frozen=True):
    """A symbol, kind or rule of whose events nothing is told for now."""

    of: str
    name: str


class AlertsPanel(msgspec.Struct, frozen=True, kw_only=True):
    """All there is to say, for who opened it."""

    notes: list[str]
    """What holds for all destinations."""
    destinations: list[DestinationLine]
    mutes: list[MuteLine]
    dead: list[DeadLine]
    dead_left: int
    """How many more are dead than are listed."""


class AlertsCard(msgspec.Struct, frozen=True, kw_only=True):
    """The chip, and what it opens."""

    text: str
    state: Literal["off", "well", "trouble"]
    title: str
    kinds: Mapping[str, str]
    """What each kind of event is called."""
    muted: list[str]
    """The symbols of which nothing is told for now."""
    silent: list[Muted]
    """Everything of which nothing is told for now, on the page either."""
    answer: Words
    """What was answered to what this viewer asked last."""
    answered: int
    """The number up to which all is done that was asked; 0: nothing was."""
    panel: AlertsPanel | None
    """None if it is not opened."""


def alerts_card(
    status: AlertsStatus,
    answer: Words = (),
    answered: int = 0,
    *,
    is_opened: bool = False,
    where: str = "",
) -> AlertsCard:
    """What the page shows of ``status``, and of what a viewer asked.

    ``where`` alerts are sent, if several processes show the same and this one does not send.
    """
    found = status.destinations
    muted = {mute.name for mute in status.mutes if mute.of == MuteOf.DESTINATION}
    states = [_state(one, status, is_muted=one.name in muted) for one in found]
    worst = next((state for state in _WORST_FIRST if state in states), None)
    is_on = any(state != _IDLE for state in states)
    return AlertsCard(
        text=_chip_text(states, worst),
        state="trouble" if worst is not None else "well" if is_on else "off",
        title=_title(states) if found else _HOW,
        kinds=KINDS,
        muted=[mute.name for mute in status.mutes if mute.of == MuteOf.SYMBOL],
        silent=[
            Muted(mute.of, mute.name) for mute in status.mutes if mute.of != MuteOf.DESTINATION
        ],
        answer=answer,
        answered=answered,
        panel=_panel(status, muted, where) if is_opened else None,
    )


def _chip_text(states: Sequence[str], worst: str | None) -> str:
    if worst is not None:
        count = f"{states.count(worst)} of {len(states)} " if len(states) > 1 else ""
        return f"Alerts: {count}{worst}"
    if set(states) <= {_IDLE}:
        return "Alerts off"
    return "Alerts muted" if set(states) <= {_IDLE, _MUTED} else "Alerts on"


def _title(states: Sequence[str]) -> str:
    counts = Counter(states)
    noun = "destination" if len(states) == 1 else "destinations"
    return f"{len(states)} {noun}: {', '.join(f'{n} {state}' for state, n in counts.items())}"


def _panel(status: AlertsStatus, muted: set[str], where: str) -> AlertsPanel:
    found = status.destinations
    mutes = [_mute_line(mute) for mute in sorted(status.mutes, key=lambda mute: mute.until)]
    if not found:
        return AlertsPanel(notes=[_HOW], destinations=[], mutes=mutes, dead=[], dead_left=0)
    notes = {
        _AMONG.format(where=where) if where else _ELSEWHERE: not status.is_sending,
        _ASKED_ONLY: status.is_simulated and not all(one.takes_simulated for one in found),
        _FORGETFUL: not status.is_remembered,
    }
    dead = status.dead[:_DEAD_SHOWN]
    return AlertsPanel(
        notes=[note for note, holds in notes.items() if holds],
        destinations=[_destination_line(one, status, is_muted=one.name in muted) for one in found],
        mutes=mutes,
        dead=[_dead_line(one) for one in dead],
        dead_left=max(0, sum(one.dead for one in found) - len(dead)),
    )


def _state(one: DestinationStatus, status: AlertsStatus, *, is_muted: bool) -> str:
    """The state by which a destination is marked; that of one that works says what it is told."""
    if one.state != DestinationState.READY:
        return one.state
    if status.is_simulated and not one.takes_simulated:
        return _IDLE
    if is_muted:
        return _MUTED
    dead = [each.error for each in status.dead if each.destination == one.name]
    return _FAILING if one.why and one.why in dead else one.state


def _destination_line(
    one: DestinationStatus, status: AlertsStatus, *, is_muted: bool
) -> DestinationLine:
    state = _state(one, status, is_muted=is_muted)
    return DestinationLine(
        name=one.name,
        shown=legible(one.name),
        type=one.type,
        state=state,
        state_text=_state_words(one, state, is_muted=is_muted),
        why=_why(one, state),
        counts=_count_words(one),
        can_try=one.state != DestinationState.READY,
        is_muted=is_muted,
    )


def _state_words(one: DestinationStatus, state: str, *, is_muted: bool) -> Words:
    words: Words = (_NOT_SIMULATED if state == _IDLE else state,)
    if state == DestinationState.RESTING and one.until is not None:
        words = ("resting until ", Instant(one.until))
    return (*words, ", muted") if is_muted and state != _MUTED else words


def _why(one: DestinationStatus, state: str) -> str:
    help_text = _HELP.get(state, "")
    if not one.why:
        return help_text
    if not help_text:
        return f"The last error: {_sentence(legible(one.why, 200))}"
    why = _sentence(legible(one.why, 200))
    return f"{why[0].upper()}{why[1:]} {help_text}"


def _sentence(text: str) -> str:
    return text if text.endswith((".", "…", "!", "?")) else f"{text}."


def _count_words(one: DestinationStatus) -> Words:
    counts = {"waiting": one.waiting, "sent": one.sent, "dead": one.dead, "dropped": one.dropped}
    words = [f"{count:,} {name}" for name, count in counts.items() if count or name == "sent"]
    text, last = " · ".join(words), one.last_success
    return (text,) if last is None else (f"{text} · last sent ", Instant(last))


def _mute_line(mute: Mute) -> MuteLine:
    return MuteLine(
        of=mute.of,
        name=mute.name,
        text=(f"{muted_name(mute.of, mute.name)} until ", Instant(mute.until)),
    )


def _dead_line(one: Delivery) -> DeadLine:
    what = "a test" if one.event is None or one.told == Told.TEST else one.event.text
    return DeadLine(
        destination=one.destination,
        key=one.key,
        text=(f"To {legible(one.destination)}, ", Instant(one.made), f": {what}"),
        why=legible(one.error, 200),
    )
