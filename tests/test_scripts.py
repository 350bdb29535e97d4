"""The page's JavaScript modules, joined into one script."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import page
from page.scripts import ScriptError, joined
from tests.conftest import missing

BOARD = "export default function board() {}\n"


@pytest.fixture
def run(tmp_path: Path) -> Callable[[str, str], Any]:
    """What an expression is worth to somebody who imported a script as ``board``."""
    node = shutil.which("node")
    if node is None:
        missing("node")

    def run(script: str, expression: str) -> Any:
        (tmp_path / "script.mjs").write_text(script, "utf-8")
        (tmp_path / "main.mjs").write_text(
            'import board from "./script.mjs";\n'
            f"process.stdout.write(JSON.stringify({expression}));\n",
            "utf-8",
        )
        done = subprocess.run(
            [node or "", str(tmp_path / "main.mjs")], check=True, capture_output=True, timeout=20
        )
        return json.loads(done.stdout)

    return run


def test_each_module_keeps_its_scope(run: Callable[[str, str], Any]) -> None:
    """Two may name something alike; what is imported is the exporter's."""
    script = joined(
        {
            "one.js": (
                "const secret = 1;\n"
                "export const name = 'one';\n"
                "export function ask() { return secret; }\n"
                "export class Kept { get value() { return secret; } }\n"
                "export async function later() { return secret; }\n"
            ),
            "two.js": (
                'import { ask } from "./one.js";\n'
                "const secret = 2;\n"
                "export const sum = ask() + secret;\n"
            ),
            "three.js": (
                'import {\n  Kept,\n  later,\n} from "./one.js";\n'
                'import { sum } from "./two.js";\n'
                "export default function board() {\n"
                "  return [sum, new Kept().value, typeof later, typeof secret, typeof ask];\n"
                "}\n"
            ),
        }
    )
    assert run(script, "board()") == [3, 1, "function", "undefined", "undefined"]


@pytest.mark.parametrize(
    ("modules", "told"),
    [
        ({}, "found no modules"),
        ({"a.js": 'import { x } from "./b.js";\n' + BOARD}, "b.js, which does not come before"),
        ({"a.js": 'import { x } from "./a.js";\n' + BOARD}, "a.js, which does not come before"),
        ({"a.js": "const x = 1;\n", "b.js": 'import { x } from "./a.js";\n' + BOARD}, "not export"),
        (
            {"a.js": "export const x = 1;\n", "b.js": 'import { x as y } from "./a.js";\n' + BOARD},
            "expected a plain name",
        ),
        ({"a.js": 'import x from "./b.js";\n' + BOARD}, "cannot join"),
        ({"a.js": 'import * as x from "./b.js";\n' + BOARD}, "cannot join"),
        ({"a.js": 'import "./b.js";\n' + BOARD}, "cannot join"),
        ({"a.js": 'import { x } from "https://elsewhere/x.js";\n' + BOARD}, "cannot join"),
        ({"a.js": 'const x = await import("./b.js");\n' + BOARD}, "cannot join"),
        ({"a.js": "const url = import.meta.url;\n" + BOARD}, "cannot join"),
        ({"a.js": "await something();\n" + BOARD}, "cannot join"),
        ({"a.js": "export let x = 1;\n" + BOARD}, "cannot join"),
        ({"a.js": "const x = 1;\nexport { x };\n" + BOARD}, "cannot join"),
        ({"a.js": 'export * from "./b.js";\n' + BOARD}, "cannot join"),
        ({"a.js": "export default class {}\n"}, "cannot join"),
        ({"a.js": "const x = 1;\n"}, "expected one default export"),
        ({"a.js": BOARD, "b.js": BOARD}, "only the last module"),
    ],
)
def test_what_is_not_understood_is_refused(modules: dict[str, str], told: str) -> None:
    """When the page is imported, not in a viewer's browser."""
    with pytest.raises(ScriptError, match=told):
        joined(modules)


def test_no_file_of_the_page_is_left_out(run: Callable[[str, str], Any]) -> None:
    """Scripts are joined in an order in which each comes after what it imports."""
    files = {path.name for path in Path(page.__file__).parent.glob("*.*s")}
    parts = {*page.SCRIPTS, *page.STYLES, page.CONTROLS.name}
    assert files == {*parts, "away.js", "menu.js", "pipe.js"}
    script = f"globalThis.CSSStyleSheet = class {{ replaceSync() {{}} }};{page.SCRIPT}"
    assert run(script, "typeof board") == "function"
