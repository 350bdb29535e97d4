"""What README, docs, and files to deploy say of starting, of settings and of vendors is true."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Final

import pytest
from streamlit.config import get_config_options

from settings import CHAINS, KEY_VARIABLES, VARIABLES
from settings.api import API_SECRETS
from ticks import ASSETS, VENDORS
from vendors import make_vendor

ROOT: Final = Path(__file__).parent.parent
README: Final = (ROOT / "README.md").read_text("utf-8")
FIRST_COMMAND: Final = README.split("```sh\n")[1].split("```")[0].strip()


def program(path: Path, does: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{does}\n")
    path.chmod(0o755)


def test_a_variable_in_front_of_the_first_command_reaches_the_page(tmp_path: Path) -> None:
    """Whatever runs before the page is: here nothing is installed, and the page is a stand-in."""
    program(tmp_path / "bin" / "python3", "true")
    program(tmp_path / ".venv" / "bin" / "pip", "true")
    program(tmp_path / ".venv" / "bin" / "python", 'echo "$*: $MARKET_PULSE_SOURCE"')
    said = subprocess.run(
        ["/bin/sh", "-c", f"MARKET_PULSE_SOURCE=live {FIRST_COMMAND}"],
        check=True,
        cwd=tmp_path,
        env={"PATH": f"{tmp_path}/bin:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
    ).stdout
    assert said == "server.py: live\n"


def test_every_setting_is_in_the_table() -> None:
    """By its variable, and of the vendors' addresses those of one for all."""
    keys = [name for names in KEY_VARIABLES.values() for name in names]
    others = [name for name in VARIABLES if not re.search("_URL$", name)]
    addresses = ["MARKET_PULSE_KRAKEN_URL", "MARKET_PULSE_KRAKEN_REST_URL"]
    assert set(addresses) <= set(VARIABLES)
    assert not [name for name in (*keys, *others, *addresses) if f"`{name}`" not in README]


@pytest.mark.parametrize(
    "name",
    [
        *("README.md", "docs/proxies.md", "docs/many.md", "Dockerfile", "compose.yaml"),
        *("deploy/Caddyfile", "deploy/env.example", "deploy/redis.sh"),
    ],
)
def test_every_variable_that_is_named_is_a_setting(name: str) -> None:
    """Ours, and Streamlit's, which the server takes too."""
    text = (ROOT / name).read_text("utf-8")
    ours = {*VARIABLES, *API_SECRETS, "MARKET_PULSE_TAPE"}
    # A secret of a destination is named there.
    ours |= set(re.findall(r'^secret = "([A-Z_]+)"', text, re.MULTILINE))
    assert set(re.findall(r"\bMARKET_PULSE_[A-Z_]+[A-Z]\b", text)) <= ours
    streamlits = {option.env_var for option in get_config_options().values()}
    assert set(re.findall(r"\bSTREAMLIT_[A-Z_]+\b", text)) <= streamlits


def test_every_page_of_docs_that_is_linked_is_there() -> None:
    """In the README."""
    linked = re.findall(r"\]\((docs/[^)#]+)", README)
    assert linked
    assert not [name for name in linked if not (ROOT / name).is_file()]


def test_the_vendors_are_in_the_order_in_which_they_are_asked() -> None:
    """Class by class."""
    for asset in ASSETS:
        names = ", ".join(make_vendor(name).name for name in CHAINS[asset])
        assert re.search(rf"^\| {asset} \| {names}\b", README, re.MULTILINE)


def test_every_vendor_has_a_row_with_its_limit() -> None:
    """Of what it gives, costs, limits and demands."""
    for name in VENDORS:
        vendor = make_vendor(name)
        (row,) = re.findall(rf"^\| {vendor.name} \|.*\|$", README, re.MULTILINE)
        assert row.count(" | ") == 4
        if vendor.symbol_limit is not None:
            assert f"{vendor.symbol_limit:,} s" in row
        if vendor.connections is not None:
            assert "one connection" in row
