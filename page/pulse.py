"""Pulse: the card of what moves most, as text and plain numbers.

Only words, signs and decimals are decided here: every figure is the engine's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
import numpy as np
import pandas as pd

from engine.reader import LastSession, Reader
from formulas import BAR_SEC
from ticks import ASSETS, HORIZONS_SEC
from wording import (
    MINUS,
    NOT_KNOWN,
    duration_text,
    percent_text,
    price_text,
    signed_text,
    size_text,
)

__all__ = ["PERCENT_DECIMALS", "PulseCard", "PulseList", "Row", "SessionText", "pulse_card", "rows"]

PERCENT_DECIMALS: Final = {"stocks": 2, "forex": 3, "crypto": 2}
"""Decimals of a percentage: a forex pair moves a tenth of what the others do."""

UNRECORDED_SEC: Final = 300
"""If an open market brought no price for this long, nothing of it was recorded."""

SPARK_SEC: Final = 900

_WARM_UP_SEC: Final = {
    "1 min return": 60,
    "5 min return": 300,
    "15 min return": 900,
    "volatility": 140,
    "surprise": 200,
    "regime": 440,
}
"""After how many seconds of ticks each figure can first be known, by its formula."""

_WARM_UP_COLUMNS: Final = {
    "1 min return": "ret_1m",
    "5 min return": "ret_5m",
    "15 min return": "ret_15m",
    "volatility": "vol_15m",
    "surprise": "surprise",
}

Signed = tuple[str, int]
"""A signed text and its tone: up 1 or 2, down −1 or −2, none 0; 2 is a move worth a look."""


class SessionText(msgspec.Struct, frozen=True):
    """What a row of a closed market shows instead of its figures: its last session."""

    begin: float
    end: float
    """In epoch seconds: the viewer's clock is the browser's to know."""
    change: str
    first: str
    low: str
    high: str


class Row(msgspec.Struct, frozen=True, omit_defaults=True):
    """One symbol in words."""

    symbol: str
    asset: str
    state: str
    state_text: str
    last: str
    ret_1m: Signed = msgspec.field(name="1m")
    ret_5m: Signed = msgspec.field(name="5m")
    ret_15m: Signed = msgspec.field(name="15m")
    surprise: Signed
    sigmas: float
    volatility: str
    trend: Signed
    peers: Signed
    regime: str
    spark: list[int | None]
    """Ten-second means of the last fifteen minutes, on the symbol's own range as 0 to 100."""
    last_ts: float | None = None
    """Time of the last price, if its market is closed."""
    session: SessionText | None = None


class PulseList(msgspec.Struct, frozen=True):
    """One table of the card: an asset class, or everything under an empty name."""

    name: str
    rows: list[Row]


class PulseCard(msgspec.Struct, frozen=True):
    """The whole card, and how many symbols it speaks of."""

    lists: list[PulseList]
    watched: int
    priced: int
    """Of those watched."""
    trading: int
    trading_priced: int
    """Of those trading."""
    warming: list[tuple[str, str]]
    """Figures that no symbol has yet, and how long until they can be there."""
    recorded: bool
    """False if open markets brought no price at this moment: the dashboard was off."""


def pulse_card(
    reader: Reader,
    now: float,
    frame: pd.DataFrame,
    *,
    rank: str,
    lists: str,
    most: int,
    is_live: bool,
) -> PulseCard:
    """The card at ``now``, whose frame is ``frame``: at most ``most`` rows a list."""
    order = reader.order(rank, now)
    if lists == "by class":
        assets = frame["asset"].to_numpy()
        wanted: list[tuple[str, list[int]]] = [
            (asset, [row for row in order if assets[row] == asset][:most]) for asset in ASSETS
        ]
    else:
        wanted = [("", order[:most])]
    drawn = rows(reader, now, frame, [place for _, places in wanted for place in places])
    # As an array: an empty list would choose columns, not rows.
    is_trading = np.array([state != "closed" for state in reader.states(frame, now)], bool)
    trading = frame[is_trading]
    return PulseCard(
        lists=[
            PulseList(name, [drawn[place] for place in places]) for name, places in wanted if places
        ],
        watched=len(frame),
        priced=int(frame["last"].notna().sum()),
        trading=len(trading),
        trading_priced=int(trading["last"].notna().sum()),
        warming=_warming(trading) if is_live else [],
        recorded=trading.empty or bool((trading["age"] <= UNRECORDED_SEC).any()),
    )


def rows(reader: Reader, now: float, frame: pd.DataFrame, wanted: Sequence[int]) -> dict[int, Row]:
    """The ``wanted`` rows of a frame in words, by their place in it."""
    part = frame.iloc[list(wanted)]
    sparks = _sparks(reader, [str(symbol) for symbol in part.index], now)
    states = reader.states(part, now)
    closed = {
        asset for asset, state in zip(part["asset"], states, strict=True) if state == "closed"
    }
    sessions = {asset: reader.last_session(asset, now) for asset in closed}
    columns = [part[name].tolist() for name in part.columns]
    found = {}
    for place, symbol, state, spark, values in zip(
        wanted, part.index, states, sparks, zip(*columns, strict=True), strict=True
    ):
        row = dict(zip(part.columns, values, strict=True))
        found[place] = _row(str(symbol), row, state, spark, now, sessions.get(row["asset"]))
    return found


def _row(
    symbol: str,
    row: Mapping[str, Any],
    state: str,
    spark: list[int | None],
    now: float,
    session: LastSession | None,
) -> Row:
    asset, decimals = row["asset"], PERCENT_DECIMALS[row["asset"]]
    age = row["age"]
    typical = {"1m": row["sigma_1m"], "5m": row["sigma_5m"], "15m": row["vol_15m"]}
    # Beyond what is usual over that time, if that is known.
    moves = {
        name: _signed(
            percent_text(row[f"ret_{name}"], decimals),
            is_strong=abs(row[f"ret_{name}"]) >= typical[name],
        )
        for name in HORIZONS_SEC
    }
    is_closed = state == "closed"
    return Row(
        symbol=symbol,
        asset=asset,
        state=state,
        state_text=f"{state} ({duration_text(age)})" if state in ("quiet", "stale") else state,
        last=price_text(row["last"], asset) or NOT_KNOWN,
        ret_1m=moves["1m"],
        ret_5m=moves["5m"],
        ret_15m=moves["15m"],
        surprise=_signed(
            signed_text(row["surprise"], 1, " σ"), is_strong=abs(row["surprise"]) >= 1
        ),
        sigmas=0.0 if math.isnan(row["surprise"]) else round(row["surprise"], 2),
        volatility=size_text(row["vol_15m"], decimals),
        trend=_signed(percent_text(row["trend_15m"], decimals + 1)),
        peers=_signed(percent_text(row["vs_peers"], decimals)),
        regime=row["regime"],
        spark=spark,
        last_ts=now - age if is_closed and not math.isnan(age) else None,
        session=_session_text(session, symbol, asset) if is_closed and session else None,
    )


def _session_text(session: LastSession, symbol: str, asset: str) -> SessionText | None:
    figures = session.figures.get(symbol)
    if figures is None:
        return None
    return SessionText(
        begin=session.begin,
        end=session.end,
        change=percent_text(figures.change, PERCENT_DECIMALS[asset]),
        first=price_text(figures.first, asset),
        low=price_text(figures.low, asset),
        high=price_text(figures.high, asset),
    )


def _signed(text: str, *, is_strong: bool = False) -> Signed:
    sign = text[:1]
    strength = 2 if is_strong else 1
    return text, strength if sign == "+" else -strength if sign == MINUS else 0


def _sparks(reader: Reader, symbols: Sequence[str], now: float) -> list[list[int | None]]:
    """Ten-second means of the last fifteen minutes, each symbol's own range as 0 to 100."""
    logs, _ = reader.store_at(now).bars(symbols, BAR_SEC, SPARK_SEC, now)
    sparks: list[list[int | None]] = []
    for row in logs:
        known = row[~np.isnan(row)]
        if not len(known):
            sparks.append([])
            continue
        low, high = float(known.min()), float(known.max())
        scaled = (row - low) / (high - low) * 100 if high > low else row * 0 + 50
        sparks.append([None if x != x else round(x) for x in scaled.tolist()])
    return sparks


def _warming(frame: pd.DataFrame) -> list[tuple[str, str]]:
    """Figures that no symbol has yet, and after how long they can be there."""
    watched = frame["watched_sec"].max()
    if math.isnan(watched):
        return []
    missing = [name for name, column in _WARM_UP_COLUMNS.items() if frame[column].isna().all()] + (
        ["regime"] if (frame["regime"] == "unknown").all() else []
    )
    waits = {name: _WARM_UP_SEC[name] - watched for name in missing}
    return [
        (name, duration_text(wait))
        for name, wait in sorted(waits.items(), key=lambda item: item[1])
        if wait > 0
    ]
