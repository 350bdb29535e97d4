"""``[[rule]]`` as the settings read it: what a rule may be, and what could never fire."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import settings
from rules import Rule, When
from settings import (
    DEFAULT_WATCHLIST,
    Settings,
    SettingsError,
    SourceSettings,
    StressSettings,
    load,
    reject_idle,
)
from ticks import Asset
from worker import Worker

FLASH = """
[[rule]]
name = "flash"
when = "move"
by = 0.02
within = "10s"
"""


@pytest.fixture(autouse=True)
def _no_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No file of this computer is read."""
    places = settings.Places(tmp_path / "none.toml", tmp_path / "data", ())
    monkeypatch.setattr(settings, "USUAL", places)


def rules_of(tmp_path: Path, text: str) -> tuple[Rule, ...]:
    """The rules that a settings file holds."""
    file = tmp_path / "settings.toml"
    file.write_text(text, "utf-8")
    return load({"MARKET_PULSE_CONFIG": str(file)}).stress.rules


def test_rules_are_read_in_their_order(tmp_path: Path) -> None:
    """Each with the limits of its ``when``, and the usual ones for the rest."""
    found = rules_of(
        tmp_path,
        FLASH
        + """
symbols = ["btc-usd", "ETH-USD"]
severity = "extreme"
cooldown = 60
until = 2026-12-31

[[rule]]
name = "pair"
when = "correlation"
symbols = ["AAPL", "MSFT"]
low = 0.3
within = "15m"

[[rule]]
name = "own"
when = "vol_spike"
assets = ["crypto", "stocks"]
by = 0.01
until = "2027-01-01T12:00:00+01:00"

[[rule]]
name = "quiet"
when = "silent"
within = 45
""",
    )
    assert found == (
        Rule(
            name="flash",
            when=When.MOVE,
            by=0.02,
            within_sec=10,
            symbols=("BTC-USD", "ETH-USD"),
            severity="extreme",
            cooldown_sec=60.0,
            until=1_798_675_200.0,
        ),
        Rule(
            name="pair",
            when=When.CORRELATION,
            symbols=("AAPL", "MSFT"),
            low=0.3,
            within_sec=900,
        ),
        Rule(
            name="own",
            when=When.VOL_SPIKE,
            assets=("stocks", "crypto"),
            by=0.01,
            until=1_798_801_200.0,
        ),
        Rule(name="quiet", when=When.SILENT, within_sec=45),
    )


@pytest.mark.parametrize("when", [*When])
def test_every_word_has_a_rule_that_can_be_written(tmp_path: Path, when: When) -> None:
    """With no more than it needs."""
    limits: Mapping[When, str] = {
        When.MOVE: 'by = 0.02\nwithin = "1h"',
        When.CORRELATION: 'symbols = ["AAPL", "MSFT"]\nhigh = 0.9',
        When.SILENT: 'within = "2 min"',
        When.UNHEARD: 'within = "10m"',
        **dict.fromkeys((When.ABOVE, When.BELOW, When.CROSSES), "price = 100000"),
    }
    text = f'[[rule]]\nname = "one"\nwhen = "{when.value}"\n{limits.get(when, "by = 0.5")}\n'
    (rule,) = rules_of(tmp_path, text)
    assert rule.when is when


def test_a_rule_looks_back_no_further_than_prices_are_held(tmp_path: Path) -> None:
    """Else a move of an hour would be one of twenty minutes."""
    move = '[[rule]]\nname = "slow"\nwhen = "move"\nby = 0.02\nwithin = "{}"\n'
    short = "window_sec = 1200\n"
    (rule,) = rules_of(tmp_path, short + move.format("20m"))
    assert rule.within_sec == 1200
    with pytest.raises(SettingsError, match="'1h', expected 20 min 00 s at most, as window_sec"):
        rules_of(tmp_path, short + move.format("1h"))


WRONG = [
    ('when = "moves"\nby = 0.02\nwithin = "10s"', "is 'moves', expected one of move, above"),
    ('by = 0.02\nwithin = "10s"', "has no when: add one of move, above"),
    ('when = "move"\nwithin = "10s"', "has no by, without which move could never fire"),
    ('when = "move"\nby = 0.02', "has no within, without which move could never fire"),
    ('when = "move"\nby = 0.02\nwithin = "9s"', "from 10 s to 1 h"),
    ('when = "move"\nby = 0.02\nwithin = "2h"', "from 10 s to 1 h"),
    ('when = "move"\nby = 0.02\nwithin = "soon"', "expected a time such as"),
    ('when = "move"\nby = 0\nwithin = "10s"', "a fraction above 0"),
    ('when = "move"\nby = true\nwithin = "10s"', "a fraction above 0"),
    ('when = "move"\nby = nan\nwithin = "10s"', "a fraction above 0"),
    ('when = "move"\nby = 0.02\nwithin = "10s"\nprice = 3', "has price, but move looks only at"),
    ('when = "above"\nby = 0.02', "has by, but above looks only at price"),
    ('when = "above"', "has no price"),
    ('when = "above"\nprice = -1', "a price above 0"),
    ('when = "correlation"\nlow = 0.3', "has no symbols"),
    ('when = "correlation"\nsymbols = ["A", "B"]', "has neither low nor high: add a bound that"),
    ('when = "correlation"\nsymbols = ["A", "B", "C"]\nlow = 0.1', "the two of a pair"),
    ('when = "correlation"\nsymbols = ["A", "A"]\nlow = 0.1', "the two of a pair"),
    ('when = "correlation"\nsymbols = ["A", "B"]\nlow = -1', "which it can leave"),
    (
        'when = "correlation"\nsymbols = ["A", "B"]\nlow = 0.5\nhigh = 0.5',
        "above low, which is 0.5",
    ),
    ('when = "silent"\nwithin = "1m"\nsymbols = ["A"]', "has symbols, but silent looks only at"),
    ('when = "move_1m"\nby = 0.01\nseverity = "alert"', "has severity, but move_1m looks only at"),
    ('when = "move_1m"\nby = 0.01\nwithin = "1m"', "has within, but move_1m looks only at"),
    ('when = "day"\nby = 0.05\nsymbols = []', "expected a list such as"),
    ('when = "day"\nby = 0.05\nsymbols = "AAPL"', "expected a list such as"),
    ('when = "day"\nby = 0.05\nassets = ["bonds"]', "has 'bonds', expected some of stocks"),
    ('when = "day"\nby = 0.05\nassets = ["crypto"]\nsymbols = ["A"]', "give one of the two"),
    ('when = "day"\nby = 0.05\nseverity = "high"', "expected one of watch, alert, extreme"),
    ('when = "day"\nby = 0.05\ncooldown = -1', "from 0 to 86400"),
    ('when = "day"\nby = 0.05\nuntil = "later"', "expected a time such as"),
    ('when = "day"\nby = 0.05\nevery = 3', "has 'every', expected only name, when"),
]


@pytest.mark.parametrize(("text", "says"), WRONG)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, says: str) -> None:
    """What was found, and what would do, of which rule of which file."""
    with pytest.raises(SettingsError) as caught:
        rules_of(tmp_path, f'[[rule]]\nname = "one"\n{text}\n')
    assert says in str(caught.value)
    assert "[rule 1] in settings.toml" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (FLASH + FLASH, "name of [rule 2] in settings.toml is 'flash', expected a name that no"),
        (FLASH.replace('"flash"', '""'), "a name of 1 to 40 characters"),
        (FLASH.replace('"flash"', '"a\\u202Eb"'), "characters that can be seen"),
        ("rule = 3", "expected tables, each headed [[rule]]"),
        ("[rule]\nname = 3", "expected tables, each headed [[rule]]"),
    ],
)
def test_names_and_tables(tmp_path: Path, text: str, says: str) -> None:
    """One name is one rule, and each has one."""
    with pytest.raises(SettingsError) as caught:
        rules_of(tmp_path, text)
    assert says in str(caught.value)


def test_no_error_quotes_a_key(tmp_path: Path) -> None:
    """Neither one that is known, nor what has the form of one."""
    key = "s3cr3tWh1sp3red0fThe4ccount"
    file = tmp_path / "settings.toml"
    for text in (
        FLASH.replace("flash", key),
        FLASH + f'symbols = ["{key}"]\n',
        FLASH + f'until = "{key}"\n',
        FLASH.replace("10s", key),
    ):
        file.write_text(text, "utf-8")
        with pytest.raises(SettingsError) as caught:
            load({"MARKET_PULSE_CONFIG": str(file), "EODHD_API_KEY": key})
        assert "s3cr3t" not in str(caught.value).casefold()
    long = FLASH.replace("flash", "btc-flash-crash-10s")
    assert rules_of(tmp_path, long)[0].name == "btc-flash-crash-10s"


def test_a_destination_may_name_only_rules_that_there_are(tmp_path: Path) -> None:
    """One of a built-in kind has no hits of its own to be told."""
    destination = """
[[destination]]
name = "desk"
type = "ntfy"
to = "pulse"
rules = ["{}"]
"""
    own = '[[rule]]\nname = "own"\nwhen = "move_1m"\nby = 0.01\n'
    rules_of(tmp_path, FLASH + own + destination.format("flash"))
    for name in ("other", "own"):
        with pytest.raises(SettingsError, match=f"has '{name}', expected names of"):
            rules_of(tmp_path, FLASH + own + destination.format(name))


WATCHED: Mapping[Asset, tuple[str, ...]] = {"stocks": ("AAPL", "MSFT"), "forex": (), "crypto": ()}


@pytest.mark.parametrize(
    ("known", "says"),
    [
        ({"symbols": ("AAPL", "MSFTT")}, "is of MSFTT, which is not watched, .* did you mean MSFT"),
        ({"assets": ("stocks", "crypto")}, "is of crypto, of which nothing is watched"),
        ({"until": 1000.0}, "ended at 1970-01-01T00:16:40Z, so that it could never fire"),
    ],
)
def test_what_can_never_fire_is_an_error(known: dict[str, Any], says: str) -> None:
    """With what is watched, and at what time it is."""
    rule = Rule(name="one", when=When.DAY, by=0.05)
    reject_idle([rule, Rule(name="two", when=When.DAY, by=0.05, until=1001.0)], WATCHED, 1000.0)
    with pytest.raises(SettingsError, match=f"the rule one {says}"):
        reject_idle([Rule(name="one", when=When.DAY, by=0.05, **known)], WATCHED, 1000.0)


def test_a_worker_does_not_start_with_one() -> None:
    """The error is raised at the start, where the page shows it."""
    rule = Rule(name="one", when=When.DAY, by=0.05, symbols=("NOSUCH",))
    worker = Worker(
        Settings(SourceSettings("simulated", seed=1), stress=StressSettings(rules=(rule,)))
    )
    with pytest.raises(SettingsError, match="NOSUCH, which is not watched"):
        worker.start()
    assert not worker.alive()


def test_the_readme_has_a_rule_that_stands_as_it_is(tmp_path: Path) -> None:
    """Its example is read with the usual watchlist, and every word is in its table."""
    readme = (Path(__file__).parent.parent / "README.md").read_text("utf-8")
    section = readme.partition("\n## Rules\n")[2].partition("\n## ")[0]
    (example,) = re.findall(r"```toml\n(.*?)```", section, re.DOTALL)
    (rule,) = rules_of(tmp_path, example)
    assert (rule.name, rule.when, rule.by, rule.within_sec) == ("flash", When.MOVE, 0.02, 10)
    reject_idle([rule], DEFAULT_WATCHLIST, 1_795_000_000.0)
    words = re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)))
    assert sorted(words[1:]) == sorted(When)
