"""Events and deliveries for the tests of alerts."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from alerts.channel import Channel, Request
from events import Event, Part
from history.deliveries import Delivery, Told
from ticks import Severity

__all__ = ["NOW", "burst", "delivery", "move", "sent", "trial"]

NOW: Final = 1_795_728_152.0
"""2026-11-26T21:22:32Z."""


def move(
    symbol: str = "AAPL",
    value: float = -0.0123,
    severity: Severity = "alert",
    *,
    ts: float = NOW,
    asset: str = "stocks",
) -> Event:
    """A move over five minutes that is beyond its threshold."""
    return Event(
        id=f"burst:{symbol}:{round(ts * 1000)}",
        symbol=symbol,
        asset=asset,
        ts=ts,
        updated_ts=ts,
        parts=(
            Part(
                kind="move_5m",
                horizon_sec=300,
                value=value,
                threshold=0.004,
                surprise=-4.1,
                times_usual=3.4,
                from_price=335.0,
                from_ts=ts - 300,
                to_price=335.0 * (1 + value),
                to_ts=ts,
            ),
        ),
        severity=severity,
        vs_peers=-0.01,
        regime="high_vol",
    )


def delivery(
    event: Event, told: Told = Told.BEGAN, *, destination: str = "desk", reference: str = ""
) -> Delivery:
    """What a destination is to be told of an event."""
    return Delivery(
        destination=destination,
        key=f"{event.id} {told} {event.severity}",
        told=told,
        event=event,
        made=event.updated_ts,
        due=event.updated_ts,
        reference=reference,
    )


def burst(count: int) -> list[Delivery]:
    """What as many symbols do within two seconds, the longest names there are among them."""
    severities: tuple[Severity, ...] = ("watch", "alert", "extreme")
    return [
        delivery(
            replace(
                move(
                    f"{'S' * 14}{number:06d}",
                    (-1) ** number * (0.004 + number / 1e4),
                    severities[number % 3],
                    ts=NOW + 2 * number / count,
                ),
                twins=tuple(f"{'T' * 14}{number + twin:06d}" for twin in range(number % 7)),
            )
        )
        for number in range(count)
    ]


def trial(destination: str = "desk") -> Delivery:
    """A message to try a destination."""
    return Delivery(
        destination=destination, key=f"test {NOW}", told=Told.TEST, event=None, made=NOW, due=NOW
    )


def sent(channel: Channel, *deliveries: Delivery, now: float = NOW, late: int = 0) -> Request:
    """What a channel that speaks HTTP sends."""
    request = channel.request(deliveries, now, late=late)
    assert isinstance(request, Request)
    return request
