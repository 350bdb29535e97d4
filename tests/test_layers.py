"""Imports point down only: the table of which room may import which, and of what is pure."""

from __future__ import annotations

import ast
import functools
import re
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# A room is a module of the top level or a package; a row may also name a single module, in whose
# place it then stands. What a room may import of ours, modules or whole packages, and of others.
# Everybody may import the standard library, and a package its own modules.
ROOMS: dict[str, tuple[set[str], set[str]]] = {
    "ticks": (set(), set()),
    "bars": (set(), {"numpy"}),
    "wording": ({"ticks"}, set()),
    "sessions": ({"ticks"}, {"exchange_calendars"}),
    "days": ({"sessions", "ticks"}, set()),
    "settings": ({"rules", "wording", "ticks"}, set()),
    # It reads the key of JSON web tokens as what verifies them does.
    "settings.api": ({"settings.forms", "settings.given", "settings.quoting"}, {"jwt"}),
    "pages": (set(), {"numpy"}),
    "volatility": ({"ticks"}, {"numpy"}),
    "moves": ({"volatility", "ticks"}, {"numpy"}),
    "formulas": ({"moves", "usual", "volatility", "ticks"}, {"numpy"}),
    "vendors": ({"ticks"}, {"msgspec"}),
    "rules": ({"ticks"}, set()),
    "bursts": ({"rules", "ticks"}, set()),
    "watches": ({"rules", "ticks"}, set()),
    "sentences": ({"rules", "wording"}, set()),
    "events": ({"bursts", "watches", "rules", "sentences", "ticks"}, set()),
    "robust": ({"formulas"}, {"bottleneck", "numpy"}),
    "correlation": ({"robust", "formulas", "ticks"}, {"numpy", "pandas"}),
    "trade_ids": (set(), set()),
    "gate": ({"trade_ids", "sessions", "vendors.wire", "ticks"}, set()),
    "usual": ({"bars", "pages", "ticks"}, {"numpy"}),
    "rings": ({"bars", "moves", "pages", "volatility", "ticks"}, {"numpy"}),
    "samples": ({"moves", "pages", "volatility"}, {"numpy"}),
    "store": ({"rings", "samples", "bars", "moves", "pages", "volatility", "ticks"}, {"numpy"}),
    "pulse_store": (
        {"store", "rings", "samples", "usual", "bars", "formulas", "moves", "volatility", "ticks"},
        {"numpy", "pandas"},
    ),
    "connections": ({"gate", "sessions", "vendors.wire", "ticks"}, {"websockets"}),
    "feeds": ({"connections", "gate", "sessions", "vendors.wire", "ticks"}, {"websockets"}),
    "history": (
        {"pulse_store", "events", "bars", "days", "wording", "ticks"},
        {"filelock", "msgspec", "numpy"},
    ),
    "history.sheet": ({"ticks"}, {"pyarrow", "xlsxwriter"}),
    "history.forms": ({"history", "bars", "events", "ticks"}, {"msgspec", "numpy", "pyarrow"}),
    "history.command": ({"history", "settings", "wording", "ticks"}, set()),
    "history.export": (
        {"history", "settings", "wording", "ticks"},
        set(),
    ),
    "sources": (
        {"feeds", "gate", "vendors", "sessions", "events", "bars", "pulse_store"}
        | {"history.archive", "history.losses", "history.changes", "history.deliveries"}
        | {"history.notes", "settings", "store.memory", "ticks"},
        {"msgspec", "numpy", "pyarrow", "websockets"},
    ),
    "sources.relay": (
        {"sources.relay_records", "sources.relay_scripts", "sources.relay_status", "settings"},
        {"redis"},
    ),
    "sources.fetching": ({"feeds", "vendors.rest"}, {"aiohttp"}),
    "engine": (
        {"sources.source", "pulse_store", "events", "correlation", "formulas", "sessions"}
        | {
            "alerts.status",
            "history.coarse",
            "history.deliveries",
            "history.hours",
            "history.losses",
            "history.notes",
            "sources.catalogue",
            "sources.relay_status",
            "sources.wishes",
            "feeds",
            "bars",
            "days",
            "rules",
            "vendors.rest",
            "vendors.wire",
            "watches",
            "ticks",
        },
        {"numpy", "pandas"},
    ),
    # It ties all of them to the other processes.
    "engine.among": (
        {"alerts", "engine", "history", "sources", "pulse_store", "events", "ticks"},
        set(),
    ),
    "worker": (
        {"alerts", "engine", "sources", "history", "pulse_store", "events", "settings"},
        set(),
    ),
    "alerts": (
        {"events", "wording", "settings", "history.deliveries", "ticks"},
        {"msgspec"},
    ),
    "alerts.outbox": ({"alerts", "events", "history", "settings"}, set()),
    "alerts.ledger": ({"alerts", "bars", "history"}, set()),
    "alerts.posting": ({"alerts"}, {"aiohttp"}),
    "api": (
        {"engine", "history", "pulse_store", "events", "correlation", "formulas", "bars"}
        | {"wording", "settings", "ticks"},
        {"msgspec", "numpy", "starlette", "prometheus_client", "jwt"},
    ),
    "page": (
        {"engine", "correlation", "formulas", "sessions", "events", "rules", "wording", "ticks"}
        | {"history.deliveries"},
        {"msgspec", "numpy", "pandas"},
    ),
    "page.__init__": ({"page.assets", "page.scripts"}, {"streamlit"}),
    "behind": ({"api", "worker", "engine.heartbeat", "settings", "ticks"}, {"starlette"}),
    # It serves, so it alone knows what serves.
    "server": (
        {"api", "page", "behind", "settings", "ticks"},
        {"click", "starlette", "streamlit", "uvicorn"},
    ),
    "app": ({"page", "worker", "history.export", "settings", "ticks", "wording"}, {"streamlit"}),
}

# What a room imports beyond the design's table, and why.
DEVIATIONS: dict[str, set[str]] = {
    # The status holds what is true of the archive, and the recorder says it: ArchiveStatus.
    "engine": {"history.recorder"},
}

# These know no clock, no socket and no settings: time is an argument. A package stands for all its
# modules but those that are named as exceptions.
PURE = (
    "ticks",
    "bars",
    "wording",
    "pages",
    "volatility",
    "moves",
    "formulas",
    "samples",
    "usual",
    "rings",
    "store",
    "pulse_store",
    "robust",
    "correlation",
    "rules",
    "bursts",
    "watches",
    "sentences",
    "events",
    "trade_ids",
    "gate",
    "sessions",
    "days",
    "vendors",
    "alerts",
    "page",
)
# The channels are chosen by the settings; the outbox, the courier and the desk have clocks.
NOT_PURE = {"page.__init__"} | {
    f"alerts.{name}" for name in ("apart", "courier", "desk", "mailing", "outbox", "posting")
}
IMPURE_MODULES = {"time", "socket", "asyncio", "os", "logging", "settings"}
RECORDS = {"settings.destinations"}
"""Of what is not pure, the modules that hold nothing but records."""


@functools.cache
def modules() -> dict[str, Path]:
    """Every module of the project by its name; a package's own is its ``__init__``."""
    found = {}
    for path in [*ROOT.glob("*.py"), *ROOT.glob("*/*.py")]:
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        if name.split(".")[0] not in ("", "tests", "benchmarks", "docs"):
            found[name] = path
    return found


def room_of(module: str) -> str:
    """The row that a module falls into: its own, or its package's."""
    return module if module in ROOMS else module.split(".")[0]


@functools.cache
def imports(path: Path) -> frozenset[str]:
    """What a module imports, as full names; of ours down to the module."""
    ours = set(modules()) | {name.split(".")[0] for name in modules()}
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} imports relatively"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            # Names of a module are that module's; names of a package may be modules of it.
            found |= {name if name in ours else str(node.module) for name in names}
    return frozenset(found - {"__future__"})


def test_every_module_is_in_a_row() -> None:
    """A module that arrives has a row, and no row is of something that went."""
    assert {room_of(name) for name in modules()} == set(ROOMS)


def test_every_deviation_is_needed() -> None:
    """One that is no longer used goes."""
    for room, extra in DEVIATIONS.items():
        used = {m for name in modules() if room_of(name) == room for m in imports(modules()[name])}
        assert extra <= used


@pytest.mark.parametrize("name", sorted(modules()))
def test_imports_only_what_the_table_allows(name: str) -> None:
    """No import points up, and no library is used outside the rooms it is meant for."""
    room = room_of(name)
    ours, others = ROOMS[room]
    ours = ours | DEVIATIONS.get(room, set())
    own = {name.split(".")[0]} if "." in name and room == name.split(".")[0] else set()
    known = {module.split(".")[0] for module in modules()}
    for module in imports(modules()[name]):
        top = module.split(".")[0]
        if top in known:
            assert {module, top} & (ours | own), f"{name} may not import {module}"
        elif top not in sys.stdlib_module_names:
            assert top in others, f"{name} may not import {top}"


def test_every_library_is_required() -> None:
    """By its own name, whatever else may bring it along."""
    named = re.findall(
        r"^[A-Za-z][\w-]*", (ROOT / "requirements.txt").read_text("utf-8"), re.MULTILINE
    )
    required = {name.lower().replace("-", "_") for name in named}
    used = {library for _, libraries in ROOMS.values() for library in libraries}
    brought = packages_distributions()
    for library in used:
        names = {name.lower().replace("-", "_") for name in brought[library]}
        assert names & required, f"{library} is not in requirements.txt"


def test_the_table_has_no_cycle() -> None:
    """Below means below: following the imports of modules always ends."""
    below = {
        name: {m for m in imports(path) if m in modules() and m != name}
        for name, path in modules().items()
    }
    while below:
        lowest = {name for name, needs in below.items() if not needs & set(below)}
        assert lowest, f"a cycle among {sorted(below)}"
        for name in lowest:
            del below[name]


@pytest.mark.parametrize(
    "name",
    sorted(m for m in modules() if {m, m.split(".")[0]} & set(PURE) and m not in NOT_PURE),
)
def test_pure_modules_know_no_clock_and_no_socket(name: str) -> None:
    """What computes is given its time, so that a replay computes the same."""
    used = imports(modules()[name]) - RECORDS
    assert not {module.split(".")[0] for module in used} & IMPURE_MODULES


@pytest.mark.parametrize(
    "path",
    [ROOT / "app.py", *(path for path in (ROOT / "page").iterdir() if path.is_file())],
    ids=lambda p: p.name,
)
def test_no_markup_is_ever_trusted(path: Path) -> None:
    """Nothing on the page makes elements out of text."""
    text = path.read_text("utf-8")
    for word in ("unsafe_allow", "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write"):
        assert word not in text
