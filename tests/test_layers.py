"""Imports point down only: the table of who may import whom."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# Module: the project's own modules and the third-party packages it may import. Everybody may import
# the standard library.
ALLOWED: dict[str, set[str]] = {
    "ticks": set(),
    "vendors": set(),
    "vendors.eodhd": {"msgspec", "ticks", "vendors"},
    "gate": {"sessions", "ticks", "vendors"},
    "metrics": {"numpy", "ticks"},
    "bars": {"numpy"},
    "pulse_store": {"numpy", "pandas", "bars", "metrics", "ticks"},
    "events": {"ticks"},
    "archive": {"msgspec", "numpy", "bars", "events", "ticks"},
    "recorder": {"filelock", "numpy", "archive", "bars", "events", "ticks"},
    "past": {"numpy", "archive", "bars", "events", "pulse_store", "ticks"},
    "correlation": {"numpy", "pandas", "metrics", "ticks"},
    "ranking": {"numpy", "ticks"},
    "pace": set(),
    "clocks": set(),
    "sessions": {"exchange_calendars", "ticks"},
    "settings": {"ticks"},
    "market": {"numpy", "ticks"},
    "tape": {"numpy", "pandas", "archive", "bars", "market", "ticks"},
    "simulator": {"websockets", "market", "tape", "ticks", "vendors"},
    "feeds": {"websockets", "gate", "sessions", "ticks", "vendors"},
    "glance": {
        "numpy",
        "pandas",
        "correlation",
        "events",
        "metrics",
        "past",
        "pulse_store",
        "ranking",
        "ticks",
    },
    "worker": {
        "archive",
        "bars",
        "clocks",
        "events",
        "feeds",
        "glance",
        "market",
        "metrics",
        "pace",
        "past",
        "pulse_store",
        "recorder",
        "sessions",
        "settings",
        "simulator",
        "tape",
        "ticks",
        "vendors",
    },
    "view": {"correlation", "ranking", "ticks"},
    "board": {"msgspec", "numpy", "pandas", "metrics", "ticks", "view", "worker"},
    "page": {"streamlit"},
    "export": {"msgspec", "numpy", "pyarrow", "archive", "settings", "ticks"},
    "app": {
        "streamlit",
        "archive",
        "board",
        "export",
        "page",
        "ranking",
        "settings",
        "ticks",
        "view",
        "worker",
    },
}

# These know no clock, no socket and no configuration: time is an argument.
PURE = (
    "ticks",
    "vendors.eodhd",
    "gate",
    "sessions",
    "metrics",
    "bars",
    "pulse_store",
    "events",
    "correlation",
    "market",
    "ranking",
    "pace",
    "view",
)
IMPURE_MODULES = {"time", "socket", "asyncio", "os", "logging"}


def modules() -> dict[str, Path]:
    """Every module of the project by its name."""
    paths = [*ROOT.glob("*.py"), *ROOT.glob("vendors/*.py"), *ROOT.glob("page/*.py")]
    names = {path: ".".join(path.relative_to(ROOT).with_suffix("").parts) for path in paths}
    return {name.removesuffix(".__init__"): path for path, name in names.items()}


def imports(path: Path) -> set[str]:
    """Top-level names that a module imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found - {"__future__"}


def test_the_table_names_every_module() -> None:
    """A module that arrives is entered, one that goes is struck out."""
    assert set(modules()) == set(ALLOWED)


@pytest.mark.parametrize("name", sorted(ALLOWED))
def test_imports_only_what_the_table_allows(name: str) -> None:
    """No import points up, and no package is used outside the module it is meant for."""
    foreign = imports(modules()[name]) - set(sys.stdlib_module_names)
    assert foreign <= ALLOWED[name]


def test_the_table_has_no_cycle() -> None:
    """Below means below: following the table always ends."""
    below = {
        name: {n for n in allowed if n in ALLOWED and n != name}
        for name, allowed in ALLOWED.items()
    }
    while below:
        lowest = {name for name, needs in below.items() if not needs & set(below)}
        assert lowest, f"a cycle among {sorted(below)}"
        for name in lowest:
            del below[name]


@pytest.mark.parametrize("name", PURE)
def test_pure_modules_know_no_clock_and_no_socket(name: str) -> None:
    """What computes is given its time, so that a replay computes the same."""
    assert not imports(modules()[name]) & IMPURE_MODULES


@pytest.mark.parametrize(
    "path", [ROOT / "app.py", *(ROOT / "page").iterdir()], ids=lambda p: p.name
)
def test_no_markup_is_ever_trusted(path: Path) -> None:
    """Nothing on the page makes elements out of text."""
    text = path.read_text("utf-8") if path.is_file() else ""
    for word in ("unsafe_allow", "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write"):
        assert word not in text
