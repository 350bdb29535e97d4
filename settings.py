"""Settings: the environment and a TOML file as one frozen, checked object.

Read once by the page before it asks for the worker. The environment wins over the file; the API
key may also stand in Streamlit's ``secrets.toml``.
"""

from __future__ import annotations

import difflib
import math
import os
import random
import re
import reprlib
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal, cast, get_args
from urllib.parse import urlsplit

from ticks import ASSETS, WINDOW_SEC, Asset, EventKind, MarketPulseError

__all__ = [
    "DEFAULT_WATCHLIST",
    "USUAL",
    "VARIABLES",
    "MarketPulseError",
    "Places",
    "Settings",
    "SettingsError",
    "archive_file",
    "load",
    "random_seed",
]

DEFAULT_WATCHLIST: Final[Mapping[Asset, tuple[str, ...]]] = MappingProxyType(
    {
        "stocks": ("AAPL", "TSLA", "NVDA", "AMZN", "MSFT", "META", "GOOGL"),
        "forex": ("EURUSD", "USDINR", "USDJPY", "GBPUSD", "AUDUSD"),
        "crypto": ("BTC-USD", "ETH-USD", "BTC-USDT", "ETH-USDT", "SOL-USDT"),
    }
)

# The vendor's own, for everybody.
_PUBLIC_KEY: Final = "demo"

DEFAULT_EODHD_URL: Final = "wss://ws.eodhistoricaldata.com/ws"

_HERE = Path(__file__).resolve().parent


@dataclass(frozen=True, slots=True)
class Places:
    """The files and folders that settings come from, unless they say otherwise."""

    config: Path
    data: Path
    secrets: tuple[Path, ...]
    """Files of Streamlit's, the first of which wins."""


USUAL = Places(
    config=_HERE / "market_pulse.toml",
    data=_HERE / "data",
    secrets=(_HERE / ".streamlit" / "secrets.toml", Path("~/.streamlit/secrets.toml")),
)

# What was found is quoted, but not at any length.
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxlong = _SHORT.maxother = 60
_quoted = _SHORT.repr

_MOST_EVENTS: Final = 100_000
_MOST_DAYS: Final = 3660

_HOST = re.compile(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]")
_SYMBOL = re.compile(r"[A-Z0-9][A-Z0-9.\-]{0,19}")
_KINDS: Final[tuple[EventKind, ...]] = get_args(EventKind)

_FILE_KEYS = (
    "source",
    "eodhd_url",
    "seed",
    "speed",
    "from",
    "to",
    "data",
    "window_sec",
    "watchlist",
    "stress",
    "archive",
)
_STRESS_KEYS = ("min_surprise", "cooldown_sec", "max_events", *ASSETS)
_ARCHIVE_KEYS = ("bars_days", "events_days")

Source = Literal["simulated", "eodhd", "replay"]


class SettingsError(MarketPulseError):
    """A setting is malformed: what was found, what was expected, what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything the worker needs to know, checked."""

    source: Source
    replay_file: Path | None = None
    """The tape or archive, where ``source`` is ``replay``."""
    replay_from: float | None = None
    replay_to: float | None = None
    """The span of it to replay, in seconds since the epoch; None: from its begin, to its end."""
    api_key: str = field(default="", repr=False)
    eodhd_url: str = DEFAULT_EODHD_URL
    seed: int | None = None
    """Of the simulated market; None: any, see ``random_seed``."""
    speed: float = 1.0
    """Of a replay, in tape seconds per second; infinite: as fast as possible."""
    window_sec: int = WINDOW_SEC
    """How much history is kept in memory."""
    watchlist: Mapping[Asset, tuple[str, ...]] | None = None
    """The symbols to watch per asset class; None: the source's own."""
    thresholds: Mapping[Asset, Mapping[EventKind, float]] = field(default_factory=dict)
    """Stress thresholds that differ from the detector's own, as fractions."""
    min_surprise: float = 2.5
    cooldown_sec: float = 30.0
    max_events: int = 500
    data: Path | None = None
    """The folder of the archives, which may yet have to be made; None: nothing is written."""
    bars_days: float = 7.0
    events_days: float = 90.0
    """How long the archive keeps what."""


def archive_file(settings: Settings) -> Path | None:
    """Where the history of this source lies, None where it has none: no two sources share a file.

    A market whose seed was chosen has a file of its own, so that it never goes on from another's
    prices; one of any seed goes on with the seed it began with.
    """
    if settings.data is None or settings.source == "replay":
        return None
    chosen = settings.source == "simulated" and settings.seed is not None
    name = f"{settings.source}-{settings.seed}" if chosen else settings.source
    return settings.data / f"{name}.sqlite"


def random_seed() -> int:
    """A seed for a market that was given none, short enough to be read out."""
    return random.SystemRandom().randrange(1_000_000)


def load(environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings of this process.

    Raises:
        SettingsError: in one sentence that names the setting, never the key's value.
    """
    key = _key(environ)
    try:
        return _load(environ, key)
    except SettingsError as error:
        if key in ("", _PUBLIC_KEY):
            raise
        # It may have been put in the place of another setting, which is quoted.
        raise SettingsError(str(error).replace(key, "the key")) from None


def _load(environ: Mapping[str, str], key: str) -> Settings:
    _reject_unknown_variables(environ)
    file, name = _read_config(environ)
    _reject_unknown(file, _FILE_KEYS, name)

    def given(variable: str, entry: str) -> tuple[Any, str]:
        """The value of a setting, and where it was found."""
        value = environ.get(variable, "").strip()
        return (value, variable) if value else (file.get(entry), f"{entry} in {name}")

    source, replay_file = _source(*given("MARKET_PULSE_SOURCE", "source"), key)
    replay_from, replay_to = _span(
        given("MARKET_PULSE_FROM", "from"), given("MARKET_PULSE_TO", "to"), source
    )
    stress = _table(file.get("stress", {}), f"[stress] in {name}")
    _reject_unknown(stress, _STRESS_KEYS, f"[stress] in {name}")
    archive = _table(file.get("archive", {}), f"[archive] in {name}")
    _reject_unknown(archive, _ARCHIVE_KEYS, f"[archive] in {name}")
    return Settings(
        source=source,
        replay_file=replay_file,
        replay_from=replay_from,
        replay_to=replay_to,
        api_key=key,
        eodhd_url=_url(*given("MARKET_PULSE_EODHD_URL", "eodhd_url")),
        seed=_seed(*given("MARKET_PULSE_SEED", "seed")),
        speed=_speed(*given("MARKET_PULSE_SPEED", "speed")),
        window_sec=_window(file.get("window_sec"), f"window_sec in {name}"),
        watchlist=_watchlist(file.get("watchlist"), f"[watchlist] in {name}"),
        thresholds=_thresholds(stress, name),
        min_surprise=_at_least(stress, "min_surprise", 2.5, 0.0, name),
        cooldown_sec=_at_least(stress, "cooldown_sec", 30.0, 0.0, name),
        max_events=_max_events(stress.get("max_events"), f"max_events of [stress] in {name}"),
        data=_data(*given("MARKET_PULSE_DATA", "data")),
        bars_days=_days(archive, "bars_days", 7.0, name),
        events_days=_days(archive, "events_days", 90.0, name),
    )


VARIABLES: Final = (
    "MARKET_PULSE_SOURCE",
    "MARKET_PULSE_EODHD_URL",
    "MARKET_PULSE_SEED",
    "MARKET_PULSE_SPEED",
    "MARKET_PULSE_FROM",
    "MARKET_PULSE_TO",
    "MARKET_PULSE_DATA",
    "MARKET_PULSE_CONFIG",
)
# The tests' own, not read here.
_OTHER_VARIABLES = ("MARKET_PULSE_TAPE",)


def _reject_unknown_variables(environ: Mapping[str, str]) -> None:
    for name in environ:
        if name.startswith("MARKET_PULSE_") and name not in (*VARIABLES, *_OTHER_VARIABLES):
            raise SettingsError(
                f"{name} is not a setting, expected one of {', '.join(VARIABLES)}:"
                f" {_advice(name, VARIABLES)}"
            )


def _advice(found: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(found, known, n=1)
    return f"did you mean {close[0]}?" if close else "remove it"


def _reject_unknown(table: Mapping[str, Any], known: Sequence[str], where: str) -> None:
    for key in table:
        if key not in known:
            raise SettingsError(
                f"{where} has {_quoted(key)}, expected only {', '.join(known)}:"
                f" {_advice(key, known)}"
            )


def _read_config(environ: Mapping[str, str]) -> tuple[dict[str, Any], str]:
    """The TOML file's content, empty where there is none, and its name."""
    chosen = environ.get("MARKET_PULSE_CONFIG", "").strip()
    path = _path(chosen) if chosen else USUAL.config
    if not chosen and not path.exists():
        return {}, path.name
    return _read_toml(path), path.name


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise SettingsError(
            f"the settings file {path} cannot be read ({error.strerror}):"
            " expected a TOML file, check the path"
        ) from None
    except UnicodeDecodeError:
        raise SettingsError(
            f"the settings file {path} is not text, expected TOML in UTF-8: save it as such"
        ) from None
    except (ValueError, RecursionError) as error:  # TOMLDecodeError is not all that it raises
        raise SettingsError(
            f"the settings file {path} is not valid TOML ({error}): mend that place"
        ) from None


def _path(text: str) -> Path:
    """A path with its ``~`` resolved where that names somebody's home."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        return Path(text)


def _key(environ: Mapping[str, str]) -> str:
    key = environ.get("EODHD_API_KEY", "").strip() or _secret("EODHD_API_KEY")
    if not re.fullmatch(r"[!-~]*", key):
        raise SettingsError(
            "EODHD_API_KEY holds a blank or another character that no key has,"
            " expected letters, digits and signs: copy it anew"
        )
    return key


def _secret(name: str) -> str:
    """A value of Streamlit's secrets, empty where there is none."""
    for path in map(_path, map(str, USUAL.secrets)):
        if os.path.exists(path):  # noqa: PTH110 - unlike Path.exists, False in a folder barred to us
            try:
                value = tomllib.loads(path.read_text("utf-8")).get(name, "")
            except (OSError, ValueError, RecursionError):
                # Not its own words: they could quote the line with the key.
                raise SettingsError(
                    f'{path} is not readable TOML, expected lines like {name} = "...": mend it'
                ) from None
            if not isinstance(value, str):
                raise SettingsError(f"{name} in {path} is not text: put it in quotes")
            if value.strip():
                return value.strip()
    return ""


def _source(value: Any, where: str, key: str) -> tuple[Source, Path | None]:
    if value is None:
        return ("eodhd" if key else "simulated"), None
    if value == "simulated":
        return "simulated", None
    if value == "eodhd":
        if not key:
            raise SettingsError(
                f"{where} is eodhd but EODHD_API_KEY is not set:"
                f" set it (the public key is {_PUBLIC_KEY}), or choose simulated"
            )
        return "eodhd", None
    if isinstance(value, str) and value.startswith("replay:") and value != "replay:":
        path = _path(value.removeprefix("replay:"))
        if not os.path.isfile(path):  # noqa: PTH113 - the same, where a folder is barred to us
            raise SettingsError(f"{where} names {path}, which is no file: check the path")
        return "replay", path
    raise SettingsError(f"{where} is {_quoted(value)}, expected simulated, eodhd or replay:FILE")


def _span(
    begin: tuple[Any, str], end: tuple[Any, str], source: Source
) -> tuple[float | None, float | None]:
    """What was given as the begin and the end of a replay, each with where it was found."""
    for value, where in (begin, end):
        if value is not None and source != "replay":
            raise SettingsError(
                f"{where} is given but the source is {source}, expected a replay:"
                " choose the source replay:FILE, or remove it"
            )
    replay_from, replay_to = _instant(*begin), _instant(*end)
    if replay_from is not None and replay_to is not None and not replay_from < replay_to:
        raise SettingsError(
            f"{end[1]} is {_written(end[0])}, expected a time after {begin[1]},"
            f" which is {_written(begin[0])}"
        )
    return replay_from, replay_to


def _instant(value: Any, where: str) -> float | None:
    if value is None:
        return None
    try:
        # A date alone is its midnight, in TOML as in text; in both, without a zone it is UTC.
        time = datetime.fromisoformat(value if isinstance(value, str) else _iso(value))
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise SettingsError(
            f"{where} is {_written(value)}, expected a time such as 2026-11-25T14:30:00Z"
            " (without a zone it is UTC)"
        ) from None


def _iso(value: Any) -> str:
    return value.isoformat() if isinstance(value, date) else ""


def _written(value: Any) -> str:
    """A time as it stood in the file or the environment."""
    return _iso(value) or _quoted(value)


def _data(value: Any, where: str) -> Path | None:
    if value is None:
        path, where = USUAL.data, "the default of MARKET_PULSE_DATA"
    elif isinstance(value, str) and value.strip() and "\0" not in value:
        if value.strip() == "off":
            return None
        path = _path(value.strip()).absolute()
    else:
        raise SettingsError(f"{where} is {_quoted(value)}, expected a folder, or off")
    # What is missing of it is made when there is something to write.
    there = next(part for part in (path, *path.parents) if os.path.lexists(part))
    if not os.path.isdir(there):  # noqa: PTH112 - as above, where a folder is barred to us
        raise SettingsError(
            f"{where} names {path}, but {there} is a file, expected a folder:"
            " give another path, or off to keep no history"
        )
    return path


def _seed(value: Any, where: str) -> int | None:
    if value is None:
        return None
    try:
        seed = int(value) if isinstance(value, str | int) and not isinstance(value, bool) else -1
    except ValueError:
        seed = -1
    if not 0 <= seed < 2**32:
        raise SettingsError(
            f"{where} is {_quoted(value)}, expected a whole number from 0 to {2**32 - 1}"
        )
    return seed


def _speed(value: Any, where: str) -> float:
    if value is None:
        return 1.0
    try:
        speed = float(value) if not isinstance(value, bool) else math.nan
    except (TypeError, ValueError, OverflowError):
        speed = math.nan
    if not speed > 0:
        raise SettingsError(
            f"{where} is {_quoted(value)}, expected a positive number such as 1 or 60,"
            " or inf for as fast as possible"
        )
    return speed


def _window(value: Any, where: str) -> int:
    if value is None:
        return WINDOW_SEC
    if not isinstance(value, int) or value % 60 or not 1200 <= value <= 86400:
        raise SettingsError(
            f"{where} is {_quoted(value)}, expected a multiple of 60 seconds from 1200 to 86400"
        )
    return value


def _url(value: Any, where: str) -> str:
    if value is None:
        return DEFAULT_EODHD_URL
    if not isinstance(value, str) or not _is_base_address(value):
        # Not the value: a pasted address may hold the key.
        raise SettingsError(
            f"{where} is no WebSocket address, expected one like {DEFAULT_EODHD_URL}"
            " without the key"
        )
    return value


def _is_base_address(text: str) -> bool:
    """Whether a channel and a key can be appended to ``text``."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    host = parts.netloc if port is None else parts.netloc.removesuffix(f":{port}")
    return (
        parts.scheme in ("ws", "wss")
        and bool(_HOST.fullmatch(host))
        and bool(re.fullmatch(r"[!-~]*", text))
        and "?" not in text
        and "#" not in text
    )


def _table(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise SettingsError(f"{where} is {_quoted(value)}, expected a table")
    return value


def _watchlist(value: Any, where: str) -> Mapping[Asset, tuple[str, ...]] | None:
    if value is None:
        return None
    table = _table(value, where)
    _reject_unknown(table, ASSETS, where)
    chosen = {asset: _symbols(table.get(asset, []), f"{asset} of {where}") for asset in ASSETS}
    every = [symbol for symbols in chosen.values() for symbol in symbols]
    if not every:
        raise SettingsError(f"{where} has no symbol, expected at least one")
    twice = sorted({symbol for symbol in every if every.count(symbol) > 1})
    if twice:
        raise SettingsError(f"{where} has {twice[0]} in two asset classes, expected it in one")
    return MappingProxyType(chosen)


def _symbols(value: Any, where: str) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise SettingsError(
            f'{where} is {_quoted(value)}, expected a list such as ["AAPL", "MSFT"]'
        )
    symbols = []
    for entry in value:
        symbol = entry.strip().upper() if isinstance(entry, str) else ""
        if not _SYMBOL.fullmatch(symbol):
            raise SettingsError(
                f"{where} has {_quoted(entry)}, expected a symbol such as AAPL, EURUSD or BTC-USD"
            )
        symbols.append(symbol)
    return tuple(dict.fromkeys(symbols))


def _thresholds(stress: Mapping[str, Any], name: str) -> Mapping[Asset, Mapping[EventKind, float]]:
    chosen: dict[Asset, Mapping[EventKind, float]] = {}
    for asset in ASSETS:
        where = f"[stress.{asset}] in {name}"
        table = _table(stress.get(asset, {}), where)
        _reject_unknown(table, _KINDS, where)
        for kind, value in table.items():
            if not _is_number(value) or not 0 < value < 1:
                raise SettingsError(
                    f"{kind} of {where} is {_quoted(value)},"
                    " expected a fraction between 0 and 1 (0.0025 is 0.25 %)"
                )
        if table:
            chosen[asset] = MappingProxyType(cast("dict[EventKind, float]", table))
    return MappingProxyType(chosen)


def _max_events(value: Any, where: str) -> int:
    if value is None:
        return 500
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= _MOST_EVENTS:
        raise SettingsError(
            f"{where} is {_quoted(value)}, expected a whole number from 1 to {_MOST_EVENTS}"
        )
    return value


def _at_least(table: Mapping[str, Any], key: str, default: float, least: float, name: str) -> float:
    value = table.get(key, default)
    if not _is_number(value) or not least <= value <= sys.float_info.max:
        raise SettingsError(
            f"{key} of [stress] in {name} is {_quoted(value)},"
            f" expected a number of at least {least:g}"
        )
    return float(value)


def _days(table: Mapping[str, Any], key: str, default: float, name: str) -> float:
    value = table.get(key, default)
    if not _is_number(value) or not 0 < value <= _MOST_DAYS:
        raise SettingsError(
            f"{key} of [archive] in {name} is {_quoted(value)},"
            f" expected a number of days above 0, {_MOST_DAYS} at most"
        )
    return float(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
