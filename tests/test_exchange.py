"""The embedded exchange over real sockets: every sentence of the vendor's protocol it speaks."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import logging
import random
import socket
from collections.abc import Callable, Coroutine
from contextlib import closing
from http import HTTPStatus
from pathlib import Path
from typing import ParamSpec
from urllib.parse import urlsplit

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from history.writer import connect as connect_archive
from history.writer import write_bars
from pulse_store import PulseStore
from sources import exchange as simulator
from sources.exchange import Exchange
from sources.market import Market
from sources.tape import TAPE_EPOCH, ArchivedTape, Tape
from ticks import ASSETS, Asset, Tick
from vendors import eodhd
from vendors.wire import RawTick

AUTHORIZED = '{"status_code":200,"message":"Authorized"}'
BAD_REQUEST = '{"status_code":422,"message":"Action and symbols should be string"}'
DEMO_ONLY = '{"status_code":422,"message":"Only limited symbols allowed for demo"}'
OVER_LIMIT = '{"status_code":422,"message":"Symbols limit reached"}'
CHANNELS = ("us", "us-quote", "forex", "crypto")
ROWS = (
    "0,us,AAPL,330.78,330.7,330.8,5",
    "1000,forex,EURUSD,,1.13895,1.13896,",
    "2000,crypto,BTC-USD,84588,,,0.002",
    "3000,crypto,SHIB-USD,0.00000812,,,1000000",
    "4000,us,AAPL,331,331,331.25,2.5",
    "5000,forex,EURUSD,,1.13905,1.13907,",
    "6000,crypto,BTC-USD,84773.7,,,0.00000001",
    "7000,crypto,SHIB-USD,0.00000813,,,1000000",
)


P = ParamSpec("P")


def on_a_loop(scenario: Callable[P, Coroutine[object, object, None]]) -> Callable[P, None]:
    """Run a test's coroutine to its end, ten seconds at most."""

    @functools.wraps(scenario)
    def test(*args: P.args, **kwargs: P.kwargs) -> None:
        asyncio.run(asyncio.wait_for(scenario(*args, **kwargs), 10))

    return test


@pytest.fixture
def tape(tmp_path: Path) -> Tape:
    """Two messages of each kind, a second apart."""
    return tape_of(tmp_path, *ROWS)


def tape_of(folder: Path, *rows: str) -> Tape:
    """A tape with these rows."""
    path = folder / "tape.csv"
    path.write_text("\n".join(["ms,feed,symbol,price,bid,ask,size", *rows]) + "\n", "utf-8")
    return Tape.load(path)


def dial(exchange: Exchange, channel: str, account: str = "t") -> connect:
    """A connection to a channel, to be entered."""
    return connect(f"{exchange.url}/{channel}?api_token={account}")


async def ask(client: ClientConnection, action: str, symbols: str) -> None:
    """Send a request as the vendor documents it."""
    await client.send(json.dumps({"action": action, "symbols": symbols}))


async def settled(client: ClientConnection) -> list[str]:
    """All that arrived until the exchange has surely read what was sent: it answers rubbish."""
    await client.send("?")
    texts: list[str] = []
    while (text := await client.recv(decode=True)) != BAD_REQUEST:
        texts.append(str(text))
    return texts


# Greeting


@pytest.mark.parametrize("channel", CHANNELS)
@on_a_loop
async def test_any_token_is_greeted(tape: Tape, channel: str) -> None:
    """Every channel says Authorized first, and nothing unasked."""
    async with Exchange(tape) as exchange, dial(exchange, channel) as client:
        assert await client.recv() == AUTHORIZED
        exchange.publish(tape.end)
        assert await settled(client) == []


@pytest.mark.parametrize("path", ["", "/index", "/us/", "/us-status"])
@on_a_loop
async def test_other_paths_do_not_exist(tape: Tape, path: str) -> None:
    """There are four channels; anything else is HTTP 404."""
    async with Exchange(tape) as exchange:
        with pytest.raises(InvalidStatus) as refusal:
            await connect(f"{exchange.url}{path}?api_token=t")
    assert refusal.value.response.status_code == HTTPStatus.NOT_FOUND


@pytest.mark.parametrize("query", ["", "?api_token=", "?token=t"])
@on_a_loop
async def test_no_token_is_refused_after_the_handshake(tape: Tape, query: str) -> None:
    """The handshake succeeds; then comes a 403 frame, and the end."""
    async with Exchange(tape) as exchange, connect(f"{exchange.url}/us{query}") as client:
        assert await client.recv() == '{"status":403,"message":"Server error"}'
        with pytest.raises(ConnectionClosed):
            await client.recv()


@on_a_loop
async def test_speaking_before_the_greeting_ends_the_connection(tape: Tape) -> None:
    """A subscription sent before Authorized gets a 500 frame, and the end."""
    async with (
        Exchange(tape, authorize_delay_sec=60) as exchange,
        dial(exchange, "us") as client,
    ):
        await ask(client, "subscribe", "AAPL")
        assert await client.recv() == '{"status":500,"message":"Server error"}'
        with pytest.raises(ConnectionClosed):
            await client.recv()


@on_a_loop
async def test_waiting_for_a_late_greeting_is_rewarded(tape: Tape) -> None:
    """A client that says nothing until Authorized is served as ever."""
    async with (
        Exchange(tape, authorize_delay_sec=0.02) as exchange,
        dial(exchange, "us") as client,
    ):
        assert await client.recv() == AUTHORIZED
        await ask(client, "subscribe", "AAPL")
        assert await settled(client) == []
        exchange.publish(tape.end)
        assert len(await settled(client)) == 2


# Messages


@pytest.mark.parametrize(
    ("channel", "symbols", "messages"),
    [
        (
            "us",
            "AAPL",
            [
                '{"s":"AAPL","p":330.78,"c":[],"v":5,"dp":false,"ms":"open","t":946684800000}',
                '{"s":"AAPL","p":331.0,"c":[],"v":2.5,"dp":false,"ms":"open","t":946684804000}',
            ],
        ),
        (
            "us-quote",
            "AAPL",
            [
                '{"s":"AAPL","ap":330.8,"as":5,"bp":330.7,"bs":5,"t":946684800000}',
                '{"s":"AAPL","ap":331.25,"as":2.5,"bp":331.0,"bs":2.5,"t":946684804000}',
            ],
        ),
        (
            "forex",
            "EURUSD",
            [
                '{"s":"EURUSD","a":1.13896,"b":1.13895,"dc":"0","dd":"0",'
                '"ppms":false,"t":946684801000}',
                '{"s":"EURUSD","a":1.13907,"b":1.13905,"dc":"0.0092","dd":"0.000105",'
                '"ppms":false,"t":946684805000}',
            ],
        ),
        (
            "crypto",
            "BTC-USD,SHIB-USD",
            [
                '{"s":"BTC-USD","p":"84588","q":"0.002","dc":"0","dd":"0","t":946684802000}',
                '{"s":"SHIB-USD","p":"0.00000812","q":"1000000","dc":"0","dd":"0",'
                '"t":946684803000}',
                '{"s":"BTC-USD","p":"84773.7","q":"0.00000001","dc":"0.2195","dd":"185.7",'
                '"t":946684806000}',
                '{"s":"SHIB-USD","p":"0.00000813","q":"1000000","dc":"0.1232","dd":"0.00000001",'
                '"t":946684807000}',
            ],
        ),
    ],
)
@on_a_loop
async def test_each_channel_speaks_in_its_own_words(
    tape: Tape, channel: str, symbols: str, messages: list[str]
) -> None:
    """Fields, order and types are the vendor's: crypto in strings, forex without a price."""
    async with Exchange(tape) as exchange, dial(exchange, channel) as client:
        await ask(client, "subscribe", symbols)
        assert await settled(client) == [AUTHORIZED]
        exchange.publish(TAPE_EPOCH + 3.5)
        exchange.publish(tape.end)
        assert await settled(client) == messages


@on_a_loop
async def test_stock_trades_carry_their_conditions() -> None:
    """Codes come as a list, on a few of the seeded market's prints."""
    market = Market({"stocks": ["NVDA"]}, 1, 1_800_000_000)
    async with Exchange(market) as exchange, dial(exchange, "us") as client:
        await ask(client, "subscribe", "NVDA")
        await settled(client)
        for minute in range(1, 11):
            exchange.publish(market.start + 60 * minute)
        trades = [json.loads(text) for text in await settled(client)]
    assert {"[]", "[37]"} < {str(trade["c"]) for trade in trades}


@on_a_loop
async def test_what_is_published_is_what_is_before_the_instant(tape: Tape) -> None:
    """A quote goes out once, when its time has passed."""
    async with Exchange(tape) as exchange, dial(exchange, "us") as client:
        await ask(client, "subscribe", "AAPL")
        await settled(client)
        exchange.publish(TAPE_EPOCH + 4)
        assert len(await settled(client)) == 1
        exchange.publish(TAPE_EPOCH + 4)
        assert await settled(client) == []
        exchange.publish(TAPE_EPOCH + 4.001)
        assert len(await settled(client)) == 1


# Subscriptions


@on_a_loop
async def test_unsubscribing_stops_the_messages(tape: Tape) -> None:
    """Of two symbols one goes quiet; unsubscribing what was never subscribed is no error."""
    async with Exchange(tape) as exchange, dial(exchange, "crypto") as client:
        await ask(client, "subscribe", "BTC-USD, SHIB-USD")
        await ask(client, "unsubscribe", "BTC-USD,DOGE-USD")
        assert await settled(client) == [AUTHORIZED]
        exchange.publish(tape.end)
        assert {json.loads(text)["s"] for text in await settled(client)} == {"SHIB-USD"}


@on_a_loop
async def test_unknown_symbols_are_accepted_and_silent(tape: Tape) -> None:
    """No error tells a wrong name from a quiet one."""
    async with Exchange(tape) as exchange, dial(exchange, "us") as client:
        await ask(client, "subscribe", "FOO-BAR,AAPL")
        assert await settled(client) == [AUTHORIZED]
        exchange.publish(tape.end)
        assert {json.loads(text)["s"] for text in await settled(client)} == {"AAPL"}


@pytest.mark.parametrize(
    "request_",
    [
        '{"action":"subscribe","symbols":["AAPL"]}',
        '{"action":"subscribe"}',
        '{"symbols":"AAPL"}',
        '{"action":"dance","symbols":"AAPL"}',
        '{"action":["subscribe"],"symbols":"AAPL"}',
        "[]",
        "17",
        "AAPL",
        "",
        "[" * 100_000,
        b'{"action":"subscribe","symbols":"AAPL"}',
        b"\xff\x00",
    ],
    ids=lambda request: repr(request)[:40],
)
@on_a_loop
async def test_what_is_no_request_is_refused_and_harms_nobody(
    tape: Tape, request_: str | bytes
) -> None:
    """Rubbish gets a 422 frame, and the connection goes on."""
    async with Exchange(tape) as exchange, dial(exchange, "us") as client:
        assert await client.recv() == AUTHORIZED
        await client.send(request_)
        assert await client.recv() == BAD_REQUEST
        await ask(client, "subscribe", "AAPL")
        await settled(client)
        exchange.publish(tape.end)
        assert len(await settled(client)) == 2


@pytest.mark.parametrize(
    ("channel", "allowed", "refused"),
    [
        ("us", "AAPL,MSFT,TSLA", "AAPL,NVDA"),
        ("us-quote", "AAPL", "GOOGL"),
        ("forex", "EURUSD", "EURUSD,USDJPY"),
        ("crypto", "ETH-USD,BTC-USD", "BTC-USD,SOL-USD"),
    ],
)
@on_a_loop
async def test_the_demo_key_has_a_few_symbols_only(
    tape: Tape, channel: str, allowed: str, refused: str
) -> None:
    """A message that names any other is refused as a whole."""
    async with Exchange(tape) as exchange, dial(exchange, channel, "demo") as client:
        await ask(client, "subscribe", refused)
        assert await settled(client) == [AUTHORIZED, DEMO_ONLY]
        exchange.publish(TAPE_EPOCH + 3.5)
        assert await settled(client) == []
        await ask(client, "subscribe", allowed)
        assert OVER_LIMIT not in (replies := await settled(client))
        assert DEMO_ONLY not in replies


@on_a_loop
async def test_the_symbol_limit_is_the_accounts(tape: Tape) -> None:
    """Channels and connections share it, a message beyond it is refused whole."""
    async with (
        Exchange(tape, symbol_limit=3) as exchange,
        dial(exchange, "us") as trades,
        dial(exchange, "us-quote") as quotes,
        dial(exchange, "us", "another") as stranger,
    ):
        await ask(trades, "subscribe", "AAPL,MSFT")
        await ask(trades, "subscribe", "MSFT,AAPL")
        assert await settled(trades) == [AUTHORIZED]
        await ask(quotes, "subscribe", "AAPL,MSFT")
        assert await settled(quotes) == [AUTHORIZED, OVER_LIMIT]
        exchange.publish(tape.end)
        assert await settled(quotes) == []
        await ask(quotes, "subscribe", "AAPL")
        assert await settled(quotes) == []
        await ask(trades, "unsubscribe", "MSFT")
        await ask(trades, "subscribe", "TSLA")
        await ask(trades, "subscribe", "NVDA")
        assert (await settled(trades))[-1] == OVER_LIMIT
        await ask(stranger, "subscribe", "AAPL,MSFT,TSLA")
        assert await settled(stranger) == [AUTHORIZED]


@pytest.mark.parametrize("ghost_sec", [0.0, 0.2])
@on_a_loop
async def test_a_closed_connection_may_leave_ghosts(tape: Tape, ghost_sec: float) -> None:
    """Its symbols stay counted for as long as ordered, then the slots are free again."""
    async with (
        Exchange(tape, symbol_limit=1, ghost_sec=ghost_sec) as exchange,
        dial(exchange, "us") as after,
    ):
        async with dial(exchange, "us") as before:
            await ask(before, "subscribe", "AAPL")
            assert await settled(before) == [AUTHORIZED]
            closed_after = asyncio.get_running_loop().time()
        await after.recv()
        refusals = 0
        while OVER_LIMIT in await _reply(after, "MSFT"):
            refusals += 1
        assert asyncio.get_running_loop().time() - closed_after >= ghost_sec
        assert refusals or not ghost_sec


async def _reply(client: ClientConnection, symbols: str) -> list[str]:
    await ask(client, "subscribe", symbols)
    return await settled(client)


# Forex snapshots


@on_a_loop
async def test_forex_shows_an_old_tick_right_after_subscribing() -> None:
    """One per valid symbol, from before the start where nothing was published yet."""
    market = Market({"forex": ["EURUSD", "USDINR"], "crypto": ["BTC-USD"]}, 1, 1_800_000_000)
    async with Exchange(market) as exchange, dial(exchange, "forex") as client:
        await ask(client, "subscribe", "EURUSD,USDINR,XBRUSD,BTC-USD")
        _, *snapshots = [json.loads(text) for text in await settled(client)]
    assert [snapshot["s"] for snapshot in snapshots] == ["EURUSD", "USDINR"]
    assert all(0 < snapshot["b"] < snapshot["a"] for snapshot in snapshots)
    assert all(snapshot["t"] < market.start * 1000 for snapshot in snapshots)


@on_a_loop
async def test_a_later_subscriber_sees_the_latest_tick(tape: Tape) -> None:
    """A tape has nothing to show before its first row, then always its latest."""
    async with Exchange(tape) as exchange, dial(exchange, "forex") as client:
        await ask(client, "subscribe", "EURUSD")
        assert await settled(client) == [AUTHORIZED]
        exchange.publish(tape.end)
        first, latest = await settled(client)
        await ask(client, "subscribe", "EURUSD")
        assert await settled(client) == [latest] != [first]


# What the worker asks


@on_a_loop
async def test_it_counts_what_it_sent(tape: Tape) -> None:
    """Data messages per asset class and token: both stock channels, snapshots too."""
    async with (
        Exchange(tape) as exchange,
        dial(exchange, "us") as trades,
        dial(exchange, "us-quote") as quotes,
        dial(exchange, "forex") as forex,
        dial(exchange, "crypto", "another") as crypto,
    ):
        clients = {trades: "AAPL", quotes: "AAPL", forex: "EURUSD", crypto: "BTC-USD"}
        for client, symbols in clients.items():
            await ask(client, "subscribe", symbols)
            assert await settled(client) == [AUTHORIZED]
        exchange.publish(tape.end)
        await ask(forex, "subscribe", "EURUSD")
        received = {client: len(await settled(client)) for client in clients}
        assert received == {trades: 2, quotes: 2, forex: 3, crypto: 2}
        assert exchange.sent_counts("t") == {"stocks": 4, "forex": 3, "crypto": 0}
        assert exchange.sent_counts("another") == {"stocks": 0, "forex": 0, "crypto": 2}
        assert exchange.sent_counts("nobody") == {"stocks": 0, "forex": 0, "crypto": 0}


@on_a_loop
async def test_it_says_when_all_wanted_symbols_are_subscribed(tape: Tape) -> None:
    """Over several connections and messages, of this token only."""
    wanted: dict[Asset, list[str]] = {"stocks": ["AAPL", "MSFT"], "crypto": ["BTC-USD"]}
    async with (
        Exchange(tape) as exchange,
        dial(exchange, "us") as stocks,
        dial(exchange, "crypto") as crypto,
        dial(exchange, "us", "another") as stranger,
    ):
        ready = [
            asyncio.create_task(exchange.wait_for_subscriptions("t", wanted)) for _ in range(2)
        ]
        for client, symbols in ((stranger, "AAPL,MSFT"), (stocks, "MSFT"), (crypto, "BTC-USD")):
            await ask(client, "subscribe", symbols)
            await settled(client)
        assert not any(task.done() for task in ready)
        await ask(stocks, "subscribe", "AAPL")
        await asyncio.gather(*ready)
        await exchange.wait_for_subscriptions("t", {})


@on_a_loop
async def test_it_runs_by_the_clock_it_is_given(tape: Tape) -> None:
    """Each tick of the clock publishes what it passed, until the task is cancelled."""
    times = iter(range(1, 1000))
    async with Exchange(tape) as exchange, dial(exchange, "us") as client:
        await ask(client, "subscribe", "AAPL")
        await settled(client)
        running = asyncio.create_task(exchange.run(lambda: TAPE_EPOCH + next(times), 0.001))
        assert [json.loads(await client.recv())["p"] for _ in range(2)] == [330.78, 331]
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running


# Trouble


@on_a_loop
async def test_a_client_that_does_not_read_is_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It holds no memory and hinders nobody."""
    monkeypatch.setattr(simulator, "BACKLOG_LIMIT", 2**16)
    count = 60_000
    tape = tape_of(tmp_path, *(f"{ms},us,AAPL,330.78,,,5" for ms in range(count)))
    async with (
        Exchange(tape) as exchange,
        dial(exchange, "us", "reader") as reader,
        _deaf(exchange) as deaf,
    ):
        for client in (deaf, reader):
            await ask(client, "subscribe", "AAPL")
            assert await settled(client) == [AUTHORIZED]
        heard = 0
        for second in range(1, count // 1000 + 1):
            exchange.publish(TAPE_EPOCH + second)
            heard += len(await settled(reader))
        assert heard == count
        assert 0 < exchange.sent_counts("deaf")["stocks"] < count
        await _to_the_end(deaf)
        assert deaf.close_code in (1006, 1013)


@on_a_loop
async def test_a_client_that_does_not_read_does_not_hold_up_the_end(tmp_path: Path) -> None:
    """Stopping waits a second for the close to get through, then cuts the line."""
    tape = tape_of(tmp_path, *(f"{ms},us,AAPL,330.78,,,5" for ms in range(60_000)))
    async with contextlib.AsyncExitStack() as stack:
        async with Exchange(tape) as exchange:
            deaf = await stack.enter_async_context(_deaf(exchange))
            await ask(deaf, "subscribe", "AAPL")
            assert await settled(deaf) == [AUTHORIZED]
            exchange.publish(tape.end)
            begun = asyncio.get_running_loop().time()
        assert asyncio.get_running_loop().time() - begun < 2
        deaf.transport.abort()


def _deaf(exchange: Exchange) -> connect:
    """A connection with little room for what it does not read."""
    narrow = socket.socket()
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    narrow.connect(("127.0.0.1", urlsplit(exchange.url).port))
    return connect(f"{exchange.url}/us?api_token=deaf", sock=narrow)


async def _to_the_end(client: ClientConnection) -> None:
    with contextlib.suppress(ConnectionClosed):
        async for _ in client:
            pass


@on_a_loop
async def test_a_long_message_list_is_no_reason_to_be_dropped(
    tape: Tape, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one call publishes may be more than the limit; only what is left unread counts."""
    monkeypatch.setattr(simulator, "BACKLOG_LIMIT", 0)
    async with Exchange(tape) as exchange, dial(exchange, "us") as client:
        await ask(client, "subscribe", "AAPL")
        await settled(client)
        exchange.publish(tape.end)
        assert len(await settled(client)) == 2


@on_a_loop
async def test_stopping_closes_every_client_at_once(tape: Tape) -> None:
    """Clients are told that the server goes away, however many there are."""
    async with Exchange(tape) as exchange:
        clients = [await dial(exchange, channel) for channel in CHANNELS for _ in range(5)]
        begun = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - begun < 1
    for client in clients:
        await client.wait_closed()
        assert client.close_code == 1001


@on_a_loop
async def test_a_client_that_vanishes_is_forgotten(tape: Tape) -> None:
    """A connection cut without a word frees its slots, and publishing goes on."""
    async with Exchange(tape, symbol_limit=1) as exchange, dial(exchange, "us") as after:
        before = await dial(exchange, "us")
        await ask(before, "subscribe", "AAPL")
        await settled(before)
        before.transport.abort()
        exchange.publish(TAPE_EPOCH + 1)
        await after.recv()
        while OVER_LIMIT in await _reply(after, "AAPL"):
            pass
        exchange.publish(tape.end)
        assert len(await settled(after)) == 1


@on_a_loop
async def test_the_token_is_never_logged(tape: Tape, caplog: pytest.LogCaptureFixture) -> None:
    """Not even where somebody turns on everything; the client's own log is not ours."""
    caplog.set_level(logging.DEBUG)
    quiet = logging.getLogger("quiet")
    quiet.setLevel(logging.CRITICAL)
    async with Exchange(tape) as exchange:
        for path in ("us", "nowhere"):
            url = f"{exchange.url}/{path}?api_token=s3cr3t"
            try:
                async with connect(url, logger=quiet) as client:
                    await _reply(client, "AAPL")
            except InvalidStatus:
                assert path == "nowhere"
    assert caplog.records
    assert "s3cr3t" not in caplog.text


# The recorded hour


@on_a_loop
async def test_recorded_ticks_arrive_whole_and_in_order(tape_path: Path) -> None:
    """Ten minutes of the real tape, on three channels at once."""
    wanted: dict[Asset, list[str]] = {
        "stocks": ["SPY", "IBM", "BAC", "AIG"],
        "forex": ["EURUSD", "NZDUSD"],
        "crypto": ["BTC-USD"],
    }
    expected = Tape.load(tape_path).read_until(TAPE_EPOCH + 600)
    async with (
        Exchange(Tape.load(tape_path)) as exchange,
        dial(exchange, "us") as stocks,
        dial(exchange, "forex") as forex,
        dial(exchange, "crypto") as crypto,
    ):
        clients: list[tuple[Asset, ClientConnection]] = [
            ("stocks", stocks),
            ("forex", forex),
            ("crypto", crypto),
        ]
        received: dict[Asset, list[str]] = {"stocks": [], "forex": [], "crypto": []}
        for asset, client in clients:
            await ask(client, "subscribe", ",".join(wanted[asset]))
        await exchange.wait_for_subscriptions("t", wanted)
        for second in range(20, 601, 20):
            exchange.publish(TAPE_EPOCH + second)
            for asset, client in clients:
                received[asset] += await settled(client)
        for asset, texts in received.items():
            messages = [json.loads(text) for text in texts[1:]]
            rows = [row for row in expected if row.asset == asset]
            assert exchange.sent_counts("t")[asset] == len(rows)
            assert [(m["s"], m["t"]) for m in messages] == [
                (row.symbol, round(row.ts * 1000)) for row in rows
            ]


# An archive


@pytest.mark.parametrize("asset", ASSETS)
@on_a_loop
async def test_archived_prices_arrive_to_the_last_bit(tmp_path: Path, asset: Asset) -> None:
    """In every channel's own words: means with all their digits, the tiny and the huge."""
    rng, store, begin = random.Random(4), PulseStore(records=True), 1_795_600_800
    for second in range(300):
        price = 10 ** rng.uniform(-12, 12)
        for ms in sorted(rng.choices(range(1000), k=3)):
            ts = ((begin + second) * 1000 + ms) / 1000
            store.update(Tick("BTC-USD", asset, ts, price * rng.uniform(0.9, 1.1)))
    path = tmp_path / "archive.sqlite"
    with closing(connect_archive(path)) as connection:
        write_bars(connection, store.collect_changed())
    expected = ArchivedTape.load(path).read_until(begin + 300)
    tape = ArchivedTape.load(path)
    async with Exchange(tape) as exchange, dial(exchange, eodhd.CHANNELS[asset]) as client:
        await ask(client, "subscribe", "BTC-USD")
        assert await settled(client) == [AUTHORIZED]
        exchange.publish(tape.end)
        offers = [eodhd.parse(text) for text in await settled(client)]
    assert len(offers) == 900
    for offer, quote in zip(offers, expected, strict=True):
        assert isinstance(offer, RawTick)
        assert (offer.symbol, offer.ts, offer.price) == (quote.symbol, quote.ts, quote.price)
        assert not offer.flaw
