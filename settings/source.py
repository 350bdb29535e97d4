"""Settings of the source: which one, from which vendors, with which keys and addresses."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal
from urllib.parse import quote

from settings.accounts import (
    EODHD_ALONE,
    PUBLIC_KEY,
    Accounts,
    chains,
    chosen,
    eodhd_alone,
    switched_off,
)
from settings.addresses import http_address, websocket_address
from settings.given import Entry, Given, SettingsError, resolved
from settings.quoting import bare
from settings.symbols import watchlist
from ticks import ASSETS, VENDORS, Asset, VendorName

__all__ = ["SourceName", "SourceSettings", "source_settings"]

SourceName = Literal["live", "simulated", "eodhd", "replay"]


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """Which source ticks come from, and all that is chosen of it."""

    name: SourceName
    _: KW_ONLY
    watchlist: Mapping[Asset, tuple[str, ...]] | None = None
    """The symbols to watch per asset class; None: the source's own."""
    vendors: Mapping[Asset, tuple[VendorName, ...]] = field(default_factory=lambda: EODHD_ALONE)
    """Of a live source: the available vendors of each asset class, the one to ask first first.

    Empty: the class is off.
    """
    off: frozenset[Asset] = frozenset()
    """The classes that were chosen to be off, so that nothing is missing there."""
    keys: Mapping[VendorName, tuple[str, ...]] = field(default_factory=dict, repr=False)
    """Those that each vendor wants, as far as they are set."""
    urls: Mapping[VendorName, str] = field(default_factory=dict)
    """Other addresses of streams than the vendors' own."""
    rest_urls: Mapping[VendorName, str] = field(default_factory=dict)
    """Other addresses of requests than the vendors' own."""
    seed: int | None = None
    """Of the simulated market; None: its archive's, else a random one."""
    replay_file: Path | None = None
    """The tape or archive, if the source is a replay."""
    replay_from: float | None = None
    replay_to: float | None = None
    """The span of it to replay, in seconds since the epoch; None: from its start, to its end."""
    speed: float = 1.0
    """Of a replay, in tape seconds per second; infinite: as fast as possible."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """All that must never be shown: each key, and as it stands in an address."""
        keys = [key for keys in self.keys.values() for key in keys]
        return (*keys, *(quote(key, safe="") for key in keys))


def source_settings(given: Given, keys: Accounts) -> SourceSettings:
    """Which source ticks come from, and all that is chosen of it.

    Raises:
        SettingsError: if a setting of it is malformed, or does not go with another.
    """
    table = given.file.table("sources", ASSETS)
    choices = {asset: given.entry(asset, table) for asset in ASSETS}
    wanted = [vendor for asset in ASSETS if (vendor := chosen(asset, choices[asset]))]
    name, replay_file = _name_and_file(given.entry("source"), keys, wants_live=bool(wanted))
    replay_from, replay_to = _span(given.entry("from"), given.entry("to"), name)
    return SourceSettings(
        name,
        watchlist=watchlist(given.file, is_recorded=name == "replay"),
        vendors=_vendors(name, choices, keys),
        off=switched_off(choices),
        keys=keys.keys,
        urls=_addresses(given, "url", websocket_address, keys),
        rest_urls=_addresses(given, "rest_url", http_address, keys),
        seed=_seed(given.entry("seed")),
        replay_file=replay_file,
        replay_from=replay_from,
        replay_to=replay_to,
        speed=_speed(given.entry("speed"), SourceSettings(name).speed),
    )


_REPLAY: Final = "replay:"


def _name_and_file(
    entry: Entry, keys: Accounts, *, wants_live: bool
) -> tuple[SourceName, Path | None]:
    """Which source, and the file to replay; without a word of it a key or a vendor means live."""
    value = entry.value
    match value.casefold() if isinstance(value, str) else value:
        case None:
            return ("live" if keys.values or wants_live else "simulated"), None
        case "live":
            return "live", None
        case "simulated":
            return "simulated", None
        case "eodhd" if not keys.missing("eodhd"):
            return "eodhd", None
        case "eodhd":
            raise SettingsError(
                f"{entry.place} is eodhd but EODHD_API_KEY is not set:"
                f" set it (the public key is {PUBLIC_KEY}), or choose live, which needs none"
            )
        case str(text) if text.startswith(_REPLAY) and bare(text.removeprefix(_REPLAY)):
            path = resolved(bare(value[len(_REPLAY) :]))
            if not os.path.isfile(path):  # noqa: PTH113 - the same, if a folder is barred to us
                raise SettingsError(
                    f"{entry.place} names {entry.quoting.path(path)}, which is not a file:"
                    " check the path"
                )
            return "replay", path
    raise entry.wrong("live, simulated, eodhd or replay:FILE")


def _vendors(
    name: SourceName, choices: Mapping[Asset, Entry], keys: Accounts
) -> Mapping[Asset, tuple[VendorName, ...]]:
    """The vendors of each class; a source without any has the usual ones, which it does not ask."""
    if name == "eodhd":
        return eodhd_alone(choices)
    return chains(choices, keys) if name == "live" else EODHD_ALONE


def _addresses(
    given: Given,
    kind: str,
    address: Callable[[Entry, Sequence[str]], str | None],
    keys: Accounts,
) -> Mapping[VendorName, str]:
    found = {vendor: address(given.entry(f"{vendor}_{kind}"), keys.values) for vendor in VENDORS}
    return MappingProxyType({vendor: url for vendor, url in found.items() if url is not None})


def _span(begin: Entry, end: Entry, source: SourceName) -> tuple[float | None, float | None]:
    """The begin and the end of a replay."""
    for entry in (begin, end):
        if entry.value is not None and source != "replay":
            raise SettingsError(
                f"{entry.place} is given but the source is {source}, expected a replay:"
                " choose the source replay:FILE, or remove it"
            )
    replay_from, replay_to = _instant(begin), _instant(end)
    if replay_from is not None and replay_to is not None and not replay_from < replay_to:
        raise end.wrong(f"a time after {begin.place}, which is {begin.shown}")
    return replay_from, replay_to


def _instant(entry: Entry) -> float | None:
    value = entry.value
    if value is None:
        return None
    try:
        # A date alone is its midnight, in TOML as in text; in both, without a zone it is UTC.
        text = value.isoformat() if isinstance(value, date) else value
        time = datetime.fromisoformat(text if isinstance(text, str) else "")
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise entry.wrong(
            "a time such as 2026-11-25T14:30:00Z (without a zone it is UTC)"
        ) from None


_MOST_SEED: Final = 2**32 - 1


def _seed(entry: Entry) -> int | None:
    if entry.value is None:
        return None
    try:
        seed = int(entry.value) if type(entry.value) in (int, str) else -1
    except ValueError:
        seed = -1
    if not 0 <= seed <= _MOST_SEED:
        raise entry.wrong(f"a whole number from 0 to {_MOST_SEED}")
    return seed


def _speed(entry: Entry, usual: float) -> float:
    value = usual if entry.value is None else entry.value
    try:
        speed = float(value) if not isinstance(value, bool) else math.nan
    except (TypeError, ValueError, OverflowError):
        speed = math.nan
    if not speed > 0:
        raise entry.wrong("a positive number such as 1 or 60, or inf for as fast as possible")
    return speed
