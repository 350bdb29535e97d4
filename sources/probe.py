"""Probe: connects to vendors for a minute and says what differs from what is expected of them.

``python -m sources.probe [vendor …]``: with the parts that a dashboard is made of, and with the
keys, addresses and watchlist of the settings. It shows no key. A vendor that allows an account one
connection ends that of a dashboard meanwhile.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final

import sessions
from feeds import Attempts, Feed, FeedState, TickQueue
from sessions import Session
from settings import DEFAULT_WATCHLIST, SourceSettings, load
from settings.accounts import KEY_VARIABLES
from sources.backfill import Backfill
from sources.listening import Heard, listened
from sources.probed import Probed, ProbedFeed, ProbedPast, report
from ticks import ASSETS, VENDORS, Asset, MarketPulseError, VendorName, legible
from vendors import make_rest, make_vendor
from vendors.eodhd import DEMO_KEY, DEMO_SYMBOLS
from vendors.rest import Past, Rest
from vendors.wire import Vendor

__all__ = ["main", "probe"]

_LOOK_SEC: Final = 0.1
_MOST_SEC: Final = 86_400

_SHORT: Final = 6
"""A key with fewer characters is none that is secret, and part of many a word."""

_LASTING: Final = (FeedState.REFUSED, FeedState.OFF)
"""States of which waiting makes nothing better."""


async def probe(
    vendor: Vendor,
    rest: Rest | None,
    wanted: Mapping[Asset, Sequence[str]],
    seconds: float,
    stop: asyncio.Event,
    *,
    clock: Callable[[], float] = time.time,
    calendar: Callable[[Asset, float], Session] = sessions.session,
) -> Probed:
    """Connect to a vendor and ask for its past: for so long, until ``stop``, or until it refuses.

    ``wanted`` are the symbols to ask for; what it does not carry is left out.
    """
    symbols = {
        asset: tuple(s for s in wanted.get(asset, ()) if vendor.symbol(asset, s) is not None)
        for asset in ASSETS
        if asset in vendor.assets
    }
    queue, attempts = TickQueue(), Attempts(vendor.spacing_sec)
    heard = {asset: Heard() for asset, names in symbols.items() if names}
    feeds = [
        Feed(
            listened(vendor, heard[asset]),
            asset,
            symbols[asset],
            queue,
            clock,
            session=calendar,
            attempts=attempts,
        )
        for asset in heard
    ]
    past = _PastCount(rest, vendor.name, clock, calendar)
    for asset in heard:
        past.backfill.ask(vendor.name, asset, symbols[asset])
    tasks = [asyncio.create_task(feed.run()) for feed in feeds]
    tasks += [asyncio.create_task(_drain(queue)), asyncio.create_task(past.run())]
    until = time.monotonic() + seconds
    try:
        while time.monotonic() < until and not stop.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_SEC):
                    await stop.wait()
            states = {feed.status(clock()).state for feed in feeds}
            if states.issubset(_LASTING) and past.is_done:
                break
        now = clock()
        found = [
            ProbedFeed(feed.status(now), heard[feed.asset], calendar(feed.asset, now).phase)
            for feed in feeds
        ]
        return Probed(vendor.name, tuple(found), past.found(), vendor.heartbeat_sec)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _PastCount:
    """Asks for the time before the stream as a dashboard does, and counts what comes."""

    def __init__(
        self,
        rest: Rest | None,
        name: str,
        clock: Callable[[], float],
        calendar: Callable[[Asset, float], Session],
    ) -> None:
        rests = {} if rest is None else {name: rest}
        self.backfill = Backfill(rests, clock, session=calendar)
        self._parts: Counter[str] = Counter()
        self._begun_at = time.monotonic()
        self._done_sec: float | None = None

    async def run(self) -> None:
        """Until cancelled."""
        await self.backfill.run(self._add, _run)

    @property
    def is_done(self) -> bool:
        """Whether nothing more is to be asked now."""
        return not any(status.waiting for status in self.backfill.status())

    def found(self) -> ProbedPast | None:
        """What came; None if the vendor has nothing to ask for."""
        status = self.backfill.status()
        return ProbedPast(status[0], dict(self._parts), self._done_sec) if status else None

    def _add(self, past: Past, vendor: str) -> None:
        for name, part in past._asdict().items():
            self._parts[name] += len(part)
        if self.is_done:
            self._done_sec = time.monotonic() - self._begun_at


async def _run(name: str, run: Callable[[], Awaitable[None]]) -> None:
    await run()


async def _drain(queue: TickQueue) -> None:
    while True:
        await queue.wait()
        queue.drain()


def main(arguments: Sequence[str] | None = None, environ: Mapping[str, str] = os.environ) -> None:
    """Probe the vendors that are named, or all that are available, one after the other.

    Exits with 1 if one of them fails, and with 2 if none can be probed, which is said in a line.
    """
    parser = argparse.ArgumentParser(
        prog="python -m sources.probe",
        description="Connect to vendors for a minute and say what differs from what is expected.",
    )
    parser.add_argument(
        "vendor",
        nargs="*",
        metavar="vendor",
        help=f"one of {', '.join(VENDORS)}; without one, all that need no key or have theirs",
    )
    parser.add_argument(
        "--seconds", type=_seconds, default=60.0, help="how long for each of them, usually 60"
    )
    given = parser.parse_args(arguments)
    try:
        settings = load(environ).source
        vendors = [_Account(settings, name) for name in _names(given.vendor, settings)]
    except (MarketPulseError, ValueError) as error:
        parser.exit(2, f"{parser.prog}: {error}\n")
    failed = [one.name for one in vendors if not one.tell(given.seconds)]
    sys.stdout.write(f"fail: {', '.join(failed)}\n" if failed else "pass\n")
    if failed:
        parser.exit(1)


def _seconds(text: str) -> float:
    """A time of the command line.

    Raises:
        argparse.ArgumentTypeError: if it is none that a probe can take.
    """
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds <= _MOST_SEC:
        found = legible(text)
        raise argparse.ArgumentTypeError(f"{found} is no time, expected up to {_MOST_SEC} seconds")
    return seconds


def _names(given: Sequence[str], settings: SourceSettings) -> list[VendorName]:
    """The vendors to probe: those named, or all that are available.

    Raises:
        ValueError: if one that is named is none, or lacks its key, with a sentence on that.
    """
    named = [vendor for vendor in VENDORS if vendor in given]
    if len(named) < len(set(given)):
        unknown = next(name for name in given if name not in VENDORS)
        raise ValueError(f"{legible(unknown)} is no vendor, expected {', '.join(VENDORS)}")
    available = [v for v in VENDORS if v not in KEY_VARIABLES or v in settings.keys]
    for vendor in named:
        if vendor not in available:
            wanted = " and ".join(KEY_VARIABLES[vendor])
            raise ValueError(f"{vendor} wants a key that is not set: set {wanted}")
    return named or available


class _Account:
    """A vendor with the keys and addresses of the settings."""

    def __init__(self, settings: SourceSettings, name: VendorName) -> None:
        keys = settings.keys.get(name, ())
        self.name = name
        self._vendor = make_vendor(name, keys, settings.urls.get(name))
        self._rest = make_rest(name, keys, settings.rest_urls.get(name))
        self._secrets = settings.secrets
        self._wanted = settings.watchlist or DEFAULT_WATCHLIST
        if settings.watchlist is None and DEMO_KEY in keys:
            self._wanted = DEMO_SYMBOLS

    def tell(self, seconds: float) -> bool:
        """Probe it and write what was found; returns whether it passes."""
        found = asyncio.run(self._probe(seconds))
        lines, has_passed = report(found)
        text = "\n".join(lines)
        for secret in self._secrets:
            if len(secret) >= _SHORT:
                text = text.replace(secret, "***")
        sys.stdout.write(f"{text}\n\n")
        sys.stdout.flush()
        return has_passed

    async def _probe(self, seconds: float) -> Probed:
        stop = asyncio.Event()
        with suppress(NotImplementedError):  # on Windows
            asyncio.get_running_loop().add_signal_handler(signal.SIGINT, stop.set)
        return await probe(self._vendor, self._rest, self._wanted, seconds, stop)


if __name__ == "__main__":
    main()
