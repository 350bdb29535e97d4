"""The Streamlit page: reads the worker's shared state every two seconds and renders it.

Streamlit runs this script once per tab and interaction, and the fragment below once per refresh.
Nothing is computed, kept or waited for here; what is shown comes from one second's pulse.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, Literal, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pandas as pd
import streamlit as st

import worker
from settings import MarketPulseError, load
from ticks import ASSETS, Event, price_text

REFRESH_SEC: Final = 2
STANDSTILL_SEC: Final = 5
"""A pulse further behind the worker's clock than this is said to stand still."""

STALE_SEC: Final = 60
"""A row whose newest tick is older sorts last and leads no movers."""

EVENTS_SHOWN: Final = 50

NOT_KNOWN: Final = "–"

# Of fixed width, here and below: a column sized by its first values would cut longer ones later.
PULSE_COLUMNS: Final = {
    "Symbol": st.column_config.TextColumn(pinned=True, width=78),
    "Last": st.column_config.TextColumn(
        alignment="right", width=84, help="Price of the newest tick"
    ),
    "Age": st.column_config.TextColumn(
        alignment="right", width=80, help="Time since the newest tick"
    ),
    "1m": st.column_config.NumberColumn(format="%+.3f %%", width=76, help="Return over one minute"),
    "5m": st.column_config.NumberColumn(
        format="%+.3f %%", width=76, help="Return over five minutes"
    ),
    "15m": st.column_config.NumberColumn(
        format="%+.3f %%", width=76, help="Return over fifteen minutes"
    ),
    "Surprise": st.column_config.NumberColumn(
        format="%+.1f σ",
        width=64,
        help="The one-minute return in units of the symbol's own volatility a minute ago",
    ),
    "Vol 15m": st.column_config.NumberColumn(
        format="%.3f %%",
        width=70,
        help="The typical move over fifteen minutes (realised volatility)",
    ),
    "Trend/min": st.column_config.NumberColumn(
        format="%+.4f %%",
        width=78,
        help="Least-squares slope of the last fifteen minutes, per minute",
    ),
    "vs peers": st.column_config.NumberColumn(
        format="%+.3f %%",
        width=76,
        help="The one-minute return minus the median of the asset class",
    ),
    "Regime": st.column_config.TextColumn(
        width=78, help="high_vol: volatility in the top fifth of its hour and 1.2 × its median"
    ),
    "Asset": st.column_config.TextColumn(width=64),
}
FEED_COLUMNS: Final = {
    "State": st.column_config.TextColumn(width=108),
    "Ticks/s": st.column_config.NumberColumn(format="%.1f"),
    "Last tick": st.column_config.TextColumn(width=92),
    "Refused": st.column_config.TextColumn(width=180),
}
STRESS_COLUMNS: Final = {
    "Time": st.column_config.TextColumn(width=72),
    "What happened": st.column_config.TextColumn(width=345),
}
CORRELATION_COLUMNS: Final = {
    "r": st.column_config.NumberColumn(format="%+.2f", help="Pearson correlation of returns"),
    "n": st.column_config.NumberColumn(help="Returns both symbols have"),
}


class Clock(NamedTuple):
    """How times are shown: in which zone, and what that is called."""

    zone: ZoneInfo
    name: str

    @classmethod
    def of(cls, status: Mapping[str, Any]) -> Clock:
        """The viewer's own, but for a tape whose times are not those of any day."""
        if not status["dated"]:
            return cls(ZoneInfo("UTC"), "tape time")
        name = st.context.timezone or "UTC"
        try:
            return cls(ZoneInfo(name), name)
        except (ZoneInfoNotFoundError, ValueError):
            return cls(ZoneInfo("UTC"), "UTC")

    def text(self, ts: float) -> str:
        """A time of day."""
        return datetime.fromtimestamp(ts, UTC).astimezone(self.zone).strftime("%H:%M:%S")


def duration_text(seconds: float | None) -> str:
    """A duration in its two largest units."""
    if seconds is None or math.isnan(seconds):
        return NOT_KNOWN
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def source_text(status: Mapping[str, Any]) -> str:
    """What the prices are, in one line."""
    if status["source"] == "simulated":
        return f"SIMULATED prices of the embedded exchange, seed {status['seed']}"
    if status["source"] == "replay":
        ended = ", at its end" if status["replay_ended"] else ""
        return f"REPLAYED prices of {status['file']} at speed {status['speed']:g}{ended}"
    return "Prices from EODHD"


def draw_source(status: Mapping[str, Any], now: float, clock: Clock) -> None:
    """Source, uptime and the instant everything below belongs to."""
    uptime = duration_text(status["uptime"])
    with st.container(horizontal=True, vertical_alignment="center"):
        # Whether they are live is for the feeds to say.
        color: Literal["green", "orange"] = "green" if status["source"] == "eodhd" else "orange"
        st.badge(status["source"].upper(), color=color)
        st.text(f"{source_text(status)} · up {uptime} · pulse of {clock.text(now)} {clock.name}")
    behind = status["now"] - now
    if behind > STANDSTILL_SEC:
        st.text(f"⚠ The pulse stands still: what is shown is {duration_text(behind)} old.")


def draw_feeds(feeds: Mapping[str, Mapping[str, Any]]) -> None:
    """One row per feed, and beneath what there is to say of it in the worker's own words."""
    rows = [
        {
            "Feed": asset,
            "State": feed["state"],
            "Ticks/s": feed["ticks_per_sec"],
            "Last tick": duration_text(feed["last_tick_age"]),
            "Symbols": f"{len(feed['heard'])} of {len(feed['asked'])}",
            "Reconnects": feed["reconnects"],
            "Dropped": feed["dropped"],
            "Refused": counts_text(feed["refused"]),
        }
        for asset, feed in feeds.items()
    ]
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        column_config=FEED_COLUMNS,
        placeholder=NOT_KNOWN,
        key="feeds",
        alt="State of each feed",
    )
    for asset, feed in feeds.items():
        if feed["reason"]:
            st.text(f"{asset}: {feed['reason']}")


def counts_text(counts: Mapping[str, int]) -> str:
    """Counters in words, empty where there are none."""
    return ", ".join(f"{count} {why}" for why, count in counts.items())


def movers(frame: pd.DataFrame, count: int) -> pd.DataFrame:
    """The rows that move most for their own volatility; stale and unknown ones last."""
    rank = frame["surprise"].abs().where(frame["age"] <= STALE_SEC)
    return frame.loc[rank.sort_values(ascending=False, kind="stable").index[:count]]


def draw_pulse(frame: pd.DataFrame, count: int) -> None:
    """The pulse table."""
    st.subheader("Pulse")
    if frame["last"].isna().all():
        st.text("No tick yet: the first prices appear as soon as a feed sends one.")
        return
    shown = movers(frame, count)
    st.dataframe(
        pd.DataFrame(
            {
                "Symbol": shown.index,
                "Last": [
                    price_text(price, asset) or NOT_KNOWN
                    for price, asset in zip(shown["last"], shown["asset"], strict=True)
                ],
                "Age": [age_text(age) for age in shown["age"]],
                "1m": percents(shown["ret_1m"]),
                "5m": percents(shown["ret_5m"]),
                "15m": percents(shown["ret_15m"]),
                "Surprise": shown["surprise"].round(1) + 0.0,
                "Vol 15m": percents(shown["vol_15m"]),
                "Trend/min": percents(shown["trend_15m"], 4),
                "vs peers": percents(shown["vs_peers"]),
                "Regime": shown["regime"].to_numpy(),
                "Asset": shown["asset"].to_numpy(),
            }
        ),
        hide_index=True,
        column_config=PULSE_COLUMNS,
        placeholder=NOT_KNOWN,
        height="content",
        key="pulse",
        alt="Pulse table: the symbols that move most for their own volatility",
    )


def percents(fractions: pd.Series[float], decimals: int = 3) -> pd.Series[float]:
    """Fractions in percent, to the last digit shown: what rounds to zero has no sign."""
    return (fractions * 100).round(decimals) + 0.0


def age_text(age: float) -> str:
    """An age, called stale where it is, or that there is no price at all."""
    if math.isnan(age):
        return "no data"
    if age <= STALE_SEC:
        return duration_text(age)
    return f"stale {age / 60:.0f} min" if age < 5400 else f"stale {age / 3600:.0f} h"


def draw_events(
    events: list[Event], clock: Clock, *, has_prices: bool, searching_past: bool
) -> None:
    """The stress feed, newest first."""
    st.subheader("Stress")
    if searching_past:
        st.text("Still looking through the past hour.")
    elif not has_prices:
        st.text("No price to judge yet.")
    elif not events:
        st.text("Nothing unusual so far.")
    if not events:
        return
    rows = [
        {
            "Time": clock.text(event.ts),
            "What happened": event.text,
            "Severity": event.severity,
            "Times": f"×{event.count}" if event.count > 1 else "",
            "Found": "in history" if event.history else "live",
        }
        for event in events
    ]
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        column_config=STRESS_COLUMNS,
        key="stress",
        alt="Stress events, newest first",
    )


def draw_correlation(card: Mapping[str, Any]) -> None:
    """The three names that move most like the base."""
    st.subheader("Correlation")
    st.text(
        f"{card['base']} · regime {card['regime']} · last {card['window_sec'] // 60} min"
        f" in bars of {card['bin_sec']} s"
    )
    if not card["top"]:
        st.text("Not enough shared data yet: a pair needs 12 returns of the chosen bars.")
        return
    rows = [
        {
            "With": pair["symbol"],
            "r": pair["corr"],
            "95 % interval": f"{pair['low']:+.2f} to {pair['high']:+.2f}",
            "n": pair["n"],
        }
        for pair in card["top"]
    ]
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        column_config=CORRELATION_COLUMNS,
        key="correlation",
        alt="Strongest correlations of the base symbol",
    )


def draw_faults(status: Mapping[str, Any]) -> None:
    """Parts that crashed, which the worker starts again, and lost ticks, where there are any."""
    if status["lost"]:
        st.text(f"⚠ {status['lost']} ticks of the tape were lost with a broken connection")
    for name, fault in status["faults"].items():
        st.text(
            f"⚠ {name} crashed {fault['count']} times, last by {fault['last']}; it is started again"
        )


def running() -> worker.Worker:
    """The process's worker; where it cannot start, says why and ends the script."""
    try:
        return worker.shared(load)
    except MarketPulseError as error:
        st.error("Market Pulse cannot start.")
        st.text(str(error))
        st.stop()


@st.fragment(run_every=REFRESH_SEC)
def refresh(count: int, base: str, bin_sec: int, assets: tuple[str, ...]) -> None:
    """Everything that changes by itself."""
    engine = running()
    now, frame = engine.pulse()
    status = engine.status()
    clock = Clock.of(status)
    draw_source(status, now, clock)
    draw_faults(status)
    draw_feeds(status["feeds"])
    left, right = st.columns([2, 1])
    with left:
        draw_pulse(frame, count)
    with right:
        draw_correlation(engine.correlation(base, bin_sec, assets))
        draw_events(
            engine.events.latest(EVENTS_SHOWN),
            clock,
            has_prices=bool(frame["last"].notna().any()),
            searching_past=status["searching_past"],
        )


def symbols_asked(feeds: Iterable[Mapping[str, Any]]) -> list[str]:
    """Every symbol the feeds ask for."""
    return [symbol for feed in feeds for symbol in feed["asked"]]


def page() -> None:
    """Title and controls, outside what refreshes, then the refreshing part."""
    st.title("Market Pulse")
    symbols = symbols_asked(running().status()["feeds"].values())
    with st.container(horizontal=True, vertical_alignment="bottom"):
        most = max(2, len(symbols))
        count = st.slider("Top movers", 1, most, min(12, most), key="top")
        base = st.selectbox("Correlation base", symbols, key="base")
        bin_sec = st.segmented_control(
            "Correlation bucket",
            worker.BIN_SECS,
            default=20,
            format_func=lambda seconds: f"{seconds} s",
            required=True,
            key="bucket",
        )
        every = st.toggle("Correlate all assets", key="all_assets")
    assets = ASSETS if every else ("stocks",)
    refresh(count, base, bin_sec, assets)


st.set_page_config(page_title="Market Pulse", page_icon="📈", layout="wide")
page()
