"""Backfill: asking vendors over HTTP for the time before their streams, beside the streams.

Nothing waits for it: whatever a vendor's server does delays neither a price nor another vendor. An
address or a header may hold the key: nothing here logs, raises or reports one.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from urllib.parse import urlsplit

import sessions
from feeds import Backoff, Trouble
from sessions import Session
from sources.agenda import Agenda
from sources.fetching import Fetch, Fetcher, Manners, NoAnswerError
from sources.source import BackfillStatus, Keep
from ticks import Asset
from vendors.rest import Past, PastError, Request, Rest, Want
from vendors.wire import NoticeKind

__all__ = ["Backfill"]

_logger = logging.getLogger(__name__)


class _Vendor:
    """What is asked of one vendor, and how that goes."""

    def __init__(self, name: str, rest: Rest, agenda: Agenda, backoff: Backoff) -> None:
        self.name = name
        self.rest = rest
        self.agenda = agenda
        self.backoff = backoff
        self.changed = asyncio.Event()
        """Set when something was put on the agenda."""
        self.next_at = 0.0  # monotonic: when the next request may be sent
        self.waits_until: float | None = None  # monotonic, after a failure
        self.failure: NoAnswerError | None = None
        self.host = ""
        self.answers = 0


class Backfill:
    """Asks each vendor for what was before its stream, and lays it into the store.

    ``rests`` are the vendors' requests, by the vendors' names. ``clock`` is the source's,
    ``session`` says which session an instant falls into.
    """

    def __init__(
        self,
        rests: Mapping[str, Rest],
        clock: Callable[[], float],
        *,
        session: Callable[[Asset, float], Session] = sessions.session,
        manners: Manners | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self._clock = clock
        self._manners = manners or Manners()
        self._fetcher = Fetcher(self._manners, clock)
        self._rng = rng or random.Random()  # noqa: S311 - jitter, not a secret
        backoff = Backoff(self._manners.backoff_floor_sec, self._manners.backoff_cap_sec)
        self._vendors = {
            name: _Vendor(name, rest, Agenda(rest, session), backoff)
            for name, rest in rests.items()
        }

    def ask(
        self,
        name: str,
        asset: Asset,
        symbols: Sequence[str],
        wants: Sequence[Want] = tuple(Want),
    ) -> None:
        """From now on the prices of these symbols are this vendor's, which is to be asked.

        A vendor without requests is asked nothing.
        """
        for vendor in self._vendors.values():
            if vendor.name == name:
                vendor.agenda.add(asset, symbols, self._clock(), wants)
                vendor.changed.set()
            else:
                vendor.agenda.discard(symbols)

    def renew(self) -> None:
        """Ask once more for all: the computer slept, and what it missed may be had."""
        for vendor in self._vendors.values():
            vendor.agenda.renew(self._clock())
            vendor.changed.set()

    async def run(self, add_past: Callable[[Past, str], object], keep: Keep) -> None:
        """Ask, and hand on what is answered with the vendor's name, until cancelled."""
        if not self._vendors:
            return
        async with self._fetcher.opened() as fetch, asyncio.TaskGroup() as tasks:
            for vendor in self._vendors.values():
                run = partial(self._serve, vendor, fetch, add_past)
                tasks.create_task(keep(f"backfill from {vendor.name}", run))

    def status(self) -> tuple[BackfillStatus, ...]:
        """What is true of each vendor's requests now; of those that are asked for anything."""
        return tuple(
            status for vendor in self._vendors.values() if (status := self._status(vendor)).asked
        )

    def _status(self, vendor: _Vendor) -> BackfillStatus:
        now, failure = self._clock(), vendor.failure
        asked, waiting, failed = vendor.agenda.count(now)
        wait_sec = None if vendor.waits_until is None else vendor.waits_until - time.monotonic()
        return BackfillStatus(
            vendor=vendor.name,
            host=vendor.host,
            trouble=Trouble.NONE if failure is None else failure.trouble,
            code=None if failure is None else failure.code,
            seconds=None if failure is None else failure.seconds,
            retry_at=None if wait_sec is None or wait_sec < 0 else now + wait_sec,
            asked=asked,
            waiting=waiting,
            failed=failed,
            answers=vendor.answers,
        )

    async def _serve(
        self,
        vendor: _Vendor,
        fetch: Fetch,
        add_past: Callable[[Past, str], object],
    ) -> None:
        """Ask one vendor for all that is due, and for what will be."""
        while True:
            vendor.changed.clear()
            requests = vendor.agenda.round(self._clock())
            for request in requests:
                await asyncio.sleep(max(0.0, vendor.next_at - time.monotonic()))
                if not vendor.agenda.is_due(request, self._clock()):
                    continue
                vendor.next_at = time.monotonic() + vendor.rest.spacing_sec
                failure = await self._ask(vendor, fetch, request, add_past)
                self._note(vendor, failure)
                if failure is not None and not failure.is_lasting:
                    # What is left of the round is asked for anew: its times may be over by then.
                    await self._pause(vendor, failure)
                    break
            if not requests:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._manners.look_sec):
                        await vendor.changed.wait()

    async def _ask(
        self,
        vendor: _Vendor,
        fetch: Fetch,
        request: Request,
        add_past: Callable[[Past, str], object],
    ) -> NoAnswerError | None:
        """Send a request and hand on the answer; returns why there is none."""
        agenda = vendor.agenda
        vendor.host = urlsplit(request.url).hostname or ""
        agenda.sent(request)
        try:
            body = await fetch(request)
            now = self._clock()
            past = vendor.rest.read(request, body, now)
        except PastError as error:
            return self._error(vendor, request, error.kind)
        except NoAnswerError as failure:
            if failure.is_refusal:
                is_final = failure.trouble is Trouble.UNAVAILABLE
                agenda.refused(request, self._clock(), is_final=is_final)
            elif failure.is_lasting:
                agenda.failed(request, self._clock())
            return failure
        vendor.answers += 1
        wanted = agenda.wanted(request)
        if wanted:
            # Before it is handed on: what crashes the store is not asked for over and over.
            agenda.answered(request, past, now)
            add_past(_of(past, wanted), vendor.name)
        return None

    def _error(self, vendor: _Vendor, request: Request, kind: NoticeKind) -> NoAnswerError | None:
        """What an answer with a status of success means that tells nothing of the past."""
        if kind is NoticeKind.SYMBOL_UNKNOWN:
            vendor.answers += 1
            vendor.agenda.failed(request, self._clock())
            return None
        if kind is NoticeKind.THROTTLED:
            return NoAnswerError(Trouble.THROTTLED, wait_sec=self._manners.throttled_sec)
        if kind is NoticeKind.SERVER_ERROR:
            return NoAnswerError(Trouble.VENDOR_ERROR)
        vendor.agenda.unreadable(request, self._clock())
        return NoAnswerError(Trouble.UNREADABLE)

    def _note(self, vendor: _Vendor, failure: NoAnswerError | None) -> None:
        """Remember how the last request went."""
        before, vendor.failure = vendor.failure, failure
        if failure is None:
            vendor.backoff = vendor.backoff.reset()
        elif before is None or (before.trouble, before.code) != (failure.trouble, failure.code):
            code = "" if failure.code is None else f" ({failure.code})"
            _logger.info("backfill from %s: %s%s", vendor.name, failure.trouble, code)

    async def _pause(self, vendor: _Vendor, failure: NoAnswerError) -> None:
        """Leave a vendor alone: the longer, the more often it failed in a row."""
        vendor.backoff = vendor.backoff.failed()
        # Its base is a second, and here are no streams that somebody waits for.
        slower = replace(vendor.backoff, attempt=vendor.backoff.attempt + 2)
        wait_sec = (failure.wait_sec or 0.0) + slower.wait_sec(self._rng.random())
        vendor.waits_until = time.monotonic() + wait_sec
        await asyncio.sleep(wait_sec)
        vendor.waits_until = None


def _of(past: Past, symbols: frozenset[str]) -> Past:
    """The part of an answer that is of these symbols."""
    return Past(
        [candle for candle in past.candles if candle.symbol in symbols],
        [tick for tick in past.trades if tick.symbol in symbols],
        [quote for quote in past.quotes if quote.symbol in symbols],
        [reference for reference in past.references if reference.symbol in symbols],
    )
