"""TickGate: which prices enter, which only set a last price, and why the others are refused."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

import sessions
from gate import FAR_OFF, HELD_SEC, MAX_AGE_SEC, MAX_LEAD_SEC, TickGate, Verdict
from sessions import Session
from ticks import ASSETS, LEAST_PRICE, MOST_PRICE, Asset, Tick
from vendors.wire import Flaw, MarketState, RawTick

NOW = 1_790_330_110.0
BTC = "BTC-USD"


OPEN = NOW - 30
"""When the market of the tests of sessions opened, ..."""
CLOSE = NOW + 1
"""... and when it will close."""


def hours(now: float) -> Session:
    """A market that is closed around ``OPEN`` and ``CLOSE``."""
    if now < OPEN:
        return Session("closed", OPEN - 3600, OPEN, OPEN)
    if now < CLOSE:
        return Session("open", OPEN, CLOSE, None)
    return Session("closed", CLOSE, CLOSE + 3600, CLOSE + 3600)


def raw(
    price: float = 100.0,
    ts: float = NOW,
    *,
    symbol: str = BTC,
    flaw: Flaw = "",
    market: MarketState = "",
    is_snapshot: bool = False,
    trade_id: int | None = None,
) -> RawTick:
    return RawTick(symbol, ts, price, flaw, market, is_snapshot, trade_id)


def gate(asset: Asset = "crypto") -> TickGate:
    return TickGate(asset, [BTC, "ETH-USD"])


def settled(level: float = 100.0, asset: Asset = "crypto") -> TickGate:
    """A gate after a calm market at ``level``."""
    subject = gate(asset)
    for number in range(30):
        calm = raw(level * (1 + 1e-5 * (number % 3)), NOW - 30 + number)
        assert subject.admit(calm, NOW) is Verdict.ENTERS
    return subject


# Reasons.

REASONS: dict[str, tuple[RawTick, str]] = {
    "NaN": (raw(math.nan), "price"),
    "infinity": (raw(math.inf), "price"),
    "minus infinity": (raw(-math.inf), "price"),
    "zero": (raw(0.0), "price"),
    "minus zero": (raw(-0.0), "price"),
    "negative": (raw(-100.0), "price"),
    "just too early": (raw(ts=NOW + MAX_LEAD_SEC + 0.001), "future"),
    "no time": (raw(ts=math.nan), "time"),
    "infinitely late": (raw(ts=math.inf), "time"),
    "before there was time": (raw(ts=-5.0), "time"),
    "infinitely old": (raw(ts=-math.inf), "time"),
    "crossed": (raw(flaw="crossed"), "crossed"),
    "condition": (raw(flaw="condition"), "condition"),
    "unsubscribed": (raw(symbol="DOGE-USD"), "unsubscribed"),
    "closed, by the vendor": (raw(market="closed"), "closed market"),
    "just too old": (raw(ts=NOW - MAX_AGE_SEC - 0.001), "old"),
    "not fresh, by the vendor": (raw(is_snapshot=True), "snapshot"),
    "far off": (raw(110.0), "far off"),
}


@pytest.mark.parametrize("name", REASONS)
def test_refusal_is_counted_by_its_reason(name: str) -> None:
    """Once, and under no other name; an old one, or of a closed market, may be a last price."""
    refused, reason = REASONS[name]
    subject = settled()
    verdict = subject.admit(refused, NOW)
    is_last = reason in ("old", "snapshot", "closed market")
    assert verdict is (Verdict.LAST_ONLY if is_last else Verdict.REFUSED)
    assert subject.refused == {reason: 1}
    assert subject.admit(raw(), NOW) is Verdict.ENTERS, "nothing else has changed"


@pytest.mark.parametrize("name", REASONS)
def test_first_price_is_judged_like_any_other(name: str) -> None:
    """Only the distance from the level is unknown then."""
    refused, reason = REASONS[name]
    subject = gate()
    verdict = subject.admit(refused, NOW)
    if reason == "far off":
        assert verdict is Verdict.ENTERS
    else:
        assert verdict is not Verdict.ENTERS
        assert subject.refused == {reason: 1}


def test_shape_is_counted_by_the_reader() -> None:
    """A frame that holds no price never reaches ``admit``."""
    subject = gate()
    subject.refuse_shape()
    subject.refuse_shape()
    assert subject.refused == {"shape": 2}


@pytest.mark.parametrize(
    ("flawed", "reason"),
    [
        (raw(math.nan, NOW + 9, symbol="X", flaw="crossed"), "price"),
        (raw(999.0, NOW + 9, symbol="X", flaw="crossed"), "future"),
        (raw(999.0, NOW - 99, symbol="X", flaw="crossed"), "crossed"),
        (raw(999.0, NOW - 99, symbol="X", flaw="condition"), "condition"),
        (raw(999.0, NOW - 99, symbol="X"), "unsubscribed"),
        (raw(999.0, NOW - 99, market="closed"), "old"),
        (raw(999.0, NOW - 99, is_snapshot=True), "old"),
        (raw(999.0, market="closed", is_snapshot=True), "snapshot"),
        (raw(999.0, market="closed"), "closed market"),
        (raw(999.0), "far off"),
    ],
)
def test_first_reason_of_many_is_the_one_counted(flawed: RawTick, reason: str) -> None:
    """Price, time, the vendor's own words, subscription, age, market, distance: in this order."""
    subject = settled()
    subject.admit(flawed, NOW)
    assert subject.refused == {reason: 1}


@pytest.mark.parametrize("ts", [NOW + MAX_LEAD_SEC, NOW, NOW - 8, NOW - MAX_AGE_SEC])
def test_time_within_the_bounds_enters(ts: float) -> None:
    """Trades come out of order by seconds; clocks differ a little."""
    assert settled().admit(raw(ts=ts), NOW) is Verdict.ENTERS
    assert gate().admit(raw(ts=ts), NOW) is Verdict.ENTERS


def test_snapshot_never_moves_the_level() -> None:
    """Saturday's price of a pair says nothing about what is credible on Monday."""
    subject = settled()
    for number in range(10):
        old = raw(150.0 + number, NOW - 86_400 + number)
        assert subject.admit(old, NOW) is Verdict.LAST_ONLY
    assert subject.refused == {"old": 10}
    assert subject.admit(raw(100.0), NOW) is Verdict.ENTERS
    assert subject.admit(raw(150.0), NOW) is Verdict.REFUSED


# Sessions.

MARKETS: dict[str, tuple[RawTick, str]] = {
    "before the opening": (raw(ts=OPEN - 0.001), "closed market"),
    "at the opening": (raw(ts=OPEN), ""),
    "before the close": (raw(ts=CLOSE - 0.001), ""),
    "at the close": (raw(ts=CLOSE), "closed market"),
    "open after the close, by the vendor": (raw(ts=CLOSE, market="open"), ""),
    "extended after the close, by the vendor": (raw(ts=CLOSE, market="extended"), ""),
    "open before the opening, by the vendor": (raw(ts=OPEN - 1, market="open"), ""),
    "closed in between, by the vendor": (raw(market="closed"), "closed market"),
    "closed after the close, by both": (raw(ts=CLOSE, market="closed"), "closed market"),
}


@pytest.mark.parametrize("name", MARKETS)
@pytest.mark.parametrize("is_warm", [True, False])
def test_price_of_a_closed_market_enters_no_window(name: str, is_warm: bool) -> None:
    """By the price's own time, not by the clock; the vendor's word on it goes before."""
    judged, reason = MARKETS[name]
    subject = TickGate("crypto", [BTC], hours)
    for number in range(30 if is_warm else 0):
        assert subject.admit(raw(ts=OPEN + number), NOW) is Verdict.ENTERS
    expected = Verdict.LAST_ONLY if reason else Verdict.ENTERS
    assert subject.admit(judged, NOW) is expected
    assert subject.refused == ({reason: 1} if reason else {})
    assert subject.admit(raw(), NOW) is Verdict.ENTERS, "nothing else has changed"


def test_weekend_quotes_never_move_the_level() -> None:
    """However many come; the opening is compared with the last price before."""
    subject = TickGate("crypto", [BTC], hours)
    for number in range(30):
        subject.admit(raw(ts=OPEN + number), NOW)
    for number in range(50):
        quote = raw(150.0, CLOSE + number)
        assert subject.admit(quote, CLOSE + number) is Verdict.LAST_ONLY
    assert subject.refused == {"closed market": 50}
    assert subject.admit(raw(150.0), NOW) is Verdict.REFUSED
    assert subject.admit(raw(100.0), NOW) is Verdict.ENTERS


def test_calendar_is_asked_once_per_session() -> None:
    """From then on the gate knows when it begins and ends."""
    asked = 0

    def counted(now: float) -> Session:
        nonlocal asked
        asked += 1
        return sessions.session("stocks", now)

    subject = TickGate("stocks", [BTC], counted)
    opening = 1_795_012_200.0  # a Wednesday, 14:30 UTC
    for number in range(-50, 50):
        now = opening + number / 10
        assert subject.admit(raw(ts=now), now) is Verdict.ENTERS
    assert asked == 2
    assert subject.refused == {}


def test_symbols_have_levels_of_their_own() -> None:
    """One symbol's price is never held against another's."""
    subject = settled()
    assert subject.admit(raw(2.5, symbol="ETH-USD"), NOW) is Verdict.ENTERS
    assert subject.admit(raw(2.5), NOW) is Verdict.REFUSED


# Far off.


def verdicts(subject: TickGate, *prices: tuple[float, float]) -> str:
    """E for every price (seconds from now, price) that enters, . for the others."""
    return "".join(
        "E" if subject.admit(raw(price, NOW + sec), NOW) is Verdict.ENTERS else "."
        for sec, price in prices
    )


def test_real_jump_passes_with_its_third_tick() -> None:
    """And from then on the new level is the level."""
    subject = settled()
    jump = [(-1.0, 90.0), (-0.9, 90.1), (-0.8, 89.9), (-0.7, 90.0), (-0.6, 90.2)]
    assert verdicts(subject, *jump) == "..EEE"
    assert subject.refused == {"far off": 2}
    assert verdicts(subject, (-0.5, 100.0)) == "."


def test_single_bad_print_never_enters() -> None:
    """However often one comes, as long as good ones come between."""
    subject = settled()
    pattern = [(-1.0, 1000.0), (-0.9, 100.0)] * 20
    assert verdicts(subject, *pattern) == ".E" * 20


def test_repeats_of_one_bad_print_confirm_nothing() -> None:
    """Sent ten times it is still one print; so are two in turn."""
    assert verdicts(settled(), *[(-1.0, 90.0)] * 10) == "." * 10
    assert verdicts(settled(), *[(-1.0, 90.0), (-0.9, 90.1)] * 10) == "." * 20


def test_bad_prints_that_disagree_confirm_nothing() -> None:
    """Three far-off prices at three levels are three bad prints."""
    wild = [(-1.0, 90.0), (-0.9, 120.0), (-0.8, 70.0), (-0.7, 111.0), (-0.6, 93.0)]
    assert verdicts(settled(), *wild) == "....."


def test_jump_among_bad_prints_passes_when_its_own_three_agree() -> None:
    """The last three in quarantine count."""
    mixed = [(-1.0, 500.0), (-0.9, 90.0), (-0.8, 90.1), (-0.7, 90.0)]
    assert verdicts(settled(), *mixed) == "...E"


@pytest.mark.parametrize("asset", ASSETS)
def test_distance_is_the_asset_class_s_own(asset: Asset) -> None:
    """Half a percent is far for a currency and near for a coin."""
    far = FAR_OFF[asset]
    assert settled(asset=asset).admit(raw(100 * (1 + 0.8 * far)), NOW) is Verdict.ENTERS
    assert settled(asset=asset).admit(raw(100 * (1 - 0.8 * far)), NOW) is Verdict.ENTERS
    assert settled(asset=asset).admit(raw(100 * (1 + 1.2 * far)), NOW) is Verdict.REFUSED
    assert settled(asset=asset).admit(raw(100 * (1 - 1.2 * far)), NOW) is Verdict.REFUSED


@pytest.mark.parametrize("step", [0.002, -0.002])
def test_price_that_walks_far_away_is_followed(step: float) -> None:
    """The level goes along, whatever the distance in the end."""
    subject = settled()
    price = 100.0
    for number in range(500):
        price *= 1 + step
        assert subject.admit(raw(price, NOW - 1 + number / 1000), NOW) is Verdict.ENTERS
    assert subject.refused == {}


def test_wild_symbol_is_measured_by_its_own_ticks() -> None:
    """If ticks jump by a percent, four are no surprise; if they do not, they are."""
    rng = random.Random(1)
    wild = gate()
    for _ in range(100):
        wild.admit(raw(100 * math.exp(rng.gauss(0, 0.006))), NOW)
    assert wild.refused == {}
    assert wild.admit(raw(104.5), NOW) is Verdict.ENTERS
    assert settled().admit(raw(104.5), NOW) is Verdict.REFUSED


def entered(subject: TickGate, *prices: float, at: float = NOW) -> str:
    """The same for prices that come within a second of the instant ``at``."""
    return "".join(
        "E" if subject.admit(raw(price, at - 1 + n / 1000), at) is Verdict.ENTERS else "."
        for n, price in enumerate(prices)
    )


# A market that moves.


@pytest.mark.parametrize("is_warm", [True, False])
def test_market_that_jumps_and_moves_on_is_followed_from_its_third_price(is_warm: bool) -> None:
    """Three that follow one another confirm it, though no three agree."""
    subject = settled() if is_warm else gate()
    assert entered(subject, 100.0, *(104.0 + n for n in range(20))) == "E..EEEEEEEEEEEEEEEEEE"


@pytest.mark.parametrize("step", [0.0008, 0.002, 0.004])
def test_currency_that_falls_with_every_tick_is_shown_where_it_is(step: float) -> None:
    """The band goes with the newest prices, not with a median that lags."""
    fall = [100 * (1 - step) ** n for n in range(80)]
    assert entered(settled(asset="forex"), *fall) == "E" * 80


def test_crash_that_comes_back_is_followed_both_ways() -> None:
    """Forty percent down and up again within a hundred ticks, some of them a percent off."""
    rng = random.Random(3)
    down = [100 * 0.6 ** (n / 30) for n in range(31)]
    up = [60 * (100 / 60) ** (n / 60) for n in range(61)]
    crash = [price * math.exp(rng.gauss(0, 0.007)) for price in down + up]
    assert entered(settled(), *crash).count(".") <= 4


@pytest.mark.parametrize(
    ("low", "high", "pause_sec"),
    [(92, 97, 0), (95, 105, 0), (92, 97, 300), (95, 105, 300), (90, 98, 300), (98, 90, 300)],
)
def test_market_with_two_sides_is_believed_on_both(low: float, high: float, pause_sec: int) -> None:
    """After a jump, or a pause, bid and ask may lie many bands apart; each is confirmed."""
    judged = entered(settled(), *[low, high] * 20, at=NOW + pause_sec)
    assert judged.endswith("E" * 34), judged


def test_pause_makes_no_bad_print_a_side_of_the_market() -> None:
    """However often it comes: it lies too far away."""
    assert entered(settled(), *[1000.0, 100.0] * 20, at=NOW + 300) == ".E" * 20


def test_two_wild_prints_are_held_back() -> None:
    """One after the other or with good ones between, alike or not."""
    wild = 1000.0, 1001.0, 100.0, 64.0, 65.0, 100.0, 104.0, 100.0, 104.0, 100.0
    assert entered(settled(), *wild) == "..E..E.E.E"


@pytest.mark.parametrize("fall", [0.02, 0.04, 0.06, 0.1])
def test_no_market_is_refused_for_ever(fall: float) -> None:
    """The longer a row of far-off prices is, the longer its steps may be."""
    judged = entered(settled(), *[100 * (1 - fall) ** n for n in range(1, 40)])
    assert "." not in judged[round(fall * 100) :]


def test_prices_that_scatter_around_another_level_are_found() -> None:
    """Ten percent either way, thirty percent lower: believed after some, and from then on."""
    rng = random.Random(1)
    judged = entered(settled(), *[70 * (1 + rng.uniform(-0.1, 0.1)) for _ in range(60)])
    assert judged.index("E") < 15
    assert judged[20:] == "E" * 40


@given(st.sampled_from(ASSETS), st.floats(-3.9, 3.9), st.integers(3, 60))
def test_steady_move_is_shown_within_the_band_by_its_third_tick(
    asset: Asset, step: float, ticks: int
) -> None:
    """Whatever its steps are, up to some four bands a tick."""
    assert_followed(asset, [step * (1 + number) for number in range(ticks)])


@given(
    st.sampled_from(ASSETS),
    st.floats(1.2, 30),
    st.floats(0, 0.49),
    st.sampled_from([-1, 1]),
    st.integers(3, 60),
)
def test_jump_that_goes_on_is_shown_within_the_band_by_its_third_tick(
    asset: Asset, jump: float, step: float, way: int, ticks: int
) -> None:
    """Whatever its size is, with steps of up to half a band."""
    assert_followed(asset, [way * (jump + step * number) for number in range(ticks)])


def assert_followed(asset: Asset, bands: list[float]) -> None:
    """Prices that lie so many bands from a calm market are shown from the third one on."""
    subject, shown = settled(asset=asset), 100.0
    for number, distance in enumerate(bands):
        price = 100 * math.exp(FAR_OFF[asset] * distance)
        if subject.admit(raw(price, NOW - 1 + number / 1000), NOW) is Verdict.ENTERS:
            shown = price
        if number >= 2:
            assert abs(math.log(price / shown)) <= FAR_OFF[asset]


def test_three_wild_prints_hardly_ever_confirm_one_another() -> None:
    """In a row, at random, up to twelve bands off: in at most one of a hundred cases."""
    rng = random.Random(2)
    believed = 0
    for _ in range(2000):
        bands = [rng.choice((-1, 1)) * rng.uniform(1.1, 12) for _ in range(3)]
        wild = [100 * math.exp(FAR_OFF["crypto"] * distance) for distance in bands]
        believed += "E" in entered(settled(), *wild)
    assert 0 < believed <= 20


@given(
    st.sampled_from(ASSETS),
    st.lists(
        st.tuples(
            st.lists(st.floats(1.7, 60).flatmap(lambda x: st.sampled_from([x, -x])), max_size=2),
            st.lists(st.floats(-0.1, 0.1), min_size=1, max_size=3),
        ),
        max_size=20,
    ),
)
def test_wild_prints_among_good_ones_never_enter(
    asset: Asset, rounds: list[tuple[list[float], list[float]]]
) -> None:
    """Up to two at a time, at any distance, as often as they come; every good one does."""
    subject = settled(asset=asset)
    band, number = FAR_OFF[asset], 0
    for wild, good in rounds:
        for prices, verdict in ((wild, Verdict.REFUSED), (good, Verdict.ENTERS)):
            for bands in prices:
                number += 1
                price = raw(100 * math.exp(band * bands), NOW - 1 + number / 1000)
                assert subject.admit(price, NOW) is verdict


def test_own_steps_need_more_than_one() -> None:
    """One large step says nothing of a symbol: the next price is judged by its class."""
    assert entered(gate(), 100.0, 102.9, 120.0) == "EE."


# What is held back, in numbers.


def test_what_is_held_back_is_told() -> None:
    """Symbol, price, the price it is compared with, since when and how many, until confirmed."""
    subject = settled()
    assert subject.held_back(NOW) == ()
    subject.admit(raw(150.0, NOW - 2), NOW - 1.5)
    subject.admit(raw(151.0, NOW - 1), NOW - 0.5)
    (held,) = subject.held_back(NOW)
    assert (held.symbol, held.price, held.number) == (BTC, 151.0, 2)
    assert (held.since, held.newest_at) == (NOW - 1.5, NOW - 0.5)
    assert held.believed == pytest.approx(100, rel=1e-3)
    assert subject.held_back(NOW + 3600) == (held,), "it still waits for confirmation"
    subject.admit(raw(150.5, NOW), NOW)
    assert subject.held_back(NOW) == ()


def test_refuted_price_is_told_for_a_while() -> None:
    """A bad print is seen by whoever looks; then it is over, and the next one begins anew."""
    subject = settled()
    assert entered(subject, 150.0, 100.0, 149.0, 100.0) == ".E.E"
    (held,) = subject.held_back(NOW)
    assert (held.price, held.number) == (149.0, 2)
    assert subject.held_back(NOW + HELD_SEC) == ()
    subject.admit(raw(64.0, NOW + 60), NOW + 60)
    (held,) = subject.held_back(NOW + 60)
    assert (held.price, held.since, held.number) == (64.0, NOW + 60, 1)


# What was before.


def restored(price: float, ago_sec: float, asset: Asset = "crypto") -> TickGate:
    """A gate that knows one price of a time before."""
    subject = gate(asset)
    subject.restore([Tick(BTC, asset, NOW - 1 - ago_sec, price), Tick("X", asset, NOW, 1.0)])
    return subject


def test_restored_price_is_the_level() -> None:
    """A bad first price is held back, good ones are not, and a market that moved is believed."""
    bad = (64_400.0, 92_010.0, 64_410.0, 92_020.0)
    assert entered(restored(92_000.0, 30.0), *bad) == ".E.E"
    moved = (64_400.0, 64_410.0, 64_420.0, 64_500.0)
    assert entered(restored(92_000.0, 30.0), *moved) == "..EE"


@pytest.mark.parametrize(
    ("asset", "ago_sec", "gap"), [("forex", 49 * 3600, 0.02), ("stocks", 65 * 3600, 0.12)]
)
def test_gap_over_a_weekend_is_no_fault(asset: Asset, ago_sec: float, gap: float) -> None:
    """The older the last price, the wider the band: the first price of a week is believed."""
    assert entered(restored(100.0, ago_sec, asset), 100 * (1 - gap)) == "E"
    assert entered(restored(100.0, 1.0, asset), 100 * (1 - gap)) == "."
    assert entered(restored(100.0, 400 * 86400, asset), 150.0, 150.2, 150.1) == "..E"


def test_what_is_restored_changes_no_level_there_is() -> None:
    """Prices that came are newer than any archive."""
    subject = settled()
    subject.restore([Tick(BTC, "crypto", NOW, 500.0)])
    assert entered(subject, 100.0, 500.0) == "E."


def test_wrong_first_price_is_left_behind() -> None:
    """Nothing to compare the first one with; three that agree overrule it."""
    assert verdicts(gate(), (-1.0, 5.0), (-0.9, 100.0), (-0.8, 100.1), (-0.7, 100.0)) == "E..E"


# Anything.

EXTREMES = [
    5e-324,
    1e-308,
    1e-160,
    LEAST_PRICE,
    1.0,
    MOST_PRICE,
    1e160,
    1.7976931348623157e308,
    0.0,
    -1.0,
]

anything = st.builds(
    RawTick,
    symbol=st.sampled_from([BTC, "ETH-USD", "X", ""]),
    ts=st.one_of(st.floats(NOW - 70, NOW + 5), st.floats()),
    price=st.one_of(st.floats(90, 110), st.sampled_from(EXTREMES), st.floats()),
    flaw=st.sampled_from(["", "", "", "crossed", "condition"]),
    market=st.sampled_from(["", "", "open", "extended", "closed"]),
    is_snapshot=st.sampled_from([False, False, True]),
)


@given(st.lists(anything, max_size=80), st.sampled_from(ASSETS))
def test_no_sequence_of_prices_breaks_the_gate(prices: list[RawTick], asset: Asset) -> None:
    """Nothing raises; what enters is usable, in time, in hours and subscribed; all is counted."""
    subject = TickGate(asset, [BTC, "ETH-USD"], hours)
    entered = 0
    for one in prices:
        verdict = subject.admit(one, NOW)
        if verdict is not Verdict.REFUSED:
            assert LEAST_PRICE <= one.price <= MOST_PRICE
            assert one.ts <= NOW + MAX_LEAD_SEC
            assert not one.flaw
            assert one.symbol in (BTC, "ETH-USD")
        if verdict is Verdict.ENTERS:
            entered += 1
            assert one.ts >= NOW - MAX_AGE_SEC
            assert one.market in ("open", "extended") or OPEN <= one.ts < CLOSE
            assert one.market != "closed"
            assert not one.is_snapshot
    assert entered + sum(subject.refused.values()) == len(prices)


@given(st.lists(st.sampled_from(EXTREMES), min_size=30, max_size=120))
def test_prices_at_the_ends_of_the_floats_do_not_break_the_gate(prices: list[float]) -> None:
    """No product or quotient of two of them is taken."""
    subject = gate()
    for number, price in enumerate(prices):
        subject.admit(raw(price, NOW - 10 + number / 100), NOW)


@given(
    st.lists(st.floats(50, 200), min_size=3, max_size=30),
    st.floats(0.001, 1000),
)
def test_scale_changes_nothing(prices: list[float], scale: float) -> None:
    """Only relative distances count, whatever a symbol costs."""
    one, other = gate(), gate()
    for number, price in enumerate(prices):
        ts = NOW - 10 + number / 100
        # A distance of exactly the limit could fall on either side.
        near = min(abs(abs(math.log(price / p)) - FAR_OFF["crypto"]) for p in [*prices, 1e9])
        if near < 1e-9:
            return
        assert one.admit(raw(price, ts), NOW) is other.admit(raw(price * scale, ts), NOW)


# Trade ids, and several trades of one frame.


def admitted(subject: TickGate, *trades: tuple[int, float]) -> str:
    """What becomes of trades, each an id and an age: E enters, l is a last price, - neither."""
    marks = {Verdict.ENTERS: "E", Verdict.LAST_ONLY: "l", Verdict.REFUSED: "-"}
    return "".join(
        marks[subject.admit(raw(ts=NOW - age, trade_id=number), NOW)] for number, age in trades
    )


@pytest.mark.parametrize("counts_trades", [False, True])
def test_trade_that_came_before_is_a_duplicate(counts_trades: bool) -> None:
    """However long ago, and in whatever order."""
    subject = TickGate("crypto", [BTC], counts_trades=counts_trades)
    assert admitted(subject, (7, 9), (8, 8), (7, 9), (9, 7), (9, 7), (8, 8), (10, 6)) == "EE-E--E"
    assert subject.refused["duplicate"] == 3
    assert subject.missed == 0


def test_missed_trades_are_counted_until_they_come() -> None:
    """A late one is no duplicate, its repetition is."""
    subject = TickGate("crypto", [BTC], counts_trades=True)
    assert admitted(subject, (7, 9), (11, 5)) == "EE"
    assert subject.missed == 3
    assert admitted(subject, (9, 7), (9, 7)) == "E-"
    assert subject.missed == 2


def test_trade_from_before_the_first_is_late() -> None:
    """The first that comes need not be the oldest; its repetition is a duplicate, if it is near."""
    subject = TickGate("crypto", [BTC], counts_trades=True)
    assert admitted(subject, (5000, 5), (4997, 6), (4997, 6), (5001, 4)) == "EE-E"
    assert subject.missed == 2
    assert admitted(subject, (4999, 5), (4998, 5), (4999, 5), (4998, 5)) == "EE--"
    assert subject.missed == 0
    assert admitted(subject, (5002, 3), (4996, 3), (5, 3)) == "EE-"
    assert subject.missed == 0


def test_ids_that_count_nothing_tell_of_no_missed_trade() -> None:
    """They are merely unlike one another."""
    subject = TickGate("stocks", [BTC])
    assert admitted(subject, (7, 9), (11, 5), (2**63 - 1, 4), (8, 3)) == "EEEE"
    assert subject.missed == 0


@pytest.mark.parametrize("counts_trades", [False, True])
def test_hundreds_of_trades_are_remembered(counts_trades: bool) -> None:
    """As many as a vendor may ever repeat, however many came before."""
    subject = TickGate("crypto", [BTC], counts_trades=counts_trades)
    trades = [(number, 9 - number / 1000) for number in range(1, 3001)]
    assert admitted(subject, *trades, *trades[-500:]) == "E" * 3000 + "-" * 500
    assert subject.refused == {"duplicate": 500}


def test_vendor_may_count_from_another_number_on() -> None:
    """An old trade has an old time; one absurd id changes nothing."""
    subject = TickGate("crypto", [BTC], counts_trades=True)
    assert admitted(subject, (5000, 59), (2**62, 58), (5001, 57)) == "EEE"
    assert subject.missed == 0
    later = NOW + 120
    restarted = [raw(ts=later + second, trade_id=second) for second in (1, 2, 2)]
    verdicts = [subject.admit(one, later + 3) for one in restarted]
    assert verdicts == [Verdict.ENTERS, Verdict.ENTERS, Verdict.REFUSED]


def test_snapshot_is_no_news_after_a_reconnect() -> None:
    """The last trade before the subscription may be one that came through the last connection."""
    subject = TickGate("crypto", [BTC], counts_trades=True)
    assert admitted(subject, (7, 9), (8, 8)) == "EE"
    again = raw(ts=NOW - 8, is_snapshot=True, trade_id=8)
    assert subject.admit(again, NOW) is Verdict.REFUSED
    missed = raw(ts=NOW - 4, is_snapshot=True, trade_id=12)
    assert subject.admit(missed, NOW) is Verdict.LAST_ONLY
    assert subject.missed == 3


def test_trades_of_one_frame_are_one_step() -> None:
    """The many fills of one wrong order confirm one another no more than one does."""
    subject = settled()
    fills = [raw(80.0, NOW + 0.001 * number) for number in range(5)]
    assert {subject.admit(fill, NOW, 1) for fill in fills} == {Verdict.REFUSED}
    assert subject.admit(raw(80.0, NOW + 0.1), NOW, 2) is Verdict.REFUSED
    assert subject.admit(raw(80.0, NOW + 0.2), NOW, 3) is Verdict.ENTERS
