"""The tests' own rule: they use only what is public."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parent.parent
FILES: Final = sorted(
    path for folder in ("tests", "benchmarks", "docs") for path in (ROOT / folder).glob("*.py")
)

NAMEDTUPLE: Final = {"_asdict", "_field_defaults", "_fields", "_make", "_replace"}
"""Public although they begin with an underscore."""


def is_private(name: str) -> bool:
    """Whether a name is not for others; those of Python itself are."""
    return name.startswith("_") and not name.endswith("__") and name not in NAMEDTUPLE


def private_uses(tree: ast.AST) -> Iterator[str]:
    """What a file takes from others that is not meant for it."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id="self" | "cls")):
                pass
            case ast.Attribute(attr=name) if is_private(name):
                yield f"line {node.lineno}: {ast.unparse(node)}"
            case ast.ImportFrom(names=names):
                yield from (
                    f"line {node.lineno}: import {alias.name}"
                    for alias in names
                    if is_private(alias.name)
                )
            # setattr(module, "_name", …), of monkeypatch too, and "module._name" in one string.
            case ast.Call(func=ast.Name() | ast.Attribute() as called, args=arguments) if (
                ast.unparse(called).endswith(("setattr", "getattr", "delattr"))
            ):
                yield from (
                    f"line {node.lineno}: {ast.unparse(node)}"
                    for argument in arguments[:2]
                    if isinstance(argument, ast.Constant)
                    and is_private(str(argument.value).rpartition(".")[2])
                )


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_nothing_private_is_used(path: Path) -> None:
    """Tests and benchmarks reach what they use by arguments and public names."""
    assert [*private_uses(ast.parse(path.read_text("utf-8")))] == []


@pytest.mark.parametrize(
    "source",
    [
        "store._rings",
        "worker.store._rings.head",
        "from feeds import _Connect",
        "monkeypatch.setattr(feeds, '_Connect', connect)",
        "monkeypatch.setattr('feeds._Connect', connect)",
        "getattr(feeds, '_Connect')",
    ],
)
def test_what_is_private_is_found(source: str) -> None:
    """However it is reached."""
    assert [*private_uses(ast.parse(source))] != []


@pytest.mark.parametrize(
    "source", ["self._page", "row._replace(n=1)", "feeds.__name__", "from a import b as _b"]
)
def test_what_is_public_is_left_alone(source: str) -> None:
    """Even if it begins with an underscore."""
    assert [*private_uses(ast.parse(source))] == []
