"""Failover: who serves which symbol, second by second; no I/O, and time is an argument."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import pytest

from feeds import FeedState, FeedStatus, Trouble
from sessions import HoursFrom, MarketHours, Phase
from sources.failover import (
    HEALTHY_SEC,
    PASS_OVER_SEC,
    Change,
    Failover,
    Patience,
    Seen,
    Sign,
    sign,
)
from sources.shares import Place, allotted, within_connections
from tests.harbor import Harbor
from ticks import ASSETS, Asset
from vendors.wire import Vendor

A, B, C = (Place("crypto", rank) for rank in range(3))

NAMES: Final = ("BTC-USD", "ETH-USD")

WANTED: Final[Mapping[Asset, Sequence[str]]] = {"stocks": (), "forex": (), "crypto": NAMES}


def harbor(name: str, **options: object) -> Harbor:
    return Harbor(f"ws://{name}", "KEY", name=name, **options)  # type: ignore[arg-type]


class Only(Harbor):
    """A vendor of few symbols."""

    def symbol(self, asset: Asset, symbol: str) -> str | None:
        """BTC-USD alone."""
        return "btc/usd" if symbol == "BTC-USD" else None


def chain(*vendors: Vendor) -> dict[Asset, Sequence[Vendor]]:
    return {"stocks": (), "forex": (), "crypto": vendors}


class Scene:
    """A failover and the signs of its vendors, second by second."""

    def __init__(self, *vendors: Vendor, wanted: Mapping[Asset, Sequence[str]] = WANTED) -> None:
        self.failover = Failover(wanted, chain(*vendors))
        self.now = 1000.0
        self.changes: list[tuple[float, Change]] = []

    def run(
        self,
        seconds: float,
        refused: Mapping[Place, Sequence[str]] | None = None,
        **signs: Sign,
    ) -> list[Change]:
        """Look once a second; what is not asked for anything is not seen."""
        places = {"a": A, "b": B, "c": C}
        found = []
        for _ in range(round(seconds)):
            self.now += 1.0
            seen = {
                places[name]: Seen(one, frozenset((refused or {}).get(places[name], ())))
                for name, one in signs.items()
                if self.asked(places[name])
            }
            changes = self.failover.look(self.now, seen)
            self.changes += [(self.now, change) for change in changes]
            found += changes
        return found

    def asked(self, place: Place) -> tuple[str, ...]:
        share = self.failover.shares.get(place)
        return () if share is None else tuple(sorted(share.asked))

    def serving(self) -> dict[str, int]:
        return {symbol: place.rank for (_, symbol), place in self.failover.serving.items()}


def two() -> Scene:
    """Two vendors of the same symbols, the first of which has served for a while."""
    scene = Scene(harbor("one"), harbor("two"))
    scene.run(5, a=Sign.GOOD)
    return scene


def test_the_first_choice_alone_is_asked() -> None:
    """The others stand by, connected to nothing."""
    scene = two()
    assert scene.serving() == {"BTC-USD": 0, "ETH-USD": 0}
    assert scene.asked(A) == NAMES
    assert scene.asked(B) == ()
    assert scene.changes == []


def test_a_vendor_that_is_down_is_passed_over_after_the_stated_time() -> None:
    """Then the next one is asked, and serves as soon as it accepts us, everything at once."""
    scene = two()
    assert scene.run(PASS_OVER_SEC - 1, a=Sign.DOWN) == []
    assert scene.asked(B) == ()
    assert scene.run(1, a=Sign.DOWN) == []
    assert scene.asked(B) == NAMES
    assert scene.failover.passed_at(A) == scene.now
    assert scene.run(3, a=Sign.DOWN, b=Sign.DOWN) == []
    assert scene.run(1, a=Sign.DOWN, b=Sign.ACCEPTED) == [Change(A, B, NAMES)]
    assert scene.serving() == {"BTC-USD": 1, "ETH-USD": 1}
    assert scene.failover.instead_of(B) == (A,)
    # It goes on being asked.
    assert scene.asked(A) == NAMES


def test_a_connection_that_comes_back_in_time_changes_nothing() -> None:
    """However often it ends: between the ends there were prices."""
    scene = two()
    for _ in range(10):
        assert scene.run(PASS_OVER_SEC - 2, a=Sign.DOWN) == []
        assert scene.run(2, a=Sign.GOOD) == []
    assert scene.asked(B) == ()


def test_being_accepted_without_a_price_makes_up_for_nothing() -> None:
    """A vendor that ends each connection before its first price is as good as none."""
    scene = two()
    for _ in range(5):
        scene.run(2, a=Sign.DOWN)
        scene.run(1, a=Sign.ACCEPTED)
    assert scene.asked(B) == ()
    for _ in range(3):
        scene.run(2, a=Sign.DOWN)
        scene.run(1, a=Sign.ACCEPTED)
    assert scene.asked(B) == NAMES


def test_a_refusal_is_not_waited_for() -> None:
    """Whoever reports it knows that waiting is of no use."""
    scene = two()
    scene.run(1, a=Sign.FAILED)
    assert scene.asked(B) == NAMES
    assert scene.run(1, a=Sign.FAILED, b=Sign.ACCEPTED) == [Change(A, B, NAMES)]


def test_one_that_is_only_silent_serves_until_the_next_has_a_price() -> None:
    """If nobody trades, nothing is gained by asking another one."""
    scene = two()
    assert scene.run(300, a=Sign.SILENT, b=Sign.ACCEPTED) == []
    assert scene.asked(B) == NAMES
    assert scene.run(300, a=Sign.SILENT, b=Sign.SILENT) == []
    assert scene.run(2, a=Sign.GOOD, b=Sign.SILENT) == []
    assert scene.asked(B) == ()
    scene.run(2, a=Sign.SILENT, b=Sign.ACCEPTED)
    assert scene.run(1, a=Sign.SILENT, b=Sign.GOOD) == [Change(A, B, NAMES)]
    # A new connection after the silence has no price either.
    assert scene.run(HEALTHY_SEC, a=Sign.ACCEPTED, b=Sign.GOOD) == []


def test_seldom_traded_coins_do_not_go_back_and_forth() -> None:
    """Each vendor has a price now and then, and both are silent beyond their limit in between."""
    scene = two()
    scene.run(1, a=Sign.SILENT, b=Sign.ACCEPTED)
    assert scene.run(2, a=Sign.SILENT, b=Sign.GOOD) == [Change(A, B, NAMES)]
    for _ in range(20):
        assert scene.run(60, a=Sign.GOOD, b=Sign.SILENT) == []
        assert scene.run(60, a=Sign.SILENT, b=Sign.GOOD) == []
    # A connection that is lost is another thing.
    assert scene.run(2, a=Sign.GOOD, b=Sign.SILENT) == []
    scene.run(PASS_OVER_SEC + 1, a=Sign.GOOD, b=Sign.DOWN)
    assert scene.serving() == {"BTC-USD": 0, "ETH-USD": 0}


def test_a_closed_market_misses_nothing() -> None:
    """A night of failures says nothing; when the market opens the time begins."""
    scene = two()
    assert scene.run(3600, a=Sign.AWAY) == []
    assert scene.asked(B) == ()
    scene.run(PASS_OVER_SEC, a=Sign.DOWN)
    assert scene.asked(B) == NAMES


def test_a_vendor_is_taken_back_after_ten_healthy_minutes() -> None:
    """At the first second of the eleventh, not before; then the other one rests."""
    scene = two()
    scene.run(1, a=Sign.FAILED)
    scene.run(5, a=Sign.DOWN, b=Sign.GOOD)
    assert scene.run(HEALTHY_SEC, a=Sign.GOOD, b=Sign.GOOD) == []
    assert scene.run(1, a=Sign.GOOD, b=Sign.GOOD) == [Change(B, A, NAMES)]
    assert scene.serving() == {"BTC-USD": 0, "ETH-USD": 0}
    assert scene.failover.passed_at(A) is None
    assert scene.asked(B) == ()
    assert scene.run(1000, a=Sign.GOOD) == []


def test_any_fault_begins_the_ten_minutes_anew() -> None:
    """A lull is none: prices may take their time."""
    scene = two()
    scene.run(1, a=Sign.FAILED)
    scene.run(1, a=Sign.FAILED, b=Sign.GOOD)
    scene.run(HEALTHY_SEC - 10, a=Sign.GOOD, b=Sign.GOOD)
    scene.run(1, a=Sign.DOWN, b=Sign.GOOD)
    assert scene.run(HEALTHY_SEC - 10, a=Sign.GOOD, b=Sign.GOOD) == []
    assert scene.run(8, a=Sign.ACCEPTED, b=Sign.GOOD) == []
    assert scene.run(3, a=Sign.GOOD, b=Sign.GOOD) == [Change(B, A, NAMES)]


def test_an_outage_of_our_own_network_changes_nothing() -> None:
    """Nobody accepts us, so nobody is better; whoever is back first with prices serves."""
    scene = Scene(harbor("one"), harbor("two"), harbor("three"))
    scene.run(5, a=Sign.GOOD)
    assert scene.run(1800, a=Sign.DOWN, b=Sign.DOWN, c=Sign.DOWN) == []
    assert scene.asked(B) == scene.asked(C) == NAMES
    assert scene.run(2, a=Sign.GOOD, b=Sign.DOWN, c=Sign.DOWN) == []
    assert scene.serving() == {"BTC-USD": 0, "ETH-USD": 0}
    assert scene.asked(B) == scene.asked(C) == ()


def test_the_third_takes_over_if_the_second_fails_as_well() -> None:
    """And the first one that has prices again, if all of them were passed over."""
    scene = Scene(harbor("one"), harbor("two"), harbor("three"))
    scene.run(1, a=Sign.FAILED)
    scene.run(1, a=Sign.FAILED, b=Sign.ACCEPTED)
    scene.run(1, a=Sign.FAILED, b=Sign.FAILED)
    assert scene.run(1, a=Sign.DOWN, b=Sign.DOWN, c=Sign.ACCEPTED) == [Change(B, C, NAMES)]
    assert scene.failover.instead_of(C) == (A, B)
    assert scene.run(1, a=Sign.DOWN, b=Sign.DOWN, c=Sign.FAILED) == []
    assert scene.run(1, a=Sign.DOWN, b=Sign.GOOD, c=Sign.FAILED) == [Change(C, B, NAMES)]
    # It serves all that it could, so that it has not to wait to be taken back.
    assert scene.run(1, a=Sign.DOWN, b=Sign.GOOD, c=Sign.FAILED) == []
    assert scene.failover.passed_at(B) is None
    assert scene.failover.instead_of(B) == (A,)
    assert scene.asked(C) == ()


def test_what_one_vendor_has_alone_stays_with_it() -> None:
    """The next one serves what it carries; the rest waits."""
    scene = Scene(harbor("one"), Only("ws://two", "KEY", name="two"))
    scene.run(1, a=Sign.FAILED)
    assert scene.asked(B) == ("BTC-USD",)
    assert scene.run(1, a=Sign.FAILED, b=Sign.ACCEPTED) == [Change(A, B, ("BTC-USD",))]
    assert scene.serving() == {"BTC-USD": 1, "ETH-USD": 0}
    assert scene.asked(A) == NAMES
    assert scene.run(HEALTHY_SEC, a=Sign.GOOD, b=Sign.GOOD) == []
    assert scene.run(1, a=Sign.GOOD, b=Sign.GOOD) == [Change(B, A, ("BTC-USD",))]


def test_each_symbol_is_asked_of_the_first_that_carries_it() -> None:
    """The second has its own share from the start, and more of it in the other's place."""
    scene = Scene(Only("ws://one", "KEY", name="one"), harbor("two"))
    assert (scene.asked(A), scene.asked(B)) == (("BTC-USD",), ("ETH-USD",))
    scene.run(1, a=Sign.FAILED, b=Sign.GOOD)
    assert scene.asked(B) == NAMES
    assert scene.run(3, a=Sign.DOWN, b=Sign.GOOD) == [Change(A, B, ("BTC-USD",))]
    scene.run(HEALTHY_SEC + 1, a=Sign.GOOD, b=Sign.GOOD)
    assert (scene.asked(A), scene.asked(B)) == (("BTC-USD",), ("ETH-USD",))


def test_a_symbol_that_its_vendor_refuses_is_asked_of_the_next() -> None:
    """Once it is sure, and for good; the vendor serves the others."""
    scene = two()
    refused = {A: ["ETH-USD"]}
    assert scene.run(PASS_OVER_SEC, refused, a=Sign.GOOD) == []
    assert scene.asked(B) == ()
    scene.run(1, refused, a=Sign.GOOD)
    assert scene.asked(B) == ("ETH-USD",)
    assert scene.run(1, refused, a=Sign.GOOD, b=Sign.ACCEPTED) == [Change(A, B, ("ETH-USD",))]
    assert (scene.asked(A), scene.asked(B)) == (("BTC-USD",), ("ETH-USD",))
    assert scene.run(2000, a=Sign.GOOD, b=Sign.GOOD) == []


def test_who_is_to_take_over_and_refuses_is_not_waited_for() -> None:
    """The one after it is asked as soon as it says so, for that symbol alone."""
    scene = Scene(harbor("one"), harbor("two"), harbor("three"))
    refused = {B: ["ETH-USD"]}
    scene.run(1, a=Sign.FAILED)
    assert scene.run(1, refused, a=Sign.FAILED, b=Sign.ACCEPTED) == [Change(A, B, ("BTC-USD",))]
    assert scene.asked(C) == ("ETH-USD",)
    assert scene.run(1, refused, a=Sign.FAILED, b=Sign.GOOD, c=Sign.ACCEPTED) == [
        Change(A, C, ("ETH-USD",))
    ]
    scene.run(HEALTHY_SEC + 1, refused, a=Sign.GOOD, b=Sign.GOOD, c=Sign.GOOD)
    assert scene.serving() == {"BTC-USD": 0, "ETH-USD": 0}
    assert scene.asked(B) == scene.asked(C) == ()


def test_what_is_refused_on_trial_is_not_lost() -> None:
    """As while an account's room is taken by a connection that ended badly."""
    scene = two()
    scene.run(1, a=Sign.FAILED)
    refused = {A: ["ETH-USD"]}
    scene.run(1, a=Sign.FAILED, b=Sign.GOOD)
    scene.run(5, refused, a=Sign.GOOD, b=Sign.GOOD)
    assert scene.serving() == {"BTC-USD": 1, "ETH-USD": 1}
    scene.run(120, refused, a=Sign.GOOD, b=Sign.GOOD)
    assert scene.run(HEALTHY_SEC, a=Sign.GOOD, b=Sign.GOOD) == [Change(B, A, NAMES)]


def test_a_symbol_that_all_refuse_stays_where_it_is() -> None:
    """Nobody is asked for it in turns."""
    scene = two()
    refused = {A: ["ETH-USD"], B: ["ETH-USD"]}
    assert scene.run(1000, refused, a=Sign.GOOD, b=Sign.ACCEPTED) == []
    assert scene.serving() == {"BTC-USD": 0, "ETH-USD": 0}


def test_what_finds_no_room_is_asked_of_the_next() -> None:
    """The limits of both hold, in the other's place too: the last ones wait."""
    wanted: dict[Asset, Sequence[str]] = {**WANTED, "crypto": ("A-USD", "B-USD", "C-USD")}
    one, other = harbor("one", symbol_limit=2), harbor("two", symbol_limit=2)
    scene = Scene(one, other, wanted=wanted)
    assert (scene.asked(A), scene.asked(B)) == (("A-USD", "B-USD"), ("C-USD",))
    scene.run(1, a=Sign.FAILED, b=Sign.GOOD)
    assert scene.asked(B) == ("A-USD", "C-USD")
    (change,) = scene.run(1, a=Sign.FAILED, b=Sign.GOOD)
    assert change == Change(A, B, ("A-USD",))
    assert scene.serving() == {"A-USD": 1, "B-USD": 0, "C-USD": 1}


def test_time_slept_through_is_no_outage() -> None:
    """Nobody looked."""
    scene = two()
    scene.run(1, a=Sign.DOWN)
    scene.now += 8 * 3600
    scene.run(3, a=Sign.DOWN)
    assert scene.asked(B) == ()


def test_a_class_that_is_off_has_nothing() -> None:
    """No vendor, no share, no trouble."""
    failover = Failover(WANTED, chain())
    assert failover.look(0.0, {}) == []
    assert not failover.shares
    assert not failover.serving


def test_patience_is_an_argument() -> None:
    """As a test of the whole needs it."""
    failover = Failover(WANTED, chain(harbor("a"), harbor("b")), Patience(2.0, 3.0))
    for now in range(4):
        failover.look(float(now), {A: Seen(Sign.DOWN)})
    assert B in failover.shares


def test_an_account_has_no_more_connections_than_it_may() -> None:
    """One for each class, of the first classes that it carries."""
    everything = harbor("one", assets=ASSETS)
    assert within_connections(dict.fromkeys(ASSETS, (everything,))) == dict.fromkeys(
        ASSETS, (everything,)
    )
    single = harbor("two", assets=("forex", "crypto"), connections=1)
    assert within_connections(dict.fromkeys(ASSETS, (everything, single))) == {
        "stocks": (everything,),
        "forex": (everything, single),
        "crypto": (everything,),
    }
    # The same vendor made twice is another account.
    assert [
        share.place for share in allotted(WANTED, chain(harbor("a"), harbor("b"))) if share.asked
    ] == [A]


def status(state: FeedState, trouble: Trouble = Trouble.NONE, phase: Phase = "open") -> FeedStatus:
    hours = MarketHours("crypto", phase, None, None, None, HoursFrom.CALENDAR)
    return FeedStatus(vendor="Harbor", asset="crypto", state=state, trouble=trouble, hours=hours)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (status(FeedState.LIVE), Sign.GOOD),
        (status(FeedState.HELD_BACK, Trouble.HELD_BACK), Sign.GOOD),
        (status(FeedState.CLOSED, phase="closed"), Sign.GOOD),
        (status(FeedState.CONNECTING, Trouble.FIRST_TICK), Sign.ACCEPTED),
        (status(FeedState.CONNECTING, Trouble.JUST_OPENED), Sign.ACCEPTED),
        (status(FeedState.SILENT, Trouble.NO_TICK), Sign.ACCEPTED),
        (status(FeedState.UNREADABLE, Trouble.UNREADABLE), Sign.ACCEPTED),
        (status(FeedState.REFUSED, Trouble.SYMBOLS_REFUSED), Sign.ACCEPTED),
        (status(FeedState.CONNECTING), Sign.DOWN),
        (status(FeedState.OFF, Trouble.STOPPED), Sign.DOWN),
        (status(FeedState.MAINTENANCE, Trouble.MAINTENANCE), Sign.DOWN),
        (status(FeedState.RECONNECTING, Trouble.CONNECTION_CLOSED), Sign.DOWN),
        (status(FeedState.RECONNECTING, Trouble.THROTTLED), Sign.DOWN),
        (status(FeedState.RECONNECTING, Trouble.NO_CONNECTION, "closed"), Sign.AWAY),
        (status(FeedState.MAINTENANCE, Trouble.MAINTENANCE, "closed"), Sign.AWAY),
        (status(FeedState.REFUSED, Trouble.KEY_REFUSED), Sign.FAILED),
        (status(FeedState.REFUSED, Trouble.PLAN_REFUSED), Sign.FAILED),
        (status(FeedState.REFUSED, Trouble.CONNECTION_LIMIT), Sign.FAILED),
        (status(FeedState.REFUSED, Trouble.UNAVAILABLE, "closed"), Sign.FAILED),
        (status(FeedState.REFUSED, Trouble.BAD_REQUEST), Sign.FAILED),
        (status(FeedState.RECONNECTING, Trouble.SILENCE), Sign.SILENT),
        (status(FeedState.RECONNECTING, Trouble.UNREADABLE), Sign.SILENT),
    ],
    ids=lambda one: f"{one.state} {one.trouble}" if isinstance(one, FeedStatus) else "",
)
def test_what_a_status_says_of_its_vendor(found: FeedStatus, expected: Sign) -> None:
    """Of one without heartbeats."""
    assert sign(found, is_overdue=False, has_heartbeat=False) is expected


def test_silence_beyond_the_limit_is_a_failure() -> None:
    """Of a feed that is accepted; a heartbeat that is missed is an end like any other."""
    for state in (FeedState.SILENT, FeedState.UNREADABLE, FeedState.HELD_BACK):
        assert sign(status(state), is_overdue=True, has_heartbeat=True) is Sign.SILENT
    given_up = status(FeedState.RECONNECTING, Trouble.SILENCE)
    assert sign(given_up, is_overdue=False, has_heartbeat=True) is Sign.DOWN
