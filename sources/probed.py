"""Probed: what a probe found of a vendor, in lines, and whether it is as expected."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from feeds import FeedState, FeedStatus, Trouble
from sessions import Phase
from sources.listening import Heard
from sources.source import BackfillStatus
from vendors.wire import NoticeKind

__all__ = ["Probed", "ProbedFeed", "ProbedPast", "report"]

_EARLY_SEC: Final = 1.0
_LATE_SEC: Final = 3.0
"""Prices that lag more are shown late, and those ahead of the clock by more are odd."""

_EXPECTED: Final[frozenset[str]] = frozenset({"snapshot", "condition"})
"""Prices that a vendor marks itself as none of now, or none that may be the last."""


class ProbedFeed(NamedTuple):
    """What was found of one asset class."""

    status: FeedStatus
    heard: Heard
    phase: Phase
    """Of the market, by its calendar."""


class ProbedPast(NamedTuple):
    """What was found of the time before the stream."""

    status: BackfillStatus
    parts: Mapping[str, int]
    """How much of each part of ``Past`` came."""
    seconds: float | None
    """How long all of it took; None: it did not all come."""


class Probed(NamedTuple):
    """What was found of one vendor."""

    name: str
    feeds: tuple[ProbedFeed, ...]
    past: ProbedPast | None
    """None: the vendor has no requests for it."""
    heartbeat_sec: float | None
    """How long the vendor may send nothing at all, if it sends signs of life of its own."""


def report(probed: Probed) -> tuple[list[str], bool]:
    """The lines that tell of a vendor, and whether it passes.

    It fails if it does not accept us, sends what cannot be read, sends no price in regular hours,
    or does not answer for the past.
    """
    lines: list[str] = []
    faults: list[str] = []
    for feed in probed.feeds:
        lines += _feed_lines(probed.name, feed)
        faults += (found := [*_faults(feed)])
        lines += [_line("wrong", fault) for fault in found]
        lines += [_line("differs", one) for one in _differences(feed, probed.heartbeat_sec)]
    if not probed.feeds:
        faults.append("it carries none of the watchlist")
        lines += [probed.name, _line("wrong", faults[-1])]
    if probed.past is not None:
        lines.append(_line("past", _past_text(probed.past)))
        wrong = _past_fault(probed.past)
        if wrong:
            faults.append(wrong)
            lines.append(_line("wrong", wrong))
    lines.append(f"{probed.name}: {'fail' if faults else 'pass'}")
    return lines, not faults


def _line(name: str, text: str) -> str:
    return f"  {name:<9}{text}"


def _feed_lines(name: str, feed: ProbedFeed) -> Iterator[str]:
    status, heard, phase = feed
    lags = sorted(heard.lags)
    yield f"{name}, {status.asset} ({phase}): {', '.join(status.asked)} at {status.host}"
    yield _line("state", _state_text(status))
    yield _line(
        "first", f"accepted {_after(heard.accepted_sec)}, a price {_after(heard.priced_sec)}"
    )
    counts = ", ".join(f"{symbol} {count}" for symbol, count in heard.prices.most_common())
    yield _line(
        "prices",
        f"{heard.prices.total()} and {heard.snapshots} snapshots{counts and f': {counts}'}",
    )
    if lags:
        median, late = statistics.median(lags), lags[int(0.99 * (len(lags) - 1))]
        yield _line("latency", f"median {median:.3f} s, 99 % {late:.3f} s, least {lags[0]:.3f} s")
    said = [f"{kind} {count}" for kind, count in sorted(heard.notices.items())]
    pause = f"longest pause {heard.longest_gap_sec:.1f} s"
    yield _line("messages", ", ".join([str(heard.frames), *([pause] if said else []), *said]))
    for (kind, form), count in heard.shapes.most_common():
        yield _line("ignored" if kind is NoticeKind.IGNORED else "unknown", f"{count} × {form}")


def _after(seconds: float | None) -> str:
    return "never" if seconds is None else f"after {seconds:.2f} s"


def _state_text(status: FeedStatus) -> str:
    code = "" if status.code is None else f", {status.code}"
    return f"{status.state} ({status.trouble}{code})" if status.trouble else str(status.state)


def _faults(feed: ProbedFeed) -> Iterator[str]:
    status, heard, phase = feed
    if heard.accepted_sec is None:
        yield f"not accepted: {_state_text(status)}"
    elif status.state in (FeedState.REFUSED, FeedState.RECONNECTING, FeedState.CONNECTING):
        yield f"accepted, and then {_state_text(status)}"
    elif phase == "open" and not status.ticks and status.trouble is not Trouble.MAINTENANCE:
        yield "no price that may be believed, in an open market"
    if heard.notices[NoticeKind.UNREADABLE]:
        yield f"{heard.notices[NoticeKind.UNREADABLE]} messages that cannot be read"


def _differences(feed: ProbedFeed, heartbeat_sec: float | None) -> Iterator[str]:
    status, heard, phase = feed
    for symbol, why in status.refused_symbols.items():
        yield f"{symbol}: {why}"
    silent = [s for s in status.asked if not heard.prices[s] and s not in status.refused_symbols]
    if silent and heard.accepted_sec is not None and phase == "open":
        yield f"no price of {', '.join(silent)}"
    if heard.connections > 1:
        yield f"{heard.connections} connections instead of one"
    if heartbeat_sec is not None and heard.longest_gap_sec > heartbeat_sec:
        pause = f"{heard.longest_gap_sec:.1f} s"
        yield f"a pause of {pause}, expected a sign of life within {heartbeat_sec:g} s"
    if status.missed:
        yield f"{status.missed} trades missed by their numbers"
    for reason, count in status.refused.items():
        if reason not in _EXPECTED:
            yield f"{count} prices refused: {reason}"
    if heard.lags:
        median = statistics.median(heard.lags)
        if median > _LATE_SEC:
            yield f"prices come {median:.1f} s late"
        if median < -_EARLY_SEC:
            yield f"stamps are {-median:.1f} s ahead of this computer's clock"


def _past_text(past: ProbedPast) -> str:
    took = "not all" if past.seconds is None else f"all in {past.seconds:.2f} s"
    parts = ", ".join(f"{count} {name}" for name, count in past.parts.items()) or "nothing"
    return f"{past.status.answers} answers from {past.status.host}, {took}: {parts}"


def _past_fault(past: ProbedPast) -> str:
    status = past.status
    if status.trouble:
        code = "" if status.code is None else f", {status.code}"
        return f"no answer for the past: {status.trouble}{code}"
    if status.failed:
        return f"the past of {status.failed} symbols is not to be had"
    return ""
