"""The watchlist as viewers change it: what is done, what is refused and why, and what is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from engine.watchlist import MOST_SYMBOLS, Outcome, Watched, Watchlist
from history.notes import WatchNotes, decoded, encoded
from page.asks import asks_in
from page.find import find_card, watch_card
from page.watching import (
    AddSymbol,
    DeleteGroup,
    MakeGroup,
    PlayStress,
    PutIntoGroup,
    RemoveSymbol,
    RenameGroup,
    TakeFromGroup,
    WatchAsk,
    watch_answered,
)
from sources.catalogue import Catalogue
from sources.entries import decoded_wish
from sources.entries import encoded as packed
from sources.wishes import Wish, WishKind
from tests.virtual_time import in_virtual_time
from ticks import MOST_GROUPS
from vendors.alpaca import Alpaca
from vendors.coinbase import Coinbase
from vendors.kraken import Kraken

BASE: Watched = {"stocks": ("AAPL", "MSFT"), "forex": ("EURUSD",), "crypto": ("BTC-USD",)}
VENDORS: dict[Any, Any] = {
    "stocks": (Alpaca(key="k", symbol_limit=3),),
    "forex": (Kraken(),),
    "crypto": (Coinbase(),),
}
KNOWN: dict[Any, Any] = {"crypto": ("BTC-USD", "ETH-USD", "SOL-USD")}


class Kept:
    """Keeps the notes of a watchlist, as an archive does."""

    def __init__(self, *, is_kept: bool = True) -> None:
        self.text = ""
        self.now = 0.0
        self.is_kept = is_kept

    def keep(self, notes: WatchNotes) -> None:
        """Keep notes as text."""
        self.text = encoded(notes)

    def symbols(self) -> Mapping[str, str]:
        """What was watched once."""
        return {"PLTR": "stocks"}

    def watchlist(self, notes: WatchNotes | None = None, base: Watched = BASE) -> Watchlist:
        """A watchlist whose notes are kept here; a change a second may be made, and 40 at once."""
        return Watchlist(
            base,
            notes or decoded(self.text),
            Catalogue(VENDORS, KNOWN),
            {"big": ("AAPL", "BTC-USD")},
            notebook=self,
            clock=lambda: self.now,
        )


def told(watchlist: Watchlist, *asks: WatchAsk, where: str = "") -> str:
    """What is answered to the last of some asks; ``where`` it is decided, if not here."""
    answers = [watch_answered(watchlist, ask, where) for ask in asks]
    return "".join(map(str, answers[-1]))


def test_what_is_added_and_removed_is_true_after_a_restart() -> None:
    """The settings stay the base: only what differs from them is kept."""
    kept = Kept()
    watchlist = kept.watchlist()
    assert told(watchlist, AddSymbol("stocks", "IBM")) == "IBM is watched now, Alpaca's. "
    assert told(watchlist, RemoveSymbol("AAPL")) == "AAPL is not watched any more. "
    wanted = {"stocks": ("MSFT", "IBM"), "forex": ("EURUSD",), "crypto": ("BTC-USD",)}
    assert watchlist.watched == wanted
    assert kept.watchlist().watched == wanted
    # The settings may change meanwhile.
    other = {**BASE, "stocks": ("AAPL", "NVDA", "IBM")}
    assert kept.watchlist(base=other).watched["stocks"] == ("NVDA", "IBM")
    again = kept.watchlist()
    told(again, AddSymbol("stocks", "AAPL"), RemoveSymbol("IBM"))
    assert again.watched == BASE
    assert decoded(kept.text).added.get("stocks") in (None, ())


def test_of_what_rules_name_it_is_said_that_they_wait() -> None:
    """Nobody else would tell that an alert cannot come."""
    watchlist = Watchlist(BASE, WatchNotes(), Catalogue(VENDORS, KNOWN), named=("AAPL",))
    assert told(watchlist, RemoveSymbol("AAPL")).endswith(
        "; what the settings say of it, in rules, destinations or groups, waits for it. "
    )
    assert "settings" not in told(watchlist, RemoveSymbol("EURUSD"))


def test_without_an_archive_it_is_said_for_how_long_it_holds() -> None:
    """The data may be off."""
    watchlist = Kept(is_kept=False).watchlist()
    assert told(watchlist, AddSymbol("crypto", "SOL-USD")) == (
        "SOL-USD is watched now, Coinbase's, for as long as Market Pulse runs: no archive is"
        " written. "
    )
    assert not watch_card(watchlist.status()).kept


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (AddSymbol("stocks", "AAPL"), "AAPL is watched already. "),
        (
            AddSymbol("stocks", "AAPL.US"),
            "AAPL.US is not spelled as a stock, expected one such as AAPL or BRK-B. ",
        ),
        (AddSymbol("forex", "USDSEK"), "None of the vendors of forex has USDSEK: try another"),
        (RemoveSymbol("IBM"), "IBM is not watched. "),
        (PlayStress(), "Only a simulated market can be made to move: this one is not. "),
        (MakeGroup("_"), "_ is no name for a group, expected up to 32 letters and digits. "),
        (MakeGroup("big"), "There is a group big already: choose another name. "),
        (RenameGroup("big", "large"), "Group big is one of the settings: change it in their file"),
        (DeleteGroup("small"), "There is no group small: look again"),
        (PutIntoGroup("small", "AAPL"), "There is no group small"),
    ],
)
def test_what_cannot_be_done_says_why_and_changes_nothing(ask: WatchAsk, words: str) -> None:
    """And nothing is written."""
    kept = Kept()
    watchlist = kept.watchlist()
    assert told(watchlist, ask).startswith(words)
    assert (kept.text, watchlist.watched) == ("", BASE)


def test_the_vendors_limit_is_told_before_it_is_reached() -> None:
    """In the line of each symbol that has no room, and again if it is asked for all the same."""
    watchlist = Kept().watchlist()
    assert find_card("IBM", watchlist.find("IBM"), watchlist.status()).lines[0].room
    told(watchlist, AddSymbol("stocks", "NVDA"))
    status = watchlist.status()
    assert watch_card(status).rooms == ["3 of 3 at Alpaca (stocks)"]
    line = find_card("IBM", watchlist.find("IBM"), status).lines[0]
    assert (line.vendor, line.watched, line.room) == ("Alpaca", False, False)
    assert line.note == "3 of 3 at Alpaca (stocks): remove one first."
    assert told(watchlist, AddSymbol("stocks", "IBM")) == (
        "3 of 3 symbols are in use at Alpaca: remove one before you add IBM. "
    )


def test_groups_are_kept_and_those_of_the_settings_stay() -> None:
    """Made, renamed, filled, emptied and deleted."""
    kept = Kept()
    watchlist = kept.watchlist()
    told(watchlist, MakeGroup("my coins", ("BTC-USD", "ETH-USD")), AddSymbol("crypto", "ETH-USD"))
    assert told(watchlist, PutIntoGroup("my coins", "ETH-USD")) == (
        "Group my coins: now with ETH-USD. "
    )
    assert told(watchlist, PutIntoGroup("my coins", "IBM")).startswith("IBM is not watched")
    told(watchlist, RenameGroup("my coins", "coins"), TakeFromGroup("coins", "BTC-USD"))
    again = kept.watchlist()
    assert [(g.name, g.symbols, g.fixed) for g in watch_card(again.status()).groups] == [
        ("big", ("AAPL", "BTC-USD"), True),
        ("coins", ("ETH-USD",), False),
    ]
    assert again.symbols_of("coins") == ("ETH-USD",)
    assert again.symbols_of("my coins") is None
    assert told(again, DeleteGroup("coins")) == ("Group coins: deleted; its symbols stay watched. ")
    assert [group.name for group in kept.watchlist().groups()] == ["big"]


def test_the_last_symbol_stays() -> None:
    """A page of nothing could not be told from a broken one."""
    watchlist = Kept().watchlist(base={"stocks": ("AAPL",), "forex": (), "crypto": ()})
    assert told(watchlist, RemoveSymbol("AAPL")) == (
        "AAPL is the only symbol: add another one before you remove it. "
    )


def test_names_from_browsers_are_bounded() -> None:
    """In how many, and in how many at once."""
    kept = Kept()
    base = {**BASE, "crypto": tuple(f"C{one}-USD" for one in range(MOST_SYMBOLS - 4))}
    watchlist = kept.watchlist(base=base)
    told(watchlist, AddSymbol("crypto", "A-USD"), RemoveSymbol("A-USD"))
    assert "the most there may be" in told(watchlist, AddSymbol("crypto", "B-USD"))
    # One that was watched before takes no further memory.
    assert "is watched now" in told(watchlist, AddSymbol("crypto", "A-USD"))
    for number in range(60):
        answer = watchlist.make_group(f"g{number}")
    assert answer.outcome is Outcome.TOO_OFTEN
    for number in range(60, 60 + 2 * MOST_GROUPS):
        kept.now += 1.0
        answer = watchlist.make_group(f"g{number}")
    assert (answer.outcome, len(watchlist.groups())) == (Outcome.TOO_MANY, MOST_GROUPS)


def test_changes_are_followed_several_at_a_stroke() -> None:
    """A feed may have to connect again for each."""
    watchlist = Kept().watchlist()
    followed: list[Watched] = []

    async def run() -> None:
        is_done = asyncio.Event()

        async def follow(watched: Watched) -> None:
            followed.append(watched)
            if "SOL-USD" in watched["crypto"]:
                is_done.set()

        running = asyncio.create_task(watchlist.run(follow))
        await asyncio.sleep(0)
        for name in ("ETH-USD", "SOL-USD"):
            watchlist.add("crypto", name)
        await is_done.wait()
        running.cancel()

    in_virtual_time(run())
    assert followed == [BASE, watchlist.watched]


class Asked:
    """The process that decides, and what it is asked."""

    def __init__(self, *, can_ask: bool) -> None:
        self.can_ask = can_ask
        self.wishes: list[Wish] = []

    def ask(self, wish: Wish) -> None:
        """Know a wish."""
        self.wishes.append(wish)


def elsewhere(
    kept: Kept, is_elsewhere: list[bool], base: Watched = BASE, asked: Asked | None = None
) -> Watchlist:
    """A watchlist of which another process decides while that is so."""
    return Watchlist(
        base,
        WatchNotes(),
        Catalogue(VENDORS, KNOWN),
        {"big": ("AAPL", "NFLX")},
        notebook=kept,
        play=lambda symbol, is_alone: "BTC-USD",
        is_elsewhere=lambda: is_elsewhere[0],
        elsewhere=asked,
        clock=lambda: 0.0,
    )


@pytest.mark.parametrize("asked", [None, Asked(can_ask=False)])
def test_while_another_process_decides_nothing_is_changed_here(asked: Asked | None) -> None:
    """Neither symbols nor groups, and the market is not played with."""
    watchlist = elsewhere(Kept(), [True], asked=asked)
    asks: list[Any] = [
        AddSymbol("crypto", "ETH-USD"),
        RemoveSymbol("AAPL"),
        MakeGroup("mine", ("AAPL",)),
        PutIntoGroup("big", "MSFT"),
        TakeFromGroup("big", "AAPL"),
        RenameGroup("big", "large"),
        DeleteGroup("big"),
        PlayStress(),
    ]
    before = watchlist.status()
    assert before.is_fixed
    assert not before.can_play
    outcomes = [
        watchlist.add("crypto", "ETH-USD").outcome,
        watchlist.remove("AAPL").outcome,
        watchlist.make_group("mine", ("AAPL",)).outcome,
        watchlist.play("", is_alone=True).outcome,
    ]
    assert outcomes == [Outcome.ELSEWHERE] * 4
    for ask in asks:
        words = told(watchlist, ask, where="where host-a collects")
        # The settings' groups are fixed wherever it is decided.
        assert "settings" in words or "where host-a collects" in words
    assert watchlist.status() == before
    assert watchlist.watched == BASE


def test_what_is_asked_of_another_process_is_done_there() -> None:
    """As if it had been asked there: here nothing changes until it is done."""
    asked, kept, base = Asked(can_ask=True), Kept(), {**BASE, "crypto": ("BTC-USD", "SOL-USD")}
    watchlist, other = elsewhere(kept, [True], base, asked), kept.watchlist(base=base)
    here = kept.watchlist(base=base)
    before = WatchNotes(groups={"mine": ("AAPL",), "old": ("MSFT",), "gone": ()})
    for one in (watchlist, other, here):
        one.adopt(base, before)
    asks: list[WatchAsk] = [
        AddSymbol("crypto", "ETH-USD"),
        RemoveSymbol("AAPL"),
        MakeGroup("new", ("BTC-USD", "NONE")),
        PutIntoGroup("mine", "MSFT"),
        TakeFromGroup("old", "MSFT"),
        RenameGroup("old", "former"),
        DeleteGroup("gone"),
    ]
    assert not watchlist.status().is_fixed
    state = watchlist.status()
    for ask in asks:
        assert told(watchlist, ask, where="where host-a collects").startswith(
            "Asked where host-a collects: in a moment "
        )
        told(here, ask)
    assert (watchlist.status(), watchlist.watched, watchlist.notes) == (state, base, before)
    assert [decoded_wish(packed(wish)) for wish in asked.wishes] == asked.wishes
    for wish in asked.wishes:
        assert other.grant(wish).outcome is Outcome.DONE
    assert (other.watched, other.notes) == (here.watched, here.notes)


def test_what_cannot_be_done_is_not_asked_of_another_process() -> None:
    """And refused as it would be there."""
    asked = Asked(can_ask=True)
    watchlist = elsewhere(Kept(), [True], asked=asked)
    outcomes = [
        watchlist.add("crypto", "BTC-USD").outcome,
        watchlist.add("crypto", "btc").outcome,
        watchlist.remove("NONE").outcome,
        watchlist.make_group("big").outcome,
        watchlist.delete_group("none").outcome,
        watchlist.put_into_group("big", "MSFT").outcome,
        watchlist.play().outcome,
    ]
    assert outcomes == [
        Outcome.SAME,
        Outcome.MALFORMED,
        Outcome.UNKNOWN,
        Outcome.TAKEN,
        Outcome.UNKNOWN,
        Outcome.FIXED,
        Outcome.ELSEWHERE,
    ]
    assert asked.wishes == []


def test_a_wish_that_means_nothing_is_refused() -> None:
    """Nor is one passed on from process to process."""
    asked = Asked(can_ask=True)
    wish = Wish(kind=WishKind.ADD, symbol="ETH-USD")
    assert Kept().watchlist().grant(wish).outcome is Outcome.MALFORMED
    known = replace(wish, asset="crypto")
    assert elsewhere(Kept(), [True], asked=asked).grant(known).outcome is Outcome.ELSEWHERE
    assert asked.wishes == []


def test_what_the_other_process_watches_is_watched_and_kept() -> None:
    """With its viewers' groups; the settings' own groups stay, whoever is in them."""
    kept, is_elsewhere = Kept(), [True]
    watchlist = elsewhere(kept, is_elsewhere)
    notes = WatchNotes(
        added={"crypto": ("SOL-USD",)}, removed=("AAPL",), groups={"mine": ("MSFT",)}
    )
    watched: Watched = {"stocks": ("MSFT",), "crypto": ("BTC-USD", "SOL-USD")}
    watchlist.adopt(watched, notes)
    assert watchlist.watched == {"stocks": ("MSFT",), "forex": (), "crypto": ("BTC-USD", "SOL-USD")}
    assert [group.name for group in watchlist.groups()] == ["big", "mine"]
    assert decoded(kept.text) == watchlist.notes == notes
    found = watchlist.known("SOL-USD")
    assert found is not None


def test_who_decides_next_goes_on_with_the_settings_and_what_viewers_changed() -> None:
    """The other's settings end with it; what its viewers did does not."""
    kept, is_elsewhere = Kept(), [True]
    watchlist = elsewhere(kept, is_elsewhere)
    notes = WatchNotes(added={"crypto": ("SOL-USD",)}, removed=("AAPL",))
    watchlist.adopt({"stocks": ("IBM",), "crypto": ("SOL-USD",)}, notes)
    followed: list[Watched] = []

    async def run() -> None:
        running = asyncio.create_task(watchlist.run(follow))
        await asyncio.sleep(5.0)
        assert followed == []
        is_elsewhere[0] = False
        watchlist.decide()
        await asyncio.sleep(5.0)
        assert watchlist.add("crypto", "ETH-USD").outcome is Outcome.DONE
        running.cancel()

    async def follow(watched: Watched) -> None:
        followed.append(watched)

    in_virtual_time(run())
    expected = {"stocks": ("MSFT",), "forex": ("EURUSD",), "crypto": ("BTC-USD", "SOL-USD")}
    assert followed == [expected]
    assert watchlist.notes.added == {"crypto": ("SOL-USD", "ETH-USD")}


def test_a_tape_is_replayed_whole() -> None:
    """What is watched can be found there, and cannot be changed."""
    watchlist = Watchlist(BASE, WatchNotes(removed=("AAPL",)), None)
    assert watchlist.watched == BASE
    assert told(watchlist, AddSymbol("stocks", "IBM")).startswith("A tape is replayed whole")
    card = find_card("msft", watchlist.find("msft"), watchlist.status())
    assert [(line.symbol, line.watched) for line in card.lines] == [("MSFT", True)]
    assert find_card("ibm", watchlist.find("ibm"), watchlist.status()).nothing == (
        "ibm is not on the tape that is replayed."
    )


def test_what_no_board_sends_is_left_out() -> None:
    """Asks come from a browser: any JSON."""
    sent = [
        {"number": 1, "ask": {"ask": "add", "asset": "stocks", "symbol": "IBM"}},
        {"number": 2, "ask": {"ask": "add", "asset": "bonds", "symbol": "IBM"}},
        {"number": 3, "ask": {"ask": "add", "asset": "stocks", "symbol": "I" * 21}},
        {"number": 4, "ask": {"ask": "make group", "name": "g", "symbols": ["A"] * 501}},
        {"number": 5, "ask": {"ask": "play"}},
    ]
    assert asks_in(sent, 0) == ([AddSymbol("stocks", "IBM"), PlayStress()], 5)
