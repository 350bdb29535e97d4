"""Among: what is true of this process among several that show the same pulse, in sentences.

Pure functions of a ``RelayStatus``. States are compared as text, never by identity: the worker may
be older than the modules that Streamlit has loaded since.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Final

from engine.status import RelayState, RelayStatus, RelayTrouble
from page.words import Instant, Message, Words, warning
from ticks import ProcessRole, legible
from wording import duration_text

__all__ = [
    "CLOCK",
    "has_just_taken_over",
    "leads",
    "place_words",
    "relay_messages",
    "relay_reason",
    "standing_messages",
    "where_text",
]

CALM_SEC: Final = 3.0
"""A silence, a trouble or a hole that is shorter than this is not worth a word."""

CANDIDATES_SEC: Final = 30.0
"""If nobody has taken over for so long, there is nobody who could."""

TOLD_SEC: Final = 300.0
"""For so long it is told that another process took over."""

GHOST_SEC: Final = 180.0
"""For so long a vendor may still count the connection of a collector that died."""

CLOCK_SEC: Final = 2.0
"""Clocks that differ by less are in step."""

CLOCK: Final = "collector's clock"
"""The name of a difference of clocks, which may come and go where it is just that large."""

_MOST_NAMED: Final = 12
"""More symbols than this are counted."""

_AT_ADDRESS: Final = "what answers at the address of MARKET_PULSE_REDIS"

_REASONS: Final[Mapping[str, str]] = {
    RelayTrouble.AWAY: "the message broker does not answer",
    RelayTrouble.STARTING: "the message broker is starting, and still loads what it holds",
    RelayTrouble.REFUSED: "the broker refused the user or password of MARKET_PULSE_REDIS",
    RelayTrouble.DENIED: "the broker does not allow the user of MARKET_PULSE_REDIS what it needs",
    RelayTrouble.FULL: "the broker's memory is full",
    RelayTrouble.CERTIFICATE: f"{_AT_ADDRESS} cannot prove to be the message broker",
    RelayTrouble.UNUSABLE: f"{_AT_ADDRESS} is no message broker, or one that lacks what is needed",
    RelayTrouble.UNREADABLE: "what the collector{named} published cannot be read here",
    RelayTrouble.NEWER_FORMAT: "the collector{named} speaks format {format}, which is newer than"
    " what this dashboard knows",
}

_HELP: Final[Mapping[str, str]] = {
    RelayTrouble.REFUSED: "check it and MARKET_PULSE_REDIS_PASSWORD, then restart",
    RelayTrouble.DENIED: "docs/many.md lists what a user must be allowed",
    RelayTrouble.FULL: "give it more (maxmemory)",
    RelayTrouble.CERTIFICATE: "check MARKET_PULSE_REDIS_CA, and which name its certificate is for",
    RelayTrouble.UNUSABLE: "check the address; Redis from 6.2 on is expected, or Valkey",
    RelayTrouble.UNREADABLE: "let all run the same version",
    RelayTrouble.NEWER_FORMAT: "update it",
}
"""What can be done, if it is not over by itself."""

_ERRORS: Final = (
    RelayTrouble.REFUSED,
    RelayTrouble.DENIED,
    RelayTrouble.CERTIFICATE,
    RelayTrouble.UNUSABLE,
    RelayTrouble.NEWER_FORMAT,
)
"""Troubles that nothing but a person ends."""

_ENDS: Final = " If that lasts, collection stops here, as another may take over."

_SUCCESSORS: Final[Mapping[ProcessRole, str]] = {
    "auto": "this process or another",
    "collector": "this process",
}
"""Who takes over; of other roles it is another."""


def leads(relay: RelayStatus) -> bool:
    """Whether this process is the one that collects."""
    return relay.state == RelayState.LEADING


def where_text(relay: RelayStatus | None) -> str:
    """Where it is decided what is watched and told, if not here: ``where host-a collects``."""
    if relay is None or leads(relay):
        return ""
    is_known = bool(relay.collector) and relay.collector != relay.host
    return f"where {legible(relay.collector)} collects" if is_known else "at the collector"


def has_just_taken_over(relay: RelayStatus | None, now: float) -> bool:
    """Whether a vendor may still count the connections of the collector before, at ``now``."""
    return relay is not None and _began_within(relay, now, GHOST_SEC)


def place_words(relay: RelayStatus) -> Words:
    """What this process is among the others, in one line."""
    since: Words = () if relay.took_over_at is None else (" since ", Instant(relay.took_over_at))
    if leads(relay):
        return ("This process collects for all", *since, _waiting_text(relay))
    if relay.state == RelayState.WAITING:
        return ("One of several: nobody collects",)
    if relay.state == RelayState.LOADING:
        return ("One of several: it reads what the broker holds",)
    if relay.state == RelayState.CONNECTING or not relay.collector:
        return ("One of several: it has no word of the collector yet",)
    name = legible(relay.collector)
    if relay.role == "replica":
        return (f"Replica of {name}", *((", which has collected", *since) if since else ()))
    return (f"One of several: {name} {'has collected' if since else 'collects'}", *since)


def relay_reason(relay: RelayStatus) -> str:
    """What is wrong, and what to do about it; empty if nothing is."""
    reason, help_text = _reason(relay), _HELP.get(relay.trouble, "")
    return ": ".join(filter(None, (reason, help_text)))


def relay_messages(relay: RelayStatus, now: float) -> Iterator[Message]:
    """What there is to say beside that no second comes; ``now`` is the source's time."""
    if leads(relay):
        yield from _publishing(relay)
    else:
        yield from _differences(relay)
    if _is_told(relay, now):
        yield Message(kind="note", text=_took_over(relay), is_over=True)


def standing_messages(relay: RelayStatus) -> Iterator[Message]:
    """Why no second comes to a process that does not collect; nothing if they come, or soon do."""
    if leads(relay):
        return
    if relay.trouble:
        if relay.trouble in _ERRORS or (relay.trouble_sec or 0.0) >= CALM_SEC:
            yield _troubled(relay)
    elif relay.shown is None:
        yield from _beginning(relay)
    elif relay.silent_sec is not None and relay.silent_sec >= CALM_SEC:
        yield _silent(relay)


# Of a process that collects.


def _publishing(relay: RelayStatus) -> Iterator[Message]:
    """Whether others can show what this process collects."""
    lost = f"{_seconds(relay.lost)} waited too long and {_were(relay.lost)} lost"
    if relay.trouble:
        if relay.trouble not in _ERRORS and (relay.trouble_sec or 0.0) < CALM_SEC:
            return
        # Nobody else may collect instead of a fixed collector, so it goes on.
        ends = "" if relay.role == "collector" else _ENDS
        counts = [
            f"For {duration_text(relay.trouble_sec)}" if relay.trouble_sec is not None else "",
            _waiting_text(relay).removeprefix("; "),
            lost if relay.lost else "",
        ]
        yield Message(
            kind="warning",
            text=(f"Live here. Other dashboards are not served: {relay_reason(relay)}.{ends}",),
            counts=f"{_capital(', '.join(filter(None, counts)))}.",
        )
    elif relay.lost:
        text = f"To other dashboards {lost}: the broker took nothing meanwhile."
        yield Message(kind="warning", text=(text,), is_over=True)


def _waiting_text(relay: RelayStatus) -> str:
    if not relay.waiting:
        return ""
    return f"; {_seconds(relay.waiting)} wait{'s' if relay.waiting == 1 else ''}"


# Of a process that does not.


def _troubled(relay: RelayStatus) -> Message:
    stopped_at = _stopped_at(relay)
    if stopped_at is not None:
        return _stopped(relay, stopped_at)
    silent_sec = relay.trouble_sec if relay.silent_sec is None else relay.silent_sec
    return Message(
        kind="error" if relay.trouble in _ERRORS else "warning",
        text=(f"{_capital(relay_reason(relay))}.", *_shown(relay)),
        counts="" if silent_sec is None else f"No word for {duration_text(silent_sec)}.",
    )


def _stopped_at(relay: RelayStatus) -> float | None:
    """When this process stopped collecting, unless another is known to have taken over since."""
    is_last = not relay.fenced_by and relay.collector in ("", relay.host)
    return relay.stopped_at if is_last else None


def _stopped(relay: RelayStatus, at: float) -> Message:
    """That this process collected, and could not tell the others any more."""
    more = f" {_capital(relay_reason(relay))}." if relay.trouble in _HELP else ""
    is_away = relay.trouble in (RelayTrouble.AWAY, RelayTrouble.STARTING)
    return Message(
        kind="warning",
        text=(
            "Collection stopped at ",
            Instant(at),
            f": without the broker another may have taken over.{more}",
        ),
        counts=f"No answer for {duration_text(relay.trouble_sec)}." if is_away else "",
    )


def _beginning(relay: RelayStatus) -> Iterator[Message]:
    """What a process waits for that has shown nothing yet."""
    if relay.state == RelayState.WAITING:
        yield _nobody(relay)
        return
    text = {
        RelayState.CONNECTING: "The message broker is asked for what the others show.",
        RelayState.LOADING: "What the others show is read from the message broker.",
    }.get(relay.state, f"{_collector(relay)} has not sent anything yet.")
    yield Message(kind="note", text=(text,))


def _silent(relay: RelayStatus) -> Message:
    silent_sec = relay.silent_sec or 0.0
    if relay.state == RelayState.LOADING:
        text = "What was missed is read from the message broker."
        return Message(kind="note", text=(text, *_shown(relay)))
    if relay.state == RelayState.WAITING and silent_sec >= CANDIDATES_SEC:
        return _nobody(relay)
    within = relay.takeover_sec
    silence = f"Silent for {duration_text(silent_sec)}"
    stopped_at = _stopped_at(relay)
    if stopped_at is not None:
        return _stopped(relay, stopped_at)
    comes = relay.state == RelayState.WAITING or within is not None
    successor = _SUCCESSORS.get(relay.role, "another")
    return Message(
        kind="warning",
        text=(
            f"{_collector(relay)} fell silent",
            f"; {successor} takes over." if comes else ".",
            *_shown(relay),
        ),
        counts=f"{silence}." if within is None else f"{silence}; takeover {_within(within)}.",
    )


def _nobody(relay: RelayStatus) -> Message:
    """That there is no collector, and what will change that."""
    if relay.role == "replica":
        text = "Nobody collects: start a process with MARKET_PULSE_ROLE=auto or collector."
        return warning(text, *_shown(relay))
    begins = f"Nobody collects yet: {_SUCCESSORS.get(relay.role, 'another')} begins."
    within = relay.takeover_sec
    return Message(
        kind="note",
        text=(begins, *_shown(relay)),
        counts="" if within is None else f"{_capital(_within(within))}.",
    )


def _differences(relay: RelayStatus) -> Iterator[Message]:
    """In what this computer and its settings differ from the collector's."""
    ahead = relay.ahead_sec or 0.0
    if abs(ahead) >= CLOCK_SEC:
        way = "behind" if ahead > 0 else "ahead of"
        yield Message(
            kind="warning",
            text=(
                f"This computer's clock is {way} the collector's. To help: let a time server set"
                " both.",
            ),
            counts=f"By {abs(ahead):.1f} s.",
            passing=(CLOCK,),
        )
    if relay.uncollected:
        yield Message(
            kind="note", text=(f"Watched here, not collected: {_some(relay.uncollected)}.",)
        )


# Of a change of collector.


def _is_told(relay: RelayStatus, now: float) -> bool:
    """Whether a viewer may still wonder about a change of collector."""
    if relay.took_over_at is None:
        return _is_fenced(relay)
    is_new = _began_within(relay, now, TOLD_SEC)
    return is_new and (relay.hole_sec >= CALM_SEC or _is_fenced(relay))


def _is_fenced(relay: RelayStatus) -> bool:
    """Whether the collector of now took over from this process."""
    is_taken = bool(relay.fenced_by) and not leads(relay)
    return is_taken and relay.collector in ("", relay.fenced_by)


def _took_over(relay: RelayStatus) -> Words:
    at: Words = () if relay.took_over_at is None else (" at ", Instant(relay.took_over_at))
    hole = f"a hole of {duration_text(relay.hole_sec)}" if relay.hole_sec >= CALM_SEC else ""
    if _is_fenced(relay):
        name, more = legible(relay.fenced_by), "; this one collects no more"
        return (f"{name} took over", *at, more, f"; {hole}." if hole else ".")
    is_own = leads(relay) or relay.collector == relay.host
    name = "This process" if is_own else legible(relay.collector) or "Another process"
    return (f"{name} took over", *at, f"; {hole}.")


def _began_within(relay: RelayStatus, now: float, seconds: float) -> bool:
    # The clocks of the broker and of the source may differ by a few seconds.
    began = relay.took_over_at
    return began is not None and abs(now - began) < seconds


# Words.


def _reason(relay: RelayStatus) -> str:
    named = f" ({legible(relay.collector)})" if relay.collector else ""
    return _REASONS.get(relay.trouble, "").format(named=named, format=relay.format)


def _shown(relay: RelayStatus) -> Words:
    if relay.shown is None:
        return (" There is nothing to show yet.",)
    return (" Shown is ", Instant(relay.shown), ".")


def _collector(relay: RelayStatus) -> str:
    return f"The collector ({legible(relay.collector)})" if relay.collector else "The collector"


def _within(seconds: float) -> str:
    return f"within {duration_text(max(1, math.ceil(seconds)))}"


def _seconds(count: int) -> str:
    return "1 second" if count == 1 else f"{count:,} seconds"


def _were(count: int) -> str:
    return "is" if count == 1 else "are"


def _some(symbols: Sequence[str]) -> str:
    """Symbols in a sentence: the first, and how many more there are."""
    more = len(symbols) - _MOST_NAMED
    named = ", ".join(legible(symbol) for symbol in islice(symbols, _MOST_NAMED))
    return f"{named} and {more:,} more" if more > 0 else named


def _capital(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"
