"""Reading is cheap: each vendor's dialogue beside ``json.loads`` alone on the same frames."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from benchmarks.report import Row
from ticks import Asset, VendorName
from vendors import make_vendor
from vendors.wire import RawTick

ROUNDS: Final = 7
FRAMES: Final = 20_000

_EODHD: Final = (
    '{{"s":"AAPL","p":{p},"c":[],"v":5,"dp":false,"ms":"extended-hours","t":{ms}}}',
    '{{"s":"EURUSD","a":{p},"b":{p},"dc":"0.0619","dd":"0.0007","ppms":true,"t":{ms}}}',
    '{{"s":"BTC-USD","p":"{p}","q":"0.002","dc":"0.2196","dd":"185.7","t":{ms}}}',
)
_COINBASE: Final = (
    '{{"type":"match","trade_id":{n},"maker_order_id":"5b268d37-59d7-4b16-935c-3854d4cf956d",'
    '"taker_order_id":"b281704b-3d2e-4631-bc49-75ca291b445b","side":"buy","size":"0.00000009",'
    '"price":"{p}","product_id":"BTC-USD","sequence":135437581854,"time":"{us}"}}'
)
_KRAKEN: Final = (
    '{{"channel":"trade","type":"update","data":[{{"symbol":"BTC/USD","side":"buy","price":{p},'
    '"qty":0.00044780,"ord_type":"limit","trade_id":{n},"timestamp":"{us}"}}]}}',
    '{{"channel":"ticker","type":"update","data":[{{"symbol":"EUR/USD","bid":{p},'
    '"bid_qty":44620.68691883,"ask":{p},"ask_qty":1087605.70466858,"last":{p},'
    '"volume":270638277.50461281,"vwap":{p},"low":{p},"high":{p},"change":0.00005,'
    '"change_pct":0.01,"trades":38144,"timestamp":"{us}"}}]}}',
)
_BINANCE: Final = (
    '{{"stream":"btcusdt@aggTrade","data":{{"e":"aggTrade","E":{ms},"s":"BTCUSDT","a":{n},'
    '"p":"{p}","q":"100","f":100,"l":105,"T":{ms},"m":true,"M":true}}}}'
)
_ALPACA: Final = (
    '[{{"T":"t","S":"AAPL","i":{n},"x":"V","p":{p},"s":3,"c":[" "],"z":"C","t":"{ns}"}}]'
)
_FINNHUB: Final = '{{"data":[{{"c":["1","8"],"p":{p},"s":"AAPL","t":{ms},"v":1}}],"type":"trade"}}'

_FORMS: Final[Mapping[str, tuple[VendorName, Asset, str, str]]] = {
    "EODHD, stocks": ("eodhd", "stocks", "AAPL", _EODHD[0]),
    "EODHD, forex": ("eodhd", "forex", "EURUSD", _EODHD[1]),
    "EODHD, crypto": ("eodhd", "crypto", "BTC-USD", _EODHD[2]),
    "Coinbase": ("coinbase", "crypto", "BTC-USD", _COINBASE),
    "Kraken, crypto": ("kraken", "crypto", "BTC-USD", _KRAKEN[0]),
    "Kraken, forex": ("kraken", "forex", "EURUSD", _KRAKEN[1]),
    "Binance": ("binance", "crypto", "BTC-USDT", _BINANCE),
    "Alpaca": ("alpaca", "stocks", "AAPL", _ALPACA),
    "Finnhub": ("finnhub", "stocks", "AAPL", _FINNHUB),
}
"""A message of each vendor and class: who sends it of what, and what differs from one to the next.
"""

_KEYS: Final[Mapping[VendorName, tuple[str, ...]]] = {
    "eodhd": ("k",),
    "alpaca": ("k", "s"),
    "finnhub": ("k",),
}
_GREETINGS: Final[Mapping[VendorName, Sequence[bytes]]] = {
    "eodhd": [b'{"status_code":200,"message":"Authorized"}'],
    "alpaca": [
        b'[{"T":"success","msg":"connected"}]',
        b'[{"T":"success","msg":"authenticated"}]',
        b'[{"T":"subscription","trades":["AAPL"]}]',
    ],
}
"""What a dialogue hears before it takes prices for such."""


def measure() -> list[Row]:
    """What a frame costs as a share of what ``json.loads`` takes for it."""
    return [_row(name) for name in _FORMS]


def _row(name: str) -> Row:
    vendor, asset, symbol, form = _FORMS[name]
    talk = make_vendor(vendor, _KEYS.get(vendor, ())).dialogue(asset, [symbol])
    talk.begin()
    talk.due(0.0)
    for greeting in _GREETINGS.get(vendor, ()):
        talk.receive(greeting, 0.0)
        talk.due(0.0)
    frames = [_frame(form, number) for number in range(FRAMES)]
    found = talk.receive(frames[0], 0.0)
    if len(found) != 1 or not isinstance(found[0], RawTick) or found[0].symbol != symbol:
        raise RuntimeError(f"{name}: {found} is no price")
    ours, bare = [], []
    for _ in range(ROUNDS):
        bare.append(_seconds(json.loads, frames))
        ours.append(_seconds(lambda frame: talk.receive(frame, 0.0), frames))
    ratio = statistics.median(one / other for one, other in zip(ours, bare, strict=True))
    each_us = statistics.median(ours) / FRAMES * 1e6
    return Row(f"{name}: a frame, and beside json.loads", f"{each_us:.2f} µs, {ratio:.2f}")


def _frame(form: str, number: int) -> bytes:
    second, rest = number // 1000 % 60, number % 1000
    stamp = f"2026-09-02T07:44:{second:02}.{rest:03}"
    return form.format(
        n=1_087_540_758 + number,
        p=f"{330 + number % 97 / 100:.2f}",
        ms=1_788_335_040_000 + number,
        us=f"{stamp}422Z",
        ns=f"{stamp}422188Z",
    ).encode()


def _seconds(read: Callable[[bytes], object], frames: Sequence[bytes]) -> float:
    began = time.perf_counter()
    for frame in frames:
        read(frame)
    return time.perf_counter() - began


if __name__ == "__main__":
    from benchmarks.report import table

    print(table("Reading is cheap", measure()))
