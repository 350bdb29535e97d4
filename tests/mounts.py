"""Small file systems of their own, for what a full or read-only disk does."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import missing


@contextmanager
def mounted(folder: Path, size: str) -> Iterator[Path]:
    """A file system of ``size`` at ``folder``, in memory."""
    folder.mkdir()
    _run("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder))
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def resized(folder: Path, options: str) -> None:
    """Mount the file system at ``folder`` anew with other options."""
    _run("mount", "-o", f"remount,{options}", str(folder))


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        missing(f"the right to mount a file system ({done.stderr.strip()})")
