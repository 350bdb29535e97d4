"""The page in a real browser while its server and its vendor fail: it says so, and recovers."""

from __future__ import annotations

import os
import re
import threading
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect
from streamlit.proto.BackMsg_pb2 import BackMsg
from websockets.sync.client import connect

from sessions import streams_at
from tests.browser_page import (
    Serve,
    Tabs,
    all_live,
    assert_sound,
    choose,
    events,
    live_feeds,
    messages,
    open_details,
    open_settings,
    prices,
    refreshes,
    shows_prices,
    symbols,
)
from tests.browsing import Server, Stage
from tests.fake_coinbase import FakeCoinbase
from tests.fake_kraken import FakeKraken
from tests.faulty_vendor import AUTHORIZED, FORBIDDEN, OVER_LIMIT, FaultyVendor, Session
from tests.waiting import HANG_SEC, until

pytest_plugins = ("tests.browser_fixtures",)

KEY = "SECRETKEY0123456789"
TABS = 20
# What a browser and Streamlit say of a server that is gone.
OUTAGE = "WebSocket|ERR_CONNECTION|Failed to (load|fetch)|Network|Client Error|server"


def test_a_malformed_setting_is_one_sentence(serve: Serve, tabs: Tabs) -> None:
    """What was found, what was expected, what to do; no traceback."""
    page = tabs(serve({"MARKET_PULSE_SPEED": "fast"}).url)
    expect(page.get_by_text(re.compile("MARKET_PULSE_SPEED is 'fast', expected"))).to_be_visible()
    assert page.get_by_test_id("stException").count() == 0


def test_secrets_are_read_as_people_save_them(serve: Serve, tabs: Tabs, tmp_path: Path) -> None:
    """A pipe in their place holds up nobody; a mark at the beginning and quotes do not count."""
    secrets = tmp_path / "app0" / ".streamlit" / "secrets.toml"
    secrets.parent.mkdir(parents=True)
    os.mkfifo(secrets)
    with FaultyVendor() as vendor:
        server = serve({"MARKET_PULSE_EODHD_URL": vendor.url, "MARKET_PULSE_DATA": "off"})
        page = tabs(server.url)
        expect(
            page.get_by_text("secrets.toml, which may hold EODHD_API_KEY, is not a file")
        ).to_be_visible()
        secrets.unlink()
        secrets.write_text(f"EODHD_API_KEY = '\"{KEY}\"'\n", "utf-8-sig")
        page.reload()
        until(lambda: shows_prices(page))
        assert {path.partition("=")[2] for path in vendor.paths} == {KEY}
        assert "secrets" not in server.log.read_text("utf-8")


def clear_caches(server: Server) -> None:
    """What any visitor's browser can send."""
    with connect(
        f"ws://127.0.0.1:{server.port}/_stcore/stream",
        subprotocols=["streamlit"],  # type: ignore[list-item]
        max_size=None,
    ) as ws:
        clear: Any = BackMsg()
        clear.clear_cache = True
        ws.send(clear.SerializeToString())
        # That is not answered; a run of the script after it is.
        run: Any = BackMsg()
        run.rerun_script.SetInParent()
        ws.send(run.SerializeToString())
        ws.recv(timeout=HANG_SEC)


def assert_one_worker(server: Server, vendor: FaultyVendor) -> None:
    """It had one connection per feed, closes them as the protocol wants, and logged no secret."""
    assert sorted(asset for asset, _ in vendor.connected) == ["crypto", "forex", "stocks"]
    assert server.stop() == 0
    until(lambda: len(vendor.closed) == 3)
    assert {code for _, code in vendor.closed} == {1000}
    log = server.log.read_text("utf-8")
    assert KEY not in log
    assert "Traceback" not in log, log


def test_one_worker_whatever_the_tabs_do(serve: Serve, tabs: Tabs) -> None:
    """Tabs, reloads and cleared caches open no second connection per feed, and leave no thread."""
    with FaultyVendor() as vendor:
        environ = {"EODHD_API_KEY": KEY, "MARKET_PULSE_EODHD_URL": vendor.url}
        server = serve(environ, stage=Stage(always_open=True))
        first = tabs(server.url)
        until(lambda: shows_prices(first) and all_live(first))
        threads = server.threads()

        others = [tabs(server.url) for _ in range(TABS - 1)]
        for page in others:
            until(lambda page=page: shows_prices(page))  # type: ignore[misc]
        # Streamlit has a thread for each run of the script, while it runs.
        until(lambda: server.threads() <= threads + 2)
        first.reload()
        until(lambda: shows_prices(first))
        clear_caches(server)
        for page in (first, others[-1]):
            before = prices(page)
            until(lambda page=page, before=before: prices(page) != before)  # type: ignore[misc]
        until(lambda: server.threads() <= threads + 2)
        for page in (first, *others):
            page.close()
        assert_one_worker(server, vendor)


def all_open_live(page: Page) -> bool:
    """Whether the feeds of all open markets are live; the vendor says that stocks are open."""
    return live_feeds(page) == 2 + streams_at("forex", time.time())


def test_one_worker_whatever_is_edited(serve: Serve, tabs: Tabs) -> None:
    """Edits of the script and of a module under an open tab open no second connection per feed.

    The command is a developer's, and what is edited is a copy.
    """
    with FaultyVendor() as vendor:
        server = serve(
            {"EODHD_API_KEY": KEY, "MARKET_PULSE_EODHD_URL": vendor.url},
            "--server.fileWatcherType=poll",
            "--server.runOnSave=true",
        )
        page = tabs(server.url)
        until(lambda: shows_prices(page) and all_open_live(page))
        threads = server.threads()
        # With one tab: two that import an edited module at once trip over Streamlit's own eviction.
        open_settings(page)
        script = server.log.parent / "app.py"
        script.write_text(script.read_text("utf-8").replace('"Freeze"', '"Hold"'), "utf-8")
        until(lambda: page.get_by_text("Hold", exact=True).count() == 1)
        module = server.log.parent / "worker.py"
        module.write_text(module.read_text("utf-8") + "\n# edited\n", "utf-8")
        page.reload()
        until(lambda: shows_prices(page) and all_open_live(page))
        clear_caches(server)
        before = prices(page)
        until(lambda: prices(page) != before)
        until(lambda: server.threads() <= threads + 2)
        page.close()
        assert_one_worker(server, vendor)


def test_an_open_tab_survives_the_server(serve: Serve, tabs: Tabs) -> None:
    """Killed and started again, the server finds the tab there, and what was chosen in it."""
    market = {"MARKET_PULSE_SOURCE": "simulated", "MARKET_PULSE_SEED": "7"}
    server = serve(market)
    page = tabs(server.url)
    until(lambda: shows_prices(page))
    choose(page, "Rank by", "volatility")
    choose(page, "Colours", "blue up")
    page.get_by_role("combobox", name="Least severity").select_option("alert")
    page.locator('tr[data-symbol="AAPL"] button').click()
    expect(page.locator(".opened h2")).to_have_text("AAPL")
    until(lambda: "symbol=AAPL" in page.evaluate("location.search"))
    address = page.evaluate("location.search")
    frozen = tabs(f"{server.url}?freeze=true")
    held = "marketPulse.payload.view.freeze && marketPulse.payload.at"
    until(lambda: bool(frozen.evaluate(f"Boolean(globalThis.marketPulse?.payload) && {held}")))
    second = frozen.evaluate(held)

    server.kill()
    # The tab notices, in whatever words Streamlit has for it.
    until(lambda: page.evaluate("0") == 0 and tabs.complaints != [])
    # And nothing on the board is called live any more.
    expect(page.get_by_text(re.compile("^No word from the dashboard's server"))).to_be_visible(
        timeout=30_000
    )
    expect(page.locator(".feeds .dot").first).to_be_hidden()
    for live in (".moment", ".opened .name .note"):
        expect(page.locator(live)).to_be_hidden()
    begun = refreshes(page)
    server.restart(market)
    until(lambda: refreshes(page) > begun)
    until(lambda: all_live(page))
    before = prices(page)
    until(lambda: prices(page) != before)
    expect(page.get_by_text(re.compile("^No word from"))).to_be_hidden()
    assert page.evaluate("location.search") == address
    expect(page.locator("thead th[aria-sort]")).to_have_text("Vol 15 min")
    expect(page.locator('.market-pulse[data-colours="blue up"]')).to_be_attached()
    expect(page.get_by_role("combobox", name="Least severity")).to_have_value("alert")
    expect(page.locator(".opened h2")).to_have_text("AAPL")
    expect(page.locator(".opened")).to_be_visible()
    choose(page, "Rank by", "5m")
    expect(page.locator("thead th[aria-sort]")).to_have_text("5 min")
    assert_sound(page)
    until(lambda: frozen.evaluate(held) == second)
    others = [text for text in tabs.complaints if not re.search(OUTAGE, text)]
    tabs.complaints.clear()
    assert others == []


def test_a_killed_feed_is_told_and_comes_back(serve: Serve, tabs: Tabs) -> None:
    """While one feed is down its chip says so, the others stay live, and it recovers by itself."""
    down = threading.Event()

    async def falls(session: Session) -> None:
        await session.subscribed()
        while not down.is_set():
            await session.ticks(1)
        await session.ws.close(1012)

    with FaultyVendor(crypto=falls) as vendor:
        environ = {"EODHD_API_KEY": KEY, "MARKET_PULSE_EODHD_URL": vendor.url}
        server = serve(environ, stage=Stage(always_open=True))
        page = tabs(server.url)
        until(lambda: shows_prices(page) and all_live(page))
        down.set()
        chip = page.locator(".feeds li", has_text="crypto")
        until(lambda: chip.get_attribute("data-state") == "reconnecting")
        expect(chip.locator(".line")).to_have_text(
            re.compile(r"^cryptoEODHDreconnecting(next in \d+ s|now)$")
        )
        ended = re.compile(r"^the connection ended \(code 1012\); try")
        expect(chip.locator(".whole")).to_have_text(ended)
        assert live_feeds(page) == 2
        vendor.recover()
        until(lambda: all_live(page))
        assert messages(page) == [] or messages(page)[0].startswith("Warming up")
        assert KEY not in page.content()


def test_the_real_market_needs_no_key(serve: Serve, tabs: Tabs) -> None:
    """Each feed and row says whose prices it shows, also once another vendor stands in."""
    with FakeCoinbase() as coinbase, FakeKraken() as kraken:
        environ = {
            "MARKET_PULSE_SOURCE": "live",
            "MARKET_PULSE_COINBASE_URL": coinbase.url,
            "MARKET_PULSE_COINBASE_REST_URL": coinbase.rest_url,
            "MARKET_PULSE_KRAKEN_URL": kraken.url,
            "MARKET_PULSE_KRAKEN_REST_URL": kraken.rest_url,
        }
        watched = '[watchlist]\nstocks = ["AAPL"]\nforex = ["EURUSD"]\ncrypto = ["BTC-USD"]\n'
        stage = Stage(always_open=True, refresh_sec=0.5, pass_over_sec=0.5)
        page = tabs(serve(environ, stage=stage, settings=watched).url)
        until(lambda: live_feeds(page) == 2 and sorted(symbols(page)) == ["BTC-USD", "EURUSD"])
        lines = page.locator(".feeds li .line")
        expect(lines.nth(0)).to_have_text("stocksoff")
        expect(lines.nth(1)).to_have_text(re.compile("^forexKrakenlive"))
        expect(lines.nth(2)).to_have_text(re.compile("^cryptoCoinbaselive"))
        expect(page.locator(".badge")).to_have_text("live")
        expect(page.get_by_role("button", name="Go live")).to_be_hidden()
        assert any("finnhub.io/register (FINNHUB_API_KEY)" in text for text in messages(page))

        coinbase.stop()
        stand_in = page.locator(".feeds li", has_text="instead of Coinbase since")
        expect(stand_in.locator(".line")).to_have_text(re.compile("^cryptoKrakenlive"))
        # The hours of a class are said once, and the clock stays beside the badge.
        expect(stand_in.locator(".session")).to_be_hidden()
        expect(page.locator(".feeds li .session:not([hidden])")).to_have_count(2)
        badge, clock = (page.locator(name).bounding_box() for name in (".badge", ".time"))
        assert badge
        assert clock
        assert abs(badge["y"] - clock["y"]) < 30
        page.locator('tr[data-symbol="BTC-USD"]').click()
        expect(page.locator(".opened .words")).to_contain_text("Its prices are those of Kraken.")
        open_details(page)
        expect(page.locator(".details")).to_contain_text("whose prices")


def test_a_refused_key_and_a_full_account_are_explained(serve: Serve, tabs: Tabs) -> None:
    """What is wrong and what to do about it is said in words; the key is said nowhere."""

    async def refuses(session: Session) -> None:
        await session.send(FORBIDDEN)

    async def is_full(session: Session) -> None:
        await session.send(AUTHORIZED)
        while True:
            await session.asked()
            await session.send(OVER_LIMIT)

    with FaultyVendor(stocks=refuses, crypto=is_full) as vendor:
        environ = {"EODHD_API_KEY": KEY, "MARKET_PULSE_EODHD_URL": vendor.url}
        server = serve(environ, stage=Stage(always_open=True))
        page = tabs(server.url)
        until(lambda: page.locator('.feeds li[data-state="refused"]').count() == 2)
        said = page.locator('.messages [data-kind="error"]')
        expect(said).to_have_count(2)
        key, account = said.all_text_contents()
        assert key.startswith("Stocks: EODHD does not accept the API key")
        assert "Check EODHD_API_KEY" in key
        assert account.startswith("Crypto: The account may watch only a limited number of symbols")
        assert "close other copies, or shorten the watchlist" in account
        # The third is not affected.
        until(lambda: live_feeds(page) == 1 and "EURUSD" in symbols(page))
        open_details(page)
        details = page.locator(".details")
        expect(details).to_contain_text("the vendor refused the API key")
        everything = page.locator(".market-pulse").evaluate("(board) => board.innerHTML")
        assert "EURUSD" in everything
        assert KEY not in everything
        assert KEY not in page.content()
        assert events(page) == []
        assert KEY not in server.log.read_text("utf-8")
        assert_sound(page)
