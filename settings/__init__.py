"""Settings: the environment and a TOML file as one frozen, checked object.

What there is comes first, grouped by whom it is for; how it is checked comes below, and where it is
found in ``given``. The environment wins over the file; the vendors' keys may also stand in
Streamlit's ``secrets.toml``.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final, TypeVar

from rules import Rule
from settings.accounts import CHAINS, KEY_VARIABLES, PUBLIC_KEY, accounts
from settings.alerts import alert_settings, reject_unreachable, secret_names
from settings.api import API_KEYS, API_SECRETS, ApiSettings, api_settings, public_url
from settings.destinations import AlertSettings, Destination
from settings.given import (
    Entry,
    Given,
    SettingsError,
    Table,
    advice,
    known_secrets,
    resolved,
    settings_file,
)
from settings.quoting import Quoting, bare, secret_parts
from settings.relay import RELAY_KEYS, RELAY_SECRETS, RelaySettings, relay_settings
from settings.rules import own_names, reject_idle, user_rules
from settings.source import SourceName, SourceSettings, source_settings
from settings.symbols import groups, of_classes, reject_unwatched
from ticks import (
    ASSETS,
    BUILT_IN_KINDS,
    COOLDOWN_SEC,
    MAX_EVENTS,
    MIN_SURPRISE,
    VENDORS,
    WINDOW_SEC,
    Asset,
    EventKind,
    MarketPulseError,
)

__all__ = [
    "API_KEYS",
    "CHAINS",
    "DEFAULT_WATCHLIST",
    "KEY_VARIABLES",
    "USUAL",
    "VARIABLES",
    "AlertSettings",
    "ApiSettings",
    "Destination",
    "HistorySettings",
    "MarketPulseError",
    "Places",
    "RelaySettings",
    "Settings",
    "SettingsError",
    "SourceName",
    "SourceSettings",
    "StressSettings",
    "load",
    "of_classes",
    "reject_idle",
    "reject_unreachable",
    "reject_unwatched",
]


# What there is.

DEFAULT_WATCHLIST: Final[Mapping[Asset, tuple[str, ...]]] = MappingProxyType(
    {
        "stocks": ("AAPL", "TSLA", "NVDA", "AMZN", "MSFT", "META", "GOOGL"),
        "forex": ("EURUSD", "USDINR", "USDJPY", "GBPUSD", "AUDUSD"),
        "crypto": ("BTC-USD", "ETH-USD", "BTC-USDT", "ETH-USDT", "SOL-USDT"),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StressSettings:
    """What counts as an event, and how many are remembered."""

    thresholds: Mapping[Asset, Mapping[EventKind, float]] = field(default_factory=dict)
    """Those that were chosen, as fractions: they beat what is usual for a symbol and its class."""
    min_surprise: float = MIN_SURPRISE
    """The least surprise of a move that is an event; 0: any."""
    cooldown_sec: float = COOLDOWN_SEC
    max_events: int = MAX_EVENTS
    rules: tuple[Rule, ...] = ()
    """The user's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HistorySettings:
    """Where archives lie, and how long they keep what."""

    folder: Path | None = None
    """It need not exist yet; None: nothing is written."""
    bars_days: float = 7.0
    events_days: float = 90.0


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything the worker needs to know, checked."""

    source: SourceSettings
    _: KW_ONLY
    stress: StressSettings = StressSettings()
    history: HistorySettings = HistorySettings()
    alerts: AlertSettings = field(default_factory=AlertSettings)
    api: ApiSettings = field(default_factory=ApiSettings)
    relay: RelaySettings = field(default_factory=RelaySettings)
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Named lists of symbols to filter by."""
    window_sec: int = WINDOW_SEC
    """How many seconds of prices are kept in memory."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """All that must never be shown, in whichever part."""
        return (
            *self.source.secrets,
            *self.alerts.secrets,
            *self.api.secrets,
            *self.relay.secrets,
        )

    @property
    def named_symbols(self) -> frozenset[str]:
        """The symbols that rules, destinations and groups name."""
        lists = (
            *(rule.symbols for rule in self.stress.rules),
            *(destination.symbols for destination in self.alerts.destinations),
            *self.groups.values(),
        )
        return frozenset(symbol for symbols in lists for symbol in symbols)

    @property
    def archive_file(self) -> Path | None:
        """The file of this source's history; None: none is kept.

        What a replica shows it is told, from whichever source: it has a file of its own.

        The real market has one, whoever sends its prices, and goes on with that of EODHD if there
        is no other. A simulated market whose seed was chosen has a file of its own, so that it
        never goes on from another's prices; one of any seed goes on with the seed that it started
        with.
        """
        folder, name, seed = self.history.folder, self.source.name, self.source.seed
        if folder is not None and self.relay.role == "replica":
            return folder / "replica.sqlite"
        if folder is None or name == "replay":
            return None
        if name == "simulated":
            return folder / ("simulated.sqlite" if seed is None else f"simulated-{seed}.sqlite")
        live, before = folder / "live.sqlite", folder / "eodhd.sqlite"
        # os.path: unlike Path.exists, False in a folder that is barred to us.
        has_only_before = os.path.exists(before) and not os.path.exists(live)  # noqa: PTH110
        return before if has_only_before else live


_KEYS: Final = ("source", "seed", "speed", "from", "to", "data")
"""In the settings file; in the environment they are MARKET_PULSE_SOURCE and so on."""

_URL_KEYS: Final = tuple(f"{vendor}_{kind}" for vendor in VENDORS for kind in ("url", "rest_url"))
"""Likewise."""

_FILE_TABLES: Final = (
    *(
        "window_sec",
        "sources",
        "watchlist",
        "groups",
        "stress",
        "archive",
        "api",
        "relay",
        "rule",
        "destination",
    ),
)
_FILE_KEYS: Final = (*_KEYS, *_URL_KEYS, *_FILE_TABLES)
_FILE_EXPECTED: Final = f"{', '.join((*_KEYS, *_FILE_TABLES))} or an address such as kraken_url"
_STRESS_KEYS: Final = ("min_surprise", "cooldown_sec", "max_events", *ASSETS)
_ARCHIVE_KEYS: Final = ("bars_days", "events_days")

_VARIABLE_KEYS: Final = (
    *(*_KEYS, "config", *ASSETS, "public_url", "api_tokens", "api_jwt_key"),
    *(*RELAY_KEYS, "redis_password"),
)
VARIABLES: Final = tuple(f"MARKET_PULSE_{key.upper()}" for key in (*_VARIABLE_KEYS, *_URL_KEYS))
_VARIABLES_EXPECTED: Final = (
    f"one of MARKET_PULSE_{', _'.join(map(str.upper, _VARIABLE_KEYS))}"
    " or an address such as _KRAKEN_URL"
)
_OTHER_VARIABLES: Final = ("MARKET_PULSE_TAPE",)
"""The tests' own, not read here."""


@dataclass(frozen=True, slots=True)
class Places:
    """The files and folders that settings come from, unless they say otherwise."""

    config: Path
    data: Path
    secrets: tuple[Path, ...]
    """Streamlit's files; the first that has a value wins."""


_HERE = Path(__file__).resolve().parent.parent

USUAL = Places(
    config=_HERE / "market_pulse.toml",
    data=_HERE / "data",
    secrets=(_HERE / ".streamlit" / "secrets.toml", Path("~/.streamlit/secrets.toml")),
)


# How it is read.


def load(environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings of this process.

    Raises:
        SettingsError: in one sentence of bounded length that names the setting and holds no part of
            any known secret.
    """
    # As a file of the environment that begins with a byte order mark leaves the first name.
    environ = {name.removeprefix("\ufeff"): value for name, value in environ.items()}
    secrets = [resolved(str(file)) for file in USUAL.secrets]
    keys = accounts(environ, secrets)
    names = [
        *API_SECRETS,
        *RELAY_SECRETS,
        *(name for names in KEY_VARIABLES.values() for name in names),
    ]
    hidden = set(known_secrets(names, environ, secrets)) - {PUBLIC_KEY}
    chosen = bare(environ.get("MARKET_PULSE_CONFIG", ""))
    file = settings_file(chosen, USUAL.config, Quoting(tuple(sorted(hidden))))
    # The file says which other variables hold secrets.
    own = secret_names(file)
    hidden |= set(known_secrets(own, environ, secrets))
    quoting = Quoting(tuple(sorted({part for text in hidden for part in secret_parts(text)})))
    file = file._replace(quoting=quoting)
    _reject_unknown_variables(environ, quoting, own)
    file.reject_unknown(_FILE_KEYS, _FILE_EXPECTED)
    given = Given(environ, file)
    window_sec = _number(
        file.entry("window_sec"),
        WINDOW_SEC,
        lambda value: value % 60 == 0 and 1200 <= value <= 86400,
        "a multiple of 60 seconds from 1200 to 86400",
    )
    rules = user_rules(file, window_sec)
    source, relay = source_settings(given, keys), relay_settings(given, secrets)
    if source.name == "replay" and relay.role == "auto":
        raise SettingsError(
            "MARKET_PULSE_ROLE is auto, and a tape is replayed, which another would begin anew: set"
            " it to collector for the one that replays, and to replica for all others"
        )
    return Settings(
        source,
        stress=_stress(file.table("stress", _STRESS_KEYS), rules),
        history=_history(given),
        alerts=alert_settings(given, public_url(given), secrets, own_names(rules)),
        api=api_settings(given, secrets),
        relay=relay,
        groups=groups(file),
        window_sec=window_sec,
    )


def _reject_unknown_variables(
    environ: Mapping[str, str], quoting: Quoting, own: Sequence[str]
) -> None:
    """Raise if there is a variable of ours that no setting is, nor is named in the file."""
    known = (*VARIABLES, *_OTHER_VARIABLES, *own)
    for name in environ:
        if name.startswith("MARKET_PULSE_") and name not in known:
            raise SettingsError(
                f"{quoting.name(name)} is not a setting, expected {_VARIABLES_EXPECTED}:"
                f" {advice(name, VARIABLES)}"
            )


_MOST_EVENTS: Final = 100_000


def _stress(table: Table, rules: tuple[Rule, ...]) -> StressSettings:
    usual = StressSettings()
    return StressSettings(
        thresholds=_thresholds(table),
        min_surprise=_not_negative(table.entry("min_surprise"), usual.min_surprise),
        cooldown_sec=_not_negative(table.entry("cooldown_sec"), usual.cooldown_sec),
        max_events=_number(
            table.entry("max_events"),
            usual.max_events,
            lambda value: 1 <= value <= _MOST_EVENTS,
            f"a whole number from 1 to {_MOST_EVENTS}",
        ),
        rules=rules,
    )


def _history(given: Given) -> HistorySettings:
    table, usual = given.file.table("archive", _ARCHIVE_KEYS), HistorySettings()
    return HistorySettings(
        folder=_folder(given.entry("data")),
        bars_days=_days(table.entry("bars_days"), usual.bars_days),
        events_days=_days(table.entry("events_days"), usual.events_days),
    )


# Stress and history.

_Number = TypeVar("_Number", int, float)


def _thresholds(stress: Table) -> Mapping[Asset, Mapping[EventKind, float]]:
    kinds = BUILT_IN_KINDS
    fraction = "a fraction between 0 and 1 (0.0025 is 0.25 %)"
    chosen: dict[Asset, Mapping[EventKind, float]] = {}
    for asset in ASSETS:
        table = stress.table(asset, kinds)
        given = {
            kind: _number(table.entry(kind), math.nan, lambda value: 0 < value < 1, fraction)
            for kind in kinds
            if kind in table.entries
        }
        if given:
            chosen[asset] = MappingProxyType(given)
    return MappingProxyType(chosen)


_OFF: Final = "off"
_LIKE_OFF: Final = ("none", "no", "false", "0", "disabled", "null")
"""They would hardly be meant as the name of a folder; as ``./none`` one may have it."""


def _folder(entry: Entry) -> Path | None:
    value, place = entry.value, entry.place
    word = value.casefold().strip() if isinstance(value, str) else None
    if value is None:
        value, place = str(USUAL.data), "the default of MARKET_PULSE_DATA"
    elif word == _OFF:
        return None
    elif not word or word in _LIKE_OFF or "\0" in word:
        raise entry.wrong("a folder, or off")
    path = resolved(value).absolute()
    # What is missing of it is made when there is something to write.
    there = next(part for part in (path, *path.parents) if os.path.lexists(part))
    if not os.path.isdir(there):  # noqa: PTH112 - unlike Path.is_dir, False in a barred folder
        raise SettingsError(
            f"{place} names {entry.quoting.path(value)}, but {entry.quoting.path(there)} is a file,"
            " expected a folder: give another path, or off to keep no history"
        )
    return path


def _not_negative(entry: Entry, usual: float) -> float:
    return _number(
        entry, usual, lambda value: 0 <= value <= sys.float_info.max, "a number of at least 0"
    )


_MOST_DAYS: Final = 3660


def _days(entry: Entry, usual: float) -> float:
    return _number(
        entry,
        usual,
        lambda value: 0 < value <= _MOST_DAYS,
        f"a number of days above 0, {_MOST_DAYS} at most",
    )


def _number(
    entry: Entry, usual: _Number, is_right: Callable[[float], bool], expected: str
) -> _Number:
    """A number of the type of the usual one; a fraction may be written as a whole number."""
    value = usual if entry.value is None else entry.value
    if type(value) not in (int, type(usual)) or not is_right(value):
        raise entry.wrong(expected)
    return type(usual)(value)
