"""The pure parts of the page's JavaScript: their own tests, run by node."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import missing

FILES = sorted((Path(__file__).parent / "js").glob("*.test.mjs"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_javascript(path: Path) -> None:
    """Every test of the file passes."""
    node = shutil.which("node")
    if node is None:
        missing("node, which runs the tests of the page's JavaScript")
        return
    done = subprocess.run([node, "--test", str(path)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
