"""Messages: what an alert says in words, the same for every channel that people read.

Pure functions of deliveries; a channel only puts them into its own form. What comes from outside,
symbols and names of rules, is text and nothing else: each channel escapes it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import urlencode

from events import Event, Part, When
from history.deliveries import Delivery, Told
from ticks import Severity, legible
from wording import duration_text, percent_text, price_text, signed_text, size_text, time_text

__all__ = [
    "MOST_LINES",
    "Market",
    "Message",
    "compose",
    "cut",
    "is_edit",
    "lines_within",
    "link",
    "plain",
    "size_utf8",
    "size_utf16",
]

MOST_LINES: Final = 10
"""So many events are told in one message; the rest are counted."""

_MOST_LINE: Final = 300
"""So many characters of what is told of one event."""
_MOST_TITLE: Final = 120
_MOST_LINK: Final = 1000

_RANK: Final[dict[Severity, int]] = {"watch": 0, "alert": 1, "extreme": 2}


class Market(StrEnum):
    """Whether prices are those of now; the word that comes first if they are not."""

    REAL = ""
    SIMULATED = "SIMULATED"
    REPLAYED = "REPLAYED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What one message says; its texts are not escaped yet."""

    market: Market
    title: str
    """In few words, of one event or of how many, without the market."""
    worst: str = ""
    """The worst of several in few words."""
    lines: tuple[str, ...]
    """One per event, the worst first."""
    notes: tuple[str, ...] = ()
    """What else is to be said: that it is over, or what was not told."""
    link: str = ""
    """To the moment of the worst; empty if the page has no public address."""
    severity: Severity = "watch"
    """The highest."""
    rises: bool | None = None
    """The direction of the worst."""
    ts: float
    """When the newest happened."""
    is_group: bool = False

    @property
    def headline(self) -> str:
        """The title, after the market if it is not real."""
        return f"{self.market}: {self.title}" if self.market else self.title


def is_edit(deliveries: Sequence[Delivery]) -> bool:
    """Whether they change a message that was sent: the last is what is new."""
    last = deliveries[-1] if deliveries else None
    return last is not None and last.told in (Told.UPDATED, Told.OVER) and bool(last.reference)


def compose(
    deliveries: Sequence[Delivery], *, public_url: str, market: Market, now: float, late: int = 0
) -> Message:
    """What ``deliveries`` say that go together; ``late`` is how many were dropped before them.

    Without any it says only that.
    """
    notes = (_late_note(late),) if late else ()
    if not deliveries:
        title = "Alerts were not sent"
        return Message(market=market, title=title, lines=notes, link=public_url, ts=now)
    # The newest state of each event: what began and became worse at once is one line.
    told = {each.event.id: each for each in deliveries if each.event is not None}
    found = [(each.event, each.told) for each in told.values() if each.event is not None]
    if not found:
        lines = ("This is a test: alerts of Market Pulse reach this destination.",)
        title = "Test of Market Pulse"
        return Message(
            market=market, title=title, lines=lines, notes=notes, link=public_url, ts=now
        )
    found.sort(key=lambda pair: (-_RANK[pair[0].severity], -_finite(pair[0].ratio), pair[0].id))
    events = [event for event, _ in found]
    is_group = len(found) > 1
    (worst, word) = found[0]
    title = cut(_title(worst, word), _MOST_TITLE)
    over = (_over_note(worst),) if not is_group and worst.over_ts is not None else ()
    return Message(
        market=market,
        title=_group_title(found) if is_group else title,
        worst=title,
        lines=tuple(cut(_line(event, word, is_group), _MOST_LINE) for event, word in found),
        notes=(*over, *notes),
        link=link(worst, public_url),
        severity=worst.severity,
        rises=worst.lead.rises,
        ts=max(event.updated_ts for event in events),
        is_group=is_group,
    )


def link(event: Event, public_url: str) -> str:
    """The page at the second of an event's peak, its symbol opened; empty without an address.

    A link that no channel would take is not made: it opens no symbol then, or is empty.
    """
    at = event.updated_ts if event.lead.to_ts is None else event.lead.to_ts
    second = {"at": time_text(at)}
    symbol = {"symbol": event.symbol} if event.symbol else {}
    for query in (symbol | second, second) if public_url else ():
        found = f"{public_url}/?{urlencode(query, safe=':')}"
        if len(found) <= _MOST_LINK:
            return found
    return ""


# How a message fits.


def size_utf8(text: str) -> int:
    """How many bytes a text takes."""
    return len(text.encode("utf-8", "replace"))


def size_utf16(text: str) -> int:
    """How many units of UTF-16 a text takes, which some services count as characters."""
    return len(text.encode("utf-16-le", "replace")) // 2


def cut(text: str, room: int, size: Callable[[str], int] = len) -> str:
    """A text as one legible line that takes no more than ``room`` by ``size``, with an ellipsis."""
    text = legible(" ".join(text.split()), max(room, 0))
    if size(text) <= room:
        return text
    # Sizes grow with the text, whatever they count.
    least, most = 0, len(text)
    while least < most:
        middle = (least + most + 1) // 2
        if size(text[:middle] + "…") <= room:
            least = middle
        else:
            most = middle - 1
    return text[:least] + "…" if size("…") <= room else ""


def lines_within(
    message: Message,
    room: int,
    size: Callable[[str], int] = len,
    form: Callable[[str], str] = str,
) -> list[str]:
    """As many lines as fit, ten at most, and how many more there are; each through ``form``.

    With a line break after each they take no more than ``room`` by ``size``; if not even one does,
    only the number of all is left.
    """
    lines = [form(line) for line in message.lines[:MOST_LINES]]
    while True:
        hidden = len(message.lines) - len(lines)
        shown = [*lines, *([form(f"and {hidden} more")] if hidden else [])]
        if not lines or sum(size(line) + size("\n") for line in shown) <= room:
            return shown
        lines.pop()


def plain(
    message: Message, room: int, size: Callable[[str], int] = len, *, is_titled: bool = False
) -> str:
    """A message as text alone, no larger than ``room``; the head is left out if it has a title."""
    head = message.headline if message.is_group else message.market.value
    before = [head] if head and not is_titled else []
    after = [*message.notes, *([message.link] if message.link else [])]
    taken = sum(size(line) + size("\n") for line in (*before, *after))
    return "\n".join([*before, *lines_within(message, room - taken, size), *after])


# The words.


def _title(event: Event, told: Told) -> str:
    name, lead = event.symbol or event.asset, event.lead
    if event.rule:
        what = f"{name}: {event.rule}"
    elif lead.rises is None:
        what = f"{name} volatility {size_text(lead.value)}"
    else:
        what = f"{name} {percent_text(lead.value)} in {_horizon(lead)}"
    if event.over_ts is not None:
        return f"{what}, over"
    return f"{what}, now {event.severity}" if told is Told.WORSE else what


def _group_title(found: Sequence[tuple[Event, Told]]) -> str:
    """Such as "4 moves in 2 s"; it stays so while they change and when they are over."""
    noun = "moves" if all(event.lead.rises is not None for event, _ in found) else "events"
    at = [event.updated_ts if told is Told.WORSE else event.ts for event, told in found]
    return f"{len(found)} {noun} in {duration_text(max(1.0, math.ceil(max(at) - min(at))))}"


def _line(event: Event, told: Told, is_group: bool) -> str:
    """What happened, after its severity; in a group how long it was, too, if it is over."""
    mark = f"now {event.severity}" if told is Told.WORSE else event.severity
    over = "" if event.over_ts is None else f", over{_after(event) if is_group else ''}"
    times = f" (×{event.count})" if event.count > 1 else ""
    more = f"; {event.more}" if event.more else ""
    return f"[{mark}{over}] {event.text}{times}{more}"


def _over_note(event: Event) -> str:
    """Such as "Over after 4 min 02 s, peak −1.93 %."."""
    return f"Over{_after(event)}{_peak(event)}."


def _after(event: Event) -> str:
    """How long an event was that is over; nothing of one that happens in one moment."""
    over_ts = event.updated_ts if event.over_ts is None else event.over_ts
    is_moment = event.lead.when is When.CROSSES
    return "" if is_moment else f" after {duration_text(max(1.0, over_ts - event.ts))}"


def _peak(event: Event) -> str:
    """How far it went, in the unit of the lead; what was silent says that in its line."""
    lead = event.lead
    match lead.when:
        case When.ABOVE:
            return f", highest {price_text(lead.value, event.asset)}"
        case When.BELOW:
            return f", lowest {price_text(lead.value, event.asset)}"
        case When.CORRELATION:
            return f", furthest {signed_text(lead.value, 2)}"
        case When.SURPRISE:
            return f", peak {signed_text(lead.value, 1)}"
        case When.CROSSES | When.SILENT | When.UNHEARD:
            return ""
    return f", peak {size_text(lead.value) if lead.rises is None else percent_text(lead.value)}"


def _horizon(part: Part) -> str:
    seconds = part.horizon_sec
    return f"{seconds // 60} min" if seconds % 60 == 0 else f"{seconds} s"


def _late_note(late: int) -> str:
    if late == 1:
        return "1 earlier message was not sent: it was too old when this could be reached."
    return f"{late:,} earlier messages were not sent: they were too old when this could be reached."


def _finite(value: float) -> float:
    return value if math.isfinite(value) else 0.0
