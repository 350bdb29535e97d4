"""How figures read, and what a tab is sent."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from correlation import CorrelationCard, Pair, PairChange
from engine.ranking import ORDERS, RANKS
from engine.reader import LastSession
from engine.status import (
    ArchiveState,
    ArchiveStatus,
    ArchiveTrouble,
    FeedState,
    RelayState,
    RelayStatus,
    RelayTrouble,
    SetAside,
    Status,
)
from history.hours import SessionFigures
from page.correlations import MATRIX_SYMBOLS, change_text, pair_text, sparse_text
from page.payload import payload
from page.pulse import pulse_card
from page.sparks import ALPHABET, BASELINE, REACH
from page.tabs import OpenTabs
from page.view import read
from page.visit import Visit
from sessions import ALWAYS, Session
from settings import Settings, SourceSettings
from tests.deltas import decoded
from tests.stage import play, staged
from tests.statuses import with_feed
from ticks import ASSETS, Asset, Tick
from vendors.rest import Candle, Past, Quote
from wording import duration_text, percent_text, price_text
from worker import Worker


@pytest.mark.parametrize(
    ("price", "asset", "text"),
    [
        (0.00001234, "crypto", "0.00001234"),
        (0.0000064, "crypto", "0.000006400"),
        (1.08675, "forex", "1.08675"),
        (88.5741, "forex", "88.5741"),
        (152.281, "forex", "152.281"),
        (153.21, "stocks", "153.21"),
        (92010.5, "crypto", "92,010.50"),
        (2.4567, "crypto", "2.4567"),
        (0.1, "crypto", "0.1000"),
        (1.341e-10, "crypto", "0.0000000001341"),
        (0.006412, "forex", "0.006412"),
        (0.00001117, "forex", "0.00001117"),
        (0.0099999, "forex", "0.01000"),
        (25_412.5, "forex", "25,412.500"),
        (5.43, "stocks", "5.430"),
        (9.9996, "stocks", "10.00"),
        (0.0412, "stocks", "0.04120"),
        (math.nan, "stocks", ""),
    ],
)
def test_a_price_has_its_instruments_decimals(price: float, asset: str, text: str) -> None:
    """Never in scientific notation, and steady in width."""
    assert price_text(price, asset) == text


@given(st.floats(1e-12, 1e12), st.sampled_from(ASSETS))
def test_a_price_has_four_digits_at_least(price: float, asset: str) -> None:
    """Whatever it costs, and what is shown is the price as far as it goes."""
    text = price_text(price, asset)
    shown = float(text.replace(",", ""))
    assert re.fullmatch(r"[1-9]?\d?\d(,\d{3})*\.\d{2,}", text)
    assert len(text.replace(",", "").replace(".", "").lstrip("0")) >= 4
    assert shown == pytest.approx(price, rel=5.1e-4)


@pytest.mark.parametrize(
    ("fraction", "text"),
    [
        (0.0121, "+1.21 %"),
        (-0.0121, "−1.21 %"),
        (0.0, "0.00 %"),
        (-0.0, "0.00 %"),
        (-0.00001, "0.00 %"),
        (12.5, "+1250.00 %"),
        (math.nan, "–"),
    ],
)
def test_a_move_always_has_its_sign(fraction: float, text: str) -> None:
    """But for what rounds to nothing, and what is not known is a dash, never 0."""
    assert percent_text(fraction) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"),
        (math.nan, "–"),
        (-3.0, "0 s"),
        (43.9, "43 s"),
        (185.0, "3 min 05 s"),
        (3725.0, "1 h 02 min"),
        (180000.0, "2 d 2 h"),
    ],
)
def test_a_duration_has_its_two_largest_units(seconds: float | None, text: str) -> None:
    """Short enough for a table cell."""
    assert duration_text(seconds) == text


# What a tab is sent.

COINS = ("BTC-USD", "ETH-USD")
WATCHLIST: dict[Asset, tuple[str, ...]] = {
    "stocks": ("AAPL", "MSFT"),
    "forex": ("EURUSD",),
    "crypto": COINS,
}
NOW = 1_795_000_000
OPENS = NOW + 100_000.0
FRIDAY = {"begin": NOW - 200_000.0, "end": NOW - 150_000.0}


def crypto_only(asset: Asset, now: float) -> Session:
    """A Sunday."""
    if asset == "crypto":
        return ALWAYS
    return Session("closed", NOW - 150_000.0, OPENS - 19_800.0, OPENS)


def nothing(asset: Asset, now: float) -> Session:
    """An hour at which nothing trades."""
    return crypto_only("stocks", now)


Make = Callable[..., Worker]


@pytest.fixture
def make() -> Make:
    """Makes real workers that are not running, on which crypto has ticked for a while."""

    def make(
        hours: Callable[[Asset, float], Session] = crypto_only,
        seconds: int = 1200,
        watchlist: dict[Asset, tuple[str, ...]] = WATCHLIST,
    ) -> Worker:
        settings = Settings(
            SourceSettings("eodhd", keys={"eodhd": ("SECRETKEY",)}, watchlist=watchlist)
        )
        engine = staged(settings, clock=lambda: float(NOW), session=hours)
        for second in range(NOW - seconds, NOW):
            price = 90_000.0 * (1 + 0.0001 * ((second // 10) % 7))
            ticks = [Tick(symbol, "crypto", second + 0.5, price) for symbol in watchlist["crypto"]]
            play(engine, second, ticks)
        engine.heartbeat.show(NOW - 1)
        return engine

    return make


def drawn(engine: Worker, status: Status | None = None, **options: Any) -> dict[str, Any]:
    """A payload, with choices for the view; perhaps of another status than the worker's."""
    at, details = options.pop("at", None), options.pop("details", False)
    view = replace(read({}, engine.reader.symbols(ASSETS))[0], **options)
    visit = Visit(view, wants_details=details)
    return decoded(payload(engine.reader, status or engine.status(), visit, at, OpenTabs()))


def test_what_viewers_have_in_common_is_made_once(make: Make) -> None:
    """However many tabs ask within a second, and each of them for the newest watchlist."""
    engine = make()
    view = read({}, engine.reader.symbols(ASSETS))[0]
    one, other = (
        payload(
            engine.reader,
            engine.status().with_watch(engine.watchlist.status()).with_alerts(engine.desk.status()),
            Visit(view, session=session),
            None,
            OpenTabs(),
        )
        for session in ("one", "other")
    )
    own = {name for name, part in one.items() if part is not other[name]}
    assert one["session"] != other["session"]
    assert own.isdisjoint({"pulse", "events", "headline", "area", "status", "alerts", "watch"})


def test_a_change_of_the_watchlist_or_of_the_alerts_is_shown(make: Make) -> None:
    """At once, whatever the last whole second's status said."""
    engine = make()
    status = engine.status()
    watch = replace(status.watch, can_play=not status.watch.can_play)
    changed = status.with_watch(watch).with_alerts(replace(status.alerts, is_simulated=True))
    assert (changed.watch, changed.alerts.is_simulated) == (watch, True)
    assert drawn(engine, changed)["watch"]["play"] is watch.can_play
    assert drawn(engine, status)["watch"]["play"] is status.watch.can_play


def test_an_empty_watchlist_is_an_empty_page(make: Make) -> None:
    """And no crash: the page says that no symbols are watched."""
    pulse = drawn(make(watchlist={"stocks": (), "forex": (), "crypto": ()}))["pulse"]
    assert (pulse["watched"], pulse["trading"], pulse["lists"]) == (0, 0, [])


def test_hours_are_those_of_the_moment_shown(make: Make) -> None:
    """In seconds since the epoch: which clock shows them is for the browser to know."""
    hours = {line["asset"]: line for line in drawn(make())["hours"]}
    assert hours["stocks"] == {
        "asset": "stocks",
        "phase": "closed",
        "name": "CLOSED",
        "turn": ["opens ", {"at": OPENS}],
        "turns_at": OPENS,
        "more": [
            "pre-market from ",
            {"at": OPENS - 19_800.0},
            ", ",
            "regular trading from ",
            {"at": OPENS},
            ", ",
            "by the New York Stock Exchange's calendar",
        ],
    }
    assert (hours["crypto"]["name"], hours["crypto"]["turn"]) == ("OPEN", ["always"])
    assert hours["crypto"]["turns_at"] is None


def test_a_closed_row_has_the_figures_of_its_last_session(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Named as such, with the time of its price; what is open has no such figures."""
    engine = make()
    engine.store.set_initial_price(Tick("AAPL", "stocks", NOW - 150_030.0, 152.83))
    engine.heartbeat.show(NOW)
    figures = SessionFigures(first=151.0, last=152.83, low=150.1, high=154.02, change=0.0121192)
    session = LastSession(**FRIDAY, figures={"AAPL": figures})
    monkeypatch.setattr(engine.reader, "last_session", lambda asset, now: session)
    pulse = drawn(engine)["pulse"]
    rows = {row["symbol"]: row for row in pulse["lists"][0]["rows"]}
    named = cells(pulse, "AAPL")
    assert (named.pop("symbol"), named.pop("last")) == ("AAPL", "152.83")
    assert named["5m"] == ["", 0]
    assert named["surprise"] == ["", 0, 0.0, "", ""]
    assert named["heat"] == ["", 0, "", ""]
    assert named["regime"] == ["", False]
    assert (named["volatility"], named["range"], named["spark"]) == ("", None, None)
    assert rows["AAPL"]["last_ts"] == pytest.approx(NOW - 150_030.0)
    assert rows["AAPL"]["session"] == {
        **FRIDAY,
        "change": "+1.21 %",
        "since": "its first price",
        "first": "151.00",
        "low": "150.10",
        "high": "154.02",
    }
    assert not {"last_ts", "session"} & rows["MSFT"].keys()
    assert "session" not in rows["BTC-USD"]
    assert [*rows][:2] == ["BTC-USD", "ETH-USD"]


def test_a_closed_market_shows_what_its_vendor_says_of_the_last_session(make: Make) -> None:
    """At first sight, without any archive: price, change since the previous close, and time."""
    engine = make()
    begin, end = NOW - 94_000.0, NOW - 36_400.0  # Tuesday, 04:00 to 20:00 in New York
    quotes = [
        Quote("AAPL", 152.83, end - 30.0, previous_close=151.0, high=154.02, low=150.1),
        Quote("MSFT", 510.2, begin - 3600.0, previous_close=509.0, high=511.0, low=508.0),
    ]
    engine.heartbeat.add_past(Past(quotes=quotes), "EODHD")
    older = quotes[0]._replace(ts=end - 60.0, last=1.0)
    unknown = quotes[0]._replace(ts=end - 10.0, previous_close=None)
    engine.heartbeat.add_past(Past(quotes=[older, unknown]), "EODHD")
    engine.store.set_reference("AAPL", 151.0, begin, NOW + 60, counts_from=begin, vendor="")
    engine.heartbeat.show(NOW)
    pulse = drawn(engine)["pulse"]
    rows = {row["symbol"]: row for row in pulse["lists"][0]["rows"]}
    assert cells(pulse, "AAPL")["last"] == "152.83"
    assert rows["AAPL"]["session"] == {
        "begin": begin,
        "end": end,
        "change": "+1.21 %",
        "since": "the previous close",
        "first": "151.00",
        "low": "150.10",
        "high": "154.02",
    }
    # What is known of the session before is its price.
    assert "session" not in rows["MSFT"]
    assert cells(pulse, "MSFT")["last"] == "510.20"
    words = drawn(engine, symbol="AAPL")["opened"]["words"]
    assert words[1]["text"] == (
        "Last session, {} to {}: +1.21 % from the previous close of 151.00, lowest 150.10,"
        " highest 154.02."
    )
    # The change of its day is the same.
    assert cells(pulse, "AAPL")["day"][0] == "+1.21 %"
    assert not any(str(word).startswith("Day") for word in words)


def cells(card: dict[str, Any], symbol: str) -> dict[str, Any]:
    """The cells of a symbol by the names of their columns."""
    [row] = (row for row in card["lists"][0]["rows"] if row["symbol"] == symbol)
    return dict(zip((column["name"] for column in card["columns"]), row["cells"], strict=True))


def test_every_ranking_names_a_column(make: Make) -> None:
    """So the page can mark what it is ranked by, and never hides it; the first columns stay too."""
    columns = {column["name"]: column for column in drawn(make())["pulse"]["columns"]}
    assert columns.keys() >= RANKS.keys()
    assert {name for name, column in columns.items() if column["priority"] == 1} == {
        "symbol",
        "last",
        "heat",
        "spark",
    }


def test_a_heading_names_the_orders_that_a_click_asks_for(make: Make) -> None:
    """In turn; every order is one heading's."""
    columns = {column["name"]: column["orders"] for column in drawn(make())["pulse"]["columns"]}
    assert columns["symbol"] == ["name", "name down"]
    assert columns["1m"] == ["1m", "1m up", "1m down"]
    assert columns["volatility"] == ["volatility", "volatility down"]
    assert columns["last"] == columns["spark"] == []
    assert sorted(order for orders in columns.values() for order in orders) == sorted(ORDERS)


def usual_engine(make: Make, *, jumps: str = "") -> Worker:
    """Six coins that walk about; ``jumps`` moves by half a per cent in the last half minute."""
    coins = tuple(f"C{number}-USD" for number in range(6))
    engine = make(watchlist={"stocks": ("AAPL",), "forex": (), "crypto": coins}, seconds=0)
    steps = random.Random(4)
    prices = dict.fromkeys(coins, 100.0)
    for second in range(NOW - 1800, NOW):
        for coin in coins:
            prices[coin] *= 1 + steps.uniform(-1e-4, 1e-4) / 2
            if coin == jumps and second >= NOW - 30:
                prices[coin] *= 1 + 0.005 / 30
        play(
            engine,
            second,
            [Tick(coin, "crypto", second + 0.5, price) for coin, price in prices.items()],
        )
    for second in (NOW - 2, NOW - 1):
        engine.heartbeat.show(second)
    return engine


def test_rows_within_their_usual_range_are_marked_and_counted(make: Make) -> None:
    """In a list by heat; the one that moved is first, and is none. A closed market's are."""
    pulse = drawn(usual_engine(make, jumps="C3-USD"), rank="heat")["pulse"]
    (card,), columns = pulse["lists"], pulse["columns"]
    moved, *others = card["rows"]
    assert (moved["symbol"], "is_usual" in moved) == ("C3-USD", False)
    closed = next(row for row in others if row["symbol"] == "AAPL")
    assert closed["is_usual"]
    assert card["usual"] == sum(row.get("is_usual", False) for row in card["rows"]) >= 2
    assert (card["hidden"], card["hidden_movers"]) == (0, 0)
    assert moved["spark"][-1] > moved["spark"][0]
    # Line and figure are on one scale, but for the ten seconds that are not over.
    end = (ALPHABET.index(moved["spark"][-1]) - BASELINE) / BASELINE * REACH
    tone = cells({"lists": [card], "columns": columns}, "C3-USD")["15m"][1]
    assert tone > 0
    assert abs(end - tone) <= 1
    assert 0 < moved["weight"] < 10


def test_no_row_is_hidden_silently(make: Make) -> None:
    """The usual ones go first, and how many went is told, by class, too."""
    engine = usual_engine(make, jumps="C3-USD")
    for lists in ("list", "by class"):
        card = drawn(engine, rank="heat", rows=1, lists=lists)["pulse"]
        of = {found["name"]: found for found in card["lists"]}
        found = of["crypto" if lists == "by class" else ""]
        assert [row["symbol"] for row in found["rows"]] == ["C3-USD"]
        hidden = 5 if lists == "by class" else 6
        assert (found["hidden"], card["most"]) == (hidden, 1)
        assert found["hidden_movers"] + found["usual"] == hidden


def test_tiles_keep_their_places(make: Make) -> None:
    """All of them, in the order of the watchlist, whatever moves most and however many rows fit."""
    engine = usual_engine(make, jumps="C3-USD")
    stocks, crypto = drawn(engine, rank="heat", rows=1, lists="tiles")["pulse"]["lists"]
    assert [row["symbol"] for row in stocks["rows"]] == ["AAPL"]
    assert [row["symbol"] for row in crypto["rows"]] == [f"C{number}-USD" for number in range(6)]
    assert crypto["hidden"] == 0


def test_another_order_folds_nothing(make: Make) -> None:
    """Whoever asks for it wants to see it."""
    (card,) = drawn(usual_engine(make), rank="name down")["pulse"]["lists"]
    assert [row["symbol"] for row in card["rows"]] == [
        *(f"C{number}-USD" for number in (5, 4, 3, 2, 1, 0)),
        "AAPL",
    ]
    assert card["usual"] == 0
    assert not any("is_usual" in row for row in card["rows"])


def test_a_card_may_speak_of_some_symbols_only(make: Make) -> None:
    """Of a group: its rows, and its counts."""
    engine = usual_engine(make)
    now, frame = engine.reader.pulse()
    card = pulse_card(
        engine.reader,
        now,
        frame,
        rank="name",
        lists="list",
        most=9,
        fed=(),
        among={"C4-USD", "C1-USD", "X"},
    )
    assert [row.symbol for row in card.lists[0].rows] == ["C1-USD", "C4-USD"]
    assert (card.watched, card.priced, card.trading) == (2, 2, 2)


def test_a_row_that_is_held_back_says_so_live_and_stands_right_when_still(make: Make) -> None:
    """A small lead waits, and says where it will stand; in a page that stands still it does."""
    engine = usual_engine(make)
    drawn(engine, rank="1m")
    engine.heartbeat.show(NOW - 1)
    before = [row["symbol"] for row in drawn(engine, rank="1m")["pulse"]["lists"][0]["rows"]]
    first, last = before[0], before[-2]
    _, frame = engine.reader.pulse()
    price = frame["last"][last] / (1 + frame["ret_1m"][last])
    leap = 1 + 1.5 * abs(frame["ret_1m"][first])
    play(engine, NOW, [Tick(last, "crypto", NOW + 0.5, price * leap)])
    engine.heartbeat.show(NOW)
    live = drawn(engine, rank="1m")["pulse"]["lists"][0]["rows"]
    assert [row["symbol"] for row in live] == before
    places = {row["symbol"]: row["place"] for row in live if "place" in row}
    assert places[last] == 0
    status = engine.status()
    ended = replace(status, source=replace(status.source, has_ended=True))
    over = drawn(engine, ended, rank="1m")["pulse"]["lists"][0]["rows"]
    assert (over[0]["symbol"], any("place" in row for row in over)) == (last, False)
    engine.heartbeat.show(NOW + 1)
    still = drawn(engine, rank="1m", at=NOW)["pulse"]["lists"][0]["rows"]
    assert not any("place" in row for row in still)
    assert still[0]["symbol"] == last
    settled = [symbol for symbol in before if symbol not in places]
    for symbol, place in sorted(places.items(), key=lambda item: item[1]):
        settled.insert(place, symbol)
    assert [row["symbol"] for row in still] == settled
    # Tiles stand in the order of the watchlist, and settle nowhere else.
    engine.heartbeat.show(NOW)
    tiles = drawn(engine, rank="1m", lists="tiles")["pulse"]["lists"]
    assert not any("place" in row for one in tiles for row in one["rows"])


def test_the_change_of_a_day_is_shown_and_ranked_by(make: Make) -> None:
    """Of closed markets too; blank where it is not known, with what it is measured against."""
    engine = make()
    store = engine.store
    store.set_initial_price(Tick("AAPL", "stocks", NOW - 150_030.0, 151.5))
    for symbol, price in (("AAPL", 150.0), ("ETH-USD", 100_000.0)):
        store.set_reference(symbol, price, NOW - 200_000, NOW + 3600, counts_from=NOW - 200_000)
    engine.heartbeat.show(NOW)
    pulse = drawn(engine, rank="day")["pulse"]
    assert pulse["has_day"]
    assert not drawn(make(seconds=1))["pulse"]["has_day"]
    # Without a volatility nothing says whether that is much.
    assert cells(pulse, "AAPL")["day"] == ["+1.00 %", 0]
    text, tone = cells(pulse, "ETH-USD")["day"]
    assert (text[0], tone) == ("−", -3)
    assert cells(pulse, "BTC-USD")["day"] == ["–", 0]
    assert cells(pulse, "MSFT")["day"] == ["–", 0]
    assert [row["symbol"] for row in pulse["lists"][0]["rows"]][:2] == ["ETH-USD", "BTC-USD"]
    (day,) = drawn(engine, symbol="AAPL")["opened"]["figures"]
    assert (day["name"], day["value"], day["tone"]) == ("Day", "+1.00 %", 0)
    assert day["words"] == "It moved +1.00 % from the previous close of 150.00."
    opened = drawn(engine, symbol="ETH-USD")["opened"]
    assert opened["day"] == [text, -3]
    words = [figure["words"] for figure in opened["figures"]]
    assert f"It moved {text} from the price 24 hours ago of 100,000.00." in words


def test_a_row_says_whose_its_price_is_if_its_class_has_several_vendors(make: Make) -> None:
    """As it was at the moment shown; a symbol's card says it in any case."""
    engine = make()
    store = engine.store
    store.begin_anew(COINS, NOW - 1100, "Coinbase")
    pulse = drawn(engine)["pulse"]
    assert not any("vendor" in row for row in pulse["lists"][0]["rows"])
    assert "Its prices are those of Coinbase." in drawn(engine, symbol="BTC-USD")["opened"]["words"]
    store.begin_anew(["ETH-USD"], NOW - 60, "Kraken")
    store.begin_anew(["AAPL"], NOW - 60, "Alpaca")
    engine.heartbeat.show(NOW)
    pulse = drawn(engine)["pulse"]
    found = {row["symbol"]: row.get("vendor") for row in pulse["lists"][0]["rows"]}
    assert (found["BTC-USD"], found["ETH-USD"], found["AAPL"]) == ("Coinbase", "Kraken", None)
    before = drawn(engine, at=NOW - 100)["pulse"]["lists"][0]["rows"]
    assert not any("vendor" in row for row in before)


def test_a_symbol_says_until_when_its_prices_are_from_candles(make: Make) -> None:
    """With the time, for the viewer's clock; a symbol without any says nothing."""
    engine = make(seconds=60)
    candles = [Candle("BTC-USD", NOW // 60 * 60 - 1200 + 60 * n, *[9e4 + n] * 4) for n in range(3)]
    engine.heartbeat.add_past(Past(candles=candles), "")
    engine.heartbeat.show(NOW)
    words = drawn(engine, symbol="BTC-USD")["opened"]["words"]
    (dated,) = [word for word in words if isinstance(word, dict)]
    assert dated["text"] == "Prices until {} are from candles, one a minute."
    assert NOW - 1200 < dated["at"][0] < NOW - 900
    assert not [
        word
        for word in drawn(engine, symbol="ETH-USD")["opened"]["words"]
        if isinstance(word, dict)
    ]
    # The line of the last quarter of an hour goes through them.
    (row,) = (r for r in drawn(engine)["pulse"]["lists"][0]["rows"] if r["symbol"] == "BTC-USD")
    assert row["spark"].strip()


@pytest.mark.parametrize(
    ("state", "title"),
    [
        ("halted", "Trading in it is halted, as the vendor says"),
        ("halted?", "its trading may be halted"),
    ],
)
def test_what_is_halted_is_not_called_stale(
    make: Make, monkeypatch: pytest.MonkeyPatch, state: str, title: str
) -> None:
    """Since when it is, and why it is thought so."""
    engine = make()
    monkeypatch.setattr(engine.reader, "halted_since", lambda now: {"ETH-USD": NOW - 240.0})
    monkeypatch.setattr(
        engine.reader,
        "states",
        lambda part, now: [state if symbol == "ETH-USD" else "live" for symbol in part.index],
    )
    [*_, row] = [r for r in drawn(engine)["pulse"]["lists"][0]["rows"] if r["symbol"] == "ETH-USD"]
    assert row["state_text"] == state
    assert row["state_title"].endswith(title)
    assert row["since"] == NOW - 240.0
    opened = drawn(engine, symbol="ETH-USD")["opened"]
    assert opened["since"] == NOW - 240.0
    assert opened["words"][0].endswith(f"{title}.")


def test_the_range_of_the_last_hour_has_the_place_of_the_last_price(make: Make) -> None:
    """From its lowest to its highest, in words too; nothing for what did not tick in that hour."""
    engine = make(seconds=0)
    engine.store.set_initial_price(Tick("AAPL", "stocks", NOW - 7200.0, 152.83))
    for second, price in enumerate((100.0, 180.0, 120.0), NOW - 3):
        play(engine, second, [Tick("ETH-USD", "crypto", second + 0.5, price)])
    engine.heartbeat.show(NOW - 1)
    pulse = drawn(engine)["pulse"]
    assert cells(pulse, "ETH-USD")["range"] == [
        "100.00 – 180.00, last price 25 % of the way up",
        0.25,
    ]
    assert cells(pulse, "BTC-USD")["range"] is None
    assert cells(pulse, "AAPL")["range"] is None


def test_one_price_is_a_range_without_a_way_up(make: Make) -> None:
    """The mark stands in the middle."""
    pulse = drawn(make(seconds=10))["pulse"]
    text, place = cells(pulse, "BTC-USD")["range"]
    low, _, high = text.partition(" – ")
    assert (low == high, place) == (True, 0.5)


def test_what_is_closed_does_not_warm_up_and_is_not_missed(make: Make) -> None:
    """Counts and waits are those of the symbols that can tick."""
    engine = make(seconds=100)
    pulse = drawn(engine, with_feed(engine.status(), "crypto", state=FeedState.LIVE))["pulse"]
    assert (pulse["watched"], pulse["trading"], pulse["trading_priced"]) == (5, 2, 2)
    assert next(name for name, _ in pulse["warming"]) == "volatility"
    shut = drawn(make(nothing, watchlist={**WATCHLIST, "crypto": ()}))["pulse"]
    assert (shut["trading"], shut["warming"], shut["recorded"]) == (0, [], True)


def test_that_every_surprise_is_early_is_said_once(make: Make) -> None:
    """Not while none is known."""
    assert not drawn(make(seconds=100))["pulse"]["early"]
    pulse = drawn(make())["pulse"]
    assert pulse["early"]
    note = 3  # in a gauge
    assert "early" not in [cells(pulse, symbol)["surprise"][note] for symbol in COINS]


def test_a_moment_without_prices_is_told_from_a_closed_market(make: Make) -> None:
    """Nothing was recorded where an open market had no price for five minutes."""
    engine = make()
    assert drawn(engine, at=NOW - 600)["pulse"]["recorded"]
    assert not drawn(engine, at=NOW - 1300)["pulse"]["recorded"]


@pytest.mark.parametrize(
    ("ago", "line"),
    [
        (None, (NOW - 3601, NOW - 1)),
        (600, (NOW - 3601, NOW - 1)),
        (3601, (NOW - 3601, NOW - 1)),
        # One that was just chosen there, or frozen, does not leave it at once.
        (3800, (NOW - 3601, NOW - 1)),
        (7200, (NOW // 3600 * 3600 - 7200, NOW // 3600 * 3600 - 3601)),
        (100_000, ((NOW - 100_001) // 3600 * 3600, (NOW - 100_001) // 3600 * 3600 + 3599)),
    ],
)
def test_the_line_is_the_hour_that_holds_the_moment(
    make: Make, monkeypatch: pytest.MonkeyPatch, ago: int | None, line: tuple[int, int]
) -> None:
    """The last one, or by the clock."""
    engine = make()
    monkeypatch.setattr(engine.reader, "span", lambda: (NOW - 500_000, NOW - 1))
    at = None if ago is None else NOW - 1 - ago
    assert tuple(drawn(engine, at=at)["line"]) == line


def test_nothing_to_compare_says_until_when_and_what_else(make: Make) -> None:
    """A closed base, closed others, or everything closed; an open market is not to blame."""
    engine = make()
    base = drawn(engine, base="AAPL")["correlation"]["card"]["shut"]
    assert base == {
        "assets": ["stocks"],
        "opens": OPENS,
        "base": "AAPL",
        "is_base": True,
        "instead": ["BTC-USD", "crypto"],
    }
    others = drawn(engine, base="BTC-USD", correlate=("stocks", "forex"))
    assert others["correlation"]["card"]["shut"] == {
        "assets": ["stocks", "forex"],
        "opens": OPENS,
        "base": "BTC-USD",
        "is_base": False,
        "instead": ["crypto"],
    }
    assert drawn(engine, symbol="MSFT")["opened"]["shut"]["is_base"]
    card = drawn(make(seconds=60), base="BTC-USD", correlate=("crypto",))["correlation"]["card"]
    assert card["shut"] is None
    assert card["missing"].startswith("Not enough shared data")
    assert drawn(make(nothing), base="AAPL")["correlation"]["card"]["shut"]["instead"] == []


def test_an_opened_symbol_of_a_closed_market_has_words_with_instants(make: Make) -> None:
    """The browser puts them into the viewer's zone."""
    engine = make()
    engine.store.set_initial_price(Tick("AAPL", "stocks", NOW - 150_030.0, 152.83))
    engine.heartbeat.show(NOW)
    (word,) = drawn(engine, symbol="AAPL")["opened"]["words"]
    assert word["text"] == "Last price 152.83, of {}."
    assert word["at"] == [pytest.approx(NOW - 150_030.0)]
    assert drawn(engine, symbol="MSFT")["opened"]["words"] == [
        "No price yet: its market is closed."
    ]


@pytest.mark.parametrize(
    ("skew", "text", "advice"),
    [
        (None, None, False),
        (0.4, None, False),
        (2.0, None, False),
        (-0.5, None, False),
        (-0.6, "the vendor's clock is 0.6 s ahead of this computer's", False),
        (2.6, "the vendor's clock is 2.6 s behind this computer's", True),
        (-3.2, "the vendor's clock is 3.2 s ahead of this computer's", True),
    ],
)
def test_a_vendors_clock_that_differs_is_told(
    make: Make,
    skew: float | None,
    text: str | None,
    advice: bool,
) -> None:
    """Where it is worth telling, with advice where it is much."""
    engine = make()
    status = with_feed(engine.status(), "crypto", skew=skew)
    part = drawn(engine, status)["status"]
    feeds = {feed["asset"]: feed for feed in part["feeds"]}
    assert ("the vendor's clock" in feeds["crypto"]["title"]) is (text is not None)
    assert feeds["crypto"]["title"].endswith(text or "no tick yet")
    told = ["".join(message["text"]) for message in part["messages"]]
    assert (
        any(line.startswith("Crypto: the vendor's clock is about 3 s") for line in told) is advice
    )


def test_the_details_tell_all_of_the_archive(make: Make) -> None:
    """What was written, what waits, what was lost and when."""
    engine = make()
    archive = ArchiveStatus(
        state=ArchiveState.TROUBLE,
        trouble=ArchiveTrouble.FILE,
        detail="the disk is full: free some space",
        file="eodhd.sqlite",
        bars=12_345,
        waiting=678,
        lost=9,
        lost_events=3,
        lost_from=int(NOW) - 500,
        lost_to=int(NOW) - 400,
        set_aside=(SetAside("eodhd.damaged", None),),
    )
    status = replace(engine.status(), archive=archive)
    tables = {table["name"]: table for table in drawn(engine, status, details=True)["details"]}
    told = dict(tables["archive"]["entries"])
    assert told["state"] == "trouble"
    assert told["bars written"] == "12,345"
    assert (told["bars waiting"], told["bars lost"]) == ("678", "9")
    assert told["events lost"] == "3"
    assert (told["lost from"], told["lost to"]) == ({"at": int(NOW) - 500}, {"at": int(NOW) - 400})
    assert told["set aside"] == "eodhd.damaged"
    crypto = dict(tables["crypto"]["entries"])
    assert (crypto["market"], crypto["trading hours"]) == ("open", "always open")


def test_the_details_count_nothing_of_an_archive_that_is_off(make: Make) -> None:
    """That it is off is all there is to tell."""
    tables = {table["name"]: table for table in drawn(make(), details=True)["details"]}
    assert tables["archive"]["entries"] == [["state", "off"]]


def test_a_replay_that_has_ended_counts_down_to_nothing(make: Make) -> None:
    """Its end closes every market, for good; the time before it had the hours that it had."""
    engine = make()
    assert [line["name"] for line in drawn(engine)["hours"]] == ["CLOSED", "CLOSED", "OPEN"]
    status = engine.status()
    status = replace(status, source=replace(status.source, has_ended=True))
    for line in drawn(engine, status)["hours"]:
        assert (line["phase"], line["name"]) == ("closed", "ENDED")
        assert line["turn"] == ["nothing more was recorded"]
        assert line["turns_at"] is None
    assert drawn(engine, status, at=int(NOW) - 60)["hours"][2]["name"] == "then OPEN"


def test_pairs_that_begin_to_move_together_are_told(make: Make) -> None:
    """With their correlation before and after; nothing is compared among too many symbols."""
    watchlist: dict[Asset, tuple[str, ...]] = {"stocks": (), "forex": (), "crypto": ("A", "B")}
    engine = make(watchlist=watchlist, seconds=0)
    steps = random.Random(3)
    a = b = 100.0
    for second in range(NOW - 3600, NOW):
        step = steps.gauss(0, 1e-4)
        a *= 1 + step
        b *= 1 + (step if second >= NOW - 900 else steps.gauss(0, 1e-4))
        engine.store.update(Tick("A", "crypto", second + 0.5, a))
        engine.store.update(Tick("B", "crypto", second + 0.5, b))
        engine.store.advance(second + 1)
    engine.heartbeat.show(NOW - 1)
    card = drawn(engine, base="A", correlate=("crypto",))["correlation"]["card"]
    (change,) = card["changed"]
    assert (change["text"], change["started"], change["told"]) == (
        "A and B",
        True,
        "started to move together",
    )
    assert float(change["after"]) > 0.9 > 0.3 > float(change["before"].replace("−", "-"))
    assert change["ago"] == ""
    assert change["title"] == (
        f"r was {change['before']} over 45 minutes and {change['after']} over the 15 until now;"
        " 1 pair was compared."
    )
    assert not card["too_many"]


def test_words_claim_no_more_than_the_figures() -> None:
    """A pair has stopped if chance explains what is left, and started if it explains what was."""

    def word(before: float, after: float) -> str:
        was, now = (
            Pair("B", r, 89, r - 0.2, r + 0.2, chance=abs(r) <= 0.2) for r in (before, after)
        )
        change = PairChange(
            "A", "B", was, now, has_started=abs(after) > abs(before), pairs=21, at=NOW - 300.0
        )
        text = change_text(change, NOW + 0.9)
        assert text.started == change.has_started
        assert text.ago == "5 min ago"
        assert text.title.endswith("until 5 min ago; 21 pairs were compared.")
        return text.told

    assert word(0.1, 0.8) == "started to move together"
    assert word(0.3, 0.8) == "move more together"
    assert word(0.8, 0.3) == "move less together"
    assert word(0.8, -0.1) == "stopped moving together"
    assert word(-0.1, -0.8) == "started to move against each other"
    assert word(0.6, -0.7) == "turned, and move against each other"
    assert word(-0.7, 0.6) == "turned, and move together"


def test_a_pair_says_in_plain_words_how_it_moves() -> None:
    """How closely, and whether together or the other way."""

    def word(r: float) -> str:
        return pair_text(Pair("B", r, 89, r - 0.1, r + 0.1, chance=False), 6).word

    assert word(0.8) == "almost always together"
    assert word(0.5) == "mostly together"
    assert word(-0.3) == "partly opposite"
    assert word(0.29) == "hardly together"


def test_a_pair_says_why_it_may_be_chance() -> None:
    """Its own interval, or that it was picked from several."""
    sure = Pair("B", 0.5, 89, 0.3, 0.7, chance=False)
    assert pair_text(sure, 6).doubtful == ""
    assert pair_text(replace(sure, low=-0.1, chance=True), 6).doubtful == "This may be chance"
    assert pair_text(replace(sure, chance=True), 6).doubtful == (
        "This may be chance: of 6 pairs the strongest often looks like this"
    )


@pytest.mark.parametrize(
    ("symbols", "bin_sec", "is_auto", "text"),
    [
        ("", 10, False, ""),
        (
            "A",
            10,
            False,
            "Too sparse for 10 s bars, most of which are empty: A. Longer bars tell more.",
        ),
        (
            "ABCDE",
            10,
            True,
            "Too sparse for 10 s bars, most of which are empty: A, B, C and 2 more.",
        ),
        ("AB", 60, False, "Too sparse even for 60 s bars, most of which are empty: A, B."),
    ],
)
def test_symbols_that_are_too_sparse_are_named(
    symbols: str, bin_sec: int, is_auto: bool, text: str
) -> None:
    """With the way out, if there is one."""
    card = CorrelationCard("A", "normal", 3600, bin_sec, (), 0, 0, sparse=tuple(symbols))
    assert sparse_text(card, is_auto=is_auto) == text


def test_among_too_many_symbols_pairs_are_not_compared(make: Make) -> None:
    """Their number grows with the square: the card says so, and there is no heat map."""
    symbols = tuple(f"C{number}-USD" for number in range(MATRIX_SYMBOLS + 1))
    engine = make(watchlist={"stocks": (), "forex": (), "crypto": symbols}, seconds=20)
    shown = drawn(engine, base="C0-USD", correlate=("crypto",), heat=True)["correlation"]
    assert shown["card"]["too_many"]
    assert shown["card"]["changed"] == []
    assert shown["heat"] is None


# The headline, and the line of the hour.


def jump(engine: Worker, symbols: Sequence[str], by: float, seconds: int = 40) -> int:
    """Let coins tick on for some seconds, some of them at a price that jumped; the last second."""
    for second in range(NOW, NOW + seconds):
        price = 90_000.0 * (1 + 0.0001 * ((second // 10) % 7))
        ticks = [
            Tick(name, "crypto", second + 0.5, price * (1 + by if name in symbols else 1))
            for name in COINS
        ]
        play(engine, second, ticks)
        engine.heartbeat.show(second)
        engine.heartbeat.search(second)
    return NOW + seconds - 1


def test_the_headline_tells_what_matters_and_opens_it(make: Make) -> None:
    """The event and its second; and of a second that is looked back at what it told then."""
    engine = make()
    engine.heartbeat.search(NOW - 1)
    before = drawn(engine)["headline"]
    assert (before["lead"], before["rest"]) == ("", "Everything is within its usual range")
    last = jump(engine, ("BTC-USD",), -0.012)
    line = drawn(engine)["headline"]
    (event,) = engine.events.latest(5)
    assert line["lead"] == event.title == "BTC-USD −1.2 %"
    assert line["rest"].startswith("in 1 min, ")
    assert line["rest"].endswith("× its usual minute")
    assert line["hover"].startswith("Early: ")
    assert (line["symbol"], line["event"], line["rises"]) == ("BTC-USD", event.id, False)
    assert NOW <= line["ts"] <= last
    assert line["breadth"] == [
        {"asset": "stocks", "up": 0, "down": 0, "word": "closed"},
        {"asset": "forex", "up": 0, "down": 0, "word": "closed"},
        {"asset": "crypto", "up": 0, "down": 1, "word": ""},
    ]
    assert drawn(engine, at=NOW - 1)["headline"] == before


def test_the_headline_says_why_there_is_none(make: Make) -> None:
    """Closed markets, nothing watched, or no price yet."""
    told = {
        drawn(make(**options))["headline"]["rest"]
        for options in (
            {"hours": nothing},
            {"watchlist": {"stocks": (), "forex": (), "crypto": ()}},
            {"seconds": 0},
            {"seconds": 60},
        )
    }
    assert told == {
        "Every market is closed",
        "No symbols are watched",
        "No price yet",
        "Still learning what is usual: too early to judge",
    }


def test_the_area_of_the_hour_rises_where_prices_jumped(make: Make) -> None:
    """Flat before; a hole where nothing was recorded; the same for every second shown of it."""
    engine = make()
    engine.heartbeat.know_past(NOW - 3600, NOW)
    last = jump(engine, COINS, 0.012)
    payload = drawn(engine)
    area = payload["area"]
    assert (area["step"], len(area["values"])) == (10, 361)
    first, end = payload["line"]
    assert area["begin"] <= first < area["begin"] + 10
    assert end - 10 < area["begin"] + 3609 <= end
    known = [value for value in area["values"] if value is not None]
    assert len(known) == (1200 + 40 - 60) // 10
    assert max(known[:-4]) < 50
    assert max(known[-4:]) == 100
    assert drawn(engine, at=last - 30)["area"] == area


# One of several processes.

AWAY = RelayStatus(
    role="replica",
    host="host-b",
    state=RelayState.FOLLOWING,
    collector="host-a",
    shown=NOW - 1,
    took_over_at=NOW - 900.0,
    trouble=RelayTrouble.AWAY,
    trouble_sec=40.0,
    silent_sec=40.0,
)


def states(shown: dict[str, Any]) -> dict[str, str]:
    """The state of each row of a payload."""
    return {row["symbol"]: row["state"] for each in shown["pulse"]["lists"] for row in each["rows"]}


@pytest.mark.parametrize(
    ("still_sec", "state", "text"),
    [
        (4, "live", "live"),
        (9, "live", "live"),
        (15, "quiet", "quiet (15 s)"),
        (40, "stale", "stale (40 s)"),
    ],
)
def test_rows_go_stale_by_the_clock_though_no_second_comes(
    still_sec: int, state: str, text: str
) -> None:
    """At one of several that shows no second: that shown is the newest one, its prices are not."""
    now = [float(NOW)]
    source = SourceSettings("eodhd", keys={"eodhd": ("SECRETKEY",)}, watchlist=WATCHLIST)
    engine = staged(Settings(source), clock=lambda: now[0], session=crypto_only)
    engine.store.set_initial_price(Tick("AAPL", "stocks", NOW - 150_030.0, 152.83))
    for second in range(NOW - 900, NOW):
        play(engine, second, [Tick(name, "crypto", second + 0.999, 90_000.0) for name in COINS])
    engine.heartbeat.show(NOW - 1)
    alone, status = engine.status(), replace(engine.status(), relay=AWAY)
    before = drawn(engine, status, symbol="BTC-USD")
    assert states(before)["BTC-USD"] == "live"
    now[0] += still_sec
    shown = drawn(engine, status, symbol="BTC-USD")
    assert states(shown)["BTC-USD"] == state
    assert shown["now"] == before["now"]
    rows = {row["symbol"]: row for row in shown["pulse"]["lists"][0]["rows"]}
    assert rows["BTC-USD"]["state_text"] == text
    assert rows["AAPL"]["last_ts"] == pytest.approx(NOW - 150_030.0)
    assert shown["opened"]["state_text"] == text
    is_silent = shown["headline"]["rest"] == f"No new price for {still_sec} s"
    assert is_silent is (state == "stale")
    assert shown["still_sec"] == (0 if still_sec == 4 else still_sec)
    # It may have begun to collect, and have no second of its own yet.
    leading = replace(alone, relay=replace(AWAY, state=RelayState.LEADING))
    assert states(drawn(engine, leading))["BTC-USD"] == state
    # What is looked back at is as it was, and so is what a process shows that is alone.
    for other in (drawn(engine, status, at=NOW - 1), drawn(engine, alone)):
        assert (states(other)["BTC-USD"], other["still_sec"]) == ("live", 0)


def test_a_page_says_what_is_true_of_its_process_among_several(make: Make) -> None:
    """With the instants left to the browser; a process alone says nothing of it."""
    engine = make()
    status = replace(engine.status(), relay=AWAY)
    shown = drawn(engine, status, details=True)
    (message,) = shown["status"]["messages"]
    assert message["text"] == [
        "The message broker does not answer.",
        " Shown is ",
        {"at": NOW - 1},
        ".",
    ]
    assert message["counts"] == "No word for 40 s."
    assert shown["status"]["among"] == [
        "Replica of host-a",
        ", which has collected",
        " since ",
        {"at": NOW - 900.0},
    ]
    assert ["collector", "host-a"] in next(
        table["entries"] for table in shown["details"] if table["name"] == "one of several"
    )
    fixed = status.with_watch(replace(status.watch, is_fixed=True))
    assert "where host-a collects" in drawn(engine, fixed)["watch"]["fixed"]
    alone = drawn(engine)
    assert (alone["status"]["among"], alone["status"]["messages"]) == ([], [])
