"""Five vendors that send as fast as the sockets take: the other end of the end-to-end benchmark.

Run as a process of its own, as ``benchmarks.flood`` is: prints its port, then for every number on
standard input makes that many messages of each stream, says so, and sends them, a few of each
stream in turns, to the newest client of each.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from websockets.asyncio.server import ServerConnection, serve

from benchmarks.flood import HIGH_WATER_BYTES
from ticks import Asset

FRAMES_PER_WRITE: Final = 100


class Stream(NamedTuple):
    """One connection's messages, and the symbols that they are of, in our spelling."""

    path: str
    asset: Asset
    symbols: Sequence[str]
    message: Callable[[str, int, float], dict[str, Any] | list[Any]]
    """Of a symbol, with a number and a time."""


def _stamp(ts: float) -> str:
    return datetime.fromtimestamp(ts, UTC).isoformat(timespec="microseconds")[:-6] + "Z"


def _coinbase(symbol: str, number: int, ts: float) -> dict[str, Any]:
    return {
        "type": "match",
        "trade_id": number,
        "maker_order_id": "5b268d37-59d7-4b16-935c-3854d4cf956d",
        "taker_order_id": "b281704b-3d2e-4631-bc49-75ca291b445b",
        "side": "buy",
        "size": "0.00000009",
        "price": f"{77_000 + number % 97:.2f}",
        "product_id": symbol,
        "sequence": 2 * number,
        "time": _stamp(ts),
    }


def _kraken_trade(symbol: str, number: int, ts: float) -> dict[str, Any]:
    trade = {"symbol": symbol.replace("-", "/"), "side": "buy", "price": 83_000.0 + number % 97}
    more = {"qty": 0.0004478, "ord_type": "limit", "trade_id": number, "timestamp": _stamp(ts)}
    return {"channel": "trade", "type": "update", "data": [trade | more]}


def _kraken_quote(symbol: str, number: int, ts: float) -> dict[str, Any]:
    bid = round(1.138 + number % 97 / 1e5, 5)
    quote = {
        "symbol": f"{symbol[:3]}/{symbol[3:]}",
        "bid": bid,
        "bid_qty": 44620.68691883,
        "ask": bid + 2e-5,
        "ask_qty": 1087605.70466858,
        "last": bid,
        "volume": 270638277.50461281,
        "vwap": 1.13833,
        "low": 1.13515,
        "high": 1.14022,
        "change": 0.00005,
        "change_pct": 0.01,
        "trades": 38144,
        "timestamp": _stamp(ts),
    }
    return {"channel": "ticker", "type": "update", "data": [quote]}


def _binance(symbol: str, number: int, ts: float) -> dict[str, Any]:
    name, ms = symbol.replace("-", ""), int(ts * 1000)
    trade = {"e": "aggTrade", "E": ms, "s": name, "a": number, "p": f"{77_000 + number % 97:.8f}"}
    more = {"q": "100", "f": 3 * number, "l": 3 * number + 2, "T": ms, "m": True, "M": True}
    return {"stream": f"{name.lower()}@aggTrade", "data": trade | more}


def _alpaca(symbol: str, number: int, ts: float) -> list[Any]:
    price = 330 + number % 97 / 100
    trade = {"T": "t", "S": symbol, "i": number, "x": "V", "p": price, "s": 3, "c": ["@"]}
    return [{**trade, "z": "C", "t": _stamp(ts)[:-1] + "188Z"}]


def _finnhub(symbol: str, number: int, ts: float) -> dict[str, Any]:
    price = 330 + number % 97 / 100
    trade = {"c": ["1", "8"], "p": price, "s": symbol, "t": int(ts * 1000), "v": number}
    return {"data": [trade], "type": "trade"}


STREAMS: Final = (
    Stream("coinbase", "crypto", ("BTC-USD", "ETH-USD"), _coinbase),
    Stream("kraken-crypto", "crypto", ("SOL-USD",), _kraken_trade),
    Stream("kraken-forex", "forex", ("EURUSD", "GBPUSD"), _kraken_quote),
    Stream("binance", "crypto", ("BTC-USDT", "ETH-USDT"), _binance),
    Stream("alpaca", "stocks", ("AAPL", "TSLA", "NVDA", "AMZN", "MSFT"), _alpaca),
    Stream("finnhub", "stocks", ("META", "GOOGL", "IBM", "SPY", "BAC"), _finnhub),
)
"""What the five send; one of them in two classes."""


class Floods:
    """Answers as each vendor does and keeps the newest client of each stream."""

    def __init__(self) -> None:
        self._clients: dict[str, ServerConnection] = {}
        self._numbers = {
            stream.path: {symbol: itertools.count(1) for symbol in stream.symbols}
            for stream in STREAMS
        }

    async def answer(self, ws: ServerConnection) -> None:
        """Serve one connection."""
        path = ws.request.path.strip("/").partition("/")[0].partition("?")[0] if ws.request else ""
        if path == "alpaca":
            await ws.send('[{"T":"success","msg":"connected"}]')
        if path != "kraken":  # it says of which class it is
            self._clients[path] = ws
        if path == "finnhub":  # by which it is known since when it is there
            await ws.send('{"type":"ping"}')
        async for frame in ws:
            said = json.loads(frame)
            if path == "kraken" and said.get("method") == "subscribe":
                is_forex = said["params"]["channel"] == "ticker"
                self._clients["kraken-forex" if is_forex else "kraken-crypto"] = ws
            for reply in _replies(path, said):
                await ws.send(json.dumps(reply))

    async def send(self, count: int) -> None:
        """Send ``count`` messages of each stream as fast as the clients read."""
        begun = time.time() - 2.0
        ready = [[*self._pieces(stream, count, begun)] for stream in STREAMS]
        transports = [self._clients[stream.path].transport for stream in STREAMS]
        print("sending", flush=True)
        for turn in zip(*ready, strict=True):
            for transport, piece in zip(transports, turn, strict=True):
                transport.write(piece)
                while transport.get_write_buffer_size() > HIGH_WATER_BYTES:  # noqa: ASYNC110 - of no event
                    await asyncio.sleep(0.0005)

    def _pieces(self, stream: Stream, count: int, begun: float) -> Iterator[bytes]:
        """The messages as WebSocket frames, several in a piece."""
        frames = []
        for turn in range(count):
            symbol = stream.symbols[turn % len(stream.symbols)]
            number = next(self._numbers[stream.path][symbol])
            text = json.dumps(stream.message(symbol, number, begun + turn * 1e-6)).encode()
            # An unmasked final text frame.
            length = bytes((len(text),)) if len(text) < 126 else b"\x7e" + len(text).to_bytes(2)
            frames.append(b"\x81" + length + text)
        for at in range(0, count, FRAMES_PER_WRITE):
            yield b"".join(frames[at : at + FRAMES_PER_WRITE])


def _replies(path: str, said: dict[str, Any]) -> Iterator[dict[str, Any] | list[Any]]:
    """What the vendor answers to whoever asks as one should."""
    if path == "coinbase":
        products = said["product_ids"]
        yield {"type": "subscriptions", "channels": [{"name": "matches", "product_ids": products}]}
    elif path == "kraken" and said.get("method") == "subscribe":
        for pair in said["params"]["symbol"]:
            yield {"method": "subscribe", "result": {"symbol": pair}, "success": True}
    elif path == "alpaca" and said.get("action") == "auth":
        yield [{"T": "success", "msg": "authenticated"}]
    elif path == "alpaca":
        yield [{"T": "subscription", "trades": said.get("trades", [])}]


async def main() -> None:
    """Serve until standard input ends."""
    floods = Floods()
    async with serve(floods.answer, "127.0.0.1", 0, compression=None) as server:
        print(next(iter(server.sockets)).getsockname()[1], flush=True)
        loop = asyncio.get_running_loop()
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            await floods.send(int(line))


if __name__ == "__main__":
    asyncio.run(main())
