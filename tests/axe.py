"""axe-core, the accessibility checker, for pages that Playwright drives."""

from __future__ import annotations

import functools
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from playwright.sync_api import Page

from tests.conftest import missing

_CI: Final = Path(__file__).parent.parent / ".ci"
"""Its lock file says which version, and the digest of it."""
_SCRIPT: Final = _CI / "node_modules" / "axe-core" / "axe.min.js"

_RUN: Final = """
async (impacts) => {
  const { violations } = await axe.run(document, { resultTypes: ["violations"] });
  const lines = [];
  for (const { id, help, impact, nodes } of violations) {
    if (!impacts.includes(impact)) continue;
    for (const { target, failureSummary } of nodes) {
      // Its first line is "Fix any of the following:".
      const reason = (failureSummary ?? "").split("\\n")[1]?.trim() || help;
      lines.push(`${id}: ${target.flat().join(" >> ")} (${reason})`);
    }
  }
  return lines;
}
"""


def violations(page: Page, impacts: Sequence[str] = ("serious", "critical")) -> list[str]:
    """What axe finds on the page and in its open shadow roots, one line per element."""
    page.evaluate(_source())
    lines: list[str] = page.evaluate(_RUN, list(impacts))
    return lines


@functools.cache
def _source() -> str:
    """The script, installed if it is not there yet."""
    if not _SCRIPT.exists():
        _install()
    return _SCRIPT.read_text("utf-8")


def _install() -> None:
    npm = shutil.which("npm")
    if npm is None:
        missing("npm, which installs axe-core")
        return
    installed = subprocess.run(
        [npm, "ci", "--prefix", str(_CI), "--silent", "--no-audit", "--no-fund"],
        check=False,
        stdout=subprocess.DEVNULL,
        timeout=120,
    )
    if installed.returncode:
        missing(f"axe-core (npm ended with {installed.returncode})")
