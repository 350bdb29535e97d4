"""Settings: where each may stand, which one wins, and one clear sentence for what is wrong."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

import settings
from settings import (
    DEFAULT_WATCHLIST,
    HistorySettings,
    Places,
    Settings,
    SettingsError,
    SourceSettings,
    load,
)
from sources.simulated import random_seed
from ticks import ASSETS

KEY = "SECRETKEY0123456789"
KEY_NAMES = ("EODHD_API_KEY", "ALPACA_API_KEY", "ALPACA_API_SECRET", "FINNHUB_API_KEY")
NOON = datetime(2026, 11, 25, 12, tzinfo=UTC).timestamp()


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No file of this computer has a say: the usual places are in an empty folder."""
    places = Places(
        config=tmp_path / "market_pulse.toml",
        data=tmp_path / "data",
        secrets=(tmp_path / "app" / "secrets.toml", tmp_path / "home" / "secrets.toml"),
    )
    monkeypatch.setattr(settings, "USUAL", places)
    return tmp_path


def load_with(tmp_path: Path, toml: str = "", **environ: str) -> Settings:
    """The settings of a file with this content and an environment."""
    path = tmp_path / "given.toml"
    path.write_text(toml, "utf-8")
    return load({"MARKET_PULSE_CONFIG": str(path), **environ})


def complaint(tmp_path: Path, toml: str = "", **environ: str) -> str:
    """What ``load`` says against a setting, with a key that must not be in it."""
    with pytest.raises(SettingsError) as caught:
        load_with(tmp_path, toml, **{"EODHD_API_KEY": KEY, **environ})
    text = str(caught.value)
    assert KEY not in text
    assert "\n" not in text
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return text


def eodhd_key(found: Settings) -> str:
    """The key of EODHD; empty if there is none."""
    return next(iter(found.source.keys.get("eodhd", ())), "")


def secrets(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


# Defaults and places.


def test_nothing_set_is_the_simulation(nowhere: Path) -> None:
    """Everything has a default, and the history lies beside the app."""
    found = load({})
    assert found == Settings(
        SourceSettings("simulated"), history=HistorySettings(folder=nowhere / "data")
    )
    assert found.source.watchlist is None
    assert (found.source.urls, found.source.rest_urls, found.source.keys) == ({}, {}, {})
    assert found.window_sec == 3600
    assert found.source.seed is None
    assert (found.history.bars_days, found.history.events_days) == (7.0, 90.0)
    assert not (nowhere / "data").exists()


def test_a_random_seed_is_another_each_time() -> None:
    """Six digits at the most, and good for a market."""
    drawn = {random_seed() for _ in range(5)}
    assert len(drawn) > 1
    assert all(load({"MARKET_PULSE_SEED": str(seed)}).source.seed == seed for seed in drawn)
    assert max(drawn) < 1_000_000


def test_empty_variables_are_unset() -> None:
    """As a shell or a container leaves them."""
    names = (*KEY_NAMES, *settings.VARIABLES)
    assert load(dict.fromkeys(names, " ")).source.name == "simulated"


def test_default_watchlist_is_the_promised_one() -> None:
    """Seventeen symbols of three classes."""
    assert {asset: len(symbols) for asset, symbols in DEFAULT_WATCHLIST.items()} == {
        "stocks": 7,
        "forex": 5,
        "crypto": 5,
    }


def test_environment_sets_everything_it_may(nowhere: Path) -> None:
    """Blanks around a value do not count."""
    tape = nowhere / "tape.csv.gz"
    tape.touch()
    found = load(
        {
            "EODHD_API_KEY": f" {KEY}\n",
            "MARKET_PULSE_SOURCE": f"replay:{tape}",
            "MARKET_PULSE_EODHD_URL": " ws://127.0.0.1:8765/ws ",
            "MARKET_PULSE_SEED": "7",
            "MARKET_PULSE_SPEED": "60",
            "MARKET_PULSE_FROM": " 2026-11-25T12:00 ",
            "MARKET_PULSE_TO": "2026-11-25T13:00:30.5+01:00",
            "MARKET_PULSE_DATA": f" {nowhere}/not/yet ",
        }
    )
    assert found.source.name == "replay"
    assert found.source.replay_file == tape
    assert eodhd_key(found) == KEY
    assert found.source.urls == {"eodhd": "ws://127.0.0.1:8765/ws"}
    assert (found.source.seed, found.source.speed) == (7, 60.0)
    assert (found.source.replay_from, found.source.replay_to) == (NOON, NOON + 30.5)
    assert found.history.folder == nowhere / "not" / "yet"


FILE = """
source = "simulated"
eodhd_url = "wss://example.org:443/ws"
seed = 3
speed = inf
data = "off"
window_sec = 7200

[watchlist]
stocks = ["aapl", " brk-b ", "AAPL"]
crypto = ["BTC-USD"]

[stress]
min_surprise = 0
cooldown_sec = 12.5
max_events = 50

[stress.crypto]
move_1m = 0.01

[archive]
bars_days = 0.5
events_days = 365
"""


def test_file_sets_everything_it_may(nowhere: Path) -> None:
    """Symbols in capitals and once; classes left out are not watched."""
    found = load_with(nowhere, FILE)
    assert found.source.name == "simulated"
    assert found.source.urls == {"eodhd": "wss://example.org:443/ws"}
    assert (found.source.seed, found.source.speed, found.window_sec) == (3, math.inf, 7200)
    assert found.source.watchlist == {
        "stocks": ("AAPL", "BRK-B"),
        "forex": (),
        "crypto": ("BTC-USD",),
    }
    assert (found.stress.min_surprise, found.stress.cooldown_sec, found.stress.max_events) == (
        0.0,
        12.5,
        50,
    )
    assert found.stress.thresholds == {"crypto": {"move_1m": 0.01}}
    assert found.history.folder is None
    assert (found.history.bars_days, found.history.events_days) == (0.5, 365.0)


def test_environment_wins_over_the_file(nowhere: Path) -> None:
    """Value by value."""
    found = load_with(
        nowhere,
        FILE,
        EODHD_API_KEY=KEY,
        MARKET_PULSE_SOURCE="eodhd",
        MARKET_PULSE_SEED="9",
        MARKET_PULSE_SPEED="2",
        MARKET_PULSE_EODHD_URL="wss://elsewhere/ws",
        MARKET_PULSE_DATA=str(nowhere),
    )
    assert found.source.name == "eodhd"
    assert (found.source.seed, found.source.speed) == (9, 2.0)
    assert found.source.urls == {"eodhd": "wss://elsewhere/ws"}
    assert (found.window_sec, found.history.folder) == (7200, nowhere)


def test_file_in_its_usual_place_is_found(nowhere: Path) -> None:
    """If the environment names no other."""
    (nowhere / "market_pulse.toml").write_text("seed = 11")
    assert load({}).source.seed == 11


# Quotation marks, byte order marks, capitals.


@pytest.mark.parametrize("marks", ['""', "''", "“”", "‘’", "„“", "«»"])
def test_quotation_marks_around_a_value_do_not_count(nowhere: Path, marks: str) -> None:
    """As files of the environment and copies from a page keep them; likewise within a file."""
    left, right = marks[0], marks[1]
    tape = nowhere / "a tape.csv"
    tape.touch()

    def marked(value: str) -> str:
        return f" {left} {value} {right} "

    found = load(
        {
            "EODHD_API_KEY": marked(KEY),
            "MARKET_PULSE_SOURCE": marked(f"replay:{left}{tape}{right}"),
            "MARKET_PULSE_EODHD_URL": marked("ws://host"),
            "MARKET_PULSE_SEED": marked("7"),
            "MARKET_PULSE_SPEED": marked("inf"),
            "MARKET_PULSE_FROM": marked("2026-11-25T12:00Z"),
            "MARKET_PULSE_DATA": marked("off"),
        }
    )
    assert (eodhd_key(found), found.source.replay_file) == (KEY, tape)
    assert (found.source.urls, found.source.seed) == ({"eodhd": "ws://host"}, 7)
    assert (found.source.speed, found.source.replay_from) == (math.inf, NOON)
    assert found.history.folder is None
    written = load_with(
        nowhere,
        f"""source = '''{marked("simulated")}'''
        [watchlist]
        stocks = ['''{marked("AAPL")}''']""",
    )
    assert (written.source.name, written.source.watchlist) == (
        "simulated",
        {"stocks": ("AAPL",), "forex": (), "crypto": ()},
    )
    assert load({"MARKET_PULSE_CONFIG": marked(f"{nowhere}/given.toml")}).source == written.source


def test_one_quotation_mark_alone_counts() -> None:
    """It is a slip that is told, and an empty pair is nothing."""
    with pytest.raises(SettingsError, match="MARKET_PULSE_SEED is '\"7', expected a whole number"):
        load({"MARKET_PULSE_SEED": '"7'})
    assert load({"MARKET_PULSE_SEED": '""'}).source.seed is None


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_files_may_begin_with_a_byte_order_mark(nowhere: Path, encoding: str) -> None:
    """As some editors and shells write them: the settings, the secrets, the environment's."""
    mark = "\ufeff" if encoding[-3:] in ("-le", "-be") else ""
    (nowhere / "market_pulse.toml").write_text(f"{mark}seed = 11", encoding)
    app = settings.USUAL.secrets[0]
    secrets(app, "")
    app.write_text(f"{mark}EODHD_API_KEY = '\"{KEY}\"'", encoding)
    found = load({})
    assert (found.source.seed, eodhd_key(found)) == (11, KEY)
    assert eodhd_key(load({"EODHD_API_KEY": '"\ufeffother"'})) == "other"
    found = load({"\ufeffEODHD_API_KEY": "\ufeffother", "\ufeffMARKET_PULSE_SEED": "\ufeff9"})
    assert (found.source.seed, eodhd_key(found)) == (9, "other")


@pytest.mark.parametrize("off", ["off", "OFF", "Off", '"OFF"'])
def test_off_is_no_folder_in_any_spelling(nowhere: Path, off: str) -> None:
    """In the environment as in the file."""
    assert load({"MARKET_PULSE_DATA": off}).history.folder is None
    assert load_with(nowhere, f"data = '{off}'").history.folder is None


@pytest.mark.parametrize("word", ["none", "No", "FALSE", "0", "disabled", "null"])
def test_other_words_for_off_are_not_taken_for_folders(nowhere: Path, word: str) -> None:
    """A folder of that name takes a path."""
    text = complaint(nowhere, MARKET_PULSE_DATA=word)
    assert text == f"MARKET_PULSE_DATA is '{word}', expected a folder, or off"
    assert load({"MARKET_PULSE_DATA": f"./{word}"}).history.folder == Path(word).absolute()


def test_sources_have_no_capitals_of_their_own(nowhere: Path) -> None:
    """Only the path of a tape does."""
    tape = nowhere / "Tape.CSV"
    tape.touch()
    assert eodhd_key(load({"MARKET_PULSE_SOURCE": "Simulated", "EODHD_API_KEY": KEY})) == KEY
    assert load({"MARKET_PULSE_SOURCE": "EODHD", "EODHD_API_KEY": KEY}).source.name == "eodhd"
    assert load({"MARKET_PULSE_SOURCE": "Live"}).source.name == "live"
    assert load({"MARKET_PULSE_SOURCE": f"Replay:{tape}"}).source.replay_file == tape


# Symbols.


@pytest.mark.parametrize(
    ("asset", "written", "expected"),
    [
        ("stocks", "AAPL.US", "AAPL"),
        ("stocks", "$AAPL", "AAPL"),
        ("stocks", "BRK.B", "BRK-B"),
        ("stocks", "BRK/B", "BRK-B"),
        ("stocks", "BRK B", "BRK-B"),
        ("stocks", "brk-b.us", "BRK-B"),
        ("stocks", "BF.A.US", "BF-A"),
        ("forex", "EUR-USD", "EURUSD"),
        ("forex", "EUR/USD", "EURUSD"),
        ("forex", "EURUSD.FOREX", "EURUSD"),
        ("forex", "EURUSD=X", "EURUSD"),
        ("crypto", "BTCUSD", "BTC-USD"),
        ("crypto", "BTCUSDT", "BTC-USDT"),
        ("crypto", "BTC/USD", "BTC-USD"),
        ("crypto", "BTC-USD.CC", "BTC-USD"),
        ("crypto", "ETHBTC", "ETH-BTC"),
        ("crypto", "BTC", "BTC-USD"),
        ("crypto", "FDUSD", "FDUSD-USD"),
    ],
)
def test_another_spelling_of_a_symbol_is_named_with_the_one_that_works(
    nowhere: Path, asset: str, written: str, expected: str
) -> None:
    """The list, what stands there, and what to write instead, which is then taken."""
    assert complaint(nowhere, f'[watchlist]\n{asset} = ["{written}"]') == (
        f"{asset} of [watchlist] in given.toml has symbols in another spelling than the price"
        f" stream's, expected {expected} instead of '{written.upper()}'"
    )
    found = load_with(nowhere, f'[watchlist]\n{asset} = ["{expected}"]').source.watchlist
    assert found is not None
    assert found[asset] == (expected,)  # type: ignore[index]


def test_many_other_spellings_are_named_in_one_sentence(nowhere: Path) -> None:
    """The first three, and how many more there are."""
    names = ", ".join(f'"{letter}AB.US"' for letter in "QRSTU")
    assert complaint(nowhere, f"[watchlist]\nstocks = [{names}]").endswith(
        "expected QAB instead of 'QAB.US', RAB instead of 'RAB.US', SAB instead of 'SAB.US',"
        " and 2 more"
    )


def test_symbols_of_the_usual_spelling_are_taken_as_they_are(nowhere: Path) -> None:
    """Those of the default watchlist, and others that look odd."""
    lists = "\n".join(f"{asset} = {list(names)}" for asset, names in DEFAULT_WATCHLIST.items())
    assert load_with(nowhere, f"[watchlist]\n{lists}").source.watchlist == DEFAULT_WATCHLIST
    odd = '[watchlist]\nstocks = ["VOD.L", "BRK-B"]\nforex = ["XAUUSD"]\ncrypto = ["1INCH-USD"]'
    assert load_with(nowhere, odd).source.watchlist is not None


def test_a_tape_has_spellings_of_its_own(nowhere: Path) -> None:
    """Of it only that is watched that stands there so."""
    watched = '[watchlist]\nstocks = ["BRK.B", "600519"]\ncrypto = ["BTCUSDT"]'
    found = load_with(nowhere, watched, MARKET_PULSE_SOURCE=f"replay:{__file__}")
    assert found.source.watchlist == {
        "stocks": ("BRK.B", "600519"),
        "forex": (),
        "crypto": ("BTCUSDT",),
    }


def many(count: int) -> str:
    """A watchlist of so many symbols."""
    names = ", ".join(f'"S{number}"' for number in range(count))
    return f"[watchlist]\nstocks = [{names}]"


def test_a_long_watchlist_is_read_at_once_and_one_too_long_refused(nowhere: Path) -> None:
    """Ten times as long takes ten times as long, and not a hundred times."""
    found = load_with(nowhere, many(5000)).source.watchlist
    assert found is not None
    assert len(found["stocks"]) == 5000
    began = time.process_time()
    assert complaint(nowhere, many(50_000)) == (
        "[watchlist] in given.toml has 50,000 symbols, expected 5,000 at most:"
        " choose those to watch"
    )
    assert time.process_time() - began < 10


# The real market: whom it is asked of.

LIVE: Final = {"MARKET_PULSE_SOURCE": "live"}
ALPACA: Final = {"ALPACA_API_KEY": "PKALPACA0123", "ALPACA_API_SECRET": "alpacasecret0123"}
FINNHUB: Final = {"FINNHUB_API_KEY": "finnhubkey0123"}
EODHD: Final = {"EODHD_API_KEY": KEY}


@pytest.mark.parametrize(
    ("environ", "stocks", "forex", "crypto"),
    [
        ({}, "", "kraken", "coinbase kraken binance"),
        (EODHD, "eodhd", "eodhd kraken", "eodhd coinbase kraken binance"),
        (ALPACA, "alpaca", "kraken", "coinbase kraken binance"),
        (FINNHUB, "finnhub", "kraken", "coinbase kraken binance"),
        (
            {**EODHD, **ALPACA, **FINNHUB},
            "eodhd alpaca finnhub",
            "eodhd kraken",
            "eodhd coinbase kraken binance",
        ),
        ({"MARKET_PULSE_CRYPTO": "Kraken"}, "", "kraken", "kraken coinbase binance"),
        (
            {**EODHD, "MARKET_PULSE_CRYPTO": "binance", "MARKET_PULSE_FOREX": "kraken"},
            "eodhd",
            "kraken eodhd",
            "binance eodhd coinbase kraken",
        ),
        (
            {**ALPACA, **FINNHUB, "MARKET_PULSE_STOCKS": "'finnhub'"},
            "finnhub alpaca",
            "kraken",
            "coinbase kraken binance",
        ),
        (
            {**ALPACA, "MARKET_PULSE_STOCKS": "off", "MARKET_PULSE_FOREX": "OFF"},
            "",
            "",
            "coinbase kraken binance",
        ),
    ],
)
def test_the_first_available_vendor_serves_a_class(
    environ: Mapping[str, str], stocks: str, forex: str, crypto: str
) -> None:
    """In a fixed order, unless one is chosen: then the others stay behind it."""
    found = load({**LIVE, **environ}).source
    assert found.name == "live"
    assert {asset: " ".join(names) for asset, names in found.vendors.items()} == {
        "stocks": stocks,
        "forex": forex,
        "crypto": crypto,
    }


@pytest.mark.parametrize(
    "environ", [EODHD, ALPACA, FINNHUB, {"MARKET_PULSE_CRYPTO": "kraken"}, LIVE]
)
def test_a_key_or_a_vendor_means_the_real_market(environ: Mapping[str, str]) -> None:
    """Unless a source is chosen."""
    assert load(environ).source.name == "live"
    assert load({**environ, "MARKET_PULSE_SOURCE": "simulated"}).source.name == "simulated"


def test_off_alone_means_nothing() -> None:
    """It turns a class of the real market off, if that is what is watched."""
    assert load({"MARKET_PULSE_STOCKS": "off"}).source.name == "simulated"


def test_a_class_that_is_off_by_choice_lacks_nothing() -> None:
    """Unlike one that nobody serves without a key."""
    assert load(LIVE).source.off == frozenset()
    assert load({**LIVE, "MARKET_PULSE_STOCKS": "Off"}).source.off == {"stocks"}


def test_vendors_stand_in_the_file_too(nowhere: Path) -> None:
    """In a table; the environment wins class by class."""
    toml = '[sources]\ncrypto = "kraken"\nforex = "off"'
    assert load_with(nowhere, toml).source.vendors == {
        "stocks": (),
        "forex": (),
        "crypto": ("kraken", "coinbase", "binance"),
    }
    found = load_with(nowhere, toml, MARKET_PULSE_FOREX="kraken", MARKET_PULSE_CRYPTO="binance")
    assert found.source.vendors["forex"] == ("kraken",)
    assert found.source.vendors["crypto"] == ("binance", "coinbase", "kraken")


def test_eodhd_is_eodhd_alone() -> None:
    """For every class that is not off, whatever other keys there are."""
    environ = {**EODHD, **ALPACA, "MARKET_PULSE_SOURCE": "eodhd"}
    assert load(environ).source.vendors == dict.fromkeys(ASSETS, ("eodhd",))
    some = load({**environ, "MARKET_PULSE_STOCKS": "eodhd", "MARKET_PULSE_FOREX": "off"})
    assert some.source.vendors == {"stocks": ("eodhd",), "forex": (), "crypto": ("eodhd",)}


def test_keys_are_whole_accounts(nowhere: Path) -> None:
    """From the environment and from the secrets, a part from each if it must be."""
    assert quote("a/b+c", safe="") in load({"FINNHUB_API_KEY": "a/b+c"}).source.secrets
    secrets(settings.USUAL.secrets[1], f'ALPACA_API_SECRET = "{ALPACA["ALPACA_API_SECRET"]}"')
    found = load({"ALPACA_API_KEY": ALPACA["ALPACA_API_KEY"], **FINNHUB}).source
    assert found.keys == {"alpaca": tuple(ALPACA.values()), "finnhub": tuple(FINNHUB.values())}
    assert not [key for key in (*ALPACA.values(), *FINNHUB.values()) if key in repr(found)]
    assert set(found.secrets) >= {*ALPACA.values(), *FINNHUB.values()}


def test_addresses_of_vendors_may_be_others(nowhere: Path) -> None:
    """Of their streams and of their requests; in the environment or in the file."""
    found = load_with(
        nowhere,
        'kraken_url = "ws://127.0.0.1:1/v2"\nfinnhub_rest_url = "http://[::1]:2"',
        MARKET_PULSE_ALPACA_URL="wss://stream.data.alpaca.markets/v2/test",
        MARKET_PULSE_COINBASE_REST_URL="http://127.0.0.1:3/api",
    ).source
    assert found.urls == {
        "kraken": "ws://127.0.0.1:1/v2",
        "alpaca": "wss://stream.data.alpaca.markets/v2/test",
    }
    assert found.rest_urls == {
        "finnhub": "http://[::1]:2",
        "coinbase": "http://127.0.0.1:3/api",
    }


WRONG_CHOICES: list[tuple[dict[str, str], str]] = [
    (
        {"MARKET_PULSE_STOCKS": "alpaca"},
        "MARKET_PULSE_STOCKS is alpaca but ALPACA_API_KEY and ALPACA_API_SECRET are not set,"
        " expected a key (free from https://app.alpaca.markets/signup): set them, or choose another"
        " vendor or off",
    ),
    (
        {"MARKET_PULSE_STOCKS": "finnhub"},
        "MARKET_PULSE_STOCKS is finnhub but FINNHUB_API_KEY is not set, expected a key (free"
        " from https://finnhub.io/register): set it, or choose another vendor or off",
    ),
    (
        {"MARKET_PULSE_CRYPTO": "eodhd"},
        "MARKET_PULSE_CRYPTO is eodhd but EODHD_API_KEY is not set, expected a key (from"
        " https://eodhd.com; the public key is demo): set it, or choose another vendor or off",
    ),
    (
        {"MARKET_PULSE_CRYPTO": "alpaca"},
        "MARKET_PULSE_CRYPTO is alpaca, which carries no crypto here, expected eodhd, coinbase,"
        " kraken, binance or off",
    ),
    (
        {"MARKET_PULSE_FOREX": "oanda"},
        "MARKET_PULSE_FOREX is 'oanda', expected eodhd, kraken or off",
    ),
    (
        {"MARKET_PULSE_SOURCE": "simulated", "MARKET_PULSE_STOCKS": "coinbase"},
        "MARKET_PULSE_STOCKS is coinbase, which carries no stocks here, expected eodhd, alpaca,"
        " finnhub or off",
    ),
    (
        {"ALPACA_API_KEY": "PKALPACA0123"},
        "ALPACA_API_KEY is set but ALPACA_API_SECRET is not, expected both (free from"
        " https://app.alpaca.markets/signup): set it, or remove ALPACA_API_KEY",
    ),
    (
        {"ALPACA_API_SECRET": "alpacasecret0123"},
        "ALPACA_API_SECRET is set but ALPACA_API_KEY is not, expected both",
    ),
    (
        {**EODHD, "MARKET_PULSE_SOURCE": "eodhd", "MARKET_PULSE_CRYPTO": "kraken"},
        "MARKET_PULSE_CRYPTO is kraken but the source is eodhd, which is EODHD alone:"
        " choose the source live, or remove it",
    ),
    (
        {"MARKET_PULSE_FOREX": "off", "MARKET_PULSE_CRYPTO": "off"},
        "MARKET_PULSE_FOREX, MARKET_PULSE_CRYPTO leave nothing to watch, expected a vendor for one"
        " of them at least: choose one",
    ),
    (
        {"MARKET_PULSE_KRAKEN_URL": "https://h/v2"},
        "MARKET_PULSE_KRAKEN_URL is not a WebSocket address, expected one like"
        " wss://example.org/path without the key",
    ),
    (
        {"MARKET_PULSE_KRAKEN_REST_URL": "wss://h/v2"},
        "MARKET_PULSE_KRAKEN_REST_URL is not an HTTP address, expected one like"
        " https://example.org/path without the key",
    ),
    (
        {**FINNHUB, "MARKET_PULSE_FINNHUB_URL": f"wss://h/{FINNHUB['FINNHUB_API_KEY']}"},
        "MARKET_PULSE_FINNHUB_URL is not a WebSocket address",
    ),
    (
        {"MARKET_PULSE_KRAKN_URL": "wss://h/v2"},
        "or an address such as _KRAKEN_URL: did you mean MARKET_PULSE_KRAKEN_URL?",
    ),
]


@pytest.mark.parametrize(("environ", "expected"), WRONG_CHOICES)
def test_wrong_choice_of_a_vendor_is_one_sentence(
    environ: Mapping[str, str], expected: str
) -> None:
    """What is missing, and where a key is had; nothing of a key that is there."""
    with pytest.raises(SettingsError) as caught:
        load({**LIVE, **environ})
    text = str(caught.value)
    assert text.startswith(expected) or text.endswith(expected)
    assert len(text) < 320
    assert not [k for k in (KEY, *ALPACA.values(), *FINNHUB.values()) if k in text]


@pytest.mark.parametrize("source", ["simulated", f"replay:{__file__}"])
def test_half_an_account_is_nothing_to_a_source_that_asks_nobody(source: str) -> None:
    """Nor is a vendor whose key is missing."""
    half = {"ALPACA_API_KEY": "PKALPACA0123", "MARKET_PULSE_STOCKS": "finnhub"}
    assert load({**half, "MARKET_PULSE_SOURCE": source}).source.keys == {}


# The history.


@pytest.mark.parametrize(
    ("environ", "name"),
    [
        ({}, "simulated.sqlite"),
        ({"MARKET_PULSE_SEED": "0"}, "simulated-0.sqlite"),
        ({"MARKET_PULSE_SEED": "7", "EODHD_API_KEY": KEY}, "live.sqlite"),
        ({"EODHD_API_KEY": KEY}, "live.sqlite"),
        ({"MARKET_PULSE_SOURCE": "live"}, "live.sqlite"),
        ({"MARKET_PULSE_SOURCE": "eodhd", "EODHD_API_KEY": KEY}, "live.sqlite"),
        ({"MARKET_PULSE_DATA": "off"}, None),
        ({"MARKET_PULSE_SOURCE": f"replay:{__file__}", "MARKET_PULSE_SEED": "7"}, None),
    ],
)
def test_every_source_has_a_history_of_its_own(
    nowhere: Path, environ: Mapping[str, str], name: str | None
) -> None:
    """One file for the real market, one for any seed's, one per chosen seed; no replay's."""
    assert load(environ).archive_file == (name and nowhere / "data" / name)


@pytest.mark.parametrize("source", ["live", "eodhd"])
def test_nobody_loses_the_history_of_before(nowhere: Path, source: str) -> None:
    """The file that EODHD had for itself goes on, unless there is one of the real market."""
    environ = {"EODHD_API_KEY": KEY, "MARKET_PULSE_SOURCE": source}
    (nowhere / "data").mkdir()
    before, live = nowhere / "data" / "eodhd.sqlite", nowhere / "data" / "live.sqlite"
    before.touch()
    assert load(environ).archive_file == before
    live.touch()
    assert load(environ).archive_file == live
    before.unlink()
    assert load(environ).archive_file == live


def test_settings_made_by_hand_keep_no_history() -> None:
    """Only a folder that was asked for is written to."""
    assert Settings(SourceSettings("simulated", seed=7)).archive_file is None


@pytest.mark.parametrize("text", ["~", "~/of-the-user", "beside", "./off"])
def test_the_folder_of_the_history_may_be_anywhere(text: str) -> None:
    """At home, where the program was started, and even with the name of the switch."""
    assert load({"MARKET_PULSE_DATA": text}).history.folder == Path(text).expanduser().absolute()


def test_a_file_in_the_place_of_the_history_is_named(
    nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it is the folder itself or one above it, given or by default."""
    (nowhere / "data").touch()
    assert complaint(nowhere, MARKET_PULSE_DATA=f"{nowhere}/data/below") == (
        f"MARKET_PULSE_DATA names {nowhere}/data/below, but {nowhere}/data is a file,"
        " expected a folder: give another path, or off to keep no history"
    )
    assert complaint(nowhere, f'data = "{nowhere}/data"').startswith(
        f"data in given.toml names {nowhere}/data, but {nowhere}/data is a file"
    )
    assert complaint(nowhere).startswith(
        f"the default of MARKET_PULSE_DATA names {nowhere}/data, but {nowhere}/data is a file"
    )
    assert load({"MARKET_PULSE_DATA": "off"}).history.folder is None


# The span of a replay.


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ('"2026-11-25T12:00:00Z"', NOON),
        ('"2026-11-25 12:00"', NOON),
        ('"20261125T120000"', NOON),
        ('"2026-11-25T07:00-05:00"', NOON),
        ("2026-11-25T12:00:00Z", NOON),
        ("2026-11-25T17:30:00.25+05:30", NOON + 0.25),
        ("2026-11-25T12:00:00", NOON),
        ("2026-11-26", NOON + 43200),
        ('"2026-11-26"', NOON + 43200),
    ],
)
def test_a_replay_may_begin_and_end_at_any_time(
    nowhere: Path, written: str, expected: float
) -> None:
    """A time in ISO 8601 or TOML's own; without a zone it is UTC, a date alone its midnight."""
    source = f'source = "replay:{__file__}"\n'
    began, ended = (load_with(nowhere, f"{source}{name} = {written}") for name in ("from", "to"))
    assert (began.source.replay_from, began.source.replay_to) == (expected, None)
    assert (ended.source.replay_from, ended.source.replay_to) == (None, expected)


WRONG_SPANS: list[tuple[str, dict[str, str], str]] = [
    ("from = 5", {}, "from in given.toml is 5, expected a time such as 2026-11-25T14:30:00Z"),
    ("from = true", {}, "from in given.toml is true, expected a time"),
    ("to = 10:30:00", {}, "to in given.toml is 10:30:00, expected a time"),
    ('from = ""', {}, "from in given.toml is '', expected a time"),
    ("", {"MARKET_PULSE_TO": "10:30"}, "MARKET_PULSE_TO is '10:30', expected a time such as"),
    ("", {"MARKET_PULSE_FROM": "yesterday"}, "(without a zone it is UTC)"),
    ("", {"MARKET_PULSE_FROM": "0" * 5000}, "expected a time"),
    (
        "from = 2026-11-25T12:00:00Z",
        {"MARKET_PULSE_TO": "2026-11-25T12:00"},
        "MARKET_PULSE_TO is '2026-11-25T12:00', expected a time after from in given.toml,"
        " which is 2026-11-25T12:00:00+00:00",
    ),
    ("from = 2026-11-25\nto = 2026-11-24", {}, "to in given.toml is 2026-11-24, expected a time"),
    (
        "",
        {"MARKET_PULSE_FROM": "2026-11-25", "MARKET_PULSE_SOURCE": "simulated"},
        "MARKET_PULSE_FROM is given but the source is simulated, expected a replay:"
        " choose the source replay:FILE, or remove it",
    ),
    (
        "to = 2026-11-25",
        {"MARKET_PULSE_SOURCE": "eodhd"},
        "to in given.toml is given but the source is eodhd, expected a replay",
    ),
]


@pytest.mark.parametrize(("toml", "environ", "expected"), WRONG_SPANS)
def test_wrong_span_is_one_sentence(
    nowhere: Path, toml: str, environ: Mapping[str, str], expected: str
) -> None:
    """Which end of it, what was expected, and what to do."""
    text = complaint(nowhere, toml, **{"MARKET_PULSE_SOURCE": f"replay:{__file__}", **environ})
    assert expected in text
    assert len(text) < 300


# The key.


def test_key_switches_to_the_vendor() -> None:
    """Unless a source is chosen."""
    assert load({"EODHD_API_KEY": KEY}).source.name == "live"
    chosen = load({"EODHD_API_KEY": KEY, "MARKET_PULSE_SOURCE": "simulated"})
    assert chosen.source.name == "simulated"


def test_public_demo_key_is_a_key() -> None:
    """It opens the vendor's feeds like any other."""
    found = load({"EODHD_API_KEY": "demo"})
    assert (found.source.name, eodhd_key(found)) == ("live", "demo")


def test_key_may_stand_in_the_secrets(nowhere: Path) -> None:
    """The application's own before the user's; the environment before both; empty is none."""
    app, home = settings.USUAL.secrets
    secrets(home, 'EODHD_API_KEY = "of-the-user"')
    assert eodhd_key(load({})) == "of-the-user"
    secrets(app, 'EODHD_API_KEY = " "\nother = 1')
    assert eodhd_key(load({})) == "of-the-user"
    secrets(app, 'EODHD_API_KEY = "of-the-app"')
    assert eodhd_key(load({})) == "of-the-app"
    assert eodhd_key(load({"EODHD_API_KEY": KEY})) == KEY


@pytest.mark.parametrize(
    "text",
    [
        f"EODHD_API_KEY = {KEY}",
        f"EODHD_API_KEY: {KEY}",
        f'EODHD_API_KEY = "{KEY}',
        f'EODHD_API_KEY = ["{KEY}"]',
        "EODHD_API_KEY = 12",
        "EODHD_API_KEY = " + "[" * 5000,
        "EODHD_API_KEY = " + "1" * 5000,
    ],
)
def test_malformed_secrets_are_named_but_not_quoted(nowhere: Path, text: str) -> None:
    """Which file, what was expected, and never what stands in it."""
    secrets(settings.USUAL.secrets[0], text)
    with pytest.raises(SettingsError) as caught:
        load({})
    said = str(caught.value)
    assert KEY not in said
    assert "secrets.toml" in said
    assert "EODHD_API_KEY" in said
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_secrets_that_are_not_text_are_named(nowhere: Path) -> None:
    """Bytes that are not UTF-8."""
    secrets(settings.USUAL.secrets[0], "")
    settings.USUAL.secrets[0].write_bytes(b"\xe4\xf6")
    with pytest.raises(SettingsError, match="is not text, expected TOML in UTF-8: save it as such"):
        load({})


def test_user_without_a_home_has_no_secrets_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container may run under a number that belongs to nobody."""
    nobodys = dataclasses.replace(
        settings.USUAL, secrets=(Path("~nobody-by-that-name/secrets.toml"),)
    )
    monkeypatch.setattr(settings, "USUAL", nobodys)
    assert eodhd_key(load({})) == ""


@pytest.mark.parametrize("key", ["two words", "with\ttab", "ключ", "\udcff", "a\x00b", "a\nb"])
def test_key_that_cannot_be_one_is_refused(key: str) -> None:
    """A copy with blanks or look-alikes is said, not sent."""
    with pytest.raises(SettingsError, match="EODHD_API_KEY holds a blank or another") as caught:
        load({"EODHD_API_KEY": key})
    assert key not in str(caught.value)


def test_settings_never_show_the_key() -> None:
    """Not in what they print of themselves."""
    found = load({"EODHD_API_KEY": KEY})
    assert KEY not in f"{found!r}{found}"


# What is wrong.

WRONG_VARIABLES: list[tuple[dict[str, str], str]] = [
    (
        {"MARKET_PULSE_SOURCE": "kraken"},
        "MARKET_PULSE_SOURCE is 'kraken', expected live, simulated, eodhd or replay:FILE",
    ),
    (
        {"MARKET_PULSE_SOURCE": KEY},
        "MARKET_PULSE_SOURCE is what may be a secret (19 characters), expected live, simulated",
    ),
    ({"MARKET_PULSE_SOURCE": "replay:"}, "expected live, simulated, eodhd or replay:FILE"),
    (
        {"MARKET_PULSE_SOURCE": "replay:/no/such/file"},
        "MARKET_PULSE_SOURCE names /no/such/file, which is not a file: check the path",
    ),
    ({"MARKET_PULSE_SOURCE": "replay:~nobody-by-that-name/x"}, "which is not a file"),
    ({"MARKET_PULSE_SOURCE": "replay:/"}, "which is not a file"),
    (
        {"MARKET_PULSE_SEED": "x"},
        "MARKET_PULSE_SEED is 'x', expected a whole number from 0 to 4294967295",
    ),
    ({"MARKET_PULSE_SEED": "-1"}, "expected a whole number"),
    ({"MARKET_PULSE_SEED": "1.5"}, "expected a whole number"),
    ({"MARKET_PULSE_SEED": "4294967296"}, "expected a whole number"),
    ({"MARKET_PULSE_SEED": "9" * 5000}, "expected a whole number"),
    (
        {"MARKET_PULSE_SPEED": "fast"},
        "MARKET_PULSE_SPEED is 'fast', expected a positive number such as 1 or 60",
    ),
    ({"MARKET_PULSE_SPEED": "0"}, "expected a positive number"),
    ({"MARKET_PULSE_SPEED": "-1"}, "expected a positive number"),
    ({"MARKET_PULSE_SPEED": "nan"}, "expected a positive number"),
    (
        {"MARKET_PULSE_CONFIG": "/no/such.toml"},
        "the settings file /no/such.toml cannot be read (No such file or directory):"
        " expected a TOML file, check the path",
    ),
    (
        {"MARKET_PULSE_CONFIG": "/"},
        "the settings file / is not a file, expected a TOML file: check the path",
    ),
    ({"MARKET_PULSE_CONFIG": "~nobody-by-that-name/x"}, "cannot be read (No such file"),
    (
        {"MARKET_PULSE_SED": "1"},
        "MARKET_PULSE_SED is not a setting, expected one of MARKET_PULSE_SOURCE,",
    ),
    ({"MARKET_PULSE_SED": "1"}, ": did you mean MARKET_PULSE_SEED?"),
    ({"MARKET_PULSE_ZZZZZZZZZZZZZZZZZZZZZZZZ": "1"}, ": remove it"),
]


@pytest.mark.parametrize(("environ", "expected"), WRONG_VARIABLES)
def test_wrong_variable_is_one_sentence(
    nowhere: Path, environ: Mapping[str, str], expected: str
) -> None:
    """What was found, what was expected, what to do; and no longer than one reads."""
    text = complaint(nowhere, **environ)
    assert expected in text
    assert len(text) < 300


@pytest.mark.parametrize(
    "address",
    [
        "https://h/ws",
        "h/ws",
        "wss://",
        "wss:///ws",
        "wss://:80/ws",
        "wss://[::1",
        "wss://h:port/ws",
        "wss://h:99999/ws",
        "wss://user:password@h/ws",
        "wss://ho st/ws",
        "wss://h\x00/ws",
        "wss://h/w\ns",
        "wss://℀/ws",
        f"wss://h/ws?api_token={KEY}",
        "wss://h/ws?",
        f"wss://h/ws#{KEY}",
        f"{KEY}",
    ],
)
def test_address_that_cannot_be_extended_is_not_quoted(nowhere: Path, address: str) -> None:
    """A pasted one may hold the key, so it is not repeated."""
    text = complaint(nowhere, MARKET_PULSE_EODHD_URL=address)
    assert text == (
        "MARKET_PULSE_EODHD_URL is not a WebSocket address,"
        " expected one like wss://example.org/path without the key"
    )


@pytest.mark.parametrize(
    "address", ["ws://127.0.0.1:8765/ws", "wss://[::1]:443/ws", "WSS://H.example/ws/", "ws://host"]
)
def test_address_may_be_any_websocket_server(address: str) -> None:
    """Such as one's own."""
    assert load({"MARKET_PULSE_EODHD_URL": address}).source.urls == {"eodhd": address}


WRONG_FILES: list[tuple[str, str]] = [
    ("seed", "is not valid TOML at end of document, expected lines like"),
    ("seed = 1\nseed", "is not valid TOML at end of document"),
    ("seed\nspeed = 2", "is not valid TOML at line 1, column 5, expected lines like"),
    ("seed = 1\nseed = 2", "is not valid TOML"),
    ("a = " + "[" * 5000, "is not valid TOML"),
    ("seed = " + "1" * 5000, "is not valid TOML"),
    ("sed = 1", "given.toml has 'sed', expected only source,"),
    ("sed = 1", ": did you mean seed?"),
    (f"EODHD_API_KEY = {KEY}", "is not valid TOML"),
    (
        f'source = "{KEY}"',
        "source in given.toml is what may be a secret (19 characters), expected live,",
    ),
    (f'api_key = "{KEY}"', "given.toml has 'api_key', expected only"),
    (f'EODHD_API_KEY = "{KEY}"', "given.toml has 'EODHD_API_KEY', expected only"),
    ("source = 5", "source in given.toml is 5, expected live, simulated, eodhd or replay:FILE"),
    ("eodhd_url = 5", "eodhd_url in given.toml is not a WebSocket address"),
    ("seed = true", "seed in given.toml is true, expected a whole number"),
    ("seed = 1.5", "seed in given.toml is 1.5, expected a whole number"),
    ("seed = []", "expected a whole number"),
    ("speed = true", "speed in given.toml is true, expected a positive number"),
    ("speed = []", "expected a positive number"),
    ("speed = nan", "expected a positive number"),
    ("speed = 1" + "0" * 400, "expected a positive number"),
    ("window_sec = 3601", "window_sec in given.toml is 3601, expected a multiple of 60 seconds"),
    ("window_sec = 60", "from 1200 to 86400"),
    ("window_sec = 86460", "from 1200 to 86400"),
    ("window_sec = true", "from 1200 to 86400"),
    ("window_sec = 3600.0", "from 1200 to 86400"),
    ("watchlist = 5", "[watchlist] in given.toml is 5, expected a table"),
    ('[watchlist]\nstocks = ["STRAßE"]', "has 'STRAßE', expected a symbol"),
    ("seed = 0x" + "f" * 5000, "seed in given.toml is a number of too many digits, expected"),
    ("seed = [1, 2]", "seed in given.toml is a list, expected a whole number"),
    ("[seed]", "seed in given.toml is a table, expected a whole number"),
    ("[watchlist]", "[watchlist] in given.toml has no symbol, expected at least one"),
    ("[watchlist]\nstocks = []", "has no symbol"),
    ("[watchlist]\nstock = []", "has 'stock', expected only stocks, forex, crypto: did you mean"),
    ('[watchlist]\nstocks = "AAPL"', "expected a list such as"),
    ("[watchlist]\nstocks = [5]", "stocks of [watchlist] in given.toml has 5, expected a symbol"),
    ('[watchlist]\nstocks = ["A B C"]', "has 'A B C', expected a symbol such as AAPL"),
    ('[watchlist]\nstocks = ["A,B"]', "expected a symbol"),
    ('[watchlist]\nstocks = ["<b>"]', "expected a symbol"),
    ('[watchlist]\nstocks = [""]', "expected a symbol"),
    (f'[watchlist]\nstocks = ["{"A" * 500}"]', "expected a symbol"),
    (
        '[watchlist]\nstocks = ["A"]\ncrypto = ["A"]',
        "has 'A' in stocks and crypto, expected it in one of them",
    ),
    ("data = 5", "data in given.toml is 5, expected a folder, or off"),
    ("data = false", "data in given.toml is false, expected a folder, or off"),
    ('data = "None"', "data in given.toml is 'None', expected a folder, or off"),
    ('data = " "', "data in given.toml is ' ', expected a folder, or off"),
    ('data = "a\\u0000b"', "expected a folder, or off"),
    ("archive = 3", "[archive] in given.toml is 3, expected a table"),
    ("[archive]\nbar_days = 1", "did you mean bars_days?"),
    (
        "[archive]\nbars_days = 0",
        "bars_days of [archive] in given.toml is 0, expected a number of days above 0, 3660 at",
    ),
    ("[archive]\nbars_days = 3661", "expected a number of days above 0, 3660 at most"),
    ("[archive]\nevents_days = -1", "events_days of [archive] in given.toml is -1, expected a"),
    ("[archive]\nevents_days = nan", "expected a number of days"),
    ("[archive]\nevents_days = true", "expected a number of days"),
    ('[archive]\nevents_days = "90"', "expected a number of days"),
    ("stress = 3", "[stress] in given.toml is 3, expected a table"),
    ("[stress]\nmin_suprise = 1", "did you mean min_surprise?"),
    ("[stress]\nmin_surprise = -1", "min_surprise of [stress] in given.toml is -1, expected a"),
    ("[stress]\nmin_surprise = nan", "expected a number of at least 0"),
    ("[stress]\nmin_surprise = inf", "expected a number of at least 0"),
    ("[stress]\nmin_surprise = true", "expected a number of at least 0"),
    ('[stress]\ncooldown_sec = "1"', "expected a number of at least 0"),
    ("[stress]\ncooldown_sec = 1" + "0" * 400, "expected a number of at least 0"),
    ("[stress]\nmax_events = 0", "max_events of [stress] in given.toml is 0, expected a whole"),
    ("[stress]\nmax_events = 1.5", "expected a whole number from 1 to 100000"),
    ("[stress]\nmax_events = 1e300", "expected a whole number from 1 to 100000"),
    ("[stress]\nmax_events = true", "expected a whole number from 1 to 100000"),
    ("[stress]\nstocks = 3", "[stress.stocks] in given.toml is 3, expected a table"),
    ("[stress.stocks]\nmove_2m = 0.1", "has 'move_2m', expected only move_1m, move_5m, vol_spike"),
    ("[stress.stocks]\nmove_1m = 0", "expected a fraction between 0 and 1 (0.0025 is 0.25 %)"),
    ("[stress.stocks]\nmove_1m = 1", "expected a fraction"),
    ("[stress.stocks]\nmove_1m = nan", "expected a fraction"),
    ("[stress.stocks]\nmove_1m = true", "expected a fraction"),
    ('[stress.stocks]\nmove_1m = "1 %"', "expected a fraction"),
]


@pytest.mark.parametrize(("toml", "expected"), WRONG_FILES)
def test_wrong_file_is_one_sentence(nowhere: Path, toml: str, expected: str) -> None:
    """Which entry of which file, what was expected, and what to do."""
    text = complaint(nowhere, toml)
    assert expected in text.replace(str(nowhere), "")
    assert len(text.replace(str(nowhere), "")) < 300


@pytest.mark.parametrize("name", ["given.toml", "app/secrets.toml"])
def test_a_pipe_is_no_settings_file(nowhere: Path, name: str) -> None:
    """Nobody waits for what somebody may write into it."""
    path = nowhere / name
    path.parent.mkdir(exist_ok=True)
    os.mkfifo(path)
    with pytest.raises(SettingsError, match="is not a file, expected a TOML file: check the path"):
        load({"MARKET_PULSE_CONFIG": str(path)} if name == "given.toml" else {})


def test_neither_is_a_device_nor_what_has_no_end(nowhere: Path) -> None:
    """It is told before it fills the memory."""
    with pytest.raises(SettingsError, match="/dev/zero is not a file"):
        load({"MARKET_PULSE_CONFIG": "/dev/zero"})
    path = nowhere / "endless.toml"
    with path.open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(SettingsError, match=r"endless\.toml has more than 1 MB, expected settings"):
        load({"MARKET_PULSE_CONFIG": str(path)})


def test_a_link_that_leads_nowhere_is_no_missing_file(nowhere: Path) -> None:
    """Settings that were meant to be there are not silently left out."""
    (nowhere / "market_pulse.toml").symlink_to(nowhere / "gone.toml")
    with pytest.raises(SettingsError, match=r"market_pulse.toml cannot be read \(No such file"):
        load({})


# Secrets, in any place.

KEYS: Final = (
    "Kd83jWq0Lp27Ztm5Rb1",
    "q'7w\"e\\r5T#k2%zU8'p",
    "Zx9" + "v8Bn3Mq7Rt" * 30,
    "65f0a1b2c3d4e5.12345678",
    "'\"'\\'\"~!\\",
    "hunter2",
)
FORMS: Final[Mapping[str, Callable[[str], str]]] = {
    "itself": str,
    "with more around it": lambda key: f"xy{key}z",
    "half": lambda key: key[: len(key) // 2 + 3],
    "the other half": lambda key: key[len(key) // 2 - 3 :],
    "as in an address": lambda key: quote(key, safe=""),
    "in capitals": str.upper,
    "as of an exchange": lambda key: f"{key}.US",
    "as Python writes it": repr,
    "in groups": lambda key: "-".join(key[at : at + 4] for at in range(0, len(key), 4)),
}
PLACES: Final[Mapping[str, Callable[[str], dict[str, str]]]] = {
    **{
        name: lambda text, name=name: {name: text}  # type: ignore[misc]
        for name in settings.VARIABLES
        if name != "MARKET_PULSE_DATA"
    },
    "tape": lambda text: {"MARKET_PULSE_SOURCE": f"replay:{text}"},
    "folder": lambda text: {"MARKET_PULSE_DATA": f"{__file__}/{text}"},
    "name": lambda text: {f"MARKET_PULSE_{text}": "1"},
}
LINES: Final[Mapping[str, str]] = {
    "value": "source = {}",
    "number": "seed = {}",
    "time": 'source = "replay:/dev/null"\nfrom = {}',
    "key": "{} = 1",
    "table": "[{}]\na = 1",
    "table twice": "[a.{0}]\n[a.{0}]",
    "stock": "[watchlist]\nstocks = [{}]",
    "pair": "[watchlist]\nforex = [{}]",
    "coin": "[watchlist]\ncrypto = [{}]",
    "other": "[stress.stocks]\n{} = 1",
    "number of days": "[archive]\nbars_days = {}",
}


def assert_hides(text: str, key: str) -> None:
    """No six characters in a row of a key, in any spelling, and one sentence of bounded length."""
    assert key not in text
    for spelled in (lambda t: t, lambda t: re.sub("[^a-z0-9]", "", t.casefold())):
        secret, said = spelled(key), spelled(text)
        parts = [secret[at : at + 6] for at in range(len(secret) - 5)]
        assert not [part for part in parts if part in said], text
    assert "\n" not in text
    assert len(text) < 700


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("key", KEYS)
def test_a_key_in_any_place_is_not_quoted(nowhere: Path, key: str, form: str) -> None:
    """Whether it stands in the environment or in the secrets, and however it is written there."""
    text = FORMS[form](key)
    secrets(settings.USUAL.secrets[1], "EODHD_API_KEY = " + json.dumps(key))
    refused = 0
    for place in PLACES.values():
        for known in ({}, *({name: key} for name in KEY_NAMES), {"EODHD_API_KEY": "demo"}):
            try:
                load({**known, **place(text)})
            except SettingsError as error:
                refused += 1
                assert_hides(str(error), key)
    for line in LINES.values():
        for written in (json.dumps(text), text):
            try:
                load_with(nowhere, line.format(written))
            except SettingsError as error:
                refused += 1
                assert_hides(str(error), key)
    assert refused > 30


@pytest.mark.parametrize("key", [KEYS[0], KEYS[2], KEYS[3]])
def test_what_looks_like_a_key_is_not_quoted_either(nowhere: Path, key: str) -> None:
    """It may be one that nobody has set yet, in the place of another setting."""
    for name in ("SOURCE", "SEED", "SPEED", "FROM", "CONFIG", "EODHD_URL"):
        with pytest.raises(SettingsError) as caught:
            load({f"MARKET_PULSE_{name}": key})
        assert_hides(str(caught.value), key)


def test_an_address_may_not_hold_the_key(nowhere: Path) -> None:
    """It would be shown with the other settings, and the key is added to it anyway."""
    assert "is not a WebSocket address" in complaint(
        nowhere, MARKET_PULSE_EODHD_URL=f"wss://host/{KEY}"
    )


def test_other_secrets_are_none_of_an_errors_words(nowhere: Path) -> None:
    """Those of other programs in the environment, and all that the secrets hold."""
    secrets(settings.USUAL.secrets[0], '[mail]\npasswords = ["correct-horse"]')
    for secret in ("correct-horse", "battery staple"):
        with pytest.raises(SettingsError) as caught:
            load({"SMTP_PASSWORD": "battery staple", "MARKET_PULSE_SOURCE": secret})
        assert_hides(str(caught.value), secret)


@given(st.text(min_size=1, max_size=3000), st.sampled_from(sorted(LINES)))
@hypothesis.settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)
def test_whatever_is_written_is_told_in_one_short_sentence(
    nowhere: Path, text: str, line: str
) -> None:
    """Of printable characters alone; any other is shown as its code."""
    with pytest.raises(SettingsError) as caught:
        load_with(nowhere, f"{LINES[line].format(json.dumps(text))}\nseed = -1")
    assert str(caught.value).isprintable()
    assert len(str(caught.value).replace(str(nowhere), "")) < 700


def test_file_that_is_not_text_is_one_sentence(nowhere: Path) -> None:
    """Saved in another encoding."""
    path = nowhere / "given.toml"
    path.write_bytes("# Währung".encode("latin-1"))
    with pytest.raises(SettingsError, match="is not text, expected TOML in UTF-8: save it as such"):
        load({"MARKET_PULSE_CONFIG": str(path)})


def test_vendor_without_a_key_says_what_to_do() -> None:
    """Both ways out."""
    with pytest.raises(SettingsError) as caught:
        load({"MARKET_PULSE_SOURCE": "eodhd"})
    assert str(caught.value) == (
        "MARKET_PULSE_SOURCE is eodhd but EODHD_API_KEY is not set:"
        " set it (the public key is demo), or choose live, which needs none"
    )


def test_variable_of_the_tests_is_ignored() -> None:
    """It names a tape to test with."""
    assert load({"MARKET_PULSE_TAPE": "x"}).source.name == "simulated"


def test_settings_are_frozen() -> None:
    """Checked once, and the same ever after."""
    found: Any = load({})
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.source.seed = 1


# Groups.


def test_groups_are_named_lists_of_symbols(tmp_path: Path) -> None:
    """In the order of the file, in capitals and each symbol once."""
    found = load_with(
        tmp_path, '[groups]\nbig = ["aapl", "AAPL", "MSFT"]\n"my coins" = ["BTC-USD"]'
    )
    assert list(found.groups.items()) == [("big", ("AAPL", "MSFT")), ("my coins", ("BTC-USD",))]
    assert load_with(tmp_path).groups == {}


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ("groups = 1", "[groups] in given.toml is 1, expected a table"),
        (
            "[groups]\nbig = []",
            "big of [groups] in given.toml is an empty list, expected at least one symbol",
        ),
        ("[groups]\nbig = 7", 'expected a list such as ["AAPL", "MSFT"]'),
        ('[groups]\nbig = ["$$$"]', "big of [groups]"),
        ('[groups]\n"<b>" = ["AAPL"]', "expected a name of up to 32 letters and digits"),
        (
            "[groups]\n" + "\n".join(f'g{n} = ["AAPL"]' for n in range(65)),
            "[groups] in given.toml has 65 groups, expected 64 at most",
        ),
    ],
)
def test_a_malformed_group_says_what_was_expected(toml: str, words: str, tmp_path: Path) -> None:
    """In one sentence."""
    assert words in complaint(tmp_path, toml)
