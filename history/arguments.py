"""Arguments: what the command that exports takes on its command line.

Pure functions of texts.
"""

from __future__ import annotations

import argparse
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from history.forms import FORMS, WHATS

__all__ = ["parser_of", "zone_named"]

_LAST_SEC: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def zone_named(name: str) -> ZoneInfo:
    """The time zone of that name.

    Raises:
        ValueError: if there is none.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r} is not a time zone, expected one like Europe/Berlin") from None


def parser_of() -> argparse.ArgumentParser:
    """The parser of the command line; what it refuses it says in one sentence."""
    parser = argparse.ArgumentParser(
        prog="python -m history.export",
        description="Write the bars or events of an archive as CSV, JSON, Parquet, or as a workbook"
        " for spreadsheets (.xlsx).",
        epilog="Times are ISO 8601, in UTC if they name no zone: 2026-01-31T14:32:05Z."
        " Notes from before December 2026 may call this command python -m export.",
    )
    parser.add_argument("what", choices=WHATS)
    parser.add_argument("--from", dest="begin", type=_instant, metavar="TIME", help="from then on")
    parser.add_argument("--to", dest="end", type=_instant, metavar="TIME", help="before then")
    parser.add_argument(
        "--last",
        type=_length,
        metavar="LENGTH",
        help="instead of --from: this long before --to or the archive's end, like 15m, 24h, 7d",
    )
    parser.add_argument("--symbols", type=_symbols, metavar="A,B", help="these only")
    parser.add_argument(
        "--format", choices=FORMS, help="if the name of FILE does not end in it; else csv"
    )
    parser.add_argument(
        "--out", default="-", metavar="FILE", help="a new file; standard output if left out"
    )
    parser.add_argument(
        "--zone", type=_zone, metavar="ZONE", help="of the times in .xlsx, like Europe/Berlin"
    )
    parser.add_argument(
        "--archive", type=Path, metavar="FILE", help="the dashboard's own if left out"
    )
    return parser


def _instant(text: str) -> float:
    try:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a time, expected one like 2026-01-31T14:32:05Z"
        ) from None


def _length(text: str) -> float:
    found = re.fullmatch(r"([0-9]{1,9})([smhdw])", text)
    if not found or not int(found[1]):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a length, expected one like 90s, 15m, 24h, 7d or 2w"
        )
    return float(int(found[1]) * _LAST_SEC[found[2]])


def _symbols(text: str) -> list[str]:
    # Neither a watchlist nor a tape has a symbol with a comma or outer blanks.
    symbols = [symbol for symbol in map(str.strip, text.split(",")) if symbol]
    if not symbols:
        raise argparse.ArgumentTypeError("no symbol is named, expected some like AAPL,BTC-USD")
    return symbols


def _zone(text: str) -> ZoneInfo:
    try:
        return zone_named(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
