"""Runs every benchmark and prints its table: ``python -m benchmarks``."""

from __future__ import annotations

from benchmarks import end_to_end, recompute, store
from benchmarks.report import table


def main() -> None:
    """Measure in order of what the promises say."""
    print(table("It keeps up", end_to_end.measure()))
    print(table("It is lean, and a glance is cheap", store.measure()))
    print(table("Beside recomputing from raw ticks on every tick", recompute.measure()))


if __name__ == "__main__":
    main()
