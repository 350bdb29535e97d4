"""What the page says of the alerts: a chip's worth, and all there is to who opens it."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from alerts.status import AlertsStatus, DestinationState, DestinationStatus
from history.deliveries import Delivery, DeliveryState, Mute, MuteOf, Told
from page.alerts import AlertsPanel, alerts_card
from page.words import Instant
from tests.told import event_of

NOW = 1_795_000_000.0
READY = DestinationStatus(name="desk", type="slack", sent=1412, last_success=NOW - 40)
RESTING = DestinationStatus(
    name="phone",
    type="ntfy",
    state=DestinationState.RESTING,
    until=NOW + 300,
    why="429: too many requests",
    waiting=3,
    dropped=7,
)
REFUSED = DestinationStatus(
    name="ops", type="telegram", state=DestinationState.REFUSED, why="401: unknown token.", dead=2
)
OFF = replace(REFUSED, name="bot", type="webhook", state=DestinationState.OFF, why="410: gone")


def status_of(*destinations: DestinationStatus, muted: str = "", **known: bool) -> AlertsStatus:
    """The alerts with these destinations, of which one may be muted."""
    mutes = (Mute(MuteOf.DESTINATION, muted, NOW + 60),) if muted else ()
    return AlertsStatus(destinations=destinations, mutes=mutes, **known)  # type: ignore[arg-type]


def opened(status: AlertsStatus) -> AlertsPanel:
    """The panel of somebody who opened it."""
    panel = alerts_card(status, is_opened=True).panel
    assert panel is not None
    return panel


def test_without_a_destination_there_is_one_line_that_says_how() -> None:
    """What is muted is of the page's own telling then."""
    card = alerts_card(AlertsStatus(is_simulated=True, is_remembered=False))
    assert (card.text, card.state, card.panel) == ("Alerts off", "off", None)
    panel = opened(AlertsStatus(is_simulated=True, is_remembered=False))
    (note,) = panel.notes
    assert "docs/alerts.md" in note
    assert panel == AlertsPanel(notes=[note], destinations=[], mutes=[], dead=[], dead_left=0)


@pytest.mark.parametrize(
    ("status", "text", "state"),
    [
        (status_of(READY), "Alerts on", "well"),
        (status_of(READY, replace(READY, name="b"), muted="b"), "Alerts on", "well"),
        (status_of(READY, muted="desk"), "Alerts muted", "well"),
        (status_of(REFUSED), "Alerts: refused", "trouble"),
        (status_of(READY, RESTING), "Alerts: 1 of 2 resting", "trouble"),
        (status_of(READY, RESTING, OFF), "Alerts: 1 of 3 off", "trouble"),
        (status_of(OFF, REFUSED, READY), "Alerts: 1 of 3 refused", "trouble"),
        (status_of(READY, is_simulated=True), "Alerts off", "off"),
        (
            status_of(READY, replace(READY, name="b", takes_simulated=True), is_simulated=True),
            "Alerts on",
            "well",
        ),
    ],
)
def test_the_chip_says_how_they_are(status: AlertsStatus, text: str, state: str) -> None:
    """The worst of them, in two or three words."""
    card = alerts_card(status)
    assert (card.text, card.state) == (text, state)


def test_the_title_counts_them_all() -> None:
    """By their states."""
    status = status_of(READY, replace(READY, name="b"), RESTING, muted="b")
    assert alerts_card(status).title == "3 destinations: 1 ready, 1 muted, 1 resting"
    assert alerts_card(status_of(READY)).title == "1 destination: 1 ready"


def test_each_destination_says_what_is_true_of_it() -> None:
    """Its state, what is wrong, what to do, what was counted, and what may be asked of it."""
    ready, resting, refused, off = opened(status_of(READY, RESTING, REFUSED, OFF)).destinations
    assert (ready.state_text, ready.why, ready.can_try) == (("ready",), "", False)
    assert ready.counts == ("1,412 sent · last sent ", Instant(NOW - 40))
    assert resting.state_text == ("resting until ", Instant(NOW + 300))
    assert resting.why == "429: too many requests. It is tried again by itself."
    assert resting.counts == ("3 waiting · 0 sent · 7 dropped",)
    assert refused.why == (
        "401: unknown token. Nothing more is tried. Check its entry in the settings and what the"
        " variable that it names holds, and restart; or press Try once it is mended there."
    )
    assert refused.counts == ("0 sent · 2 dead",)
    assert off.why.startswith("410: gone. It is gone for good, and nothing more is sent.")
    assert resting.can_try
    assert refused.can_try
    assert off.can_try


def test_an_error_that_was_overcome_is_told_as_the_last() -> None:
    """A destination that works needs no advice."""
    (line,) = opened(status_of(replace(READY, why="500: server error"))).destinations
    assert line.why == "The last error: 500: server error."


def test_a_destination_that_takes_no_message_is_not_shown_as_well() -> None:
    """Until it takes one: what was sent last is dead."""
    dead = Delivery(
        destination="desk",
        key="k",
        told=Told.TEST,
        event=None,
        made=NOW,
        due=NOW,
        state=DeliveryState.DEAD,
        error="400 Bad Request",
    )
    failing = replace(READY, why="400 Bad Request", dead=1)
    status = replace(status_of(failing, RESTING), dead=(dead,))
    card = alerts_card(status)
    assert (card.text, card.state) == ("Alerts: 1 of 2 failing", "trouble")
    (line, _) = opened(status).destinations
    assert (line.state, line.state_text, line.can_try) == ("failing", ("failing",), False)
    assert line.why.startswith("400 Bad Request. Not delivered, below, lists")
    overcome = replace(status_of(replace(failing, why="")), dead=(dead,))
    assert alerts_card(overcome).text == "Alerts on"
    of_another = replace(status_of(failing), dead=(replace(dead, destination="x"),))
    assert alerts_card(of_another).text == "Alerts on"


def test_a_simulated_market_says_that_nothing_is_sent_unless_asked() -> None:
    """For all, and at each destination that does not ask; nothing if all do."""
    asks = replace(READY, name="asks", takes_simulated=True)
    assert opened(status_of(asks, is_simulated=True)).notes == []
    panel = opened(status_of(READY, asks, is_simulated=True, muted="desk"))
    assert panel.notes == [
        "The market is simulated or replayed: nothing is sent of it, but to destinations that ask"
        " for it with simulated = true."
    ]
    idle, asked = panel.destinations
    assert idle.state == "idle"
    assert idle.state_text == ("told of a real market only", ", muted")
    assert asked.state_text == ("ready",)


def test_who_sends_and_what_is_remembered_is_told_only_if_it_is_not_as_usual() -> None:
    """In words."""
    assert opened(status_of(READY)).notes == []
    notes = opened(status_of(READY, is_sending=False, is_remembered=False)).notes
    assert [note.split(":")[0].split(",")[0] for note in notes] == [
        "Another Market Pulse records into the same archive",
        "What waits is not remembered",
    ]


def test_mutes_are_listed_by_their_end() -> None:
    """With what lifts them."""
    mutes = (
        Mute(MuteOf.KIND, "move_5m", NOW + 90),
        Mute(MuteOf.SYMBOL, "AAPL", NOW + 60),
        Mute(MuteOf.DESTINATION, "desk", NOW + 120),
    )
    status = replace(status_of(READY), mutes=mutes)
    panel = opened(status)
    card = alerts_card(status)
    assert card.muted == ["AAPL"]
    assert ("symbol", "AAPL") in [(one.of, one.name) for one in card.silent]
    assert all(one.of != "destination" for one in card.silent)
    assert [line.text[0] for line in panel.mutes] == [
        "AAPL until ",
        "moves over 5 min until ",
        "the destination desk until ",
    ]
    (line,) = panel.destinations
    assert (line.state, line.is_muted) == ("muted", True)


def test_dead_deliveries_say_what_was_not_told_and_why() -> None:
    """The newest of them; the rest is counted."""
    event = event_of(NOW - 600, value=-0.0123, from_price=335.0, to_price=330.88)
    dead = Delivery(
        destination="bot",
        key="k",
        told=Told.BEGAN,
        event=event,
        made=NOW - 590,
        due=NOW,
        state=DeliveryState.DEAD,
        error="410: gone",
    )
    test = replace(dead, key="t", told=Told.TEST, event=None)
    panel = opened(replace(status_of(replace(OFF, dead=31)), dead=(dead, test)))
    first, second = panel.dead
    assert first.text[:2] == ("To bot, ", Instant(NOW - 590))
    assert str(first.text[2]).startswith(": AAPL fell 1.23 % in 1 min")
    assert (first.key, first.why) == ("k", "410: gone")
    assert second.text[2] == ": a test"
    assert panel.dead_left == 29


def test_no_text_of_a_destination_deceives() -> None:
    """Its name and its error come from outside."""
    sly = replace(REFUSED, name="a\u202eb", why="x" * 300)
    (line,) = opened(status_of(sly)).destinations
    assert (line.name, line.shown) == ("a\u202eb", "aU+202Eb")
    assert line.why.startswith("X" + "x" * 199 + "… ")


def test_what_everybody_is_sent_is_small() -> None:
    """Each tab is sent it every two seconds."""
    assert len(msgspec.json.encode(alerts_card(status_of(READY, RESTING, REFUSED)))) < 400
