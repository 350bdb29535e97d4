"""Channels: the one that speaks to a destination, as the settings describe it."""

from __future__ import annotations

from alerts.channel import Channel
from alerts.messages import Market
from alerts.webhook import Webhook
from settings.destinations import Destination

__all__ = ["Market", "make"]


def make(destination: Destination, public_url: str, market: Market = Market.REAL) -> Channel:
    """The channel of a destination.

    ``public_url`` is the address of the page, empty if alerts have no link; every message says
    first if the ``market`` is not the real one.
    """
    return Webhook(destination.url, tuple(destination.secret.split()), public_url, market)
