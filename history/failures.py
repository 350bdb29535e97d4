"""Failures: what an export is refused for and what it left out, in words."""

from __future__ import annotations

import difflib
import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from history.forms import What
from history.losses import LeftOut
from ticks import MarketPulseError, legible
from wording import time_text

__all__ = ["ExportError", "check_symbols", "export_errors", "left_out_text", "missing_text"]

_LISTED: Final = 8
"""The most symbols that an error names."""


class ExportError(MarketPulseError):
    """What was asked for cannot be exported: what was found, what was expected, what to do."""


def check_symbols(symbols: Sequence[str], known: Sequence[str]) -> None:
    """Check that symbols are known.

    Raises:
        ExportError: for the first that is not.
    """
    for symbol in symbols:
        if symbol not in known:
            close = difflib.get_close_matches(symbol.upper(), known, n=1)
            raise ExportError(
                f"the archive has no {symbol!r}: did you mean {legible(close[0])}?"
                if close
                else f"the archive has no {symbol!r}, expected one of {_listed(known)}"
            )


def missing_text(
    what: What,
    begin: float,
    end: float,
    symbols: Sequence[str] | None,
    kept: tuple[float, float] | None,
    left_out: LeftOut,
) -> str:
    """Why there is nothing from ``begin`` to ``end``, of an archive that has what is ``kept``."""
    of = f" of {_listed(symbols)}" if symbols else ""
    there = "is empty" if kept is None else f"has {' to '.join(map(time_text, kept))}"
    text = f"there are no {what}{of} from {time_text(begin)} to {time_text(end)}"
    found = left_out_text(what, left_out)
    return f"{text}: the archive {there}{'; ' if found else ''}{found}"


def left_out_text(what: What, left_out: LeftOut) -> str:
    """What is damaged and was left out of an export; empty if nothing was."""
    if what == "events":
        number = left_out.events
        text = f"{number:,} state{'s' if number != 1 else ''} of events" if number else ""
    elif left_out.first is None or left_out.last is None:
        text = ""
    elif left_out.first == left_out.last:
        text = f"the second {time_text(left_out.first)}"
    else:
        first, last = time_text(left_out.first), time_text(left_out.last)
        text = f"up to {left_out.seconds:,} seconds from {first} to {last}"
    return f"damaged in the archive, and left out: {text}" if text else ""


@contextmanager
def export_errors(path: Path) -> Iterator[None]:
    """Raise what the system raises as an ``ExportError``, except for a pipe that nobody reads."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        advice = {
            errno.ENOENT: "make its folder first, or choose another",
            errno.ENOTDIR: "its folder is a file: choose another",
            errno.ENOSPC: "free some space, or choose another disk",
            errno.EDQUOT: "free some space, or choose another disk",
        }.get(error.errno or 0, "choose another place")
        raise ExportError(
            f"{path} cannot be written ({error.strerror or error}): {advice}"
        ) from error


def _listed(symbols: Sequence[str]) -> str:
    more = ", …" if len(symbols) > _LISTED else ""
    return f"{', '.join(map(legible, symbols[:_LISTED]))}{more}"
