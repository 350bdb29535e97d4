"""Tabs over two processes behind a proxy: whichever ends, all tabs go on, as they were."""

from __future__ import annotations

import json
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
from playwright.sync_api import Page, expect
from websockets.sync.client import connect

from tests.broker import Broker
from tests.browser_page import Serve, Tabs, prices, query, shows_prices
from tests.browsing import Server
from tests.conftest import missing
from tests.proxy import Proxy
from tests.waiting import HANG_SEC, until

pytest_plugins = ("tests.browser_fixtures",)

CHOSEN: Final = ("", "rank=1m+up", "symbol=TSLA&severity=extreme", "symbol=BTC-USD&span=15m")
"""What the tabs show, by their addresses."""

CUT_OFF: Final = {
    "WebSocket onclose",
    "Cannot send rerun backMessage when disconnected from server.",
}
"""What Streamlit's own code says of a connection that ended, as far as the first colon."""


@pytest.fixture
def caddy() -> None:
    """Debian's Caddy."""
    if shutil.which("caddy") is None:
        missing("caddy")


@pytest.fixture
def equals(serve: Serve, broker: Broker) -> Iterator[tuple[Server, Server]]:
    """Two equal processes on a simulated market; the first collects."""
    first = serve(environ(broker), with_api=True)
    until(lambda: relay(first)["state"] == "leading", what="the first to collect")
    second = serve(environ(broker), with_api=True)
    until(lambda: follows(second), what="the second to follow")
    yield first, second
    for server in (first, second):
        log = server.log.read_text("utf-8")
        assert "Traceback" not in log, log


def environ(broker: Broker) -> dict[str, str]:
    return {
        "MARKET_PULSE_SOURCE": "simulated",
        "MARKET_PULSE_SEED": "7",
        "MARKET_PULSE_ROLE": "auto",
        "MARKET_PULSE_REDIS": broker.url,
    }


def relay(server: Server) -> dict[str, Any]:
    """What a process is among the others, as it tells programs."""
    try:
        with urllib.request.urlopen(f"{server.url}api/v1/status", timeout=HANG_SEC) as answer:  # noqa: S310 - our own
            found: dict[str, Any] = json.load(answer)["status"]["relay"]
    except urllib.error.HTTPError:  # nothing is shown yet
        return {"state": ""}
    return found


def follows(server: Server) -> bool:
    """Whether it shows what another collects."""
    found = relay(server)
    return bool(found["state"] == "following" and found["shown"])


class Stream(NamedTuple):
    """What a program was told by one process."""

    name: str
    got_to: int
    """The last seq."""
    rows: list[tuple[str, int, float, int, float]]
    """The bars: symbol, second, price, number and sum of ticks."""


def followed(server: Server, is_enough: Callable[[int], bool], **since: Any) -> Stream:
    """The stream of a process up to the first seq that is enough."""
    rows: list[tuple[str, int, float, int, float]] = []
    with connect(f"ws://127.0.0.1:{server.port}/api/v1/stream") as socket:
        socket.send(json.dumps({"type": "subscribe", "channel": "bars", **since}))
        hello = json.loads(socket.recv(HANG_SEC))
        while True:
            told = json.loads(socket.recv(HANG_SEC))
            assert told["type"] == "bars", told
            rows += map(tuple, told["rows"])
            if is_enough(told["seq"]):
                return Stream(hello["stream"], told["seq"], rows)


def is_up(server: Server) -> bool:
    """Whether it has something to show."""
    try:
        with urllib.request.urlopen(f"{server.url}readyz", timeout=HANG_SEC):  # noqa: S310 - our own
            return True
    except OSError:
        return False


def shown(page: Page) -> float:
    """The second that a tab shows."""
    second: float = page.evaluate("marketPulse.payload.now")
    return second


def go_on(pages: list[Page]) -> None:
    """Wait until all tabs have been shown newer seconds, with other figures, three times over."""
    for _ in range(3):
        before = [(shown(page), prices(page)) for page in pages]
        for page, (second, figures) in zip(pages, before, strict=True):
            until(
                lambda page=page, second=second, figures=figures: (  # type: ignore[misc]
                    shown(page) > second and prices(page) != figures
                ),
                what="newer figures",
            )


def test_four_tabs_go_on_whichever_process_ends(
    equals: tuple[Server, Server], broker: Broker, caddy: None, tabs: Tabs, tmp_path: Path
) -> None:
    """First the one that serves them, then the one that serves them and collects."""
    collects, other = equals
    with Proxy(tmp_path / "proxy", equals) as proxy:
        visitor = tabs.visitor()
        proxy.send(visitor, other)
        pages = [tabs(f"{proxy.url}?{chosen}", visitor) for chosen in CHOSEN]
        for page in pages:
            until(lambda page=page: shows_prices(page))  # type: ignore[misc]
        assert proxy.serving(visitor) is other
        addresses = [query(page) for page in pages]

        other.process.kill()
        go_on(pages)
        assert [query(page) for page in pages] == addresses
        assert proxy.serving(visitor) is collects

        other.restart(environ(broker))
        until(lambda: is_up(other) and follows(other), what="it to follow again")
        collects.process.kill()
        go_on(pages)
        assert [query(page) for page in pages] == addresses
        assert proxy.serving(visitor) is other
        until(lambda: relay(other)["state"] == "leading", what="the other to collect")
        go_on(pages)
        for page in pages:
            expect(page.get_by_test_id("stDialog")).to_be_hidden()
            expect(page.locator(".lost")).to_be_hidden()
            # Before the proxy ends, which they would complain of, too.
            page.close()
    assert {text.partition(":")[0] for text in tabs.complaints} <= CUT_OFF
    tabs.complaints.clear()


def test_a_replica_waits_for_a_collector(serve: Serve, broker: Broker, tabs: Tabs) -> None:
    """It says that nobody collects; once somebody does it shows all of it, and what a link asks."""
    replica = serve(environ(broker) | {"MARKET_PULSE_ROLE": "replica"}, with_api=True)
    page = tabs(f"{replica.url}?symbol=TSLA&rank=1m+up")
    expect(page.get_by_text("Nobody collects")).to_be_visible(timeout=1000 * HANG_SEC)
    expect(page.get_by_text("Nothing is known yet")).to_have_count(2)
    assert not is_up(replica)
    collector = serve(environ(broker) | {"MARKET_PULSE_ROLE": "collector"}, with_api=True)
    until(lambda: is_up(replica) and shows_prices(page), what="the pulse")
    expect(page.get_by_text("Nobody collects")).to_be_hidden()
    until(lambda: len(prices(page)) > 5, what="all rows")
    assert "symbol=TSLA" in query(page)
    expect(page.get_by_test_id("stDialog")).to_be_hidden()
    # The hour behind it is the collector's.
    assert page.evaluate("marketPulse.payload.pulse.warming.length") == 0
    assert relay(replica)["collector"] == relay(collector)["host"]


def test_a_program_goes_on_at_another_process(equals: tuple[Server, Server]) -> None:
    """By the seq that it got to: every second once, with the bars that the first one has."""
    collects, other = equals
    begins = followed(collects, lambda seq: True)
    stream, first = begins.name, begins.got_to + 1
    stays = followed(collects, lambda seq: seq >= first + 2, since=begins.got_to, stream=stream)
    moves = followed(other, lambda seq: seq >= first + 2, since=begins.got_to, stream=stream)
    last = min(stays.got_to, moves.got_to)
    of_both = [
        sorted(row for row in each.rows if first <= row[1] <= last) for each in (stays, moves)
    ]
    assert of_both[0] == of_both[1]
    assert len({row[:2] for row in of_both[0]}) == len(of_both[0])
    assert {row[1] for row in of_both[0]} == set(range(first, last + 1))
    goes_on = followed(collects, lambda seq: True, since=moves.got_to, stream=stream)
    assert min(row[1] for row in goes_on.rows) == moves.got_to + 1
