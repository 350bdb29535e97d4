"""What is wrong, and what to do about it, in sentences for somebody who does not run the feeds.

Pure functions of the records of ``engine.status``. Reasons are short, for a tooltip or a table;
advice is for a message of its own.
"""

from __future__ import annotations

import errno
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import islice
from typing import Final

from engine.status import (
    ApiState,
    ArchiveStatus,
    ArchiveTrouble,
    BackfillStatus,
    ClockStatus,
    ClockTrouble,
    Fault,
    FeedState,
    FeedStatus,
    HeldBack,
    Refusal,
    Trouble,
)
from ticks import Asset, legible
from wording import price_text, size_text

__all__ = [
    "api_text",
    "archive_reason",
    "backfill_reason",
    "backfill_text",
    "clock_text",
    "fault_text",
    "feed_advice",
    "feed_help",
    "feed_reason",
    "frames_text",
    "held_text",
    "lacking_text",
    "listed",
    "retry_text",
]

_API: Final[Mapping[str, str]] = {
    ApiState.ABSENT: "this is the page alone; python server.py answers programs, too",
    ApiState.OPEN: "answers programs",
    ApiState.CLOSED: "off: others than this computer can ask, and no token is set. To help: set"
    " MARKET_PULSE_API_TOKENS, or listen at 127.0.0.1 alone",
}

_REASONS: Final[Mapping[Trouble, str]] = {
    Trouble.NONE: "",
    Trouble.NO_SYMBOLS: "no symbols are watched",
    Trouble.NO_VENDOR: "no vendor is asked",
    Trouble.STOPPED: "stopped",
    Trouble.NO_ANSWER: "no answer within {seconds}",
    Trouble.NO_CONNECTION: "no connection: {answer}",
    Trouble.NAME_NOT_FOUND: "no connection: the vendor's address was not found",
    Trouble.CERTIFICATE: "the certificate of {host} {flaw}",
    Trouble.NOT_SECURE: "no connection: it could not be made secure",
    Trouble.NO_WEBSOCKET: "what answered is not the vendor's price service",
    Trouble.HTTP_ERROR: "the vendor's server answered with an error (HTTP {code})",
    Trouble.KEY_REFUSED: "the vendor refused the API key{status}: check {key} and what its plan"
    " covers, or unset it",
    Trouble.PLAN_REFUSED: "the plan of the API key does not include these prices{status}",
    Trouble.THROTTLED: "too many connections for the vendor",
    Trouble.CONNECTION_LIMIT: "the account's connections are in use{status}",
    Trouble.UNAVAILABLE: "the vendor does not serve this place (HTTP {code})",
    Trouble.NOT_ACCEPTED: "the vendor did not accept {accepted} within {seconds}",
    Trouble.BAD_REQUEST: "the vendor did not accept the subscription{status}",
    Trouble.VENDOR_ERROR: "the vendor reported an error{status}",
    Trouble.CONNECTION_CLOSED: "the connection ended (code {code})",
    Trouble.PROTOCOL_BROKEN: "this dashboard ended the connection: {broken} (code {code})",
    Trouble.NO_SIGN_OF_LIFE: "this dashboard ended the connection: nothing came for {seconds}, not"
    " even an answer to a ping",
    Trouble.NOT_READ: "this dashboard ended the connection: the vendor kept asking for signs of"
    " life and did not read them",
    Trouble.SILENCE: "silent for {seconds}",
    Trouble.RENEWED: "the clock moved on by {seconds}, as after sleep",
    Trouble.RENEWAL: "the connection is renewed, as the vendor wants it",
    Trouble.MAINTENANCE: "the vendor is in maintenance",
    Trouble.FIRST_TICK: "waiting for the first tick",
    Trouble.JUST_OPENED: "the market has just opened, waiting for the first tick",
    Trouble.HELD_BACK: "most prices are far from those before, and unconfirmed: {held}",
    Trouble.UNREADABLE: "what came could not be read",
    Trouble.NO_TICK: "no tick for {duration}",
    Trouble.ALL_REFUSED: "no tick for {duration}, all that came was refused",
    Trouble.WRONG_TIME: "no tick for {duration}, all that came was refused: the vendor's timestamps"
    " are {lag} this computer's clock: check its time",
    Trouble.SYMBOLS_REFUSED: "",  # said of the symbols
    Trouble.TAPE_ENDED: "the tape has ended",
}

_REFUSALS: Final[Mapping[Refusal, str]] = {
    Refusal.SYMBOL_LIMIT: "the account's symbol limit is reached",
    Refusal.NOT_COVERED: "not covered by this key",
    Refusal.UNKNOWN: "not among its symbols",
    Refusal.UNCONFIRMED: "asked for and not confirmed",
}

_KEYS: Final[Mapping[Asset, str]] = {
    "stocks": " A free one from app.alpaca.markets/signup (ALPACA_API_KEY and ALPACA_API_SECRET)"
    " or from finnhub.io/register (FINNHUB_API_KEY) brings them."
}
"""Whose key brings the prices of a class that nobody sends without one."""

_AGAIN: Final = "It is retried automatically."

_UNREACHABLE: Final = (
    f"{{vendor}} cannot be reached for {{asset}}. {_AGAIN} To help: check this machine's"
    " network. ({reason})"
)

_ADVICE: Final[Mapping[Trouble | Refusal, str]] = {
    Trouble.KEY_REFUSED: "{vendor} does not accept the API key, so no {asset} prices can arrive"
    " from there. Check {key} for typing errors and whether its plan includes live {asset} data,"
    " then restart. Without any key MARKET_PULSE_SOURCE=live shows forex and crypto.",
    Trouble.BAD_REQUEST: "{vendor} could not understand what was asked for {asset}. Check the"
    " spelling of the symbols on the watchlist. ({reason})",
    Trouble.THROTTLED: "{vendor} saw too many connections {of}."
    f" {_AGAIN} To help: close other copies of this dashboard.",
    Trouble.PLAN_REFUSED: "The plan of the API key does not include live {asset} prices. Check"
    " {key} and what its plan covers, then restart. ({reason})",
    Trouble.CONNECTION_LIMIT: "The account's connections are in use: often by another copy of this"
    f" dashboard, or by one that ended a moment ago. {_AGAIN} To help: close other copies."
    " ({reason})",
    Trouble.UNAVAILABLE: "{vendor} will not serve this place, so no {asset} prices can come from"
    " there. To help: check the settings for another vendor. ({reason})",
    Trouble.NO_CONNECTION: _UNREACHABLE,
    Trouble.NAME_NOT_FOUND: _UNREACHABLE,
    Trouble.CERTIFICATE: "What answers at the address of {vendor} cannot prove to be that, so no"
    f" {{asset}} prices can arrive: {{reason}}. {_AGAIN} To help: {{remedy}}.",
    Trouble.NOT_SECURE: f"No secure connection to {{vendor}} can be made for {{asset}}. {_AGAIN}"
    f" To help: check this machine's date and time, and whether a proxy stands between it"
    " and the internet.",
    Refusal.SYMBOL_LIMIT: "The account may watch only a limited number of symbols at once, and"
    " others hold them all: often another copy of this dashboard, or one that was closed less than"
    f" two minutes ago. {_AGAIN} To help: close other copies, or shorten the watchlist."
    " ({reason})",
    Refusal.NOT_COVERED: "The account's plan does not include these {asset} symbols; the others are"
    " not affected. Take them off the watchlist, or extend the plan. ({reason})",
    Refusal.UNCONFIRMED: "{vendor} was asked for these {asset} symbols and did not confirm them;"
    " the others are not affected. Check their spelling. ({reason})",
    Refusal.UNKNOWN: "{vendor} has no prices of these {asset} symbols; the others are not"
    " affected. Any other vendor that is available is asked for them automatically; if none has"
    " them, take them off the watchlist. ({reason})",
}
"""What a trouble means, and what to do about it."""

_OVER_LIMIT: Final = (
    "The watchlist is longer than the account may watch at once, so the last {asset} symbols on it"
    " are left out. Shorten the watchlist. ({reason})"
)

_NEVER_HEARD: Final = (
    "No price of some {asset} symbols has come, though others trade. Check their spelling, or take"
    " them off the watchlist; one that is hardly ever traded may still come. ({reason})"
)

_MOST_NAMED: Final = 12
"""More symbols than this are counted."""

_COUNTED: Final = "The details count what was refused, by reason."

_HELP: Final[Mapping[Trouble, str]] = {
    Trouble.NO_ANSWER: f"{_AGAIN} To help: check this machine's network.",
    Trouble.NO_WEBSOCKET: f"{_AGAIN} To help: check whether a proxy stands between this machine and"
    " the vendor.",
    Trouble.HTTP_ERROR: _AGAIN,
    Trouble.NOT_ACCEPTED: _AGAIN,
    Trouble.VENDOR_ERROR: _AGAIN,
    Trouble.CONNECTION_CLOSED: _AGAIN,
    Trouble.PROTOCOL_BROKEN: _AGAIN,
    Trouble.NO_SIGN_OF_LIFE: f"{_AGAIN} To help: check this machine's network.",
    Trouble.NOT_READ: _AGAIN,
    Trouble.SILENCE: _AGAIN,
    Trouble.RENEWED: _AGAIN,
    Trouble.RENEWAL: _AGAIN,
    Trouble.MAINTENANCE: "Prices come back automatically when it is over.",
    Trouble.NO_TICK: "If prices do not come back, the connection is renewed automatically.",
    Trouble.HELD_BACK: "They are shown automatically as soon as three of them confirm one another.",
    Trouble.UNREADABLE: _COUNTED,
    Trouble.ALL_REFUSED: _COUNTED,
}
"""What follows a reason that explains itself."""

_ANSWERS: Final[Mapping[int, str]] = {
    errno.ECONNREFUSED: "connection refused",
    errno.ECONNRESET: "connection reset by the other side",
    errno.ECONNABORTED: "connection aborted",
    errno.EHOSTUNREACH: "no route to the vendor",
    errno.ENETUNREACH: "the network is unreachable",
    errno.ENETDOWN: "the network is down",
    errno.ETIMEDOUT: "connection timed out",
    errno.EACCES: "this machine does not allow it",
    errno.EPERM: "this machine does not allow it",
    errno.EMFILE: "too many open files on this machine",
    errno.ENFILE: "too many open files on this machine",
}

_DATE: Final = "check this computer's date and time; if they are right, the vendor has to renew it"

_IN_BETWEEN: Final = (
    "check whether a proxy or a virus scanner stands between this machine and the internet, whose"
    " certificate this computer has to trust"
)

_ADDRESS: Final = "check the address of the vendor in the settings"

_CERTIFICATES: Final[Mapping[int, tuple[str, str]]] = {
    9: ("is not valid yet", _DATE),
    10: ("has expired", _DATE),
    18: ("is self-signed", _IN_BETWEEN),
    19: ("is self-signed", _IN_BETWEEN),
    20: ("was issued by nobody whom this computer trusts", _IN_BETWEEN),
    21: ("was issued by nobody whom this computer trusts", _IN_BETWEEN),
    23: ("was revoked", _IN_BETWEEN),
    62: ("is for another host name", _ADDRESS),
    64: ("is for another host", _ADDRESS),
}
"""What is wrong with a certificate and what to do about it, by OpenSSL's number."""

_BROKEN: Final[Mapping[int, str]] = {
    1002: "what came breaks the protocol",
    1007: "what came is no text",
    1009: "a message came that is far too long",
}
"""What the other side did wrong, by the code with which the connection was ended."""

_ARCHIVE: Final[Mapping[ArchiveTrouble, str]] = {
    ArchiveTrouble.NONE: "",
    ArchiveTrouble.OTHER_WRITES: "another Market Pulse writes this file; this one only reads it",
    ArchiveTrouble.OTHER_WENT_ON: "another Market Pulse wrote this file when this one began, and"
    " their prices differ: restart this one when that has ended",
    ArchiveTrouble.FOLDER: "its folder cannot be written ({detail}): check its permissions, or give"
    " a local one with MARKET_PULSE_DATA",
    ArchiveTrouble.FILE: "{detail}",
    ArchiveTrouble.STUCK: "{file} is damaged and cannot be set aside ({detail}): move it away",
    ArchiveTrouble.CRASHED: "its writer crashed: see the log, and restart",
}

_CODE_DIGITS: Final = 6
"""A vendor's code with more digits is shown cut."""

_CLOCK: Final[Mapping[ClockTrouble, str]] = {
    ClockTrouble.NONE: "",
    ClockTrouble.SET_BACK: "this computer's clock was set back by {size}: the time before it"
    " is kept until the data vendor's timestamps show which is right",
    ClockTrouble.MOVED: "this computer slept, or its clock was changed: it moved by {signed}, and"
    " is followed until the data vendor's timestamps show whether it is right",
    ClockTrouble.WRONG_BACK: "this computer's clock was set back by {size}: the time before it"
    " is kept, which the data vendor confirms",
    ClockTrouble.SLOW: "this computer's clock is {size} slow by the data vendor's timestamps, which"
    " are followed: let a time server set this computer's clock",
    ClockTrouble.WRONG_AHEAD: "this computer's clock was set ahead by {size}: the time before it"
    " is kept, which the data vendor confirms",
}


def feed_reason(feed: FeedStatus) -> str:
    """Why a feed is in its state, and what it has to do without; empty while all is well."""
    parts = [_REASONS[feed.trouble].format(**_facts(feed))]
    if _is_open(feed):
        parts += [_refused(feed)]
        if feed.trouble != Trouble.SYMBOLS_REFUSED:
            parts += [_left_out(feed), _unheard(feed)]
    return "; ".join(filter(None, parts))


def feed_advice(feeds: Sequence[FeedStatus], *, is_named: bool = True) -> str:
    """What the trouble of one feed, or that of several in the same trouble, means.

    And what to do about it; empty if the reason says enough. Without ``is_named`` it names neither
    class nor vendor.
    """
    feed = feeds[0]
    text = _ADVICE.get(feed.trouble, "")
    if not text and _is_open(feed):
        for refusal in Refusal:
            if refusal in feed.refused_symbols.values():
                text = _ADVICE[refusal]
                break
        else:
            text = _OVER_LIMIT if feed.over_limit else _NEVER_HEARD if _unheard(feed) else ""
    vendors = listed(feed.vendor for feed in feeds) if is_named else ""
    found = text.format(
        **_facts(feed),
        asset=listed(feed.asset for feed in feeds) if is_named else "",
        vendor=vendors or "the data vendor",
        reason=feed_reason(feed),
    )
    return f"{found[:1].upper()}{found[1:]}"


def feed_help(feed: FeedStatus) -> str:
    """What happens next, or what can be done, after a reason that explains itself."""
    return _HELP.get(feed.trouble, "")


def held_text(held: HeldBack, asset: str) -> str:
    """Which price of a symbol is held back: ``BTC-USD 64,400.00, 30.0 % below 92,000.00``."""
    off = held.price / held.believed - 1.0
    way = "above" if off > 0 else "below"
    price, believed = price_text(held.price, asset), price_text(held.believed, asset)
    return f"{held.symbol} {price}, {size_text(abs(off), 1)} {way} {believed}"


def frames_text(feed: FeedStatus) -> str:
    """How many frames could not be read, if that is the trouble; else empty."""
    if not feed.frames:
        return ""
    return "1 frame" if feed.frames == 1 else f"{feed.frames:,} frames"


def retry_text(feed: FeedStatus, now: float) -> str:
    """When the next try to connect is due: ``try 3, next in 16 s``; empty if there is none."""
    if not feed.attempt:
        return ""
    wait = 0 if feed.retry_at is None else math.ceil(feed.retry_at - now)
    return f"try {feed.attempt}, {f'next in {wait} s' if wait > 0 else 'now'}"


def archive_reason(archive: ArchiveStatus) -> str:
    """Why an archive is not written, and what to do; empty while it is."""
    return _ARCHIVE[archive.trouble].format(file=archive.file, detail=archive.detail)


def lacking_text(asset: Asset) -> str:
    """Which key would bring the prices of a class that nobody serves without one."""
    return f"{asset.capitalize()} are off: they need a key.{_KEYS.get(asset, '')}"


def backfill_reason(backfill: BackfillStatus) -> str:
    """Why a vendor's newest request for the time before its stream failed; empty if it did not."""
    if backfill.trouble is Trouble.THROTTLED:
        return "too many requests for the vendor"
    facts = _named(backfill.code, backfill.seconds, backfill.host)
    return _REASONS[backfill.trouble].format(**facts, key="it")


def backfill_text(backfill: BackfillStatus) -> str:
    """How far the requests for the time before a stream are: ``5 symbols, 2 still to be asked``."""
    parts = [
        f"{backfill.asked:,} symbol{'' if backfill.asked == 1 else 's'}",
        f"{backfill.waiting:,} still to be asked for" if backfill.waiting else "",
        f"of {backfill.failed:,} something could not be had" if backfill.failed else "",
        f"{backfill.answers:,} answer{'' if backfill.answers == 1 else 's'}",
        backfill_reason(backfill),
    ]
    return ", ".join(filter(None, parts))


def clock_text(clock: ClockStatus) -> str:
    """What is being done about the computer's clock; empty while nothing is."""
    size, signed = f"{clock.seconds:.0f} s", f"{clock.seconds:+.0f} s"
    return _CLOCK[clock.trouble].format(size=size, signed=signed)


def fault_text(fault: Fault) -> str:
    """Which part crashed, and how often."""
    times = "once" if fault.count == 1 else f"{fault.count} times"
    return f"{fault.name} crashed {times}, last by {fault.error}; it is started again."


def api_text(state: ApiState) -> str:
    """Whether programs are answered, and what to do if they are not."""
    return _API[state]


def listed(names: Iterable[str]) -> str:
    """Different names, each once, in a sentence: ``stocks, forex and crypto``."""
    *first, last = dict.fromkeys(names)
    return f"{', '.join(first)} and {last}" if first else last


def _facts(feed: FeedStatus) -> dict[str, str]:
    """What reasons are made of."""
    lag = feed.lag or 0.0
    return _named(feed.code, feed.seconds, feed.host) | {
        "key": feed.key_setting,
        "accepted": "the API key" if feed.key_setting else "this dashboard",
        "of": "of this account" if feed.key_setting else "from this address",
        "held": ", ".join(held.symbol for held in feed.held),
        "lag": f"{abs(lag):.0f} s {'behind' if lag > 0 else 'ahead of'}",
    }


def _named(given: int | None, seconds: float | None, host: str) -> dict[str, str]:
    """The facts that come with a trouble: the code that was ``given``, how long, and of whom."""
    seconds, code = seconds or 0.0, legible(str(given), _CODE_DIGITS)
    why = "" if given is None else f" (reason {code})"
    not_accepted = f"is not accepted{why}", _IN_BETWEEN
    flaw, remedy = _CERTIFICATES.get(given or 0, not_accepted)
    return {
        "code": code,
        "accepted": "this dashboard",
        "status": "" if given is None else f" (status {code})",
        "answer": "no address answered"
        if given is None
        else _ANSWERS.get(given, f"the network answered with error {given}"),
        "host": legible(host),
        "flaw": flaw,
        "remedy": remedy,
        "broken": _BROKEN.get(given or 0, "what came cannot be read"),
        "seconds": f"{seconds:g} s" if seconds < 10 else f"{seconds:.0f} s",
        "duration": _rough_duration(seconds),
    }


_OPEN: Final = (
    FeedState.LIVE,
    FeedState.HELD_BACK,
    FeedState.UNREADABLE,
    FeedState.SILENT,
    FeedState.MAINTENANCE,
    FeedState.CLOSED,
)


def _is_open(feed: FeedStatus) -> bool:
    """Whether a connection is open, so that it matters which symbols come through it."""
    if feed.trouble == Trouble.TAPE_ENDED:
        return False
    return feed.state in _OPEN or feed.trouble in (
        Trouble.FIRST_TICK,
        Trouble.JUST_OPENED,
        Trouble.SYMBOLS_REFUSED,
    )


def _refused(feed: FeedStatus) -> str:
    if not feed.refused_symbols:
        return ""
    why = ", ".join(sorted({_REFUSALS[refusal] for refusal in feed.refused_symbols.values()}))
    return f"the vendor refused {_names(feed.refused_symbols)}: {why}"


def _left_out(feed: FeedStatus) -> str:
    if not feed.over_limit:
        return ""
    return f"over the account's {feed.symbol_limit} symbols: {_names(feed.over_limit)}"


def _unheard(feed: FeedStatus) -> str:
    """Of which symbols no price came; while the market is closed none could."""
    if not feed.never_heard or feed.hours.phase == "closed":
        return ""
    return f"no price yet of {_names(feed.never_heard)}"


def _names(symbols: Collection[str]) -> str:
    """Symbols in a sentence: the first, and how many more there are."""
    more = len(symbols) - _MOST_NAMED
    named = ", ".join(islice(symbols, _MOST_NAMED))
    return f"{named} and {more:,} more" if more > 0 else named


def _rough_duration(seconds: float) -> str:
    """In a unit in which it does not change with every look."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds // 60:.0f} min" if seconds < 7200 else f"{seconds // 3600:.0f} h"
