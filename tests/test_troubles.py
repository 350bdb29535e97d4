"""Every trouble there can be is told in a sentence that needs no knowledge of the feeds."""

from __future__ import annotations

import errno
import re
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

import pytest

import sessions
from engine.status import (
    AlertsStatus,
    ApiState,
    ArchiveState,
    ArchiveStatus,
    ArchiveTrouble,
    BackfillStatus,
    ClockStatus,
    ClockTrouble,
    DestinationState,
    DestinationStatus,
    FeedState,
    FeedStatus,
    HeldBack,
    Refusal,
    Role,
    SetAside,
    SourceKind,
    SourceStatus,
    Status,
    Trouble,
)
from history.deliveries import Mute, MuteOf
from history.losses import LeftOut
from page.chips import whole_reason
from page.details import tables
from page.feed_notes import feed_text
from page.hours import HoursLine, hours_line
from page.status import StatusCard, status_card
from page.troubles import archive_reason, clock_text, feed_advice, feed_reason
from page.words import Instant, Words
from sessions import CorrectedHours, HoursFrom, MarketHours, Phase
from settings import load
from sources.opening import open_source
from ticks import ASSETS, Asset

NOW: Final = 1_790_000_000.0

OPEN: Final = FeedStatus(
    vendor="EODHD",
    key_setting="EODHD_API_KEY",
    asset="crypto",
    state=FeedState.LIVE,
    asked=("BTC-USD", "ETH-USD"),
    symbol_limit=50,
    hours=MarketHours("crypto", "open", None, None, None, HoursFrom.CALENDAR),
)

HELD: Final = HeldBack("BTC-USD", 64_400.0, 92_000.0, NOW - 5, NOW - 1, 3)

RETRIED: Final = {
    Trouble.NO_ANSWER,
    Trouble.NO_CONNECTION,
    Trouble.NAME_NOT_FOUND,
    Trouble.NOT_SECURE,
    Trouble.NO_WEBSOCKET,
    Trouble.HTTP_ERROR,
    Trouble.THROTTLED,
    Trouble.NOT_ACCEPTED,
    Trouble.VENDOR_ERROR,
    Trouble.CONNECTION_CLOSED,
    Trouble.CERTIFICATE,
    Trouble.PROTOCOL_BROKEN,
    Trouble.NO_SIGN_OF_LIFE,
    Trouble.NOT_READ,
    Trouble.SILENCE,
    Trouble.RENEWED,
    Trouble.RENEWAL,
}
"""What ends a connection, and is no refusal."""

STATES: Final = {
    **dict.fromkeys(RETRIED, FeedState.RECONNECTING),
    Trouble.NONE: FeedState.LIVE,
    Trouble.NO_SYMBOLS: FeedState.OFF,
    Trouble.NO_VENDOR: FeedState.OFF,
    Trouble.STOPPED: FeedState.OFF,
    Trouble.KEY_REFUSED: FeedState.REFUSED,
    Trouble.PLAN_REFUSED: FeedState.REFUSED,
    Trouble.CONNECTION_LIMIT: FeedState.REFUSED,
    Trouble.UNAVAILABLE: FeedState.REFUSED,
    Trouble.BAD_REQUEST: FeedState.REFUSED,
    Trouble.SYMBOLS_REFUSED: FeedState.REFUSED,
    Trouble.MAINTENANCE: FeedState.MAINTENANCE,
    Trouble.FIRST_TICK: FeedState.CONNECTING,
    Trouble.JUST_OPENED: FeedState.CONNECTING,
    Trouble.HELD_BACK: FeedState.HELD_BACK,
    Trouble.UNREADABLE: FeedState.UNREADABLE,
    Trouble.NO_TICK: FeedState.SILENT,
    Trouble.ALL_REFUSED: FeedState.SILENT,
    Trouble.WRONG_TIME: FeedState.SILENT,
    Trouble.TAPE_ENDED: FeedState.CLOSED,
}

HELP: Final = re.compile(r"automatically|\b(check|close|shorten|take|the details) ", re.IGNORECASE)
"""What can be done, or that nothing need be done."""

JARGON: Final = re.compile(
    r"\b(E(?!ODHD)[A-Z]{4,}|errno|socket|\w*Error|exception|None|nan|inf)\b|[{}]"
)


def in_trouble(trouble: Trouble) -> FeedStatus:
    """A feed in that trouble, with all the facts that it may have."""
    is_waiting = STATES[trouble] in (FeedState.RECONNECTING, FeedState.REFUSED)
    return replace(
        OPEN,
        state=STATES[trouble],
        trouble=trouble,
        code={Trouble.NO_CONNECTION: errno.ECONNREFUSED, Trouble.CERTIFICATE: 10}.get(trouble, 503),
        host="ws.eodhistoricaldata.com",
        seconds=61.4,
        frames=1234 if trouble is Trouble.UNREADABLE else None,
        lag=3600.0,
        held=(HELD,),
        attempt=3 if is_waiting else 0,
        retry_at=NOW + 15.2 if is_waiting else None,
        refused_symbols={"BTC-USD": Refusal.NOT_COVERED, "ETH-USD": Refusal.NOT_COVERED}
        if trouble is Trouble.SYMBOLS_REFUSED
        else {},
    )


def status_of(*feeds: FeedStatus, archive: ArchiveStatus | None = None) -> Status:
    """A status with these feeds."""
    return Status(
        now=NOW,
        started_at=NOW - 60,
        uptime=60.0,
        source=SourceStatus(kind=SourceKind.LIVE, name="eodhd"),
        feeds=feeds,
        queued=0,
        is_searching_past=False,
        archive=archive or ArchiveStatus(),
    )


def told(card: StatusCard) -> list[str]:
    """The messages as text, with a star for an instant."""
    return [
        "".join("*" if isinstance(part, Instant) else part for part in message.text)
        for message in card.messages
    ]


@pytest.mark.parametrize("trouble", Trouble)
def test_every_trouble_of_a_feed_has_its_sentence(trouble: Trouble) -> None:
    """Short in the strip and long in a message; with what to do, if anything can be done."""
    feed = in_trouble(trouble)
    reason, message = feed_reason(feed), feed_text([feed])
    if trouble is Trouble.NONE:
        assert reason == ""
        return
    assert len(reason) > 5
    assert not JARGON.search(reason + message), message
    assert "  " not in reason + message
    fine = (FeedState.LIVE, FeedState.CONNECTING, FeedState.CLOSED, FeedState.OFF)
    if feed.state not in fine:
        assert HELP.search(message), message
    assert reason in whole_reason(feed, NOW)


def test_vendor_without_a_key_is_not_said_to_refuse_one() -> None:
    """Nor is anybody's account spoken of."""
    for trouble in Trouble:
        if trouble in (Trouble.KEY_REFUSED, Trouble.PLAN_REFUSED, Trouble.CONNECTION_LIMIT):
            continue
        feed = replace(OPEN, vendor="Kraken", key_setting="", symbol_limit=None, trouble=trouble)
        for text in (feed_reason(feed), feed_advice([feed])):
            assert "API key" not in text
            assert "account" not in text
    slow = replace(OPEN, key_setting="", trouble=Trouble.NOT_ACCEPTED, seconds=10.0)
    assert feed_reason(slow) == "the vendor did not accept this dashboard within 10 s"


def test_what_is_held_back_is_told_with_its_symbols_and_prices() -> None:
    """In the message which symbols, without counts that never rest; in the details the prices."""
    feed = in_trouble(Trouble.HELD_BACK)
    (message,) = told(status_card(status_of(feed), NOW, NOW))
    assert message.startswith("Crypto held back: most prices are far from those before, and")
    assert ": BTC-USD. They are shown automatically as soon as three of them" in message
    *_, table = tables(status_of(feed))
    assert dict(table.entries)["held back"] == "BTC-USD 64,400.00, 30.0 % below 92,000.00"


def test_seconds_that_are_shown_late_say_so() -> None:
    """So that nobody wonders; nothing stands still because of it."""
    status = status_of(OPEN)
    late = replace(status, source=replace(status.source, later_sec=2.5))
    card = status_card(late, NOW - 6, NOW)
    assert card.text == "prices of EODHD, shown 2.5 s late because prices come late"
    assert told(card) == []
    assert dict(tables(late)[0].entries)["shown late by"] == "2.5 s"
    assert told(status_card(late, NOW - 8, NOW)) != []
    assert status_card(status, NOW, NOW).text == "prices of EODHD"


@pytest.mark.parametrize("refusal", Refusal)
def test_every_refusal_of_a_symbol_has_its_sentence(refusal: Refusal) -> None:
    """Also while the other symbols are live."""
    feed = replace(OPEN, refused_symbols={"ETH-USD": refusal})
    assert feed_reason(feed).startswith("the vendor refused ETH-USD: ")
    (message,) = told(status_card(status_of(feed), NOW, NOW))
    assert message.startswith(("Crypto: The account", "Crypto: EODHD"))
    assert HELP.search(message)


def test_symbols_over_the_limit_are_named() -> None:
    """With what to do."""
    feed = replace(OPEN, over_limit=("A", "B"))
    assert feed_reason(feed) == "over the account's 50 symbols: A, B"
    (message,) = told(status_card(status_of(feed), NOW, NOW))
    assert message.endswith("Shorten the watchlist. (over the account's 50 symbols: A, B)")


@pytest.mark.parametrize(
    ("code", "flaw", "remedy"),
    [
        (10, "has expired", "this computer's date"),
        (9, "is not valid yet", "this computer's date"),
        (18, "is self-signed", "a proxy or a virus scanner"),
        (20, "was issued by nobody whom this computer trusts", "a proxy or a virus scanner"),
        (62, "is for another host name", "the address of the vendor"),
        (24, "is not accepted (reason 24)", "a proxy or a virus scanner"),
    ],
)
def test_fault_of_a_certificate_is_told_as_such(code: int, flaw: str, remedy: str) -> None:
    """With the host whose it is and what to do, and not as a fault of this machine's network."""
    feed = replace(in_trouble(Trouble.CERTIFICATE), code=code, host="ws.eodhistoricaldata.com")
    assert feed_reason(feed) == f"the certificate of ws.eodhistoricaldata.com {flaw}"
    (message,) = told(status_card(status_of(feed), NOW, NOW))
    assert f"the certificate of ws.eodhistoricaldata.com {flaw}" in message
    assert remedy in message
    assert "network" not in message


def test_unreadable_frames_are_told_with_their_number() -> None:
    """Which is not read out again whenever it grows."""
    feed = in_trouble(Trouble.UNREADABLE)
    card = status_card(status_of(feed), NOW, NOW)
    assert card.feeds[0].title.startswith("what came could not be read; 1,234 frames; ")
    (message,) = card.messages
    assert message.counts == "Unreadable: 1,234."
    assert "1,234" not in "".join(map(str, message.text))


def test_symbols_never_heard_are_named_while_others_trade() -> None:
    """In the tooltip and in a message, with what to do; no price is missed of a closed market."""
    feed = replace(OPEN, never_heard=("BTCUSD", "ETH-USB"))
    assert feed_reason(feed) == "no price yet of BTCUSD, ETH-USB"
    (message,) = told(status_card(status_of(feed), NOW, NOW))
    assert message == (
        "Crypto: No price of some crypto symbols has come, though others trade. Check their"
        " spelling, or take them off the watchlist; one that is hardly ever traded may still come."
        " (no price yet of BTCUSD, ETH-USB)"
    )
    shut = replace(feed, hours=replace(feed.hours, phase="closed"))
    assert told(status_card(status_of(shut), NOW, NOW)) == []
    lost = replace(feed, state=FeedState.RECONNECTING, trouble=Trouble.NO_ANSWER, seconds=10.0)
    assert "no price yet" not in "".join(told(status_card(status_of(lost), NOW, NOW)))


def test_many_symbols_are_named_by_the_first_and_their_number() -> None:
    """A sentence has an end, whatever a watchlist is."""
    names = tuple(f"S{number}" for number in range(5000))
    for feed in (
        replace(OPEN, over_limit=names),
        replace(OPEN, never_heard=names),
        replace(OPEN, refused_symbols=dict.fromkeys(names, Refusal.UNKNOWN)),
    ):
        assert "S10, S11 and 4,988 more" in feed_reason(feed)
        assert len(feed_reason(feed)) < 150


def test_status_of_many_digits_is_shown_cut() -> None:
    """Whatever number a vendor sends, its line stays short."""
    feed = replace(in_trouble(Trouble.VENDOR_ERROR), code=4_444_444_444)
    assert feed_reason(feed) == "the vendor reported an error (status 444444…)"


@pytest.mark.parametrize("code", sorted(errno.errorcode))
def test_every_answer_of_the_network_is_told_without_its_name(code: int) -> None:
    """Those that are known in words, the others by number."""
    feed = replace(in_trouble(Trouble.NO_CONNECTION), code=code)
    assert not JARGON.search(feed_reason(feed))
    assert errno.errorcode[code] not in feed_reason(feed)


@pytest.mark.parametrize("state", FeedState)
@pytest.mark.parametrize("phase", ["open", "closed"])
def test_every_state_has_its_line(state: FeedState, phase: Phase) -> None:
    """In one word for its colour; what is true of a closed market is said by its hours."""
    hours = MarketHours("crypto", phase, None, None, None, HoursFrom.CALENDAR)
    (line,) = status_card(status_of(replace(OPEN, state=state, hours=hours)), NOW, NOW).feeds
    assert line.state == state.split()[0]
    is_shut = phase == "closed"
    assert line.state_text == ("" if is_shut and state is FeedState.CLOSED else state)
    assert line.is_shut is is_shut
    assert "0 of 2 symbols heard, no tick yet" in line.title


@pytest.mark.parametrize("trouble", ArchiveTrouble)
def test_every_trouble_of_the_archive_has_its_sentence(trouble: ArchiveTrouble) -> None:
    """What it is and what to do."""
    archive = ArchiveStatus(
        state=ArchiveState.TROUBLE,
        trouble=trouble,
        detail="No space left on device: free some space",
        file="eodhd.sqlite",
    )
    reason = archive_reason(archive)
    if trouble is ArchiveTrouble.NONE:
        assert reason == ""
        return
    assert not JARGON.search(reason)
    assert re.search(r"check|restart|move|free|only reads", reason)


@pytest.mark.parametrize("trouble", ClockTrouble)
def test_every_trouble_of_the_clock_has_its_sentence(trouble: ClockTrouble) -> None:
    """What it did, and what is done about it."""
    text = clock_text(ClockStatus(trouble, 3600.2))
    if trouble is ClockTrouble.NONE:
        assert text == ""
        return
    assert "3600 s" in text
    assert "data vendor" in text


@pytest.mark.parametrize("by", HoursFrom)
def test_the_details_say_who_knows_the_hours(by: HoursFrom) -> None:
    """Each in words."""
    hours = MarketHours("crypto", "open", None, NOW, None, by)
    table = tables(status_of(replace(OPEN, hours=hours)))[-1]
    entries = dict(table.entries)
    assert entries["trading hours"]
    assert entries["until"] == Instant(NOW)


def test_the_next_try_is_counted_down() -> None:
    """In the strip and in the tooltip; a message would be read out with every second of it."""
    feed = in_trouble(Trouble.HTTP_ERROR)
    (line,) = status_card(status_of(feed), NOW, NOW).feeds
    assert line.pace == "next in 16 s"
    assert "; try 3, next in 16 s; " in line.title
    (message,) = status_card(status_of(feed), NOW, NOW).messages
    assert "16 s" not in "".join(map(str, message.text))
    due = replace(feed, retry_at=None)
    (line,) = status_card(status_of(due), NOW, NOW).feeds
    assert line.pace == "next now"
    asked_for = replace(feed, attempt=0, retry_at=None)
    assert whole_reason(asked_for, NOW) == feed_reason(asked_for)


def test_the_same_trouble_of_all_is_told_once() -> None:
    """And only if it lasts."""
    feeds = [replace(in_trouble(Trouble.HTTP_ERROR), asset=asset) for asset in ASSETS]
    card = status_card(status_of(*feeds), NOW, NOW)
    (message,) = card.messages
    assert told(card) == [
        "All feeds reconnecting: the vendor's server answered with an error (HTTP 503)."
        " It is retried automatically."
    ]
    assert message.passing == tuple(card.passing)
    assert card.passing == {f"{feed.vendor} {feed.asset}": 10 for feed in feeds}


def test_the_same_trouble_of_several_vendors_is_told_once() -> None:
    """With their names, which are not read out three times with the same words; others apart."""
    down = in_trouble(Trouble.NO_CONNECTION)
    feeds = [
        replace(down, asset="stocks", attempt=7),
        replace(down, asset="forex", vendor="Kraken"),
        replace(down, asset="crypto", vendor="Coinbase"),
    ]
    assert told(status_card(status_of(*feeds), NOW, NOW)) == [
        "All feeds: EODHD, Kraken and Coinbase cannot be reached for stocks, forex and crypto. It"
        " is retried automatically. To help: check this machine's network. (no connection:"
        " connection refused)"
    ]
    refused = replace(in_trouble(Trouble.KEY_REFUSED), asset="stocks")
    key, network = told(status_card(status_of(refused, *feeds[1:]), NOW, NOW))
    assert key.startswith("Stocks: EODHD does not accept the API key")
    assert network.startswith("Forex and crypto: Kraken and Coinbase cannot be reached")


def test_who_stands_in_for_whom_is_told() -> None:
    """In the strip with the time, in the details, and in a note that can be closed."""
    down = replace(
        in_trouble(Trouble.NO_ANSWER),
        vendor="Coinbase",
        role=Role.ON_TRIAL,
        since=NOW - 60,
        serves=(),
    )
    stand_in = replace(
        OPEN,
        vendor="Kraken",
        serves=("BTC-USD", "ETH-USD"),
        instead_of=("Coinbase",),
        since=NOW - 60,
        behind=("Binance",),
    )
    status = status_of(down, stand_in)
    card = status_card(status, NOW, NOW)
    since = Instant(NOW - 60)
    assert [(line.vendor, line.role) for line in card.feeds] == [
        ("Coinbase", ("passed over since ", since)),
        ("Kraken", ("instead of Coinbase since ", since)),
    ]
    (message,) = card.messages
    assert message.kind == "note"
    assert told(card) == [
        "Crypto of Coinbase reconnecting: no answer within 61 s. It is retried automatically."
        " To help: check this machine's network. Meanwhile the prices are those of Kraken."
    ]
    found = {table.name: dict(table.entries) for table in tables(status)}
    assert "missed trades" not in found["crypto of Kraken"]
    assert found["whose prices"] == {"BTC-USD": "Kraken", "ETH-USD": "Kraken"}
    assert found["crypto of Kraken"]["instead of"] == "Coinbase"
    assert found["crypto of Kraken"]["standing by"] == "Binance"
    assert found["crypto of Coinbase"]["role"] == "on trial"
    coming = replace(OPEN, role=Role.ON_TRIAL)
    assert status_card(status_of(coming), NOW, NOW).feeds[0].role == ("on trial",)
    # Without anybody who stands in, it is trouble; so it is if nobody can be reached.
    lost = replace(stand_in, state=FeedState.RECONNECTING, trouble=Trouble.NO_ANSWER, seconds=61.0)
    messages = status_card(status_of(down, lost), NOW, NOW).messages
    assert [message.kind for message in messages] == ["warning", "warning"]
    assert not any("Meanwhile" in str(message.text) for message in messages)
    (alone,) = status_card(status_of(down), NOW, NOW).messages
    assert alone.kind == "warning"
    assert status_card(status_of(OPEN), NOW, NOW).feeds[0].role == ()


@pytest.mark.parametrize(
    "trouble",
    [
        Trouble.KEY_REFUSED,
        Trouble.HTTP_ERROR,
        Trouble.UNAVAILABLE,
        Trouble.UNREADABLE,
        Trouble.NO_ANSWER,
        Trouble.NAME_NOT_FOUND,
        Trouble.CERTIFICATE,
        Trouble.NOT_SECURE,
        Trouble.NO_CONNECTION,
        Trouble.THROTTLED,
    ],
)
def test_a_past_that_cannot_be_had_is_told(trouble: Trouble) -> None:
    """In a note if it lasts, with the reason, and that live prices are not affected."""
    code = 503 if trouble in (Trouble.HTTP_ERROR, Trouble.UNAVAILABLE) else None
    backfill = BackfillStatus(
        vendor="Kraken", host="k.example", trouble=trouble, code=code, asked=5, waiting=2
    )
    status = status_of(replace(OPEN, vendor="Kraken"))
    status = replace(status, source=replace(status.source, backfill=(backfill,)))
    card = status_card(status, NOW, NOW)
    (message,) = card.messages
    assert (message.kind, message.passing) == ("note", tuple(card.passing))
    (text,) = told(card)
    assert text.startswith("Some of what was before the start cannot be had from Kraken: ")
    assert "connections" not in text
    assert text.endswith(". The live prices are not affected.")
    assert not JARGON.search(text)
    entry = dict(tables(status)[0].entries)["past from Kraken"]
    assert str(entry).startswith("5 symbols, 2 still to be asked for, 0 answers, ")
    later = replace(backfill, retry_at=NOW + 30)
    status = replace(status, source=replace(status.source, backfill=(later,)))
    assert "retried automatically" in told(status_card(status, NOW, NOW))[0]
    nothing = replace(backfill, waiting=5)
    status = replace(status, source=replace(status.source, backfill=(nothing,)))
    assert told(status_card(status, NOW, NOW))[0].startswith("What was before the start")
    # That its prices do not come either is told by itself.
    down = replace(in_trouble(Trouble.NAME_NOT_FOUND), vendor="Kraken")
    unreached = replace(status, feeds=(down,))
    assert "before the start" not in " ".join(told(status_card(unreached, NOW, NOW)))
    # What was answered in the end is nobody's trouble.
    done = replace(backfill, waiting=0)
    status = replace(status, source=replace(status.source, backfill=(done,)))
    assert told(status_card(status, NOW, NOW)) == []


@pytest.mark.parametrize(
    ("environ", "stocks", "lacking"),
    [
        ({}, ("AAPL",), True),
        ({"MARKET_PULSE_STOCKS": "off"}, ("AAPL",), False),
        ({"FINNHUB_API_KEY": "SECRETKEY"}, ("AAPL",), False),
        ({}, (), False),
    ],
)
def test_a_class_that_lacks_a_key_says_which(
    environ: dict[str, str], stocks: tuple[str, ...], lacking: bool
) -> None:
    """In one line, unless nobody wants it; its chip is off, and no price stands in."""
    settings = replace(
        load({"MARKET_PULSE_SOURCE": "live", "MARKET_PULSE_DATA": "off", **environ}).source,
        watchlist={"stocks": stocks, "forex": ("EURUSD",), "crypto": ()},
    )
    source = open_source(settings, None)
    status = replace(status_of(*source.feeds()), source=source.status())
    card = status_card(status, NOW, NOW)
    line = (
        "Stocks are off: they need a key. A free one from app.alpaca.markets/signup (ALPACA_API_KEY"
        " and ALPACA_API_SECRET) or from finnhub.io/register (FINNHUB_API_KEY) brings them."
    )
    assert [text for text in told(card) if "key" in text] == ([line] if lacking else [])
    assert [message.kind for message in card.messages if lacking] == ["note"] * lacking
    chip = card.feeds[0]
    assert chip.vendor == ("Finnhub" if environ.get("FINNHUB_API_KEY") else "")
    if not chip.vendor:
        assert (chip.state, chip.title) == ("off", "no vendor is asked")
        assert source.watched["stocks"] == ()


def test_the_details_count_missed_trades_and_name_what_is_halted() -> None:
    """If there are any."""
    feed = replace(OPEN, missed=1234, halted={"ETH-USD": NOW - 60})
    *_, table = tables(status_of(feed))
    entries = dict(table.entries)
    assert (entries["missed trades"], entries["halted"]) == ("1,234", "ETH-USD")


@pytest.mark.parametrize("kind", SourceKind)
def test_only_real_prices_are_a_vendors(kind: SourceKind) -> None:
    """A simulation speaks like one, and says how to see the real market; no other source does."""
    status = status_of(replace(OPEN, serves=("BTC-USD",)))
    status = replace(
        status, source=SourceStatus(kind=kind, name="x", seed=7, file="tape.csv", speed=1.0)
    )
    card = status_card(status, NOW, NOW)
    is_live = kind is SourceKind.LIVE
    assert card.feeds[0].vendor == ("EODHD" if is_live else "")
    assert ("whose prices" in {table.name for table in tables(status)}) is is_live
    hint = "The real market: start with MARKET_PULSE_SOURCE=live"
    assert card.hint == (hint if kind is SourceKind.SIMULATED else "")


def test_nothing_is_missed_while_a_market_is_closed() -> None:
    """A connection that breaks then is no message."""
    hours = MarketHours("crypto", "closed", None, None, None, HoursFrom.CALENDAR)
    feed = replace(in_trouble(Trouble.CONNECTION_CLOSED), hours=hours)
    card = status_card(status_of(feed), NOW, NOW)
    assert (card.messages, card.passing) == ([], {})


def test_symbols_that_the_next_vendor_may_have_are_no_trouble_yet() -> None:
    """It is asked for them after a while; if nobody has them they are told."""
    refused = replace(
        OPEN, vendor="Coinbase", refused_symbols={"SOL-USDT": Refusal.UNKNOWN}, behind=("Kraken",)
    )
    card = status_card(status_of(refused), NOW, NOW)
    (message,) = card.messages
    assert message.passing == tuple(card.passing)
    assert [*card.passing.values()] == [20]
    (alone,) = status_card(status_of(replace(refused, behind=())), NOW, NOW).messages
    assert alone.passing == ()
    full = replace(refused, refused_symbols={"SOL-USDT": Refusal.SYMBOL_LIMIT})
    (account,) = status_card(status_of(full), NOW, NOW).messages
    assert account.passing == ()


def test_who_is_passed_over_has_no_prices_that_are_shown() -> None:
    """What the prices are says those whose they are."""
    failing = replace(in_trouble(Trouble.HTTP_ERROR), vendor="Coinbase", role=Role.ON_TRIAL)
    card = status_card(status_of(failing, replace(OPEN, vendor="Kraken")), NOW, NOW)
    assert card.text == "prices of Kraken"


@pytest.mark.parametrize(
    ("left_out", "lost"),
    [
        (None, "nothing of it could be read, and a new one is begun."),
        (LeftOut(), "a new one goes on with all of it that is sound."),
        (
            LeftOut(seconds=60, first=int(NOW) - 100, last=int(NOW) - 41),
            "a new one goes on with all of it that is sound. Up to 60 seconds from * to * are"
            " lost.",
        ),
        (
            LeftOut(seconds=1, first=int(NOW), last=int(NOW), events=1, minutes=1200),
            "a new one goes on with all of it that is sound. One second is lost: *. Also lost: 1"
            " event update, 1,200 usual minutes.",
        ),
    ],
)
def test_a_damaged_archive_is_told_with_what_it_cost(left_out: LeftOut | None, lost: str) -> None:
    """Its name, and the times that are lost."""
    archive = ArchiveStatus(
        state=ArchiveState.WRITING,
        file="eodhd.sqlite",
        set_aside=(SetAside("eodhd.damaged-1.sqlite", left_out),),
    )
    assert told(status_card(status_of(archive=archive), NOW, NOW)) == [
        f"The archive was damaged and is kept aside as eodhd.damaged-1.sqlite; {lost}"
    ]


def test_what_an_archive_lost_is_told_with_its_times() -> None:
    """While it cannot be written, and for an hour after that."""
    lost = ArchiveStatus(
        state=ArchiveState.TROUBLE,
        trouble=ArchiveTrouble.FILE,
        detail="the disk is full: free some space",
        file="eodhd.sqlite",
        waiting=1234,
        lost=5,
        lost_from=int(NOW) - 600,
        lost_to=int(NOW) - 500,
    )
    card = status_card(status_of(archive=lost), NOW, NOW)
    (message,) = card.messages
    assert told(card) == [
        "The archive is not written: the disk is full: free some space. It is retried"
        " automatically; the prices shown are not affected. What came from * to * found no room to"
        " wait and is lost."
    ]
    assert message.counts == "1,234 bars wait, 5 are lost."
    assert message.passing == ("archive",)
    mended = replace(lost, state=ArchiveState.WRITING, trouble=ArchiveTrouble.NONE)
    (text,) = told(status_card(status_of(archive=mended), NOW, NOW))
    assert text.startswith("What came from * to * is not in the archive")
    assert told(status_card(status_of(archive=mended), NOW + 4000, NOW + 4000)) == []


@pytest.mark.parametrize("by", HoursFrom)
@pytest.mark.parametrize("phase", ["pre", "open", "after", "closed"])
def test_every_phase_of_a_market_has_its_words(phase: Phase, by: HoursFrom) -> None:
    """With when it ends, if that is known, or why it is not said."""
    opens = None if phase == "open" else NOW + 7200
    hours = MarketHours("stocks", phase, NOW - 60, NOW + 3600, opens, by)
    line = hours_line(hours, SourceKind.LIVE, is_past=False)
    assert line.name.isupper()
    assert line.turn
    then = hours_line(hours, SourceKind.LIVE, is_past=True)
    assert then.name in (f"then {line.name}", "ENDED")
    if by is HoursFrom.CALENDAR:
        turns_at = NOW + (7200 if phase in ("pre", "closed") else 3600)
        assert (line.turns_at, line.turn[-1]) == (turns_at, Instant(turns_at))
        assert line.more[-1] == "by the New York Stock Exchange's calendar"


def line_at(asset: Asset, instant: str) -> HoursLine:
    """What the strip says at an instant, written in UTC."""
    now = datetime.fromisoformat(f"{instant}+00:00").timestamp()
    hours = CorrectedHours(asset, sessions.session, 120.0).hours(now)
    return hours_line(hours, SourceKind.LIVE, is_past=False)


def words(parts: Words) -> str:
    """With the instants as the clocks of New York show them."""
    zone = ZoneInfo("America/New_York")
    return "".join(
        part if isinstance(part, str) else f"{datetime.fromtimestamp(part.at, zone):%a %H:%M}"
        for part in parts
    )


@pytest.mark.parametrize(
    ("asset", "instant", "name", "turn", "more"),
    [
        (
            "stocks",
            "2026-11-26 15:00",
            "CLOSED",
            "opens Fri 09:30, Thanksgiving Day",
            "pre-market from Fri 04:00, regular trading from Fri 09:30,"
            " by the New York Stock Exchange's calendar",
        ),
        (
            "stocks",
            "2026-11-27 15:00",
            "OPEN",
            "closes Fri 13:00, day after Thanksgiving",
            "by the New York Stock Exchange's calendar",
        ),
        (
            "stocks",
            "2026-11-27 10:00",
            "PRE-MARKET",
            "opens Fri 09:30",
            "regular trading from Fri 09:30, a half day (day after Thanksgiving),"
            " by the New York Stock Exchange's calendar",
        ),
        (
            "forex",
            "2024-12-25 15:00",
            "CLOSED",
            "opens Wed 17:00, Christmas Day",
            "regular trading from Wed 17:00, by the interbank market's calendar",
        ),
        (
            "forex",
            "2026-11-26 15:00",
            "OPEN",
            "closes Fri 17:00",
            "by the interbank market's calendar",
        ),
    ],
)
def test_a_holiday_is_named_beside_the_hours(
    asset: Asset, instant: str, name: str, turn: str, more: str
) -> None:
    """And a half day, and whose calendar it is that has it."""
    line = line_at(asset, instant)
    assert (line.name, words(line.turn), words(line.more)) == (name, turn, more)


@pytest.mark.parametrize("trouble", Trouble)
def test_words_outlive_the_modules_that_a_status_came_from(trouble: Trouble) -> None:
    """Streamlit may load the page's modules again, and the enums of a running worker are older."""
    feed = in_trouble(trouble)
    older = replace(
        feed,
        state=StrEnum("FeedState", {"OLDER": feed.state.value}).OLDER,  # type: ignore[attr-defined]
        trouble=StrEnum("Trouble", {"OLDER": trouble.value}).OLDER,  # type: ignore[attr-defined]
    )
    assert status_card(status_of(older), NOW, NOW) == status_card(status_of(feed), NOW, NOW)
    assert tables(status_of(older)) == tables(status_of(feed))


def test_destinations_that_are_told_nothing_any_more_are_one_warning() -> None:
    """Unless a viewer muted them; those that rest are the chip's to say."""
    desk = DestinationStatus(name="desk", type="slack", state=DestinationState.REFUSED, why="404")
    bot = replace(desk, name="bot", state=DestinationState.OFF)
    phone = replace(desk, name="phone", state=DestinationState.RESTING)
    alerts = AlertsStatus(destinations=(desk, bot, phone))
    (message,) = status_card(replace(status_of(OPEN), alerts=alerts), NOW, NOW).messages
    assert message.kind == "warning"
    assert message.text == ("No alert reaches desk and bot any more: Alerts, above, says why.",)
    mutes = tuple(Mute(MuteOf.DESTINATION, name, NOW + 60) for name in ("desk", "bot"))
    muted = replace(alerts, mutes=mutes)
    assert status_card(replace(status_of(OPEN), alerts=muted), NOW, NOW).messages == []


def test_an_api_that_is_off_says_why_and_what_to_do() -> None:
    """A page alone or an API that answers says nothing."""
    closed = replace(status_of(OPEN), api=ApiState.CLOSED)
    (message,) = status_card(closed, NOW, NOW).messages
    assert message.text == (
        "The API is off: others than this computer can ask, and no token is set. To help: set"
        " MARKET_PULSE_API_TOKENS, or listen at 127.0.0.1 alone.",
    )
    for state in (ApiState.ABSENT, ApiState.OPEN):
        assert status_card(replace(closed, api=state), NOW, NOW).messages == []
