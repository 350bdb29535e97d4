"""docs/api.md and what the README says of programs: the lines run, and no endpoint is left out."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

import settings
from api.hub import Hub
from api.openapi import description
from api.protocol import Channel, Close, Said, Subscribe
from api.routes import routes
from bars import CELL, Bars
from history.writer import connect, write_bars
from settings import ApiSettings, HistorySettings, Settings, SourceSettings, load
from tests.api_server import ApiServer
from tests.fake_facts import NOW, Behind
from tests.waiting import HANG_SEC
from ticks import Tick

TOKEN = "x4LJ_a-token-of-its-own-9c2b"  # noqa: S105 - of nothing
ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docs" / "api.md").read_text("utf-8")
IN_README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = [
    block
    for text in (TEXT, IN_README)
    for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    if text is TEXT or "$PULSE" in block
]
SYMBOLS, SINCE = ("BTC-USD", "ETH-USD"), int(NOW) - 3600


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """An API with an hour of two coins, in memory and in the archive."""
    folder = tmp_path_factory.mktemp("data")
    cells = np.empty(2 * 3600, CELL)
    cells["second"], cells["row"] = np.repeat(SINCE + np.arange(3600), 2), np.tile([0, 1], 3600)
    cells["ms"], cells["n"], cells["price"], cells["sum"] = 500, 1, 100.0, 100.0
    with connect(folder / "simulated-1.sqlite") as connection:
        write_bars(connection, Bars(SYMBOLS, ("crypto", "crypto"), cells))
    connection.close()
    known = {"desk": hashlib.sha256(TOKEN.encode()).hexdigest()}
    source = SourceSettings("simulated", seed=1)
    behind = Behind(
        Settings(source, history=HistorySettings(folder=folder)), ApiSettings(tokens=known)
    )
    store = behind.engine.worker.store
    store.update_many(
        Tick(symbol, "crypto", float(second), 100.0)
        for second in range(SINCE, int(NOW) + 1)
        for symbol in SYMBOLS
    )
    behind.engine.show(NOW)
    with ApiServer(routes(behind.facts, Hub())) as served:
        yield served


@pytest.mark.usefixtures("curl")
@pytest.mark.parametrize("block", BLOCKS)
def test_its_lines_run_as_they_stand(server: ApiServer, tmp_path: Path, block: str) -> None:
    """Each answer says something, and none is a problem."""
    found = subprocess.run(
        ["/bin/sh", "-ec", block],
        cwd=tmp_path,
        env={**os.environ, "PULSE": f"http://127.0.0.1:{server.port}", "TOKEN": TOKEN},
        capture_output=True,
        text=True,
        timeout=HANG_SEC,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    assert found.stderr == ""
    files = [path.read_text("utf-8", "replace") for path in tmp_path.iterdir()]
    said = [found.stdout, *files]
    assert any(text.strip() for text in said)
    assert not [text for text in said if '"detail":"' in text and '"title":' in text]
    if "If-None-Match" in block:
        assert found.stdout == "304\n"
    if "cursor=" in block:
        seconds = [
            second for line in found.stdout.splitlines() for second in json.loads(line)["begin"]
        ]
        assert seconds == list(range(SINCE + 1, int(NOW) + 1))
    if "-C -" in block:
        lines = (tmp_path / "bars.csv").read_text("utf-8").splitlines()
        assert len(lines) == 1 + 2 * 1800


def test_its_settings_are_read_as_they_stand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every one of them."""
    (block,) = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)
    path = tmp_path / "market_pulse.toml"
    path.write_text(block, encoding="utf-8")
    monkeypatch.setattr(settings, "USUAL", settings.Places(path, tmp_path, ()))
    found = load({})
    assert found.api.origins == ("https://desk.example.com",)
    assert found.api.is_metrics_open
    assert found.alerts.public_url == "https://pulse.example.com"
    assert set(re.findall(r"^(\w+) =", block, re.MULTILINE)) == set(settings.API_KEYS)


def test_it_names_every_endpoint_with_its_parameters() -> None:
    """And no other."""
    rows = {
        re.findall(r"`(/[^`]*)`", row)[0]: row.rpartition(" | ")[2]
        for row in re.findall(r"^\| `/.*$", TEXT, re.MULTILINE)
    }
    paths = description()["paths"]
    assert set(rows) == {path for path in paths if "/export/" not in path} | {
        "/api/v1/export/bars.parquet"
    }
    for path, parameters in rows.items():
        known = [each["name"] for each in paths[path]["get"]["parameters"]]
        assert re.findall(r"`(\w+)`", parameters) == known


def test_it_names_every_error() -> None:
    """That any endpoint may answer with, but our own."""
    rows = set(re.findall(r"^\| (\d{3}) \|", TEXT, re.MULTILINE))
    statuses = {
        status
        for operations in description()["paths"].values()
        for status in operations["get"]["responses"]
    }
    assert rows == {status for status in statuses if status >= "400"} - {"500"}


def test_it_names_all_that_the_stream_says_and_hears() -> None:
    """Every type of message of a client, every channel with its options, and every close."""
    said = set(re.findall(r'"type": "(\w+)"', TEXT))
    assert said == {str(each.__struct_config__.tag) for each in get_args(Said)}
    assert set(re.findall(r'"channel": "(\w+)"', TEXT)) == set(get_args(Channel))
    closes = re.findall(r"^\| ([\d, ]+) \| .* \| .* \|$", TEXT, re.MULTILINE)
    assert {int(code) for row in closes for code in row.split(", ") if len(code) == 4} == set(Close)
    options = [name for name in Subscribe.__struct_fields__ if name != "channel"]
    assert not [name for name in options if f"`{name}`" not in TEXT]
