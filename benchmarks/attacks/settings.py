"""Bad settings: environments and files that cannot be meant, each told in one short sentence."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path
from typing import Any, Final

from benchmarks.attacks.rubbish import text, value
from benchmarks.attacks.tally import Tally
from rules import When
from settings import KEY_VARIABLES, VARIABLES, SettingsError, load
from ticks import VENDORS

LONGEST_SENTENCE: Final = 700
"""An error may hold a path and the names of all settings."""

SLOWEST_SEC: Final = 2.0

SECRETS: Final = (
    "WHISPERED0123456789",
    "WHISPER\"ED'0123\\456789",
    "WHISPERED" * 40,
)

_KEY_VARIABLES: Final = tuple(name for names in KEY_VARIABLES.values() for name in names)

_KEYS: Final = (
    *("source", "eodhd_url", "kraken_rest_url", "seed", "speed", "from", "to", "data"),
    *("window_sec", "other"),
)
_TABLES: Final = (
    *("watchlist", "stress", "archive", "sources"),
    *("stress.stocks", "stress.crypto", "stress.other"),
)
_RULE: Final = (
    *("name", "when", "by", "within", "price", "low", "high", "symbols", "assets", "severity"),
    *("cooldown", "until", "other"),
)
_ENTRIES: Final = (
    *("stocks", "forex", "crypto", "min_surprise", "cooldown_sec", "max_events", "move_1m"),
    *("vol_spike", "bars_days", "events_days", "other"),
)


def settings(seed: int, cases: int, folder: Path) -> Tally:
    """Load settings that were made up; ``folder`` is for their files."""
    rng = random.Random(seed)
    tally = Tally("settings")
    for number in range(cases):
        secret = rng.choice(SECRETS)
        environ = _environ(rng, folder, secret)
        began = time.process_time()
        try:
            load(environ)
        except SettingsError as error:
            trouble = _trouble(str(error), secret)
            tally.fail(f"{number}: {trouble}: {error!s:.200}") if trouble else tally.count(
                "refused"
            )
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what is looked for
            tally.fail(f"{number}: {type(error).__name__}: {error}")
        else:
            tally.count("taken")
        if time.process_time() - began > SLOWEST_SEC:
            tally.fail(f"{number}: took {time.process_time() - began:.1f} s")
    return tally


def _trouble(sentence: str, secret: str) -> str:
    """What is wrong with an error's words; empty if nothing is."""
    if len(sentence) > LONGEST_SENTENCE:
        return f"{len(sentence)} characters"
    if any(char < " " for char in sentence):
        return "more than one line"
    # In no form: a quote or a backslash of it may be written otherwise.
    if any(secret[at : at + 6] in sentence for at in range(len(secret) - 5)):
        return f"quotes a part of the key of {len(secret)} characters"
    return ""


def _environ(rng: random.Random, folder: Path, secret: str) -> dict[str, str]:
    environ = {rng.choice(_KEY_VARIABLES): secret, "MARKET_PULSE_DATA": "off"}
    for variable in rng.sample(VARIABLES, rng.randrange(3)):
        # No system's environment holds a zero byte.
        environ[variable] = _words(rng, secret).replace("\0", "")
    if rng.random() < 0.8:
        path = folder / "market_pulse.toml"
        path.write_bytes(_file(rng, secret))
        environ["MARKET_PULSE_CONFIG"] = str(path)
    return environ


def _words(rng: random.Random, secret: str) -> str:
    addresses = (f"wss://host/ws?api_token={secret}", f"https://host/{secret}")
    likely = ("live", "simulated", "replay:none.csv", *VENDORS, "off", *addresses, secret)
    return rng.choice(likely) if rng.random() < 0.4 else text(rng)


def _file(rng: random.Random, secret: str) -> bytes:
    lines = [f"{rng.choice(_KEYS)} = {_toml(rng, secret)}" for _ in range(rng.randrange(3))]
    for table in rng.sample(_TABLES, rng.randrange(4)):
        lines.append(f"[{table}]")
        lines += [f"{rng.choice(_ENTRIES)} = {_toml(rng, secret)}" for _ in range(rng.randrange(4))]
    for _ in range(rng.randrange(3)):
        keys = rng.sample(_RULE, rng.randrange(6))
        lines.append("[[rule]]")
        lines += [f"{key} = {_of_rule(rng, key, secret)}" for key in keys]
    written = "\n".join(lines).encode()
    fate = rng.random()
    if fate < 0.1:
        return rng.randbytes(200)
    if fate < 0.2:
        return written[: rng.randrange(len(written) + 1)]
    if fate < 0.3:
        return b"\xef\xbb\xbf" + written
    return written.decode().encode("utf-16") if fate < 0.35 else written


def _of_rule(rng: random.Random, key: str, secret: str) -> str:
    """What a key of a rule may hold, now and then what would do."""
    right = {"when": json.dumps(rng.choice([*When])), "within": '"10s"', "name": '"flash"'}
    return right[key] if key in right and rng.random() < 0.7 else _toml(rng, secret)


def _toml(rng: random.Random, secret: str) -> str:
    """A value in TOML: JSON is nearly that."""
    chance = rng.random()
    if chance < 0.1:
        return json.dumps(rng.choice((*VENDORS, "off")))
    if chance < 0.3:
        return json.dumps([secret, "AAPL", "EUR-USD", "BTCUSD"][: rng.randrange(5)])
    given: Any = value(rng, 1)
    if isinstance(given, dict) or given is None:
        return "2026-02-28T12:00:00Z"
    return json.dumps(given).replace("NaN", "nan").replace("Infinity", "inf")
