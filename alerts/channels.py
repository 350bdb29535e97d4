"""Channels: the one that speaks to a destination, as the settings describe it."""

from __future__ import annotations

from alerts.channel import Channel
from alerts.discord import Discord
from alerts.email import Email
from alerts.messages import Market
from alerts.ntfy import Ntfy
from alerts.slack import SlackBot, SlackHook
from alerts.telegram import Telegram
from alerts.webhook import Webhook
from settings.destinations import Destination

__all__ = ["Market", "make"]


def make(destination: Destination, public_url: str, market: Market = Market.REAL) -> Channel:
    """The channel of a destination.

    ``public_url`` is the address of the page without a trailing slash, empty if alerts have no
    link; every message says first if the ``market`` is not the real one.
    """
    url, secret, to = destination.url, destination.secret, destination.to
    match destination.type:
        case "webhook":
            return Webhook(url, tuple(secret.split()), public_url, market)
        case "slack" if secret:
            return SlackBot(url, secret, to, public_url, market)
        case "slack":
            return SlackHook(url, public_url, market)
        case "discord":
            return Discord(url, public_url, market)
        case "telegram":
            return Telegram(url, secret, to, public_url, market)
        case "ntfy":
            return Ntfy(url, secret, to, public_url, market)
        case "email":
            return Email(destination.sender, public_url, market)
