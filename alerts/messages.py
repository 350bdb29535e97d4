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

from events import Event, Part
from history.deliveries import Delivery, Told
from ticks import Severity, legible
from wording import MINUS, duration_text, percent_text, price_text, signed_text, size_text

__all__ = ["MOST_LINES", "Market", "Message", "compose", "cut", "lines_within", "link", "plain"]

MOST_LINES: Final = 10
"""So many events are told in one message; the rest are counted."""

_MOST_LINE: Final = 300
"""So many characters of what is told of one event."""
_MOST_TITLE: Final = 120

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
    lines: tuple[str, ...]
    """One per event, the worst first."""
    notes: tuple[str, ...]
    """What else is to be said: that it is over, or what was not told."""
    link: str
    """To the moment of the worst; empty if the page has no public address."""
    severity: Severity
    """The highest."""
    rises: bool | None
    """The direction of the worst."""
    ts: float
    """When the newest happened."""
    is_group: bool

    @property
    def headline(self) -> str:
        """The title, after the market if it is not real."""
        return f"{self.market}: {self.title}" if self.market else self.title


def compose(
    deliveries: Sequence[Delivery], *, public_url: str, market: Market, now: float, late: int = 0
) -> Message:
    """What ``deliveries`` say that go together; ``late`` is how many were dropped before them.

    Without any delivery that is all there is to say.
    """
    notes = [_late_note(late)] if late else []
    # The newest state of each event: what began and became worse at once is one line.
    told = {each.event.id: each for each in deliveries if each.event is not None}
    found = [(each.event, each.told) for each in told.values() if each.event is not None]
    if not found:
        title, line = _TEST if deliveries else _BACK
        return Message(
            market=market,
            title=title,
            lines=(line,),
            notes=tuple(notes),
            link=public_url,
            severity="watch",
            rises=None,
            ts=now,
            is_group=False,
        )
    found.sort(key=lambda pair: (-_RANK[pair[0].severity], -_finite(pair[0].ratio), pair[0].id))
    events = [event for event, _ in found]
    worst, word = found[0]
    over = [_over_note(event) for event in events if event.over_ts is not None]
    return Message(
        market=market,
        title=cut(_title(worst, word) if len(found) == 1 else _group_title(events), _MOST_TITLE),
        lines=tuple(cut(_line(event, word), _MOST_LINE) for event, word in found),
        notes=(*(over if len(found) == 1 else ()), *notes),
        link=link(worst, public_url),
        severity=worst.severity,
        rises=worst.lead.rises,
        ts=max(event.updated_ts for event in events),
        is_group=len(found) > 1,
    )


_TEST: Final = (
    "Test of Market Pulse",
    "This is a test: alerts of Market Pulse reach this destination.",
)
_BACK: Final = ("Market Pulse is back", "Alerts of Market Pulse reach this destination again.")
"""If all that there was to tell is too old by now."""


def link(event: Event, public_url: str) -> str:
    """The page at the second of an event's peak, its symbol opened; empty without an address."""
    if not public_url:
        return ""
    lead = event.lead
    at = event.updated_ts if lead.to_ts is None else lead.to_ts
    symbol = {"symbol": event.symbol} if event.symbol else {}
    return f"{public_url}/?{urlencode({**symbol, 'at': int(at)})}"


def cut(text: str, room: int, size: Callable[[str], int] = len) -> str:
    """A text of one line that takes no more than ``room`` by ``size``, with an ellipsis if cut."""
    text = legible(" ".join(text.split()), max(room, 0))
    if size(text) <= room:
        return text
    # Bisect: sizes grow with the text, whatever they count.
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

    With a line break after each they take no more than ``room`` by ``size``.
    """
    lines = [form(line) for line in message.lines[:MOST_LINES]]
    while True:
        hidden = len(message.lines) - len(lines)
        shown = [*lines, *([form(f"and {hidden} more")] if hidden else [])]
        if sum(size(line) + size("\n") for line in shown) <= room or not lines:
            return shown
        lines.pop()


def plain(message: Message, room: int, size: Callable[[str], int] = len) -> str:
    """A message as text alone, no larger than ``room``."""
    head = [message.headline] if message.is_group else [message.market] if message.market else []
    tail = [*message.notes, *([message.link] if message.link else [])]
    taken = sum(size(line) + size("\n") for line in (*head, *tail))
    return "\n".join([*head, *lines_within(message, room - taken, size), *tail])


def _title(event: Event, told: Told) -> str:
    name, lead = event.symbol or event.asset, event.lead
    if event.rule:
        what = f"{name}: {event.rule}"
    elif lead.rises is None:
        what = f"{name} volatility {size_text(lead.value)}"
    else:
        what = f"{name} {percent_text(lead.value)} in {_horizon(lead)}"
    if event.over_ts is not None or told is Told.OVER:
        return f"{what}, over"
    return f"{what}, now {event.severity}" if told is Told.WORSE else what


def _group_title(events: Sequence[Event]) -> str:
    """Such as "4 moves in 2 s"."""
    noun = "moves" if all(not e.rule and e.lead.rises is not None for e in events) else "events"
    ended = [event.updated_ts for event in events]
    return f"{len(events)} {noun} in {duration_text(max(1.0, math.ceil(max(ended) - min(ended))))}"


def _line(event: Event, told: Told) -> str:
    """What happened, after its severity."""
    mark = f"now {event.severity}" if told is Told.WORSE else event.severity
    times = f"{event.count} × " if event.count > 1 else ""
    rule = f"{event.rule}: " if event.rule and event.rule not in event.text else ""
    more = f"; {event.more}" if event.more else ""
    over = ", over" if event.over_ts is not None else ""
    return f"[{mark}{over}] {times}{rule}{event.text}{more}"


def _over_note(event: Event) -> str:
    """Such as "Over after 4 min 02 s, peak −1.93 %."."""
    over_ts = event.updated_ts if event.over_ts is None else event.over_ts
    return f"Over after {duration_text(over_ts - event.ts)}, peak {_peak(event)}."


def _peak(event: Event) -> str:
    lead = event.lead
    if lead.kind in _FRACTIONS:
        return size_text(lead.value) if lead.rises is None else percent_text(lead.value)
    if lead.to_price is not None:
        return price_text(lead.to_price, event.asset)
    return signed_text(lead.value, 2).replace("+", "") if lead.value else MINUS


_FRACTIONS: Final = ("move_1m", "move_5m", "vol_spike")


def _horizon(part: Part) -> str:
    seconds = part.horizon_sec
    return f"{seconds // 60} min" if seconds % 60 == 0 else f"{seconds} s"


def _late_note(late: int) -> str:
    one = late == 1
    return (
        f"{late:,} earlier {'message was' if one else 'messages were'} not sent:"
        f" {'it was' if one else 'they were'} too old when this could be reached."
    )


def _finite(value: float) -> float:
    return value if math.isfinite(value) else 0.0
