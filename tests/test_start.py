"""What the terminal is told at the start, without anything secret."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import settings
from settings import Places, load
from settings.start import start_lines

KEY = "SECRETKEY0123456789"


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No file of this computer has a say."""
    monkeypatch.setattr(settings, "USUAL", Places(tmp_path / "no.toml", tmp_path / "data", ()))


@pytest.mark.parametrize(
    ("environ", "source"),
    [
        ({}, "simulated market"),
        ({"MARKET_PULSE_SEED": "7"}, "simulated market, seed 7"),
        (
            {"MARKET_PULSE_SOURCE": "live"},
            "real market: forex from Kraken, crypto from Coinbase; stocks would need a key",
        ),
        (
            {"ALPACA_API_KEY": KEY, "ALPACA_API_SECRET": KEY, "MARKET_PULSE_FOREX": "off"},
            "real market: stocks from Alpaca, crypto from Coinbase",
        ),
    ],
)
def test_it_says_source_archive_and_the_way_to_live(
    environ: dict[str, str], source: str, tmp_path: Path
) -> None:
    """In three lines at most."""
    lines = start_lines(load(environ))
    assert lines[0] == f"Source:   {source}"
    assert lines[1].startswith(f"Archive:  {tmp_path / 'data'}")
    is_simulated = source.startswith("simulated")
    assert [line for line in lines if "MARKET_PULSE_SOURCE=live" in line] == [
        *lines[2 : 2 + is_simulated]
    ]
    assert len(lines) == 2 + is_simulated
    assert KEY not in "".join(lines)


def test_a_replay_keeps_nothing_and_no_archive_is_said(tmp_path: Path) -> None:
    """What is off is off."""
    tape = tmp_path / "tape.csv"
    tape.write_text("", "utf-8")
    replay: dict[str, Any] = {"MARKET_PULSE_SOURCE": f"replay:{tape}"}
    assert start_lines(load(replay)) == (f"Source:   replay of {tape}",)
    assert start_lines(load({"MARKET_PULSE_DATA": "off"}))[1] == "Archive:  off, nothing is kept"
