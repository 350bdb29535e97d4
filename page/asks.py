"""Asks: what a viewer wants done, and what is answered about the alerts.

The board sends them as a list with growing numbers, of which only those are done that are new: the
browser sends the list again with whatever else is chosen, and after a restart, too. Pure but for
the desk that is told; time is an argument.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, time, timedelta
from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo

import msgspec

from engine.alerts_elsewhere import MOST_MUTES, AlertsElsewhere, Desk
from history.deliveries import Mute, MuteOf
from page.watching import WatchAsk, asked_text
from page.words import Instant, Words
from ticks import legible

__all__ = [
    "KINDS",
    "Ask",
    "Desk",
    "DeskAsk",
    "Lift",
    "MuteFor",
    "SendAgain",
    "SendTest",
    "TryNow",
    "answered",
    "asked",
    "asks_in",
    "muted_name",
    "muted_until",
]

Span = Literal["15 min", "1 h", "morning"]

KINDS: Final[Mapping[str, str]] = {
    "move_1m": "moves over 1 min",
    "move_5m": "moves over 5 min",
    "vol_spike": "volatility spikes",
    "rule": "hits of your rules",
}
"""The kinds of events in words."""

MORNING: Final = time(7)
"""When the morning begins, by the viewer's clock."""

_MOST_ASKS: Final = 50
"""How many of a list are looked at."""

Name = Annotated[str, msgspec.Meta(max_length=80)]

_LIFTED: Final = 0.0
"""A mute until then has passed."""


class SendTest(msgspec.Struct, frozen=True, tag_field="ask", tag="test"):
    """Send a marked message to a destination."""

    destination: str


class TryNow(msgspec.Struct, frozen=True, tag_field="ask", tag="try"):
    """Try a destination that refused or rests."""

    destination: str


class SendAgain(msgspec.Struct, frozen=True, tag_field="ask", tag="again"):
    """Send what a destination refused for good once more."""

    destination: str
    key: str


class MuteFor(msgspec.Struct, frozen=True, tag_field="ask", tag="mute"):
    """Tell nothing of something for a while."""

    of: MuteOf
    name: Name
    span: Span


class Lift(msgspec.Struct, frozen=True, tag_field="ask", tag="lift"):
    """Tell of something again."""

    of: MuteOf
    name: Name


DeskAsk = SendTest | TryNow | SendAgain | MuteFor | Lift
"""What is asked of the alerts; ``page.watching`` has what is asked of the watchlist."""

Ask = DeskAsk | WatchAsk


class _Numbered(msgspec.Struct, frozen=True):
    number: int
    ask: Ask


# What comes from a browser is any JSON.
def asks_in(sent: object, done: int | None) -> tuple[list[Ask], int]:
    """What is new in the list ``sent``, and the number up to which all is done then.

    ``done`` is the number up to which all was done; None: nobody knows, and so nothing is.
    """
    found = []
    for one in sent[-_MOST_ASKS:] if isinstance(sent, list) else ():
        try:
            numbered = msgspec.convert(one, _Numbered)
        except msgspec.ValidationError:
            continue
        found.append((numbered.number, numbered.ask))
    newest = max((number for number, _ in found), default=0)
    if done is None:
        return [], newest
    fresh = {number: ask for number, ask in found if number > done}
    return [fresh[number] for number in sorted(fresh)], max(done, newest)


def answered(desk: Desk, ask: DeskAsk, now: float, zone: ZoneInfo) -> Words:
    """Have the desk do what is asked ``now``, by the computer's clock; what to tell the viewer."""
    match ask:
        case SendTest(destination):
            if desk.test(destination):
                return (f"A test is on its way to {legible(destination)}. ",)
            return (_not_done(desk, destination),)
        case TryNow(destination):
            if desk.try_now(destination):
                return (f"{legible(destination)} is tried now. ",)
            return (_not_done(desk, destination),)
        case _ if not desk.status().is_sending:
            return ("Another Market Pulse sends: press it there. ",)
        case SendAgain(destination, key):
            if desk.send_again(destination, key):
                return (f"It is on its way to {legible(destination)} again. ",)
            return ("It is not kept any more, so it cannot be sent again. ",)
        case MuteFor(of, name, span):
            if len(desk.status().mutes) >= MOST_MUTES:
                return (_TOO_MANY_MUTES,)
            until = muted_until(span, now, zone)
            desk.mute(Mute(of, name, until))
            return (f"Muted: {muted_name(of, name)}, until ", Instant(until), ". ")
        case Lift(of, name):
            desk.mute(Mute(of, name, _LIFTED))
            return (f"No longer muted: {muted_name(of, name)}. ",)


def asked(
    desk: Desk, elsewhere: AlertsElsewhere, ask: DeskAsk, now: float, zone: ZoneInfo, where: str
) -> Words:
    """Have the process that sends do what is asked ``now``; what to tell the viewer.

    ``where`` that is. What is known of it here is the desk's.
    """
    match ask:
        case SendTest(destination) | TryNow(destination) if _is_gone(desk, destination):
            return (_not_done(desk, destination),)
        case SendTest(destination):
            elsewhere.test(destination)
            what: Words = (f"a test is on its way to {legible(destination)}",)
        case TryNow(destination):
            elsewhere.try_now(destination)
            what = (f"{legible(destination)} is tried",)
        case SendAgain(destination, key):
            elsewhere.send_again(destination, key)
            what = (f"it is on its way to {legible(destination)} again",)
        case MuteFor() if len(desk.status().mutes) >= MOST_MUTES:
            return (_TOO_MANY_MUTES,)
        case MuteFor(of, name, span):
            until = muted_until(span, now, zone)
            elsewhere.mute(Mute(of, name, until))
            what = (f"{muted_name(of, name)} is muted until ", Instant(until))
        case Lift(of, name):
            elsewhere.mute(Mute(of, name, _LIFTED))
            what = (f"{muted_name(of, name)} is no longer muted",)
    return (asked_text(where), *what, ". ")


def muted_until(span: Span, now: float, zone: ZoneInfo) -> float:
    """When a mute ends that begins ``now``; the morning is the next one in ``zone``."""
    if span == "15 min":
        return now + 900.0
    if span == "1 h":
        return now + 3600.0
    here = datetime.fromtimestamp(now, zone)
    morning = datetime.combine(here.date(), MORNING, zone)
    if morning <= here:
        morning = datetime.combine(here.date() + timedelta(days=1), MORNING, zone)
    return morning.timestamp()


def muted_name(of: MuteOf, name: str) -> str:
    """What is muted, in words."""
    if of == MuteOf.KIND:
        return KINDS.get(name, legible(name))
    if of == MuteOf.RULE:
        return f"the rule {legible(name)}"
    if of == MuteOf.DESTINATION:
        return f"the destination {legible(name)}"
    return legible(name)


_TOO_MANY_MUTES: Final = f"{MOST_MUTES} mutes are the most: lift some first. "


def _is_gone(desk: Desk, destination: str) -> bool:
    return all(one.name != destination for one in desk.status().destinations)


def _not_done(desk: Desk, destination: str) -> str:
    """Why a destination is neither tested nor tried: either is a try, of which one is made in ten
    seconds at most.
    """
    name, status = legible(destination), desk.status()
    if _is_gone(desk, destination):
        return f"There is no destination {name} any more. "
    if not status.is_sending:
        return f"Another Market Pulse sends to {name}: press it there. "
    return f"{name} was tried less than ten seconds ago: press again later. "
