"""The page, card by card, in each of its states, through Streamlit's own test runner.

What the cards say is read from the payload that the board draws; how it looks is for the browser.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

import worker
from engine.process import forget
from engine.ranking import RANKS
from engine.reader import REWIND_SEC
from engine.status import Fault, FeedState, Refusal, Trouble
from page import payload as board
from page.sparks import HOLE
from page.tabs import REFRESH_SEC, open_tabs
from page.view import View
from page.visit import Visit
from sessions import ALWAYS, Session
from settings import Settings, SettingsError, SourceSettings
from tests.deltas import decoded
from tests.stage import play, staged
from tests.statuses import with_feed
from tests.waiting import HANG_SEC
from ticks import Asset, Tick, is_legible
from worker import Worker

WATCHLIST = {
    "stocks": ("AAPL", "MSFT", "NVDA", "TSLA"),
    "forex": ("EURUSD",),
    "crypto": ("BTC-USD",),
}
APP = Path(__file__).parent.parent / "app.py"
NOW = 1_795_000_000
PRICES = {"AAPL": 230.1, "MSFT": 510.2, "NVDA": 187.3, "TSLA": 405.5, "EURUSD": 1.08675}


class World:
    """What a test may change: the time, and which markets are closed."""

    def __init__(self) -> None:
        self.now = float(NOW)
        self.closed: set[Asset] = set()

    def clock(self) -> float:
        """The time."""
        return self.now

    def session(self, asset: Asset, now: float) -> Session:
        """The hours of a market, always the same."""
        return ALWAYS._replace(phase="closed") if asset in self.closed else ALWAYS


@pytest.fixture
def world() -> World:
    """One in which every market is open."""
    return World()


@pytest.fixture
def engine(world: World, monkeypatch: pytest.MonkeyPatch) -> Worker:
    """A real worker that is not running: the test brings the ticks and the time."""
    settings = Settings(SourceSettings("simulated", seed=42, watchlist=WATCHLIST))  # type: ignore[arg-type]
    made = staged(settings, clock=world.clock, session=world.session)
    forget("open tabs")
    monkeypatch.setattr(worker, "shared", lambda load: made)
    return made


@pytest.fixture
def page(engine: Worker) -> Callable[[], AppTest]:
    """Runs the page, and fails on any exception in it."""
    app = AppTest.from_file(APP, default_timeout=HANG_SEC)

    def run() -> AppTest:
        app.run()
        assert not app.exception
        return app

    return run


def ticking(engine: Worker, seconds: int = 1200, until: int = NOW) -> None:
    """Twenty quiet minutes, at whose end AAPL jumps."""
    assets = {"EURUSD": "forex", "BTC-USD": "crypto"}
    for second in range(until - seconds, until):
        ticks = []
        for symbol, price in PRICES.items():
            # MSFT and EURUSD share a rhythm of their own.
            wave = 1 + 0.0001 * ((second // 10) % (5 if symbol in ("MSFT", "EURUSD") else 7))
            jump = 1.01 if symbol == "AAPL" and second >= until - 5 else 1.0
            asset = assets.get(symbol, "stocks")
            ticks.append(Tick(symbol, asset, second + 0.5, price * wave * jump))
        play(engine, second, ticks)
    engine.heartbeat.show(until - 1)
    engine.heartbeat.search(until - 1)


def with_settings(page: Callable[[], AppTest]) -> AppTest:
    """The page with its settings opened."""
    app = page()
    app.session_state["settings"] = True
    return page()


def payload(app: AppTest) -> dict[str, Any]:
    """What the board is given to draw."""
    elements = [element.proto for element in app.get("bidi_component")]
    pipe = next(proto for proto in elements if proto.component_name == "market_pulse_pipe")
    # What was sent now builds on what was sent before.
    sent = app.session_state["sent"]
    assert json.loads(pipe.bytes)["number"] == sent.number
    return decoded(sent.parts)


def rows(app: AppTest) -> list[dict[str, Any]]:
    """The rows of the first list, with each cell under its column's name."""
    pulse = payload(app)["pulse"]
    names = [column["name"] for column in pulse["columns"]]
    return [
        {**dict(zip(names, row["cells"], strict=True)), **row} for row in pulse["lists"][0]["rows"]
    ]


def row(app: AppTest, symbol: str) -> dict[str, Any]:
    """One row of the first list."""
    return next(row for row in rows(app) if row["symbol"] == symbol)


def feed(app: AppTest, asset: str) -> dict[str, Any]:
    """One feed of the strip."""
    return next(feed for feed in payload(app)["status"]["feeds"] if feed["asset"] == asset)


def messages(app: AppTest) -> list[str]:
    """What is told below the strip."""
    return ["".join(message["text"]) for message in payload(app)["status"]["messages"]]


# The status strip.


def test_the_source_is_always_named(page: Callable[[], AppTest]) -> None:
    """Simulated prices are called that, with their seed."""
    status = payload(page())["status"]
    assert status["source"] == "simulated"
    assert "seed 42" in status["text"]


def test_before_the_first_tick_every_card_says_so(page: Callable[[], AppTest]) -> None:
    """Nothing is known: no number is shown, and every row says that it has no data."""
    app = page()
    drawn = payload(app)
    assert drawn["pulse"]["priced"] == 0
    assert drawn["events"]["all"] == 0
    assert drawn["correlation"]["card"]["missing"].startswith("Not enough shared data yet: 0 of 12")
    assert {feed["state"] for feed in drawn["status"]["feeds"]} == {"connecting"}
    assert {row["state_text"] for row in rows(app)} == {"no data"}
    assert not any(char.isdigit() for row in rows(app) for char in row["last"])


@pytest.mark.parametrize(
    ("facts", "word"),
    [
        ({"trouble": Trouble.KEY_REFUSED, "code": 403}, "EODHD_API_KEY"),
        (
            {
                "trouble": Trouble.SYMBOLS_REFUSED,
                "refused_symbols": {"BTC-USD": Refusal.SYMBOL_LIMIT},
            },
            "another copy",
        ),
        (
            {
                "trouble": Trouble.SYMBOLS_REFUSED,
                "refused_symbols": {"BTC-USD": Refusal.NOT_COVERED},
            },
            "plan",
        ),
        ({"trouble": Trouble.BAD_REQUEST, "code": 422}, "spelling"),
    ],
)
def test_trouble_is_told_with_what_to_do(
    page: Callable[[], AppTest],
    engine: Worker,
    monkeypatch: pytest.MonkeyPatch,
    facts: dict[str, Any],
    word: str,
) -> None:
    """In the strip that it is refused, and below it what that means; of that feed alone."""
    status = with_feed(engine.status(), "crypto", state=FeedState.REFUSED, **facts)
    monkeypatch.setattr(engine, "status", lambda: status)
    app = page()
    assert feed(app, "crypto")["state"] == "refused"
    (message,) = messages(app)
    assert message.startswith("Crypto: ")
    assert word in message


def test_a_crashed_part_is_shown(
    page: Callable[[], AppTest], engine: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A restart is never silent."""
    status = replace(engine.status(), faults=(Fault("heartbeat", 1, "RuntimeError", NOW),))
    monkeypatch.setattr(engine, "status", lambda: status)
    assert messages(page()) == [
        "heartbeat crashed once, last by RuntimeError; it is started again."
    ]


def test_a_pulse_that_stands_still_is_told(
    page: Callable[[], AppTest], engine: Worker, world: World
) -> None:
    """Ages come from the pulse's own instant, so its own age must be said."""
    ticking(engine)
    assert not messages(page())
    world.now += 65.0
    assert "what is shown is 1 min 05 s old" in messages(page())[0]


def test_figures_that_warm_up_are_named_with_their_wait(
    page: Callable[[], AppTest], engine: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first minutes say what is missing and how long it takes, the soonest first.

    Nothing is about to come while no feed brings prices.
    """
    ticking(engine, seconds=100)
    assert payload(page())["pulse"]["warming"] == []
    status = with_feed(engine.status(), "stocks", state=FeedState.LIVE)
    monkeypatch.setattr(engine, "status", lambda: status)
    warming = payload(page())["pulse"]["warming"]
    names = [name for name, _ in warming]
    assert names == ["volatility", "surprise", "5 min return", "regime", "15 min return"]
    assert dict(warming)["5 min return"] == "3 min 20 s"


def test_nothing_warms_up_after_twenty_minutes(page: Callable[[], AppTest], engine: Worker) -> None:
    """What is there is not announced."""
    ticking(engine)
    assert payload(page())["pulse"]["warming"] == []


# The pulse.


def test_the_pulse_shows_what_moves_most_first(page: Callable[[], AppTest], engine: Worker) -> None:
    """The jump leads, with its figures in percent and its price with two decimals."""
    ticking(engine)
    first = rows(page())[0]
    assert first["symbol"] == "AAPL"
    assert first["last"] == f"{PRICES['AAPL'] * 1.01 * (1 + 0.0001 * (((NOW - 1) // 10) % 7)):.2f}"
    text, tone = first["1m"]
    assert text.startswith("+")
    assert float(text.removesuffix(" %")) == pytest.approx(1.0, abs=0.1)
    assert tone == 3
    assert first["state"] == "live"


def test_a_symbol_without_a_price_has_no_numbers(
    page: Callable[[], AppTest], engine: Worker
) -> None:
    """Never a zero for what is not known."""
    ticking(engine)
    silent = row(page(), "BTC-USD")
    assert silent["state"] == "no data"
    shown = [silent["last"], silent["volatility"]]
    shown += [silent[name][0] for name in ("1m", "5m", "15m", "surprise", "trend", "peers")]
    assert set(shown) == {"–"}
    assert silent["spark"] == ""


def test_a_symbol_that_was_never_heard_says_so(
    page: Callable[[], AppTest], engine: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its class has traded for long: that is no market's silence."""
    ticking(engine)
    status = with_feed(engine.status(), "crypto", never_heard=("BTC-USD",))
    monkeypatch.setattr(engine, "status", lambda: status)
    silent = row(page(), "BTC-USD")
    assert (silent["state"], silent["state_text"]) == ("no data", "never heard")
    assert silent["state_title"].endswith("check its spelling, or remove it")


def test_a_group_is_what_the_list_and_the_events_are_of(
    page: Callable[[], AppTest], engine: Worker
) -> None:
    """A link names it; what a viewer has changed of it is there at the next refresh."""
    ticking(engine)
    engine.watchlist.make_group("few", ("MSFT", "EURUSD"))
    app = AppTest.from_file(APP, default_timeout=HANG_SEC)
    app.query_params["group"] = "few"
    app.run()
    shown = payload(app)
    assert {row["symbol"] for row in rows(app)} == {"MSFT", "EURUSD"}
    assert shown["events"]["all"] == 0
    assert payload(page())["events"]["all"] == 1
    assert shown["watch"] == {
        "groups": [{"name": "few", "symbols": ["MSFT", "EURUSD"], "fixed": False}],
        "rooms": [],
        "fixed": "",
        "kept": False,
        "play": True,
    }
    assert shown["find"] is None
    engine.watchlist.delete_group("few")
    app.run()
    assert len(rows(app)) > 2


def test_stale_rows_say_so_and_lead_nothing(page: Callable[[], AppTest], engine: Worker) -> None:
    """A symbol that stopped ticking 43 s ago says that and sorts last, however far it moved."""
    ticking(engine, until=NOW - 43)
    for second in range(NOW - 43, NOW):
        engine.store.update(Tick("EURUSD", "forex", second + 0.5, 1.08))
    engine.heartbeat.show(NOW - 1)
    app = with_settings(page)
    assert rows(app)[0]["symbol"] == "EURUSD"
    assert row(app, "AAPL")["state_text"] == "stale (43 s)"
    for rank in RANKS:
        app.selectbox(key="rank").set_value(rank)
        assert rows(page())[0]["symbol"] == "EURUSD"


def test_a_quiet_row_and_a_closed_market_say_so(
    page: Callable[[], AppTest], engine: Worker, world: World
) -> None:
    """Quiet is not stale, and where a market is closed its rows are closed, not stale."""
    ticking(engine, until=NOW - 12)
    engine.heartbeat.show(NOW - 1)
    assert row(page(), "MSFT")["state_text"] == "quiet (12 s)"
    world.closed.add("stocks")
    engine.heartbeat.show(NOW)
    assert row(page(), "MSFT")["state_text"] == "closed"


def test_lists_by_class_keep_each_class_apart(page: Callable[[], AppTest], engine: Worker) -> None:
    """One list per asset class, so that one does not drown the others."""
    ticking(engine)
    app = with_settings(page)
    app.selectbox(key="lists").set_value("by class")
    lists = payload(page())["pulse"]["lists"]
    assert [found["name"] for found in lists] == ["stocks", "forex", "crypto"]
    assert all(row["asset"] == found["name"] for found in lists for row in found["rows"])


def test_a_hole_in_the_prices_is_a_hole_in_the_line(
    page: Callable[[], AppTest], engine: Worker
) -> None:
    """Ten-second means of fifteen minutes, none where nothing ticked."""
    ticking(engine, seconds=300, until=NOW - 600)
    ticking(engine, seconds=300)
    spark = row(page(), "TSLA")["spark"]
    assert len(spark) == 90
    assert spark[35:55] == HOLE * 20
    assert HOLE not in spark[62:]


def test_opening_a_symbol_tells_it_in_words(page: Callable[[], AppTest], engine: Worker) -> None:
    """A link opens it: its hour with holes, its figures, its events and its correlations."""
    ticking(engine)
    app = page()
    assert payload(app)["opened"] is None
    app = AppTest.from_file(APP, default_timeout=HANG_SEC)
    app.query_params["symbol"] = "AAPL"
    app.run()
    opened = payload(app)["opened"]
    assert opened["symbol"] == "AAPL"
    (line,) = payload(app)["chart"]["lines"]
    assert {len(prices) for prices in list(line["chunks"].values())[:-1]} == {60}
    assert next(iter(line["chunks"].values()))[0] is None
    assert opened["words"][0].startswith(f"Last price {row(app, 'AAPL')['last']}")
    assert {event["symbol"] for event in opened["events"]} == {"AAPL"}
    assert all(pair["n"] >= 12 for pair in opened["top"])


# The stress feed.


def test_the_sheet_of_a_symbol_that_is_removed_says_so(
    page: Callable[[], AppTest], engine: Worker
) -> None:
    """With what it takes to watch it again; one that was just added may be opened at once."""
    ticking(engine)
    app = AppTest.from_file(APP, default_timeout=HANG_SEC)
    app.query_params["symbol"] = "TSLA"
    app.run()
    shown = payload(app)
    assert (shown["opened"]["symbol"], shown["unlisted"]) == ("TSLA", None)
    engine.watchlist.remove("TSLA")
    engine.store.unwatch(["TSLA"])
    engine.heartbeat.show(NOW)
    app.run()
    shown = payload(app)
    assert (shown["opened"], shown["chart"], shown["view"]["symbol"]) == (None, None, "TSLA")
    missing = shown["unlisted"]
    assert [missing[name] for name in ("symbol", "asset", "watched", "room")] == [
        *("TSLA", "stocks", False, True)
    ]
    engine.watchlist.add("stocks", "IBM")
    app.session_state["pulse"] = {"choices": {"number": 1, "changed": {"symbol": "IBM"}}}
    app.run()
    shown = payload(app)
    assert (shown["view"]["symbol"], shown["opened"]) == ("IBM", None)
    assert shown["unlisted"]["watched"]


def test_a_quiet_market_has_prices_and_no_events(
    page: Callable[[], AppTest], engine: Worker
) -> None:
    """Prices without an event are told apart from no prices."""
    engine.store.update(Tick("AAPL", "stocks", NOW - 0.5, 230.0))
    engine.heartbeat.show(NOW - 1)
    drawn = payload(page())
    assert drawn["pulse"]["priced"] == 1
    assert drawn["events"]["all"] == 0


def test_an_event_tells_what_happened(page: Callable[[], AppTest], engine: Worker) -> None:
    """The stress feed has the sentence of the event, its time and its severity."""
    ticking(engine)
    drawn = payload(page())
    event = engine.events.latest(1)[0]
    shown = drawn["events"]["running"][0]
    assert (shown["text"], shown["ts"]) == (event.text, event.ts)
    assert shown["severity"] == event.severity
    assert event.symbol == "AAPL"
    assert drawn["news"] == drawn["events"]["running"]


def test_what_was_found_in_history_is_not_news(page: Callable[[], AppTest], engine: Worker) -> None:
    """Listed with its own time, never notified."""
    engine.heartbeat.know_past(None, NOW)
    ticking(engine)
    drawn = payload(page())
    assert drawn["events"]["running"][0]["history"]
    assert drawn["news"] == []


def test_the_filter_reaches_all_events(engine: Worker) -> None:
    """The newest that pass are listed, however many newer ones do not."""
    ticking(engine)
    (event,) = engine.events.latest(9)
    for number in range(100):
        engine.events.add(replace(event, id=str(number), severity="watch", ts=NOW - 0.01))
    app = AppTest.from_file(APP, default_timeout=HANG_SEC)
    app.query_params["severity"] = event.severity
    events = payload(app.run())["events"]
    assert [shown["id"] for shown in events["running"]] == [event.id]
    assert (events["earlier_count"], events["all"]) == (0, 101)


# The correlation card.


def test_the_correlation_card_names_its_terms(page: Callable[[], AppTest], engine: Worker) -> None:
    """Base, regime, window and bars stand above the three strongest, each with n and interval."""
    ticking(engine)
    card = payload(page())["correlation"]["card"]
    assert card["base"] == "AAPL"
    assert "60 s bars (auto)" in card["method"]  # the rhythm undoes its own moves
    assert card["top"]
    for pair in card["top"]:
        assert pair["n"] >= 12
        assert pair["low"] <= pair["r"] <= pair["high"]
        assert pair["doubtful"] or not pair["low"] <= 0 <= pair["high"]


def test_too_few_shared_returns_are_counted(page: Callable[[], AppTest], engine: Worker) -> None:
    """How many there are of how many it needs."""
    ticking(engine, seconds=90)
    card = payload(page())["correlation"]["card"]
    assert card["top"] == []
    assert card["missing"] == "Not enough shared data yet: 7 of 12 returns of 10 s"


def test_what_no_waiting_brings_is_not_waited_for(engine: Worker) -> None:
    """No other symbol, or one that stands still, is told apart from too little data."""
    ticking(engine)
    app = AppTest.from_file(APP, default_timeout=HANG_SEC)
    app.query_params |= {"base": "EURUSD", "correlate": "forex"}
    missing = payload(app.run())["correlation"]["card"]["missing"]
    assert missing == "No other symbol of these classes is watched."
    for second in range(NOW - 1200, NOW):
        engine.store.update(Tick("BTC-USD", "crypto", second + 0.5, 90_000.0))
    app = AppTest.from_file(APP, default_timeout=HANG_SEC)
    app.query_params |= {"base": "BTC-USD", "correlate": "stocks", "bars": "20 s"}
    missing = payload(app.run())["correlation"]["card"]["missing"]
    assert missing == "Nothing to compare: BTC-USD or every other symbol did not move."


def test_the_heat_map_comes_on_demand(page: Callable[[], AppTest], engine: Worker) -> None:
    """Every pair with its number of shared returns, and nothing where it is not asked for."""
    ticking(engine)
    assert payload(page())["correlation"]["heat"] is None
    app = AppTest.from_file(APP, default_timeout=HANG_SEC)
    app.query_params["heat"] = "true"
    heat = payload(app.run())["correlation"]["heat"]
    assert heat["symbols"] == list(WATCHLIST["stocks"])
    assert len(heat["r"]) == len(heat["n"]) == 4


# Controls and links.


def test_every_control_changes_its_card(page: Callable[[], AppTest], engine: Worker) -> None:
    """Rows, base, bars, assets and colours are what the controls say."""
    ticking(engine)
    app = with_settings(page)
    app.number_input(key="rows").set_value(3)
    app.selectbox(key="base").set_value("MSFT")
    app.selectbox(key="bars").set_value("60 s")
    app.selectbox(key="rank").set_value("volatility")
    app.selectbox(key="colours").set_value("red up")
    app.segmented_control(key="correlate").set_value(["stocks", "forex"])
    app = page()
    assert len(rows(app)) == 3
    drawn = payload(app)
    assert "60 s bars" in drawn["correlation"]["card"]["method"]
    assert drawn["correlation"]["card"]["top"][0]["symbol"] == "EURUSD"
    assert drawn["view"]["rank"] == "volatility"
    assert drawn["view"]["colours"] == "red up"


def test_a_link_is_a_view_and_a_bad_value_a_note(engine: Worker) -> None:
    """What is possible is shown, what is not falls back and is told."""
    ticking(engine)
    app = AppTest.from_file(APP, default_timeout=HANG_SEC)
    app.query_params |= {"rank": "5m down", "rows": "2", "base": "NOPE", "severity": "loud"}
    app.run()
    assert not app.exception
    drawn = payload(app)
    assert drawn["view"]["rank"] == "5m down"
    assert len(rows(app)) == 2
    assert drawn["view"]["base"] == "AAPL"
    assert [note.split(" is not possible")[0] for note in drawn["notes"]] == [
        "The link's base=NOPE",
        "The link's severity=loud",
    ]
    # An order that only a heading asks for is the widget's as well, while it is chosen.
    app.session_state["settings"] = True
    app.run()
    assert not app.exception
    assert app.selectbox(key="rank").value == "5m down"


def test_the_presenter_view_has_no_controls(engine: Worker) -> None:
    """Movers, stress and status only."""
    ticking(engine)
    app = AppTest.from_file(APP, default_timeout=HANG_SEC)
    app.query_params["kiosk"] = "1"
    app.run()
    assert not app.exception
    assert not [*app.selectbox, *app.toggle, *app.number_input, *app.button]
    assert payload(app)["view"]["kiosk"]


def test_a_choice_arrives_with_the_closing_of_the_settings(
    page: Callable[[], AppTest], engine: Worker
) -> None:
    """A quick hand sends both at once, so it is taken though its control is not drawn any more."""
    ticking(engine)
    app = with_settings(page)
    app.selectbox(key="colours").set_value("red up")
    app.button_group(key="correlate").set_value(["forex"])
    app.session_state["settings"] = False
    app = page()
    view = payload(app)["view"]
    assert (view["colours"], view["correlate"]) == ("red up", ["forex"])
    assert not app.selectbox


def test_frozen_values_stand_still_and_events_are_counted(
    page: Callable[[], AppTest], engine: Worker
) -> None:
    """Collection goes on behind a frozen page, and goes on being told after it."""
    ticking(engine, until=NOW - 400)
    app = with_settings(page)
    app.toggle(key="freeze").set_value(True)
    app = page()
    frozen = payload(app)
    ticking(engine, seconds=400)
    later = payload(page())
    assert later["pulse"] == frozen["pulse"]
    assert later["now"] == frozen["now"] == pytest.approx(NOW - 400, abs=1)
    assert later["missed"] == 1
    app.toggle(key="freeze").set_value(False)
    assert payload(page())["now"] == pytest.approx(NOW, abs=1)


def test_looking_back_shows_what_was_shown(page: Callable[[], AppTest], engine: Worker) -> None:
    """Pulse, stress and correlation of a past second are those that were seen at it."""
    ticking(engine, until=NOW - 300)
    seen = payload(page())
    ticking(engine, seconds=300)
    app = AppTest.from_file(APP, default_timeout=HANG_SEC)
    at = datetime.fromtimestamp(int(seen["now"]), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    app.query_params["at"] = at
    again = payload(app.run())
    assert again["now"] == seen["now"]
    for part in ("events", "correlation"):
        assert again[part] == seen[part]
    assert again["pulse"]["lists"] == seen["pulse"]["lists"]


def test_a_moment_that_is_not_kept_is_let_go(engine: Worker) -> None:
    """An old link shows the present, and says so."""
    ticking(engine)
    app = AppTest.from_file(APP, default_timeout=HANG_SEC)
    app.query_params["at"] = "2020-01-01T00:00:00Z"
    drawn = payload(app.run())
    assert not app.exception
    assert drawn["view"]["at"] is None
    assert "not kept any more" in drawn["notes"][0]


def test_a_page_is_frozen_for_an_hour_at_most(
    page: Callable[[], AppTest], engine: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Frozen and forgotten it is live again after an hour, and says why."""
    ticking(engine, until=NOW - 60)
    app = with_settings(page)
    app.toggle(key="freeze").set_value(True)
    page()
    ticking(engine, seconds=60)
    # However far back there is something to be seen.
    monkeypatch.setattr(engine.reader, "span", lambda: (0, NOW - 60 + REWIND_SEC))
    drawn = payload(page())
    assert drawn["now"] == pytest.approx(NOW, abs=1)
    assert "frozen for an hour" in drawn["notes"][0]
    assert not app.toggle(key="freeze").value


def test_everything_the_status_knows_is_a_click_away(
    page: Callable[[], AppTest], engine: Worker
) -> None:
    """Nothing of it is sent before it is asked for; then every feed has its table."""
    assert payload(page())["details"] is None
    status = engine.status()
    visit = Visit(View(base="AAPL"), wants_details=True)
    drawn = decoded(board.payload(engine.reader, engine.status(), visit, None, open_tabs()))
    assert [table["name"] for table in drawn["details"]] == [
        *("everything", "archive"),
        *(feed.asset for feed in status.feeds),
    ]


def test_many_tabs_refresh_more_seldom_and_say_so(
    page: Callable[[], AppTest], engine: Worker
) -> None:
    """Past what one process carries the page slows down instead of collapsing."""
    assert payload(page())["refresh"]["sec"] == REFRESH_SEC
    now = time.monotonic() + 10
    for round_ in range(5):
        for tab in range(200):
            open_tabs().note(f"tab {tab}", now + round_ * 1.3 * REFRESH_SEC)
    refresh = payload(page())["refresh"]
    assert refresh["sec"] == 2 * REFRESH_SEC
    assert refresh["tabs"] == 200


def test_state_that_is_missing_is_made_again(page: Callable[[], AppTest], engine: Worker) -> None:
    """Nothing of a session's state is needed: the address says what was chosen."""
    ticking(engine)
    app = page()
    app.query_params["symbol"] = "AAPL"
    for name in ("visit", "tab"):
        del app.session_state[name]
    again = payload(page())
    assert (again["opened"]["symbol"], again["notes"]) == ("AAPL", [])


def test_text_from_the_wire_is_text(
    page: Callable[[], AppTest], engine: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Markup in a vendor's message reaches no element that renders markup."""
    markup = "**bold** <b>x</b> :red[y]"
    status = with_feed(
        engine.status(),
        "crypto",
        state=FeedState.REFUSED,
        trouble=Trouble.SYMBOLS_REFUSED,
        refused_symbols={markup: Refusal.NOT_COVERED},
    )
    monkeypatch.setattr(engine, "status", lambda: status)
    app = page()
    assert "bold" not in "".join(element.value for element in app.markdown)
    assert markup in feed(app, "crypto")["title"]


ODD = "AAPL\u202e\u3164"
ODD_SHOWN = "AAPLU+202EU+3164"


def test_a_name_that_looks_like_another_is_told_from_it(
    page: Callable[[], AppTest], world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be seen is shown as its code, in every card, list and link."""
    watchlist = {**WATCHLIST, "stocks": ("AAPL", ODD, "MSFT")}
    settings = Settings(SourceSettings("simulated", seed=42, watchlist=watchlist))  # type: ignore[arg-type]
    engine = staged(settings, clock=world.clock, session=world.session)
    monkeypatch.setattr(worker, "shared", lambda load: engine)
    ticking(engine)
    for second in range(NOW - 1200, NOW):
        jump = 1.02 if second >= NOW - 30 else 1.0
        price = 230.1 * jump * (1 + 0.0001 * (second // 10 % 5))
        engine.store.update(Tick(ODD, "stocks", second + 0.5, price))
    engine.heartbeat.show(NOW - 1)
    status = with_feed(
        engine.status(), "stocks", state=FeedState.REFUSED, trouble=Trouble.SYMBOLS_REFUSED
    )
    status = with_feed(status, "stocks", refused_symbols={ODD: Refusal.NOT_COVERED}, asked=(ODD,))
    monkeypatch.setattr(engine, "status", lambda: status)
    app = with_settings(page)
    assert app.selectbox(key="base").options[1] == ODD_SHOWN
    app.selectbox(key="base").set_value(ODD)
    app.query_params["symbol"] = ODD_SHOWN
    del app.session_state["visit"]
    drawn = payload(page())
    assert drawn["opened"]["symbol"] == ODD_SHOWN
    assert drawn["view"]["symbol"] == drawn["view"]["base"] == ODD_SHOWN
    assert drawn["correlation"]["card"]["base"] == ODD_SHOWN
    assert row(app, ODD_SHOWN)["cells"][0] == ODD_SHOWN
    assert ODD_SHOWN in feed(app, "stocks")["title"]
    assert is_legible(json.dumps(drawn, ensure_ascii=False))


def test_an_error_repeats_nothing_that_cannot_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names of files come from outside too."""

    def fails(load: object) -> Worker:
        raise SettingsError("no tape at day\u202evsc.exe")

    monkeypatch.setattr(worker, "shared", fails)
    app = AppTest.from_file(APP, default_timeout=20).run()
    assert app.text[0].value == "no tape at dayU+202Evsc.exe"


def test_a_malformed_setting_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is wrong and what to do, and nothing else on the page."""

    def fails(load: object) -> Worker:
        raise SettingsError("MARKET_PULSE_SEED is 'x', expected a whole number")

    monkeypatch.setattr(worker, "shared", fails)
    app = AppTest.from_file(APP, default_timeout=HANG_SEC).run()
    assert not app.exception
    assert app.error[0].value == "Market Pulse cannot start."
    assert app.text[0].value == "MARKET_PULSE_SEED is 'x', expected a whole number"
    assert not app.get("bidi_component")


def test_the_help_begins_in_plain_words(page: Callable[[], AppTest], engine: Worker) -> None:
    """Three sentences, then the formulas."""
    ticking(engine)
    app = with_settings(page)
    (button,) = [one for one in app.button if one.label == "What the numbers mean"]
    app = button.click().run()
    assert not app.exception
    first, second = [one.value for one in app.markdown][-2:]
    assert first.startswith("Each row is a symbol")
    assert first.count(". ") == 2
    assert "**Pulse**" in second
