"""Asker: what viewers ask reaches the broker in its order, or is given up soon."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator

import pytest

from sources.asking import Asker
from sources.entries import decoded_wish
from sources.relay import Relay
from sources.relay_records import Packed
from sources.wishes import Wish, WishKind
from tests.broker import Broker
from tests.waiting import HANG_SEC

ONCE = "a-password"


@pytest.fixture
def relay(broker: Broker) -> Iterator[Relay]:
    """A line to the broker."""
    line = Relay(broker.settings(), "host-a", timeout_sec=30.0)
    yield line
    line.close()


def wish(symbol: str) -> Wish:
    """To watch a symbol no longer."""
    return Wish(kind=WishKind.REMOVE, symbol=symbol)


def taken(relay: Relay) -> list[Wish]:
    """The wishes that wait at the broker, as whoever collects takes them."""
    term = relay.take()
    assert term is not None
    bodies = relay.beat(term, [Packed(1, 1, b"")], b"", 60, takes_wishes=True)
    relay.release(term)
    return [decoded_wish(body) for body in bodies]


async def asked(asker: Asker, condition: Callable[[], object]) -> None:
    """Let it send until this holds."""
    run = asyncio.create_task(asker.run())
    async with asyncio.timeout(HANG_SEC):
        while not condition():  # noqa: ASYNC110 - the broker sets no event
            await asyncio.sleep(0.005)
    run.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await run


def waiting(broker: Broker) -> int:
    """How many wishes wait at the broker."""
    return int(broker.admin.xlen("mp:{pulse}:wishes"))


def test_wishes_come_in_their_order(broker: Broker, relay: Relay) -> None:
    """Those, too, that were asked before it could send any."""
    asker = Asker(relay, retry_sec=0.01)
    for symbol in ("AAPL", "MSFT"):
        asker.ask(wish(symbol))
    asyncio.run(asked(asker, lambda: waiting(broker) == 2))
    assert taken(relay) == [wish("AAPL"), wish("MSFT")]
    assert not asker.is_denied


def test_an_old_wish_is_given_up(broker: Broker, relay: Relay) -> None:
    """Nobody would know any more why something changes."""
    now = 0.0
    asker = Asker(relay, retry_sec=0.01, steady=lambda: now)
    asker.ask(wish("AAPL"))
    now = 11.0
    asker.ask(wish("MSFT"))
    asyncio.run(asked(asker, lambda: waiting(broker)))
    assert taken(relay) == [wish("MSFT")]


def test_who_may_only_read_asks_once(broker: Broker) -> None:
    """From then on it is known that nothing can be asked."""
    commands = ["+client|setname", "+time", "+get", "+pttl", "+xrange"]
    broker.admin.acl_setuser(
        "reader", enabled=True, passwords=[f"+{ONCE}"], keys=["mp:*"], commands=commands
    )
    line = Relay(broker.settings(user="reader", password=ONCE), "host-b", timeout_sec=30.0)
    asker = Asker(line, retry_sec=0.01)
    asker.ask(wish("AAPL"))
    asyncio.run(asked(asker, lambda: asker.is_denied))
    assert waiting(broker) == 0
    line.close()
