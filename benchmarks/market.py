"""The simulated market beside the recorded hour: ``python -m benchmarks.market``.

Of the tape that ``MARKET_PULSE_TAPE`` names, if it is there, and of some open hours of the
simulated market with a fixed seed, each symbol's figures in a row.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from sources.market import Market
from sources.quotes import EXCLUDED_CONDITIONS, Quote
from sources.tape import TAPE_EPOCH, Tape
from tests.conftest import TAPE
from tests.market_figures import (
    bounce,
    by_the_second,
    clustering,
    dispersion,
    excess_kurtosis,
    jumps_a_day,
    variance_ratio,
)
from ticks import Asset

Floats = npt.NDArray[np.float64]

SEED: Final = 1
HOURS: Final = 6
OPENING: Final = 1_795_789_800.0
"""Half past nine in New York, of a day in autumn."""

WATCHLIST: Final[Mapping[Asset, Sequence[str]]] = {
    "stocks": ("AAPL", "NVDA", "MSFT", "META", "BAC", "IBM", "SPY"),
    "forex": ("EURUSD", "USDJPY", "NZDUSD"),
    "crypto": ("BTC-USD", "BTC-USDT", "SOL-USDT"),
}

HEAD: Final = (
    " ticks/s  count  var/s 60/10 900/10  |r| 1, 5, 15 min later   kurtosis 10, 60 s"
    "  jumps/day  bounce  same"
)


def main() -> None:
    """Print the recorded rows, then the simulated ones."""
    print(f"{'recorded':<9}{HEAD}")
    if TAPE.exists():
        tape = Tape.load(TAPE)
        print(*rows(tape.read_until(tape.end), TAPE_EPOCH, 3600), sep="\n")
    else:
        print(f"  no tape at {TAPE}")
    print(f"{'simulated':<9}{HEAD}")
    market = Market(WATCHLIST, SEED, OPENING)
    quotes = [q for k in range(1, 60 * HOURS + 1) for q in market.read_until(OPENING + 60 * k)]
    print(*rows(quotes, OPENING, 3600 * HOURS), sep="\n")


def rows(quotes: Iterable[Quote], start: float, seconds: int) -> Iterator[str]:
    """A row per symbol that ticks at least every other second: of the rest little can be said."""
    ticks: dict[tuple[Asset, str], list[tuple[float, float]]] = defaultdict(list)
    for quote in quotes:
        if EXCLUDED_CONDITIONS.isdisjoint(quote.conditions):
            ticks[quote.asset, quote.symbol].append((quote.ts, quote.price))
    for (asset, symbol), found in sorted(ticks.items()):
        if len(found) >= seconds / 2:
            times, prices = np.array(found).T
            yield f"{symbol:<9} {figures(asset, times, prices, start, seconds)}"


def figures(asset: Asset, times: Floats, prices: Floats, start: float, seconds: int) -> str:
    """The figures of one symbol's ticks over some hours from ``start`` on."""
    logs = by_the_second(times, prices, start, seconds)[:, None]
    ratios = [variance_ratio(logs, long, 10).item() for long in (60, 900)]
    sizes = [clustering(logs, minutes).item() for minutes in (1, 5, 15)]
    tails = [excess_kurtosis(logs, length).item() for length in (10, 60)]
    text = (
        f"{len(times) / seconds:7.2f} {dispersion(times):6.1f}  {ratios[0]:11.2f} {ratios[1]:6.2f}"
        f"  {sizes[0]:9.2f} {sizes[1]:5.2f} {sizes[2]:5.2f}   {tails[0]:11.1f} {tails[1]:5.1f}"
        f"  {jumps_a_day(logs).item():9.1f}"
    )
    if asset != "stocks":
        return text
    trades = bounce(prices)
    return f"{text}  {trades.autocorrelation:6.2f}  {trades.unchanged:.2f}"


if __name__ == "__main__":
    main()
