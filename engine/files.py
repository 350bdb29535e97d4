"""Files: how many this process may have open, and whether those of another tab fit in.

A tab's session holds four: its socket, and three of the event loop that Streamlit makes for it.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import Final

if sys.platform != "win32":
    import resource

__all__ = ["FREE_FILES", "has_room", "is_within", "raise_limit"]

FREE_FILES: Final = 64
"""The least files that are kept free for the feeds, the archive and the requests of a browser that
opens the page; of many an eighth."""

_STEPS: Final = (1_048_576, 262_144, 65_536, 10_240, 4096)
"""What is tried if the system refuses its own hard limit, as macOS does with an endless one."""


def raise_limit() -> None:
    """Let this process have as many files open as the system allows it: its hard limit."""
    if sys.platform == "win32":
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    endless = resource.RLIM_INFINITY
    for most in (hard, *_STEPS):
        is_more = soft != endless and (most == endless or most > soft)
        if is_more and (hard == endless or most <= hard):
            with contextlib.suppress(ValueError, OSError):
                resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
                return


def has_room() -> bool:
    """Whether there are files for one tab more than have begun."""
    if sys.platform == "win32":
        return True  # whose sockets are no files
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    folder = "/proc/self/fd" if sys.platform == "linux" else "/dev/fd"
    try:
        count = len(os.listdir(folder))  # noqa: PTH208 - names, for their number
    except OSError:
        return False  # the list itself is a file
    return limit == resource.RLIM_INFINITY or is_within(count, limit)


def is_within(count: int, limit: int) -> bool:
    """Whether ``count`` open files leave enough of the ``limit`` free."""
    return count <= limit - max(FREE_FILES, limit // 8)
