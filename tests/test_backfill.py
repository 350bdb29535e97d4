"""Backfill from a real HTTP server that is slow, wrong, too busy, or gone."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

import pytest

from feeds import Trouble
from sessions import ALWAYS
from sources.backfill import Backfill
from sources.fetching import Manners
from sources.source import BackfillStatus
from tests.rest_server import (
    MINUTE,
    Answer,
    Asked,
    HarborRest,
    RestServer,
    good,
    mistake,
    status,
)
from tests.waiting import HANG_SEC
from vendors.rest import Past, Rest, Want
from vendors.wire import NoticeKind

KEY = HarborRest("").key
QUICK = Manners(HANG_SEC, backoff_floor_sec=0.01, backoff_cap_sec=0.02, throttled_sec=0.01)
HOUR, DAY = Want.LAST_HOUR, Want.DAY


class Run:
    """A backfill of coins under way, and what came of it."""

    def __init__(self, rests: Mapping[str, Rest], manners: Manners) -> None:
        self.backfill = Backfill(
            rests, lambda: float(MINUTE), session=lambda asset, now: ALWAYS, manners=manners
        )
        self.told: list[tuple[str, Past]] = []
        self.crashes: list[str] = []
        self.on_past: Callable[[Past], None] = lambda past: None

    def add_past(self, past: Past, vendor: str) -> None:
        self.on_past(past)
        self.told.append((vendor, past))

    async def keep(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                return await run()
            except RuntimeError:
                self.crashes.append(name)

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(HANG_SEC):
            while not condition():  # noqa: ASYNC110 - of no event
                await asyncio.sleep(0.005)

    @property
    def candles(self) -> list[str]:
        return [candle.symbol for _, past in self.told for candle in past.candles]

    def status(self, place: int = 0) -> BackfillStatus:
        return self.backfill.status()[place]

    def is_done(self) -> bool:
        return not any(one.waiting for one in self.backfill.status())


def during(
    rests: Mapping[str, Rest],
    watch: Callable[[Run], Awaitable[None]],
    asked: Mapping[str, Sequence[str]] | None = None,
    manners: Manners = QUICK,
) -> Run:
    """Run a backfill while ``watch`` looks on."""
    run = Run(rests, manners)

    async def both() -> None:
        for name, symbols in (asked or dict.fromkeys(rests, ("BTC-USD", "ETH-USD"))).items():
            run.backfill.ask(name, "crypto", symbols)
        task = asyncio.create_task(run.backfill.run(run.add_past, run.keep))
        try:
            await watch(run)
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    asyncio.run(both())
    return run


async def done(run: Run) -> None:
    await run.until(run.is_done)


def once(first: Answer, then: Answer = good) -> Answer:
    """Answer the first request in another way than all others."""
    waiting = [first]
    return lambda asked: (waiting.pop() if waiting else then)(asked)


def test_what_was_asked_for_is_handed_on_once() -> None:
    """With its vendor's name; the request says who asks, and brings the key."""
    with RestServer() as server:
        run = during({"harbor": HarborRest(server.url)}, done)
        assert run.candles == ["BTC-USD", "ETH-USD"]
        assert [vendor for vendor, _ in run.told] == ["harbor"] * 3
        assert [quote.last for quote in run.told[-1][1].quotes] == [78.0, 78.0]
        assert [reference.price for reference in run.told[-1][1].references] == [70.0, 70.0]
        assert server.symbols(HOUR) == ["BTC-USD", "ETH-USD"] == server.symbols(DAY)
        assert {(asked.key, asked.agent) for asked in server.asked} == {(KEY, "market-pulse")}
    expected = BackfillStatus(vendor="harbor", host="127.0.0.1", asked=2, answers=3)
    assert run.status() == expected


def test_requests_keep_the_distance_that_the_vendor_wants() -> None:
    """From one to the next, however fast it answers."""
    begun = time.monotonic()
    with RestServer() as server:
        during({"harbor": HarborRest(server.url, spacing_sec=0.05)}, done)
        assert len(server.asked) == 3
        assert server.asked[-1].at - begun >= 2 * 0.05


def test_only_who_is_asked_is_told_of() -> None:
    """A vendor that serves nothing has no state."""
    with RestServer() as server:
        rests = {"harbor": HarborRest(server.url), "idle": HarborRest(server.url)}
        run = during(rests, done, {"harbor": ["BTC-USD"], "other": ["ETH-USD"]})
        assert server.symbols(HOUR) == ["BTC-USD"]
    assert [one.vendor for one in run.backfill.status()] == ["harbor"]


def test_unknown_symbol_holds_up_nobody() -> None:
    """The vendor has answered about it: that is no reason to leave it alone for a while."""

    def answer(asked: Asked) -> None:
        is_unknown = asked.symbols == ["BTC-USD"]
        (mistake(NoticeKind.SYMBOL_UNKNOWN) if is_unknown else good)(asked)

    manners = replace(QUICK, backoff_floor_sec=HANG_SEC, backoff_cap_sec=HANG_SEC)
    with RestServer(answer) as server:
        run = during({"harbor": HarborRest(server.url)}, done, manners=manners)
        assert len(server.asked) == 3
    assert run.candles == ["ETH-USD"]
    assert (run.status().failed, run.status().trouble) == (1, Trouble.NONE)


@pytest.mark.parametrize(
    ("kind", "trouble"),
    [
        (NoticeKind.THROTTLED, Trouble.THROTTLED),
        (NoticeKind.SERVER_ERROR, Trouble.VENDOR_ERROR),
        (NoticeKind.UNREADABLE, Trouble.UNREADABLE),
    ],
)
def test_error_with_the_status_of_success_is_told(kind: NoticeKind, trouble: Trouble) -> None:
    """And asked about again, until there is an answer."""
    seen: list[Trouble] = []

    async def watch(run: Run) -> None:
        await run.until(lambda: run.status().trouble is trouble)
        seen.append(run.status().trouble)
        server.answer = good
        await run.until(run.is_done)

    with RestServer(mistake(kind)) as server:
        run = during({"harbor": HarborRest(server.url)}, watch)
    assert seen == [trouble]
    assert run.status().trouble is Trouble.NONE
    if kind is not NoticeKind.UNREADABLE:  # which is given up after a while
        assert sorted(run.candles) == ["BTC-USD", "ETH-USD"]


def test_what_nobody_asked_for_is_left_out() -> None:
    """A vendor may say more than it was asked."""

    def more(asked: Asked) -> None:
        asked.symbols.append("DOGE-USD")
        good(asked)

    with RestServer(more) as server:
        run = during({"harbor": HarborRest(server.url)}, done)
    assert run.candles == ["BTC-USD", "ETH-USD"]
    assert {quote.symbol for _, past in run.told for quote in past.quotes} == {"BTC-USD", "ETH-USD"}


def hangs(asked: Asked) -> None:
    asked.hang()


def dribbles(asked: Asked) -> None:
    """A byte now and then, so that there always is something."""
    asked.begin(200, 1_000_000)
    for _ in range(1_000):
        asked.write(b" ")
        time.sleep(0.02)


def swells(asked: Asked) -> None:
    asked.begin(200, 10**9)
    for _ in range(1_000):
        asked.write(b" " * 1_000_000)


def breaks_off(asked: Asked) -> None:
    asked.begin(200, 1_000)
    asked.write(b"{")


def speaks_something_else(asked: Asked) -> None:
    asked.write(b"SSH-2.0-OpenSSH\r\n" + KEY.encode())


FAULTS: dict[str, tuple[Answer, Trouble]] = {
    "no answer": (hangs, Trouble.NO_ANSWER),
    "too slow": (dribbles, Trouble.NO_ANSWER),
    "busy": (status(503), Trouble.HTTP_ERROR),
    "asked too often": (status(429), Trouble.THROTTLED),
    "asked far too often": (status(418, {"Retry-After": "0"}), Trouble.THROTTLED),
    "not to be read": (lambda asked: asked.answer(200, b"<html>"), Trouble.UNREADABLE),
    "an error in spite of its status": (
        lambda asked: asked.answer(200, b'{"error":["EGeneral:Too many requests"]}'),
        Trouble.UNREADABLE,
    ),
    "cut short": (breaks_off, Trouble.NO_CONNECTION),
    "no HTTP": (speaks_something_else, Trouble.UNREADABLE),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_is_told_and_mended_by_asking_again(fault: str) -> None:
    """Another vendor's past comes meanwhile, and nothing quotes the key."""
    answer, trouble = FAULTS[fault]
    found: list[BackfillStatus] = []

    async def watch(run: Run) -> None:
        await run.until(lambda: any(one.trouble for one in run.backfill.status()))
        await run.until(
            lambda: ("other", 3) in [(s.vendor, s.answers) for s in run.backfill.status()]
        )
        found.append(run.status())
        server.answer = good
        await done(run)

    manners = Manners(0.3 if trouble is Trouble.NO_ANSWER else HANG_SEC, 0.2, 0.3, 0.05)
    with RestServer(answer) as server, RestServer() as other:
        rests = {"harbor": HarborRest(server.url), "other": HarborRest(other.url)}
        asked = {"harbor": ["BTC-USD"], "other": ["EUR-USD", "GBP-USD"]}
        run = during(rests, watch, asked, manners)
    assert found[0].trouble is trouble
    assert "BTC-USD" in run.candles
    assert run.status().trouble is Trouble.NONE
    assert KEY not in repr((run.backfill.status(), found))


@pytest.mark.parametrize(
    ("answer", "code"),
    [(status(400), 400), (status(404), 404), (status(302, {"Location": "/elsewhere"}), 302)],
)
def test_what_the_vendor_has_not_is_not_asked_for_again(answer: Answer, code: int) -> None:
    """The others are, at once."""
    with RestServer(once(answer)) as server:
        run = during({"harbor": HarborRest(server.url)}, done)
        assert server.symbols(HOUR) == ["BTC-USD", "ETH-USD"]
    assert run.candles == ["ETH-USD"]
    assert run.status().failed == 1


def test_answer_without_end_is_not_read_to_its_end() -> None:
    """Nor asked for again; what else there is comes."""
    with RestServer(once(swells)) as server:
        run = during(
            {"harbor": HarborRest(server.url)}, done, manners=Manners(HANG_SEC, 0.01, 0.02)
        )
        assert server.symbols(HOUR) == ["BTC-USD", "ETH-USD"]
    assert run.candles == ["ETH-USD"]


@pytest.mark.parametrize(
    ("code", "trouble"),
    [
        (401, Trouble.KEY_REFUSED),
        (402, Trouble.HTTP_ERROR),
        (403, Trouble.HTTP_ERROR),
        (451, Trouble.UNAVAILABLE),
    ],
)
def test_refusal_ends_all_requests_of_its_kind(code: int, trouble: Trouble) -> None:
    """Those of the other kind are still sent."""
    found: list[BackfillStatus] = []

    def refuses_hours(asked: Asked) -> None:
        (status(code) if asked.want is HOUR else good)(asked)

    async def watch(run: Run) -> None:
        run.on_past = lambda past: found.append(run.status())
        await done(run)

    with RestServer(refuses_hours) as server:
        run = during({"harbor": HarborRest(server.url)}, watch)
        assert server.symbols(HOUR) == ["BTC-USD"]
        assert server.symbols(DAY) == ["BTC-USD", "ETH-USD"]
    assert (found[0].trouble, found[0].code) == (trouble, code)
    assert run.status().failed == 2


@pytest.mark.parametrize(
    ("header", "least", "most"),
    [
        ("7", 7, 9),
        ("1000000", 3600, 3602),
        ("Fri, 15 Jan 2027 08:00:10 GMT", 10, 12),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0, 2),
        ("soon", 3, 5),
        ("", 3, 5),
    ],
)
def test_vendor_is_left_alone_for_as_long_as_it_asks(header: str, least: int, most: int) -> None:
    """In seconds or as a date; the time it names may not be without end."""
    found: list[float] = []

    async def watch(run: Run) -> None:
        await run.until(lambda: run.status().retry_at)
        found.append((run.status().retry_at or 0.0) - MINUTE)

    with RestServer(status(429, {"Retry-After": header})) as server:
        during({"harbor": HarborRest(server.url)}, watch, manners=Manners(5, 0.1, 0.2, 3.0))
        assert len(server.asked) == 1
    assert least - 0.5 <= found[0] <= most


def test_server_that_is_gone_is_asked_until_it_is_back() -> None:
    """At a growing distance."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    found: list[BackfillStatus] = []

    async def watch(run: Run) -> None:
        await run.until(lambda: run.status().trouble)
        found.append(run.status())

    run = during({"harbor": HarborRest(f"http://127.0.0.1:{port}")}, watch)
    assert found[0].trouble is Trouble.NO_CONNECTION
    assert found[0].code is not None
    assert run.status().waiting == 2


def test_name_that_is_not_found_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """As that."""

    async def watch(run: Run) -> None:
        await run.until(lambda: run.status().trouble)

    # No look-up leaves this machine.
    monkeypatch.setattr(socket, "getaddrinfo", _nowhere)
    run = during({"harbor": HarborRest("http://past.harbor.invalid")}, watch)
    assert run.status().trouble is Trouble.NAME_NOT_FOUND
    assert run.status().host == "past.harbor.invalid"


def _nowhere(*args: object, **kwargs: object) -> None:
    raise socket.gaierror(socket.EAI_NONAME, "not known")


def test_key_goes_to_no_other_host() -> None:
    """A redirect is not followed."""
    with RestServer() as elsewhere:
        away = status(307, {"Location": f"{elsewhere.url}/past"})
        with RestServer(away) as server:
            run = during({"harbor": HarborRest(server.url)}, done)
        assert elsewhere.asked == []
    assert run.status().failed == 2


def test_no_proxy_of_the_environment_is_asked_for_this_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is for the world."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with RestServer() as server:
        run = during({"harbor": HarborRest(server.url)}, done)
    assert run.candles == ["BTC-USD", "ETH-USD"]


def test_proxy_of_the_environment_is_asked_for_the_world(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the whole address."""
    monkeypatch.delenv("no_proxy", raising=False)
    with RestServer() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        run = during({"harbor": HarborRest("http://past.harbor.invalid")}, done)
    assert run.candles == ["BTC-USD", "ETH-USD"]


@pytest.mark.parametrize(
    "answer", [hangs, dribbles, status(503)], ids=["hangs", "dribbles", "busy"]
)
def test_it_ends_at_once(answer: Answer) -> None:
    """Whatever it waits for."""
    ended: list[float] = []

    async def watch(run: Run) -> None:
        await run.until(lambda: server.asked)
        ended.append(time.monotonic())

    with RestServer(answer) as server:
        during({"harbor": HarborRest(server.url)}, watch, manners=Manners())
        assert time.monotonic() - ended[0] < 1.0


def test_what_moved_to_another_vendor_meanwhile_is_not_mixed() -> None:
    """Its old vendor's answer comes too late."""

    async def watch(run: Run) -> None:
        def moves(asked: Asked) -> None:
            loop.call_soon_threadsafe(run.backfill.ask, "other", "crypto", ["BTC-USD"])
            good(asked)

        loop = asyncio.get_running_loop()
        server.answer = once(moves)
        run.backfill.ask("harbor", "crypto", ["BTC-USD", "ETH-USD"])
        await done(run)

    with RestServer() as server, RestServer() as other:
        rests = {"harbor": HarborRest(server.url), "other": HarborRest(other.url)}
        run = during(rests, watch, {"none": []})
    of = {
        vendor: {c.symbol for v, past in run.told if v == vendor for c in past.candles}
        for vendor in rests
    }
    assert of == {"harbor": {"ETH-USD"}, "other": {"BTC-USD"}}


def test_what_crashes_the_store_is_not_asked_for_over_and_over() -> None:
    """The others come."""

    def crash(past: Past) -> None:
        if any(candle.symbol == "BTC-USD" for candle in past.candles):
            raise RuntimeError

    async def watch(run: Run) -> None:
        run.on_past = crash
        await done(run)

    with RestServer() as server:
        run = during({"harbor": HarborRest(server.url)}, watch)
        assert server.symbols(HOUR) == ["BTC-USD", "ETH-USD"]
    assert run.crashes == ["backfill from harbor"]
    assert run.candles == ["ETH-USD"]


def test_nothing_quotes_the_key(caplog: pytest.LogCaptureFixture) -> None:
    """No log at its chattiest, however often the vendor does."""
    caplog.set_level(logging.DEBUG)
    answers = [status(401), status(503), breaks_off, speaks_something_else]

    def each(asked: Asked) -> None:
        (answers.pop() if answers else good)(asked)

    with RestServer(each) as server:
        run = during({"harbor": HarborRest(server.url)}, done)
    assert "harbor" in caplog.text
    for text in (caplog.text, repr(run.backfill.status()), str(run.told)):
        assert KEY not in text
        assert "s3cret" not in text
