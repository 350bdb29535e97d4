"""A webhook posts what Standard Webhooks verifies, under an id that never changes."""

from __future__ import annotations

import base64
import time
from dataclasses import replace
from typing import Final

import msgspec
import pytest
from standardwebhooks import Webhook as Receiver
from standardwebhooks import WebhookVerificationError

from alerts.channel import Broken, Channel, Delivered, RetryAt, Scope
from alerts.channels import Market, make
from alerts.webhook import EventMessage
from events import Event
from history.deliveries import Told
from settings.destinations import Destination
from tests.alerting import NOW, burst, delivery, move, sent, trial

OLD, NEW = (f"whsec_{base64.b64encode(bytes([fill]) * 32).decode()}" for fill in (7, 11))
URL: Final = "https://example.org/hook"
PAGE: Final = "https://pulse.example.org"


def channel(secret: str = NEW, market: Market = Market.REAL) -> Channel:
    return make(Destination(name="desk", type="webhook", url=URL, secret=secret), PAGE, market)


def posted(event: Event, told: Told = Told.BEGAN, market: Market = Market.REAL) -> EventMessage:
    request = sent(channel(market=market), delivery(event, told))
    return msgspec.json.decode(request.body, type=EventMessage)


@pytest.mark.parametrize("secret", [NEW, f"{OLD} {NEW}"])
def test_a_receiver_verifies_it(secret: str) -> None:
    """By the new key, also while a key changes; and by the old one until it is gone."""
    # The receiver has the computer's clock, and refuses what is five minutes old.
    request = sent(channel(secret), delivery(move()), now=time.time())
    body, headers = request.body.decode(), dict(request.headers)
    Receiver(NEW).verify(body, headers)
    if OLD in secret:
        Receiver(OLD).verify(body, headers)
    else:
        with pytest.raises(WebhookVerificationError):
            Receiver(OLD).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Receiver(NEW).verify(body.replace("AAPL", "TSLA"), headers)


def test_without_a_secret_nothing_is_signed() -> None:
    """The receiver has nothing to verify it by."""
    assert "webhook-signature" not in sent(channel(""), delivery(move())).headers


def test_every_try_has_the_same_id_and_body_and_its_own_time() -> None:
    """So that a receiver can tell a repetition."""
    first, second = (sent(channel(), delivery(move()), now=NOW + late) for late in (0, 60))
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert "." not in first.headers["webhook-id"]
    assert first.body == second.body
    assert second.headers["webhook-timestamp"] == str(int(NOW) + 60)


def test_it_tells_an_event_in_numbers() -> None:
    """And in one sentence, with a link to the moment."""
    said = posted(move())
    assert (said.type, said.timestamp) == ("market_pulse.event.began", "2026-11-26T21:22:32.000Z")
    data = said.data
    assert (data.symbol, data.kind, data.severity) == ("AAPL", "move_5m", "alert")
    assert (data.peak, data.threshold, data.horizon_sec) == (-0.0123, 0.004, 300)
    assert data.text.startswith("AAPL fell 1.23 % in 5 min")
    assert data.link == f"{PAGE}/?symbol=AAPL&at=2026-11-26T21:22:32Z"
    assert not data.simulated
    assert data.over is None


@pytest.mark.parametrize("told", [Told.WORSE, Told.UPDATED, Told.OVER])
def test_what_comes_later_of_an_event_names_it(told: Told) -> None:
    """By its type and the same id."""
    later = replace(move(), updated_ts=NOW + 240, over_ts=NOW + 240 if told is Told.OVER else None)
    said = posted(later, told)
    assert (said.type, said.data.id) == (f"market_pulse.event.{told}", move().id)
    assert (said.data.over is not None) == (told is Told.OVER)


def test_a_simulated_market_says_so() -> None:
    """As does a replayed one."""
    assert posted(move(), market=Market.SIMULATED).data.simulated
    assert posted(move(), market=Market.REPLAYED).data.simulated


def test_what_is_not_known_is_null() -> None:
    """NaN is no JSON."""
    (part,) = move().parts
    event = replace(move(), parts=(replace(part, surprise=float("nan"), from_price=None),))
    data = msgspec.json.decode(sent(channel(), delivery(event)).body)["data"]
    assert data["surprise"] is None
    assert data["from_price"] is None


def test_a_test_is_marked() -> None:
    """It tells nothing of a market."""
    said = msgspec.json.decode(sent(channel(), trial()).body)
    assert said["type"] == "market_pulse.test"


def test_every_body_of_a_burst_is_small() -> None:
    """As the standard asks: under 20 kB, with 5,000 twins as well."""
    largest = replace(move(), twins=tuple(f"{'T' * 14}{number:06d}" for number in range(5000)))
    for each in (*burst(300), delivery(largest)):
        assert len(sent(channel(), each).body) < 20_000


@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [
        (204, {}, Delivered()),
        (429, {"retry-after": "7"}, RetryAt(7.0, "429 Too Many Requests", False)),
        (
            429,
            {"retry-after": "Thu, 26 Nov 2026 21:23:02 GMT"},
            RetryAt(30.0, "429 Too Many Requests", False),
        ),
        (429, {"retry-after": "soon"}, RetryAt(None, "429 Too Many Requests")),
        (429, {"retry-after": "1e300"}, RetryAt(86400.0, "429 Too Many Requests", False)),
        (429, {"retry-after": "-5"}, RetryAt(0.0, "429 Too Many Requests", False)),
        (503, {"retry-after": "3"}, RetryAt(3.0, "503 Service Unavailable")),
        (408, {}, RetryAt(None, "408 Request Timeout")),
        (307, {"location": "http://127.0.0.1/"}, Broken(Scope.MESSAGE, "307 Temporary Redirect")),
        (400, {}, Broken(Scope.MESSAGE, "400 Bad Request")),
        (401, {}, Broken(Scope.DESTINATION, "401 Unauthorized")),
        (404, {}, Broken(Scope.DESTINATION, "404 Not Found")),
        (410, {}, Broken(Scope.GONE, "410 Gone")),
        (799, {}, RetryAt(None, "799")),
    ],
)
def test_what_an_answer_means(status: int, headers: dict[str, str], expected: object) -> None:
    """Whatever its body says."""
    assert channel().outcome(status, headers, b"\xff", NOW) == expected
