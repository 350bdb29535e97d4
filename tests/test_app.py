"""The page, card by card, in each of its states, through Streamlit's own test runner."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

import worker
from settings import Settings, SettingsError
from ticks import Tick
from worker import Worker

WATCHLIST = {
    "stocks": ("AAPL", "MSFT", "NVDA", "TSLA"),
    "forex": ("EURUSD",),
    "crypto": ("BTC-USD",),
}
APP = Path(__file__).parent.parent / "app.py"
NOW = 1_795_000_000
PRICES = {"AAPL": 230.1, "MSFT": 510.2, "NVDA": 187.3, "TSLA": 405.5, "EURUSD": 1.08675}


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Worker:
    """A real worker that is not running: the test brings the ticks and the time."""
    settings = Settings(source="simulated", seed=42, watchlist=WATCHLIST)  # type: ignore[arg-type]
    made = Worker(settings, clock=lambda: NOW)
    made._started_at = 0.0
    monkeypatch.setattr(worker, "shared", lambda load: made)
    return made


@pytest.fixture
def page(engine: Worker) -> Callable[[], AppTest]:
    """Runs the page, and fails on any exception in it."""
    app = AppTest.from_file(APP, default_timeout=20)

    def run() -> AppTest:
        app.run()
        assert not app.exception
        return app

    return run


def ticking(engine: Worker, seconds: int = 1200, until: int = NOW) -> None:
    """Twenty quiet minutes, at whose end AAPL jumps."""
    assets = {"EURUSD": "forex", "BTC-USD": "crypto"}
    for second in range(until - seconds, until):
        for symbol, price in PRICES.items():
            # MSFT and EURUSD share a rhythm of their own.
            wave = 1 + 0.0001 * ((second // 10) % (5 if symbol in ("MSFT", "EURUSD") else 7))
            jump = 1.01 if symbol == "AAPL" and second >= until - 5 else 1.0
            tick = Tick(symbol, assets.get(symbol, "stocks"), second + 0.5, price * wave * jump)
            engine.store.update(tick)
        engine.store.advance(second + 1)
    engine._show(until - 1)
    engine._search(until - 1)


def texts(app: AppTest) -> str:
    """Everything the page says in words."""
    return "\n".join(element.value for element in app.text)


def table(app: AppTest, column: str) -> pd.DataFrame:
    """The table that has this column."""
    return next(frame.value for frame in app.dataframe if column in frame.value.columns)


def test_before_the_first_tick_every_card_says_so(page: Callable[[], AppTest]) -> None:
    """Warming up is told in words, not in zeros."""
    app = page()
    assert "No tick yet" in texts(app)
    assert "No price to judge yet" in texts(app)
    assert "Not enough shared data yet" in texts(app)
    assert set(table(app, "Feed")["State"]) == {"connecting"}


def test_the_source_is_always_named(page: Callable[[], AppTest]) -> None:
    """Simulated prices are called that, with their seed."""
    assert "SIMULATED prices of the embedded exchange, seed 42" in texts(page())


def test_the_pulse_shows_what_moves_most_first(page: Callable[[], AppTest], engine: Worker) -> None:
    """The jump leads, with its figures in percent and its price with two decimals."""
    ticking(engine)
    first = table(page(), "Symbol").iloc[0]
    assert first["Symbol"] == "AAPL"
    assert first["Last"] == f"{PRICES['AAPL'] * 1.01 * (1 + 0.0001 * (((NOW - 1) // 10) % 7)):.2f}"
    assert first["1m"] == pytest.approx(1.0, abs=0.1)
    assert first["Age"] == "0 s"


def test_a_quiet_market_is_called_that(page: Callable[[], AppTest], engine: Worker) -> None:
    """Prices without an event are told apart from no prices."""
    engine.store.update(Tick("AAPL", "stocks", NOW - 0.5, 230.0))
    engine._show(NOW - 1)
    assert "Nothing unusual so far" in texts(page())


def test_a_symbol_without_a_price_has_no_numbers(
    page: Callable[[], AppTest], engine: Worker
) -> None:
    """Never a zero for what is not known."""
    ticking(engine)
    rows = table(page(), "Symbol").set_index("Symbol")
    silent = rows.loc["BTC-USD"]
    assert silent["Last"] == "–"
    assert silent["Age"] == "no data"
    assert silent[["1m", "5m", "15m", "Surprise", "Vol 15m", "Trend/min"]].isna().all()


def test_stale_rows_say_so_and_sort_last(page: Callable[[], AppTest], engine: Worker) -> None:
    """A symbol that stopped ticking leads nothing, however far it moved."""
    ticking(engine, until=NOW - 120)
    for second in range(NOW - 120, NOW):
        engine.store.update(Tick("EURUSD", "forex", second + 0.5, 1.08))
    engine._show(NOW - 1)
    rows = table(page(), "Symbol")
    assert rows.iloc[0]["Symbol"] == "EURUSD"
    stale = rows.set_index("Symbol").loc["AAPL"]
    assert stale["Age"] == "stale 2 min"


def test_an_event_tells_what_happened(page: Callable[[], AppTest], engine: Worker) -> None:
    """The stress feed has the sentence of the event, its time and its severity."""
    ticking(engine)
    row = table(page(), "What happened").iloc[0]
    event = engine.events.latest(1)[0]
    assert row["What happened"] == event.text
    assert row["Severity"] == event.severity
    assert event.symbol == "AAPL"


def test_the_correlation_card_names_its_terms(page: Callable[[], AppTest], engine: Worker) -> None:
    """Base, regime, window and bars stand above the three strongest, each with n and interval."""
    ticking(engine)
    app = page()
    assert "AAPL · regime" in texts(app)
    rows = table(app, "With")
    assert list(rows.columns) == ["With", "r", "95 % interval", "n"]
    assert (rows["n"] >= 12).all()


def test_every_control_changes_its_card(page: Callable[[], AppTest], engine: Worker) -> None:
    """Rows, base, bucket and assets are what the controls say."""
    ticking(engine)
    app = page()
    app.slider(key="top").set_value(3)
    app.selectbox(key="base").set_value("MSFT")
    app.segmented_control(key="bucket").set_value(60)
    app.toggle(key="all_assets").set_value(True)
    app = page()
    assert len(table(app, "Symbol")) == 3
    assert "MSFT · regime" in texts(app)
    assert "in bars of 60 s" in texts(app)
    assert table(app, "With").iloc[0]["With"] == "EURUSD"


def test_a_refused_key_is_told_with_what_to_do(
    page: Callable[[], AppTest], engine: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """State and reason of a feed are the worker's own words."""
    status = engine.status()
    reason = "the vendor refused the API key (status 403): check EODHD_API_KEY"
    status["feeds"]["crypto"] |= {"state": "refused", "reason": reason}
    monkeypatch.setattr(engine, "status", lambda: status)
    app = page()
    assert table(app, "Feed").set_index("Feed").loc["crypto"]["State"] == "refused"
    assert f"crypto: {reason}" in texts(app)


def test_a_crashed_part_is_shown(page: Callable[[], AppTest], engine: Worker) -> None:
    """A restart is never silent."""
    engine._note_fault("heartbeat", RuntimeError("x"), 1.0)
    assert "heartbeat crashed 1 times, last by RuntimeError" in texts(page())


def test_a_pulse_that_stands_still_is_told(
    page: Callable[[], AppTest], engine: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ages come from the pulse's own instant, so its own age must be said."""
    ticking(engine)
    assert "stands still" not in texts(page())
    status = engine.status() | {"now": NOW + 65.0}
    monkeypatch.setattr(engine, "status", lambda: status)
    assert "what is shown is 1 min 05 s old" in texts(page())


def test_a_tape_without_dates_shows_its_own_time(
    page: Callable[[], AppTest], engine: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Elapsed time is nobody's time of day, whatever the viewer's zone."""
    ticking(engine)
    status = engine.status() | {"dated": False}
    monkeypatch.setattr(engine, "status", lambda: status)
    at = datetime.fromtimestamp(engine.pulse()[0], UTC).strftime("%H:%M:%S")
    assert f"pulse of {at} tape time" in texts(page())


def test_text_from_the_wire_is_text(
    page: Callable[[], AppTest], engine: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Markup in a vendor's message reaches no element that renders markup."""
    status: dict[str, Any] = engine.status()
    status["feeds"]["crypto"]["reason"] = "**bold** <b>x</b> :red[y]"
    monkeypatch.setattr(engine, "status", lambda: status)
    app = page()
    assert "bold" not in "".join(element.value for element in app.markdown)
    assert "crypto: **bold** <b>x</b> :red[y]" in texts(app)


def test_a_malformed_setting_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is wrong and what to do, and nothing else on the page."""

    def fails(load: object) -> Worker:
        raise SettingsError("MARKET_PULSE_SEED is 'x', expected a whole number")

    monkeypatch.setattr(worker, "shared", fails)
    app = AppTest.from_file(APP, default_timeout=20).run()
    assert not app.exception
    assert app.error[0].value == "Market Pulse cannot start."
    assert texts(app) == "MARKET_PULSE_SEED is 'x', expected a whole number"
    assert not app.dataframe
