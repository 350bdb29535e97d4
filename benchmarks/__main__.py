"""Runs the benchmarks that take minutes and prints their tables: ``python -m benchmarks``.

Some are asked for by name: ``python -m benchmarks.tabs``, how many tabs one process carries,
``python -m benchmarks.first_load``, how soon the page is there, ``python -m benchmarks.tab_cpu``,
what a tab left open costs its viewer, and ``python -m benchmarks.soak 30``, whether anything grows
in half an hour. The archive is of a day; ``python -m benchmarks.archive 7`` writes a week,
``python -m benchmarks.export 7`` exports one. ``python -m benchmarks.market`` measures no cost: it
shows how like a market the simulated one is; ``python -m benchmarks.ranking``, in which rows the
page shows what happened; ``python -m benchmarks.stream`` shows what programs that follow the stream
cost, ``python -m benchmarks.relay`` what more than one machine does; and ``python -m
benchmarks.attacks`` shows what bad input and faults come to.
"""

from __future__ import annotations

from benchmarks import (
    api,
    archive,
    correlations,
    decode,
    end_to_end,
    export,
    recompute,
    refresh,
    store,
)
from benchmarks.report import table


def main() -> None:
    """Measure in order of what the promises say."""
    print(table("It keeps up", end_to_end.measure()))
    print(table("Reading is cheap", decode.measure()))
    print(table("It is lean, and a glance is cheap", store.measure()))
    print(table("What moves together is cheap to know", correlations.measure()))
    print(table("Remembering is cheap", archive.measure()))
    print(table("An export is lean", export.measure()))
    print(table("What a request of a program costs", api.measure()))
    print(table("A glance of a tab is cheap", refresh.measure()))
    print(table("Beside recomputing from raw ticks on every tick", recompute.measure()))


if __name__ == "__main__":
    main()
