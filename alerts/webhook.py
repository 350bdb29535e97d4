"""Webhook: events for any program, as JSON that is signed by Standard Webhooks 1.0."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import msgspec

from alerts.answers import outcome
from alerts.channel import Outcome, Request
from alerts.messages import Market, link
from events import Event
from history.deliveries import Delivery

__all__ = ["EventData", "EventMessage", "TestMessage", "Webhook"]

_MOST_TWINS: Final = 100
"""So many are named: a body has less than 20 kB."""


class EventData(msgspec.Struct, frozen=True, kw_only=True):
    """One event, as a program reads it; what is not known is null, and times are ISO 8601 in UTC.

    Moves and volatilities are fractions: -0.0123 is −1.23 %.
    """

    id: str
    """The same in whatever is sent of the event."""
    symbol: str
    asset: str
    kind: str
    rule: str
    severity: str
    began: str
    updated: str
    over: str | None
    peak: float
    threshold: float
    horizon_sec: int
    from_price: float | None
    to_price: float | None
    surprise: float | None
    vs_peers: float | None
    regime: str
    count: int
    twins: tuple[str, ...]
    text: str
    link: str
    """The page at that moment; empty if it has no public address."""
    simulated: bool
    """Whether prices are simulated or replayed."""


class EventMessage(msgspec.Struct, frozen=True):
    """What is told of an event: that it began, became worse, changed, or is over."""

    type: str
    timestamp: str
    data: EventData


class TestMessage(msgspec.Struct, frozen=True):
    """A message that somebody asked for, to try the destination."""

    type: str
    timestamp: str
    data: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Webhook:
    """One address to which every state of an event is posted.

    ``secrets`` are the keys that sign, of the form ``whsec_`` and base64: while a key changes there
    are two, and two signatures.
    """

    url: str = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)
    public_url: str
    market: Market

    @property
    def can_edit(self) -> bool:
        """Every state is posted anew: its type says which, and it has the event's id."""
        return False

    @property
    def most_together(self) -> int:
        """Each alone: each has its own id."""
        return 1

    @property
    def spacing_sec(self) -> float:
        """Ten a second."""
        return 0.1

    @property
    def is_chat(self) -> bool:
        """A program reads it, for which what is hours old is as good."""
        return False

    def request(self, deliveries: Sequence[Delivery], now: float, *, late: int = 0) -> Request:
        """What to post, of one delivery; ``late`` is of no use to a program."""
        delivery = deliveries[-1]
        body = msgspec.json.encode(self._message(delivery))
        second = str(int(now))
        headers = {
            "Content-Type": "application/json",
            "webhook-id": delivery.id,
            "webhook-timestamp": second,
        }
        if self.secrets:
            signed = b".".join((delivery.id.encode(), second.encode(), body))
            headers["webhook-signature"] = " ".join(_signature(key, signed) for key in self.secrets)
        return Request(method="POST", url=self.url, headers=headers, body=body)

    def outcome(self, status: int, headers: Mapping[str, str], body: bytes, now: float) -> Outcome:
        """By the status alone."""
        return outcome(status, headers, now)

    def _message(self, delivery: Delivery) -> EventMessage | TestMessage:
        event = delivery.event
        if event is None:
            said = {"text": "This is a test of Market Pulse."}
            return TestMessage("market_pulse.test", _instant(delivery.made), said)
        return EventMessage(
            f"market_pulse.event.{delivery.told}", _instant(event.updated_ts), self._data(event)
        )

    def _data(self, event: Event) -> EventData:
        lead = event.lead
        return EventData(
            id=event.id,
            symbol=event.symbol,
            asset=event.asset,
            kind=event.kind,
            rule=event.rule,
            severity=event.severity,
            began=_instant(event.ts),
            updated=_instant(event.updated_ts),
            over=None if event.over_ts is None else _instant(event.over_ts),
            peak=lead.value,
            threshold=lead.threshold,
            horizon_sec=lead.horizon_sec,
            from_price=lead.from_price,
            to_price=lead.to_price,
            surprise=lead.surprise,
            vs_peers=event.vs_peers,
            regime=event.regime,
            count=event.count,
            twins=event.twins[:_MOST_TWINS],
            text=event.text,
            link=link(event, self.public_url),
            simulated=self.market is not Market.REAL,
        )


def _signature(secret: str, signed: bytes) -> str:
    """One of version 1: HMAC-SHA256 under the key that the secret holds."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


def _instant(ts: float) -> str:
    """To the millisecond, as 2026-11-26T21:22:32.000Z."""
    # Rounded first: of 59.9996 s nothing is lost.
    at = datetime.fromtimestamp(round(ts, 3), UTC)
    return at.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"
