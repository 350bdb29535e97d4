"""Passing ties of the simulated market: rare, of half an hour or more, and found by the page."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from correlation import changes
from pulse_store import PulseStore
from sources.instruments import Leg, instrument
from sources.market import HISTORY_MINUTES, Market
from sources.quotes import EXCLUDED_CONDITIONS
from sources.weather import CALM_MINUTES, TIE_MINUTES, Ties
from ticks import Asset, Tick

START: Final = 1_795_791_600.0
"""At ten in the morning in New York."""

FREE: Final = (1.0, 0.0)
TECH: Final = ("AAPL", "TSLA", "NVDA", "AMZN", "MSFT", "META", "GOOGL")
PAIRS: Final = ("EURUSD", "GBPUSD", "AUDUSD", "USDJPY", "USDCAD")


class Episode(NamedTuple):
    """The first episode of a group: its seed, first minute, and whose correlations change."""

    seed: int
    begin: int
    pairs: frozenset[frozenset[str]]


def minutes_of(
    ties: Ties, legs: Sequence[Leg], count: int
) -> list[tuple[tuple[float, float], ...]]:
    """What each of the legs has of its loads and of common shocks, minute by minute."""
    found = []
    for _ in range(count):
        ties.next_minute()
        found.append(tuple(ties.of(leg) for leg in legs))
    return found


def test_most_of_the_time_nobody_is_tied() -> None:
    """Episodes are as rare and as long as they are meant to be."""
    legs = [Leg("stocks", name) for name in TECH]
    lengths, tied, minutes = [], 0, 20_000
    for seed in range(4):
        runs = itertools.groupby(
            minutes_of(Ties(seed, "tech"), legs, minutes),
            key=lambda minute: any(each != FREE for each in minute),
        )
        lasting = [sum(1 for _ in run) for is_tied, run in runs if is_tied]
        tied += sum(lasting)
        lengths += lasting
    least, most = TIE_MINUTES
    # In some nobody takes part; two in a row are rare.
    assert sorted(lengths)[len(lengths) // 20] >= least
    assert sorted(lengths)[len(lengths) // 2] <= most
    share = (least + most) / 2 / (CALM_MINUTES + (least + most) / 2)
    assert 0.6 * share < tied / (4 * minutes) < 1.2 * share


def episodes(asset: Asset, group: str, symbols: Sequence[str], seeds: range) -> Iterator[Episode]:
    """Those that begin some minutes before the start, so that the page can see before and after."""
    legs = [instrument(asset, symbol).leading for symbol in symbols]
    for seed in seeds:
        minutes = minutes_of(Ties(seed, group), legs, HISTORY_MINUTES)
        begin = next((k for k, m in enumerate(minutes) if any(each != FREE for each in m)), 0)
        if HISTORY_MINUTES - 14 <= begin <= HISTORY_MINUTES - 4:
            bound = [
                s for s, (_, weight) in zip(symbols, minutes[begin], strict=True) if weight > 0
            ]
            aloof = [s for s, (kept, _) in zip(symbols, minutes[begin], strict=True) if kept < 1]
            pairs = {frozenset(pair) for pair in itertools.combinations(bound, 2)}
            pairs |= {frozenset((s, other)) for s in aloof for other in symbols if other != s}
            if pairs:
                yield Episode(seed, begin, frozenset(pairs))


def is_found(asset: Asset, symbols: Sequence[str], episode: Episode) -> bool:
    """Whether one of its pairs is among the changes that the page sees within 18 minutes."""
    market, store = Market({asset: symbols}, episode.seed, START), PulseStore(7200)
    store.update_many(market.earlier_ticks())
    for minute in range(1, 19 - (HISTORY_MINUTES - episode.begin)):
        now = START + 60 * minute
        store.update_many(
            Tick(quote.symbol, quote.asset, quote.ts, quote.price)
            for quote in market.read_until(now)
            if EXCLUDED_CONDITIONS.isdisjoint(quote.conditions)
        )
        store.advance(now)
        found = {frozenset((change.a, change.b)) for change in changes(store, symbols, 10, now)}
        if found & episode.pairs:
            return True
    return False


def test_the_page_finds_who_is_tied() -> None:
    """Of all episodes of some hundred seeds most are found while they last."""
    groups: tuple[tuple[Asset, str, Sequence[str]], ...] = (
        ("stocks", "tech", TECH),
        ("forex", "currencies", PAIRS),
    )
    found = [
        is_found(asset, symbols, episode)
        for asset, group, symbols in groups
        for episode in episodes(asset, group, symbols, range(1, 260))
    ]
    assert len(found) >= 10
    assert sum(found) >= 0.7 * len(found), found
