"""Everything that can be true of a process among several is told in a sentence, and calmly."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import pytest

from engine.status import (
    AlertsStatus,
    ArchiveState,
    ArchiveStatus,
    DestinationStatus,
    FeedState,
    FeedStatus,
    Refusal,
    RelayState,
    RelayStatus,
    RelayTrouble,
    SourceKind,
    SourceStatus,
    Status,
    Trouble,
    WatchStatus,
)
from engine.watchlist import Watchlist
from history.notes import WatchNotes
from page.alerts import alerts_card
from page.among import where_text
from page.details import tables
from page.find import find_card, watch_card
from page.status import StatusCard, status_card
from page.watching import AddSymbol, PlayStress, RemoveSymbol, watch_answered
from page.words import Instant, Message, Words
from sessions import HoursFrom, MarketHours

NOW: Final = 1_790_000_000.0

TOOK: Final = 1_789_990_000

FOLLOWING: Final = RelayStatus(
    role="auto",
    host="host-b",
    state=RelayState.FOLLOWING,
    collector="host-a",
    silent_sec=0.4,
    took_over_at=float(TOOK),
    shown=int(NOW),
)

LEADING: Final = replace(
    FOLLOWING, host="host-a", state=RelayState.LEADING, silent_sec=None, took_over_at=float(TOOK)
)

AWAY: Final = {"trouble": RelayTrouble.AWAY, "trouble_sec": 14.0}

FEED: Final = FeedStatus(
    vendor="EODHD",
    key_setting="EODHD_API_KEY",
    asset="crypto",
    state=FeedState.LIVE,
    asked=("BTC-USD",),
    symbol_limit=50,
    hours=MarketHours("crypto", "open", None, None, None, HoursFrom.CALENDAR),
)


def status_of(relay: RelayStatus | None, *feeds: FeedStatus) -> Status:
    """A status of a real market in which all else is well."""
    return Status(
        now=NOW,
        started_at=NOW - 600,
        uptime=600.0,
        source=SourceStatus(name="live", kind=SourceKind.LIVE),
        feeds=feeds or (FEED,),
        queued=0,
        is_searching_past=False,
        archive=ArchiveStatus(state=ArchiveState.WRITING),
        relay=relay,
    )


def card_of(relay: RelayStatus | None, behind_sec: float = 1.0) -> StatusCard:
    """What the page shows of it, the newest second so far behind the clock."""
    return status_card(status_of(relay), NOW - behind_sec, NOW)


def read(words: Words) -> str:
    """A sentence, its instants as seconds before the clock."""
    return "".join(
        f"[{NOW - word.at:g} s ago]" if isinstance(word, Instant) else word for word in words
    )


def lines(messages: list[Message]) -> list[str]:
    """Messages as they are read, each with its counts behind a bar."""
    return [f"{read(one.text)} | {one.counts}".removesuffix(" | ") for one in messages]


def follower(**changes: Any) -> RelayStatus:
    return replace(FOLLOWING, **changes)


def replica(**changes: Any) -> RelayStatus:
    return replace(FOLLOWING, role="replica", **changes)


def leader(**changes: Any) -> RelayStatus:
    return replace(LEADING, **changes)


def fixed(**changes: Any) -> RelayStatus:
    return replace(LEADING, role="collector", **changes)


SHOWN: Final = {"shown": int(NOW) - 14, "silent_sec": 14.0}
NOTHING: Final[dict[str, Any]] = {
    "shown": None,
    "silent_sec": None,
    "collector": "",
    "took_over_at": None,
}
JUST: Final = {"took_over_at": NOW - 100}

SAID: Final[list[tuple[str, RelayStatus, list[str]]]] = [
    ("all is well with a follower", follower(), []),
    ("all is well with a replica", replica(), []),
    ("all is well with the collector", leader(), []),
    ("a short silence", follower(silent_sec=2.9), []),
    ("the broker has just gone", follower(trouble=RelayTrouble.AWAY, trouble_sec=2.0), []),
    (
        "the broker has just gone for the collector",
        fixed(trouble=RelayTrouble.AWAY, trouble_sec=2.0, waiting=2),
        [],
    ),
    (
        "broker away, replica",
        replica(**AWAY, **SHOWN),
        [
            "The message broker does not answer. Shown is [14 s ago]. | No word for 14 s.",
        ],
    ),
    (
        "broker away from the start",
        replica(**AWAY, **NOTHING),
        [
            "The message broker does not answer. There is nothing to show yet. | No word for 14 s.",
        ],
    ),
    (
        "broker away, fixed collector",
        fixed(**AWAY, waiting=14, lost=3),
        [
            "Live here. Other dashboards are not served: the message broker does not answer."
            " | For 14 s, 14 seconds wait, 3 seconds waited too long and are lost.",
        ],
    ),
    (
        "broker away, collector that another may follow",
        leader(**AWAY, waiting=1),
        [
            "Live here. Other dashboards are not served: the message broker does not answer."
            " If that lasts, collection stops here, as another may take over."
            " | For 14 s, 1 second waits.",
        ],
    ),
    (
        "broker away, collector that stopped",
        follower(**AWAY, **SHOWN, stopped_at=NOW - 12, collector="host-b"),
        [
            "Collection stopped at [12 s ago]: without the broker another may have taken over."
            " | No answer for 14 s.",
        ],
    ),
    (
        "broker full, collector that stopped",
        follower(
            trouble=RelayTrouble.FULL, trouble_sec=20.0, stopped_at=NOW - 12, collector="host-b"
        ),
        [
            "Collection stopped at [12 s ago]: without the broker another may have taken over. The"
            " broker's memory is full: give it more (maxmemory).",
        ],
    ),
    (
        "it stopped, the broker is back, and nobody collects yet",
        follower(**SHOWN, state=RelayState.WAITING, stopped_at=NOW - 12, collector="host-b"),
        ["Collection stopped at [12 s ago]: without the broker another may have taken over."],
    ),
    (
        "it stopped long ago, and another has collected since",
        follower(**AWAY, **SHOWN, stopped_at=NOW - 7200),
        ["The message broker does not answer. Shown is [14 s ago]. | No word for 14 s."],
    ),
    (
        "seconds that were lost",
        leader(lost=1),
        [
            "To other dashboards 1 second waited too long and is lost: the broker took nothing"
            " meanwhile.",
        ],
    ),
    ("seconds that wait for a moment", leader(waiting=2), []),
    (
        "collector silent",
        replica(silent_sec=4.0, shown=int(NOW) - 4, takeover_sec=7.6),
        [
            "The collector (host-a) fell silent; another takes over. Shown is [4 s ago]."
            " | Silent for 4 s; takeover within 8 s.",
        ],
    ),
    (
        "collector silent, and nobody says how long that may last",
        follower(silent_sec=4.0, shown=int(NOW) - 4),
        ["The collector (host-a) fell silent. Shown is [4 s ago]. | Silent for 4 s."],
    ),
    (
        "its lease has ended",
        follower(**SHOWN, state=RelayState.WAITING, takeover_sec=0.2),
        [
            "The collector (host-a) fell silent; this process or another takes over. Shown is"
            " [14 s ago]. | Silent for 14 s; takeover within 1 s.",
        ],
    ),
    (
        "nobody collects, replica",
        replica(state=RelayState.WAITING, silent_sec=31.0, shown=int(NOW) - 31),
        [
            "Nobody collects: start a process with MARKET_PULSE_ROLE=auto or collector. Shown is"
            " [31 s ago].",
        ],
    ),
    (
        "nobody has collected yet, replica",
        replica(state=RelayState.WAITING, **NOTHING),
        [
            "Nobody collects: start a process with MARKET_PULSE_ROLE=auto or collector. There is"
            " nothing to show yet.",
        ],
    ),
    (
        "nobody has collected yet, one of equals",
        follower(**NOTHING, state=RelayState.WAITING, takeover_sec=2.0),
        [
            "Nobody collects yet: this process or another begins. There is nothing to show yet."
            " | Within 2 s.",
        ],
    ),
    (
        "connecting",
        follower(**NOTHING, state=RelayState.CONNECTING),
        ["The message broker is asked for what the others show."],
    ),
    (
        "loading",
        follower(**NOTHING, state=RelayState.LOADING),
        ["What the others show is read from the message broker."],
    ),
    (
        "following what has not begun",
        replica(shown=None, silent_sec=None),
        ["The collector (host-a) has not sent anything yet."],
    ),
    ("loading anew for a moment", follower(state=RelayState.LOADING), []),
    (
        "loading anew for long",
        follower(**SHOWN, state=RelayState.LOADING),
        ["What was missed is read from the message broker. Shown is [14 s ago]."],
    ),
    (
        "a takeover",
        follower(**JUST, hole_sec=11),
        ["host-a took over at [100 s ago]; a hole of 11 s."],
    ),
    (
        "a takeover, at the collector itself",
        leader(**JUST, hole_sec=11),
        ["This process took over at [100 s ago]; a hole of 11 s."],
    ),
    (
        "a takeover, at a collector that stopped since",
        follower(**JUST, hole_sec=11, collector="host-b"),
        ["This process took over at [100 s ago]; a hole of 11 s."],
    ),
    ("a takeover without a hole", follower(**JUST, hole_sec=1), []),
    ("a takeover long ago", follower(hole_sec=11), []),
    (
        "fenced",
        follower(**JUST, fenced_by="host-a", hole_sec=2),
        ["host-a took over at [100 s ago]; this one collects no more."],
    ),
    (
        "fenced, with a hole",
        follower(**JUST, fenced_by="host-a", hole_sec=11, stopped_at=NOW - 120),
        ["host-a took over at [100 s ago]; this one collects no more; a hole of 11 s."],
    ),
    (
        "fenced, and nobody knows when",
        follower(fenced_by="host-a", took_over_at=None),
        ["host-a took over; this one collects no more."],
    ),
    (
        "fenced by another than the one that collects now",
        follower(**JUST, fenced_by="host-c", hole_sec=11),
        ["host-a took over at [100 s ago]; a hole of 11 s."],
    ),
    (
        "a clock that is slow",
        follower(ahead_sec=4.24),
        [
            "This computer's clock is behind the collector's. To help: let a time server set both."
            " | By 4.2 s.",
        ],
    ),
    (
        "a clock that is fast",
        follower(ahead_sec=-2.0),
        [
            "This computer's clock is ahead of the collector's. To help: let a time server set"
            " both. | By 2.0 s.",
        ],
    ),
    ("clocks in step", follower(ahead_sec=1.99), []),
    (
        "settings that differ",
        replica(uncollected=("NFLX", "EURGBP")),
        ["Watched here, not collected: NFLX, EURGBP."],
    ),
    (
        "settings that differ much",
        replica(uncollected=tuple(f"S{number}" for number in range(14))),
        [f"Watched here, not collected: {', '.join(f'S{n}' for n in range(12))} and 2 more."],
    ),
]


@pytest.mark.parametrize(("relay", "said"), [one[1:] for one in SAID], ids=[s[0] for s in SAID])
def test_every_state_has_its_sentence(relay: RelayStatus, said: list[str]) -> None:
    """And what is well, or over in a moment, has none."""
    assert lines(card_of(relay).messages) == said


TROUBLES: Final[dict[RelayTrouble, str]] = {
    RelayTrouble.AWAY: "The message broker does not answer.",
    RelayTrouble.STARTING: "The message broker is starting, and still loads what it holds.",
    RelayTrouble.REFUSED: "The broker refused the user or password of MARKET_PULSE_REDIS: check it"
    " and MARKET_PULSE_REDIS_PASSWORD, then restart.",
    RelayTrouble.DENIED: "The broker does not allow the user of MARKET_PULSE_REDIS what it needs:"
    " docs/many.md lists what a user must be allowed.",
    RelayTrouble.FULL: "The broker's memory is full: give it more (maxmemory).",
    RelayTrouble.CERTIFICATE: "What answers at the address of MARKET_PULSE_REDIS cannot prove to be"
    " the message broker: check MARKET_PULSE_REDIS_CA, and which name its certificate is for.",
    RelayTrouble.UNUSABLE: "What answers at the address of MARKET_PULSE_REDIS is no message broker,"
    " or one that lacks what is needed: check the address; Redis from 6.2 on is expected, or"
    " Valkey.",
    RelayTrouble.NEWER_FORMAT: "The collector (host-a) speaks format 2, which is newer than what"
    " this dashboard knows: update it.",
    RelayTrouble.UNREADABLE: "What the collector (host-a) published cannot be read here: let all"
    " run the same version.",
}


@pytest.mark.parametrize("trouble", [trouble for trouble in RelayTrouble if trouble])
def test_every_trouble_has_its_sentence(trouble: RelayTrouble) -> None:
    """With what can be done, at a replica; the collector says that it is live all the same."""
    said = TROUBLES[trouble]
    found = {"trouble": trouble, "trouble_sec": 14.0, "format": 2}
    (message,) = card_of(replica(**found, **SHOWN)).messages
    assert lines([message]) == [f"{said} Shown is [14 s ago]. | No word for 14 s."]
    waits = trouble in (
        RelayTrouble.AWAY,
        RelayTrouble.STARTING,
        RelayTrouble.FULL,
        RelayTrouble.UNREADABLE,
    )
    assert message.kind == ("warning" if waits else "error")
    (message,) = card_of(fixed(**found)).messages
    assert message.kind == "warning"
    told = f"{said[0].lower()}{said[1:]}"
    assert lines([message]) == [f"Live here. Other dashboards are not served: {told} | For 14 s."]


def test_what_nothing_but_a_person_ends_is_told_at_once() -> None:
    """All else is given a moment."""
    soon = {"trouble_sec": 0.0, "silent_sec": 0.5}
    assert card_of(replica(trouble=RelayTrouble.STARTING, **soon)).messages == []
    assert len(card_of(replica(trouble=RelayTrouble.REFUSED, **soon)).messages) == 1


@pytest.mark.parametrize("relay", [one[1] for one in SAID], ids=[one[0] for one in SAID])
def test_a_message_keeps_its_words_while_the_seconds_pass(relay: RelayStatus) -> None:
    """What changes stands in the counts, which are not read out each second."""
    later = replace(
        relay,
        trouble_sec=None if relay.trouble_sec is None else relay.trouble_sec + 1,
        silent_sec=None if relay.silent_sec is None else relay.silent_sec + 0.05,
        waiting=relay.waiting and relay.waiting + 1,
        takeover_sec=relay.takeover_sec and relay.takeover_sec - 0.1,
        ahead_sec=relay.ahead_sec and relay.ahead_sec * 1.01,
    )
    one, other = card_of(relay).messages, card_of(later).messages
    if len(one) == len(other):
        assert [message.text for message in one] == [message.text for message in other]
    else:
        # A moment is over.
        assert not one


def test_what_is_over_can_be_put_away() -> None:
    """A viewer who has read of a change of collector may close it."""
    (message,) = card_of(follower(**JUST, hole_sec=11)).messages
    assert (message.kind, message.is_over) == ("note", True)
    (message,) = card_of(leader(lost=2)).messages
    assert message.is_over


def test_a_difference_of_clocks_is_told_if_it_lasts() -> None:
    """One that is just that large comes and goes, and the page must not jump for it."""
    card = card_of(follower(ahead_sec=2.5))
    (name,) = card.messages[0].passing
    assert card.passing[name] > 0


@pytest.mark.parametrize(
    ("relay", "words"),
    [
        (leader(), "This process collects for all since [10000 s ago]"),
        (leader(waiting=3, took_over_at=None), "This process collects for all; 3 seconds wait"),
        (follower(), "One of several: host-a has collected since [10000 s ago]"),
        (follower(took_over_at=None), "One of several: host-a collects"),
        (replica(), "Replica of host-a, which has collected since [10000 s ago]"),
        (replica(took_over_at=None), "Replica of host-a"),
        (replica(collector=""), "One of several: it has no word of the collector yet"),
        (follower(state=RelayState.WAITING), "One of several: nobody collects"),
        (follower(state=RelayState.LOADING), "One of several: it reads what the broker holds"),
        (
            follower(state=RelayState.CONNECTING),
            "One of several: it has no word of the collector yet",
        ),
    ],
)
def test_the_status_says_what_this_process_is(relay: RelayStatus, words: str) -> None:
    """In one line, and in a table with all that is known."""
    assert read(card_of(relay).among) == words
    table = next(one for one in tables(status_of(relay)) if one.name == "one of several")
    entries = dict(table.entries)
    assert entries["role"] == relay.role
    assert entries["this process"] == relay.host
    assert "seconds lost" not in entries


def test_the_table_has_all_that_is_known() -> None:
    """With units, and no zero for what is not known."""
    known = replica(
        **AWAY,
        silent_sec=14.0,
        shown=int(NOW),
        hole_sec=11,
        fenced_by="host-a",
        stopped_at=NOW - 20,
        waiting=2,
        lost=3,
        ahead_sec=4.24,
        uncollected=("NFLX", "EURGBP"),
    )
    table = next(one for one in tables(status_of(known)) if one.name == "one of several")
    assert dict(table.entries) == {
        "role": "replica",
        "this process": "host-b",
        "state": "following",
        "reason": "the message broker does not answer",
        "collector": "host-a",
        "collects since": Instant(float(TOOK)),
        "hole before that": "11 s",
        "newest second": Instant(int(NOW)),
        "came": "14 s ago",
        "stopped at": Instant(NOW - 20),
        "taken over by": "host-a",
        "seconds waiting": "2",
        "seconds lost": "3",
        "collector's clock": "4.2 s ahead",
        "not collected": "NFLX, EURGBP",
    }


def test_a_process_alone_says_nothing_of_others() -> None:
    """Neither in its status nor in the details."""
    card = card_of(None)
    assert (card.among, card.messages) == ((), [])
    assert all(table.name != "one of several" for table in tables(status_of(None)))


# Standing still.


def test_a_page_that_stands_still_for_a_reason_says_it_once() -> None:
    """Why, instead of that; if nobody knows why, that."""
    (message,) = card_of(replica(**AWAY, **SHOWN), 14.0).messages
    assert "does not answer" in read(message.text)
    for relay in (None, follower(), leader()):
        (message,) = card_of(relay, 14.0).messages
        assert read(message.text) == "The pulse stands still: what is shown is 14 s old."


def test_no_feed_is_live_of_which_no_word_comes() -> None:
    """How it was when the collector was last heard is no longer how it is."""
    fresh = card_of(follower())
    assert fresh.is_live
    assert (fresh.feeds[0].state, fresh.feeds[0].state_text) == ("live", "live")
    still = card_of(follower(**AWAY, **SHOWN), 14.0)
    (line,) = still.feeds
    assert not still.is_live
    assert (line.state, line.state_text, line.pace) == ("silent", "no word", "")
    assert line.title == "live when the collector was last heard, 14 s ago"
    shut = replace(FEED, state=FeedState.CLOSED)
    card = status_card(status_of(follower(**AWAY, **SHOWN), shut), NOW - 14, NOW)
    assert card.feeds[0].state == "closed"


# Two at the vendor.

FULL: Final = (
    replace(FEED, state=FeedState.REFUSED, trouble=Trouble.CONNECTION_LIMIT),
    replace(FEED, state=FeedState.RECONNECTING, trouble=Trouble.THROTTLED),
    replace(
        FEED,
        state=FeedState.REFUSED,
        trouble=Trouble.SYMBOLS_REFUSED,
        refused_symbols={"BTC-USD": Refusal.SYMBOL_LIMIT},
    ),
)


@pytest.mark.parametrize("feed", FULL, ids=lambda feed: str(feed.trouble))
def test_a_vendor_that_still_counts_the_last_collector_is_waited_for(feed: FeedStatus) -> None:
    """It is no fault of the settings then; three minutes later it is one."""
    refused = replace(feed, attempt=3, retry_at=NOW + 60)
    new = status_of(leader(took_over_at=NOW - 170), refused)
    (message,) = status_card(new, NOW, NOW).messages
    assert message.kind == "warning"
    assert "The last collector's connection may still count there" in read(message.text)
    assert message.counts == "Try 3, next in 60 s."
    for relay in (None, leader(took_over_at=NOW - 190)):
        (message,) = status_card(status_of(relay, refused), NOW, NOW).messages
        assert "last collector" not in read(message.text)


# What a viewer may change.


@pytest.mark.parametrize(
    ("relay", "where"),
    [
        (None, ""),
        (leader(), ""),
        (follower(), "where host-a collects"),
        (follower(collector=""), "at the collector"),
        (follower(collector="host-b"), "at the collector"),
    ],
)
def test_where_it_is_decided_is_where_prices_are_collected(
    relay: RelayStatus | None, where: str
) -> None:
    """By the name of that process, if it is known and another."""
    assert where_text(relay) == where


def test_a_viewer_is_told_where_the_watchlist_can_be_changed() -> None:
    """Not that a tape is replayed, which is not so."""
    watchlist = Watchlist({"crypto": ("BTC-USD",)}, WatchNotes(), None, is_elsewhere=lambda: True)
    where = where_text(FOLLOWING)
    decided = ("What is watched is decided where host-a collects. ",)
    assert watch_answered(watchlist, AddSymbol("stocks", "IBM"), where) == decided
    assert watch_answered(watchlist, RemoveSymbol("BTC-USD"), where) == decided
    assert watch_answered(watchlist, PlayStress(), where) == (
        "A stress can be played where host-a collects alone, if that market is simulated. ",
    )
    assert watch_card(watchlist.status(), where).fixed == (
        "What is watched is decided where host-a collects: nothing can be added or removed here."
    )
    assert find_card("ibm", [], watchlist.status(), where).nothing == (
        "ibm is not watched. What is watched is decided where host-a collects."
    )
    assert watch_card(WatchStatus(is_fixed=False), where).fixed == ""
    assert "tape" in watch_card(watchlist.status()).fixed


def test_a_viewer_is_told_who_sends_the_alerts() -> None:
    """And that this process does not."""
    alerts = AlertsStatus(
        destinations=(DestinationStatus(name="desk", type="slack"),), is_sending=False
    )
    for where, note in (
        (
            where_text(FOLLOWING),
            "Alerts are sent where host-a collects; this process sends none unless it collects"
            " itself.",
        ),
        (
            "",
            "Another Market Pulse records into the same archive, and sends. This one does when"
            " that has ended.",
        ),
    ):
        panel = alerts_card(alerts, is_opened=True, where=where).panel
        assert panel is not None
        assert panel.notes == [note]
