"""axe-core, the accessibility checker, for pages that Playwright drives."""

from __future__ import annotations

import base64
import functools
import hashlib
import io
import shutil
import subprocess
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from playwright.sync_api import Page

from tests.conftest import missing

_VERSION: Final = "4.14.1"
# Subresource integrity, as the registry states it.
_SHA512: Final = (
    "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="
)
# With what pytest keeps between runs, which git ignores.
_FOLDER: Final = Path(__file__).parent.parent / ".pytest_cache" / "d"
_PACKAGE: Final = _FOLDER / f"axe-core-{_VERSION}.tgz"

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
    """The script, out of a package fetched once."""
    if not _PACKAGE.exists():
        _fetch()
    package = _PACKAGE.read_bytes()
    if base64.b64encode(hashlib.sha512(package).digest()).decode("ascii") != _SHA512:
        _PACKAGE.unlink()
        raise ValueError(f"{_PACKAGE.name} is not the package whose digest is known; try again")
    with tarfile.open(fileobj=io.BytesIO(package)) as archive:
        member = archive.extractfile("package/axe.min.js")
        if member is None:
            raise ValueError(f"{_PACKAGE.name} holds no axe.min.js")
        return member.read().decode("utf-8")


def _fetch() -> None:
    npm = shutil.which("npm")
    if npm is None:
        missing("npm, which fetches axe-core")
        return
    _FOLDER.mkdir(parents=True, exist_ok=True)
    fetched = subprocess.run(
        [npm, "pack", f"axe-core@{_VERSION}", "--pack-destination", str(_FOLDER), "--silent"],
        check=False,
        stdout=subprocess.DEVNULL,
        timeout=120,
    )
    if fetched.returncode:
        missing(f"axe-core {_VERSION} (npm ended with {fetched.returncode})")
