"""Opening a source: the one place that asks which kind the settings name."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

from feeds import TickQueue, Timing
from history.archive import Archive
from settings import DEFAULT_WATCHLIST, SourceSettings
from settings.relay import RelaySettings
from sources import tape
from sources.catalogue import Catalogue
from sources.exchange import EMBEDDED_KEY
from sources.failover import Patience
from sources.hours import Calendar
from sources.instruments import well_known
from sources.replay import ReplaySource
from sources.simulated import SimulatedSource
from sources.source import Source
from ticks import ASSETS, WINDOW_SEC, Asset, VendorName
from vendors import eodhd, make_rest, make_vendor
from vendors.rest import Rest
from vendors.wire import Vendor

if TYPE_CHECKING:
    from sources.fetching import Manners
    from sources.leading import RelayTiming
    from sources.relayed import RelayedSource

__all__ = ["SourceOptions", "open_relayed", "open_source"]


Watched = Mapping[Asset, tuple[str, ...]]
"""The symbols of each class that are watched."""


class SourceOptions(TypedDict, total=False):
    """What stands in for what a source would choose by itself."""

    clock: Callable[[], float] | None
    """For the computer's clock, which a replay does not use."""
    session: Calendar | None
    """For the markets' hours."""
    timing: Timing | None
    """For the feeds' usual waiting times."""
    queue: TickQueue | None
    """For a new one, which the feeds fill."""
    vendors: Mapping[Asset, Sequence[Vendor]] | None
    """For those of the settings."""
    patience: Patience | None
    """For that with vendors in trouble."""
    rests: Mapping[str, Rest] | None
    """For the vendors' own requests for the time before, by the vendors' names."""
    manners: Manners | None
    """For the usual ones of these requests."""
    past_sec: int
    """For the hour that a simulated market has behind it."""


def open_source(
    settings: SourceSettings,
    archive_file: Path | None,
    changed: Callable[[Watched], Watched] = lambda base: base,
    **options: Unpack[SourceOptions],
) -> Source:
    """The source that the settings name, whose history lies in ``archive_file``, if it keeps one.

    It watches what ``changed`` makes of the watchlist that the settings give; a tape has what it
    has.

    Raises:
        TapeError: if the tape or the archive to replay cannot be read.
    """
    clock, calendar = options.get("clock"), options.get("session")
    timing, vendors = options.get("timing"), options.get("vendors")
    queue = options.get("queue")
    if queue is None:
        queue = TickQueue()
    if settings.replay_file is not None:
        return ReplaySource(
            tape.load(settings.replay_file, settings.replay_from, settings.replay_to),
            queue,
            file=settings.replay_file.name,
            speed=settings.speed,
            timing=timing,
            calendar=calendar,
        )
    archive = None if archive_file is None else Archive(archive_file)
    wanted = DEFAULT_WATCHLIST if settings.watchlist is None else settings.watchlist
    if settings.name == "simulated":
        # The embedded exchange has no limit of symbols.
        embedded = eodhd.Eodhd("", EMBEDDED_KEY, symbol_limit=None)
        vendors = vendors or dict.fromkeys(ASSETS, (embedded,))
        return SimulatedSource(
            changed(wanted),
            queue,
            vendors,
            seed=settings.seed,
            archive=archive,
            clock=clock,
            timing=timing,
            calendar=calendar,
            catalogue=Catalogue(vendors, well_known(), is_one_market=True),
            past_sec=options.get("past_sec", WINDOW_SEC),
        )
    # Whoever asks no vendor for the past does not load what asks.
    from sources.live import LiveSource

    made = {} if vendors else _made(settings)
    vendors = vendors or {
        asset: tuple(made[name] for name in names) for asset, names in settings.vendors.items()
    }
    if settings.watchlist is None:
        wanted = {asset: _carried(asset, vendors[asset]) for asset in ASSETS}
    return LiveSource(
        changed(wanted),
        queue,
        vendors,
        archive=archive,
        clock=clock,
        timing=timing,
        calendar=calendar,
        patience=options.get("patience"),
        rests=options.get("rests") or _rests(settings, made),
        manners=options.get("manners"),
        lacking=[asset for asset in ASSETS if _lacks_vendor(asset, settings, vendors[asset])],
        catalogue=_catalogue(vendors),
    )


def open_relayed(
    settings: RelaySettings,
    inner: Source | None,
    archive_file: Path | None,
    keep_sec: int,
    timing: RelayTiming | None = None,
    clock: Callable[[], float] | None = None,
) -> RelayedSource:
    """A source that shares its seconds with other processes, and collects by ``inner``, if any.

    What it publishes is kept for ``keep_sec``. ``clock`` stands in for the computer's.
    """
    # Whoever is alone does not load what speaks with a broker.
    from sources.leading import RelayTiming
    from sources.relay import Relay
    from sources.relay_records import own_name
    from sources.relayed import RelayedSource

    timing, host = timing or RelayTiming(), own_name()
    archive = None if archive_file is None else Archive(archive_file)
    return RelayedSource(
        Relay(settings, host, ttl_ms=round(1000 * timing.ttl_sec)),
        settings.role,
        inner,
        TickQueue() if inner is None else inner.queue,
        host=host,
        keep_sec=keep_sec,
        archive=archive if inner is None else inner.archive,
        timing=timing,
        wall=clock or time.time,
    )


def _lacks_vendor(asset: Asset, settings: SourceSettings, vendors: Sequence[Vendor]) -> bool:
    """Whether a class is wanted, and no vendor serves it without a key that is not set."""
    is_wanted = settings.watchlist is None or bool(settings.watchlist[asset])
    return is_wanted and not vendors and asset not in settings.off


def _made(settings: SourceSettings) -> Mapping[VendorName, Vendor]:
    """The vendors of the settings: one of several classes is one vendor, with one account."""
    return {
        name: make_vendor(name, settings.keys.get(name, ()), settings.urls.get(name))
        for name in dict.fromkeys(name for names in settings.vendors.values() for name in names)
    }


def _rests(settings: SourceSettings, vendors: Mapping[VendorName, Vendor]) -> Mapping[str, Rest]:
    """The requests of each vendor that has any, by its name.

    None of one whose stream has another address and whose requests have not: the vendor's own host
    knows nothing of what is sent there.
    """
    found = {}
    for name, vendor in vendors.items():
        url = settings.rest_urls.get(name)
        rest = make_rest(name, settings.keys.get(name, ()), url)
        if rest is not None and (url is not None or name not in settings.urls):
            found[vendor.name] = rest
    return found


def _catalogue(vendors: Mapping[Asset, Sequence[Vendor]]) -> Catalogue:
    """What the vendors carry; the public key of one, if nobody else is asked, has a few symbols."""
    if all(_is_demo(vendor) for offered in vendors.values() for vendor in offered):
        return Catalogue(vendors, eodhd.DEMO_SYMBOLS, is_complete=True)
    return Catalogue(vendors, well_known())


def _is_demo(vendor: Vendor) -> bool:
    return isinstance(vendor, eodhd.Eodhd) and vendor.key == eodhd.DEMO_KEY


def _carried(asset: Asset, vendors: Sequence[Vendor]) -> tuple[str, ...]:
    """The default symbols of a class that one of its vendors has, as far as is known before."""
    if vendors and _is_demo(vendors[0]):
        return eodhd.DEMO_SYMBOLS[asset]
    return tuple(
        symbol
        for symbol in DEFAULT_WATCHLIST[asset]
        if any(vendor.symbol(asset, symbol) is not None for vendor in vendors)
    )
