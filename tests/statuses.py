"""Statuses for tests: one feed of a worker's, and one that differs from it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from engine.status import FeedStatus, Status
from worker import Worker

__all__ = ["feed_of", "with_feed"]


def feed_of(engine: Worker, asset: str) -> FeedStatus:
    """The status of the feed of one class."""
    return next(feed for feed in engine.status().feeds if feed.asset == asset)


def with_feed(status: Status, asset: str, **changes: Any) -> Status:
    """``status`` with other facts of one feed."""
    feeds = tuple(
        replace(feed, **changes) if feed.asset == asset else feed for feed in status.feeds
    )
    return replace(status, feeds=feeds)
