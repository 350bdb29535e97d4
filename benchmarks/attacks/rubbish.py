"""Values that no program should have sent: of any type, of any size, and out of any alphabet."""

from __future__ import annotations

import random
from typing import Any, Final

NUMBERS: Final = (
    *(0, -0.0, 1, -1, 0.1, 5e-324, 1e308, -1e308, 2**31, 2**53 + 1, -(2**63), 2**64),
    *(10**30, 1e18, 253402300800, -62135596801, float("nan"), float("inf"), float("-inf")),
)

TEXTS: Final = (
    *("", " ", "0", "-1", "1e999", "NaN", "Infinity", "true", "null", "None", "off", "OFF"),
    *("AAPL", "aapl", "AAPL.US", "=1+1", "../../etc/passwd", "C:\\CON", "%s%n", "{0}", "${HOME}"),
    *("<img src=x onerror=alert(1)>", "javascript:alert(1)", "'; DROP TABLE bar; --", "\x00"),
    *("\x1b[2J", "\r\nSet-Cookie: a=b", "\u202egnp.exe", "a\u200bb", "\ufeff", "\U0001f4c8"),
    *("\u0661\u0662", "e\u0301" * 20, "\ufdfa", "A" * 5_000, "9" * 4_300, "2026-02-30T25:61:61Z"),
    *("9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "Europe/Berlin", "../zoneinfo"),
)


def text(rng: random.Random) -> str:
    """Text: one of those above, or some characters of all there are."""
    if rng.random() < 0.7:
        return rng.choice(TEXTS)
    # Not the halves of pairs, which no encoding of the web can carry.
    points = (rng.choice((rng.randrange(0xD800), rng.randrange(0xE000, 0x110000))) for _ in "12345")
    return "".join(map(chr, points))


def value(rng: random.Random, depth: int = 3) -> Any:
    """Anything that JSON can hold, and what is not a number."""
    kind = rng.randrange(7 if depth else 5)
    if kind == 0:
        return rng.choice(NUMBERS)
    if kind in (1, 2):
        return text(rng)
    if kind == 3:
        return rng.choice((None, True, False))
    if kind == 4:
        return rng.uniform(-1e6, 1e6)
    if kind == 5:
        return [value(rng, depth - 1) for _ in range(rng.randrange(4))]
    return {text(rng): value(rng, depth - 1) for _ in range(rng.randrange(4))}
