"""Tries every attack and prints what came of it: ``python -m benchmarks.attacks``.

The cases are always the same unless ``--seed`` is another; ``--share 0.1`` tries a tenth of them.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from benchmarks.attacks.archives import archives
from benchmarks.attacks.messages import messages
from benchmarks.attacks.settings import settings
from benchmarks.attacks.signals import signals
from benchmarks.attacks.tally import Tally
from benchmarks.attacks.wire import wire

SEED: Final = 1

Attack = Callable[[int, int, Path], Tally]

ATTACKS: Final[Mapping[str, tuple[Attack, int]]] = {
    "wire": (lambda seed, cases, folder: wire(seed, cases), 4_000),
    "archives": (archives, 400),
    "messages": (lambda seed, cases, folder: messages(seed, cases), 4_000),
    "settings": (settings, 4_000),
    "signals": (signals, 40),
}
"""Each with the number of its cases."""


def main() -> int:
    """Try them all; 1 if any case ended as it must not."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.attacks")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--share", type=float, default=1.0, help="of the usual number of cases")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(ATTACKS)}")
    given = parser.parse_args()
    logging.disable()
    tallies = []
    for name in given.names or ATTACKS:
        attack, cases = ATTACKS[name]
        with tempfile.TemporaryDirectory() as folder:
            tallies.append(attack(given.seed, max(10, round(cases * given.share)), Path(folder)))
        print(tallies[-1], flush=True)
    print(f"{sum(tally.cases for tally in tallies):,} cases in all, seed {given.seed}")
    return any(tally.failed for tally in tallies)


if __name__ == "__main__":
    sys.exit(main())
