"""E-mail: what a mail server gets of alerts, over which connection, and what its replies mean."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest
import trustme

from alerts.channel import Answer, Broken, Channel, Delivered, Mail, Outcome, RetryAt, Scope
from alerts.channels import Market, make
from alerts.mailing import mail
from history.deliveries import Delivery, Told
from settings.destinations import Destination
from tests.alerting import NOW, burst, delivery, move
from tests.mail_server import MailServer

PASSWORD: Final = "pass:word /%"  # noqa: S105 - of no account
PAGE: Final = "https://pulse.example.org"
SOON_SEC: Final = 5.0


@pytest.fixture
def secure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ssl.SSLContext:
    """The server's side of a secure connection, whose certificate is trusted here."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    found = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(found)
    return found


@pytest.fixture
def server(secure: ssl.SSLContext) -> Iterator[MailServer]:
    with MailServer(secure) as found:
        yield found


def desk(server: MailServer, **changed: object) -> Destination:
    usual = Destination(
        name="desk",
        type="email",
        url=server.url,
        secret=PASSWORD,
        to="desk@example.org",
        sender="pulse@example.org",
        is_private=True,
    )
    return replace(usual, **changed)  # type: ignore[arg-type]


def channel(market: Market = Market.REAL) -> Channel:
    sender = "pulse@example.org"
    return make(Destination(name="desk", type="email", sender=sender), PAGE, market)


def written(*deliveries: Delivery, market: Market = Market.REAL, late: int = 0) -> Mail:
    found = channel(market).request(deliveries, NOW, late=late)
    assert isinstance(found, Mail)
    return found


def sent(server: MailServer, *deliveries: Delivery, **changed: object) -> Outcome:
    told = mail(written(*deliveries), desk(server, **changed), SOON_SEC)
    return channel().outcome(told.status, {}, b"", NOW) if isinstance(told, Answer) else told


def test_a_letter_arrives_over_a_secure_connection(server: MailServer) -> None:
    """With a name that is the same for every try, and no word of what it is not."""
    assert sent(server, delivery(move())) == Delivered()
    assert server.logins == [("pulse@example.org", PASSWORD, True)]
    (letter,) = server.letters
    assert letter["Subject"] == "Market Pulse: AAPL −1.23 % in 5 min"
    assert (letter["From"], letter["To"]) == ("pulse@example.org", "desk@example.org")
    assert letter["Message-ID"] == f"<{delivery(move()).id}@example.org>"
    assert letter["Date"]
    assert letter["Auto-Submitted"] == "auto-generated"
    text = letter.get_content()
    assert letter.get_content_type() == "text/plain"
    assert text.startswith("[alert] AAPL fell 1.23 % in 5 min: 3.4 × its usual 5 minutes")
    assert f"{PAGE}/?symbol=AAPL&at=2026-11-26T21:22:32Z" in text


@pytest.mark.parametrize("reply", ["421 too busy", "500 what?", "x"])
def test_what_was_taken_is_not_sent_again_for_a_wrong_farewell(
    server: MailServer, reply: str
) -> None:
    """The server has the letter by then."""
    server.replies["QUIT"] = reply
    assert sent(server, delivery(move())) == Delivered()
    assert len(server.letters) == 1


def test_a_server_may_be_secure_from_the_first_byte_on(secure: ssl.SSLContext) -> None:
    """As those of port 465 are."""
    with MailServer(secure, is_wrapped=True) as server:
        assert sent(server, delivery(move())) == Delivered()
        assert server.logins == [("pulse@example.org", PASSWORD, True)]


def test_a_password_goes_over_no_connection_that_is_not_secure() -> None:
    """Unless the settings say that it may."""
    with MailServer() as server:
        told = sent(server, delivery(move()))
        assert isinstance(told, Broken)
        assert told.scope is Scope.DESTINATION
        assert not server.logins
        assert sent(server, delivery(move()), is_insecure=True) == Delivered()
        assert server.logins == [("pulse@example.org", PASSWORD, False)]


def test_a_certificate_that_nobody_vouches_for_is_not_believed(
    server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be mended, so the letter waits."""
    monkeypatch.delenv("SSL_CERT_FILE")
    assert isinstance(sent(server, delivery(move())), RetryAt)
    assert not server.logins


def test_a_server_that_is_not_public_is_not_written_to(server: MailServer) -> None:
    """Unless the settings say that it may be."""
    told = sent(server, delivery(move()), is_private=False)
    assert isinstance(told, Broken)
    assert "private = true" in told.words


@pytest.mark.parametrize(
    ("command", "reply", "expected"),
    [
        ("AUTH", "535 who are you", Scope.DESTINATION),
        ("AUTH", "454 later", None),
        ("MAIL", "550 no such sender", Scope.DESTINATION),
        ("RCPT", "550 no such mailbox", Scope.DESTINATION),
        ("RCPT", "450 greylisted", None),
        ("DATA", "451 later", None),
        (".", "554 looks like spam", Scope.MESSAGE),
        (".", "452 full", None),
    ],
)
def test_what_a_reply_means(
    server: MailServer, command: str, reply: str, expected: Scope | None
) -> None:
    """Below 500 the letter waits; the words are not the server's."""
    server.replies[command] = f"{reply} {PASSWORD.encode().hex()}"
    told = sent(server, delivery(move()))
    assert isinstance(told, RetryAt) if expected is None else isinstance(told, Broken)
    assert not isinstance(told, Broken) or told.scope is expected
    assert not re.search(f"{reply[4:]}|{PASSWORD.encode().hex()}|example", str(told))
    server.replies.clear()
    assert sent(server, delivery(move())) == Delivered()


def test_a_server_that_says_nothing_is_left(server: MailServer) -> None:
    """After as long as it may take for an answer."""
    server.replies["MAIL"] = ""
    assert isinstance(mail(written(delivery(move())), desk(server), 0.2), RetryAt)
    assert not server.letters


def test_a_digest_of_300_symbols_is_one_letter(server: MailServer) -> None:
    """The worst first, the rest counted."""
    assert sent(server, *burst(300)) == Delivered()
    (letter,) = server.letters
    subject = letter["Subject"]
    assert subject == "Market Pulse: 300 moves in 2 s, SSSSSSSSSSSSSS000299 −3.39 % in 5 min"
    lines = letter.get_content().splitlines()
    assert lines[0] == "300 moves in 2 s"
    assert len([line for line in lines if line.startswith("[extreme] ")]) == 10
    assert "and 290 more" in lines


@pytest.mark.parametrize("market", [Market.SIMULATED, Market.REPLAYED])
def test_a_market_that_is_not_real_comes_first(market: Market) -> None:
    """In the subject and in the text."""
    letter = written(delivery(move()), market=market)
    assert letter.subject == f"{market}: Market Pulse: AAPL −1.23 % in 5 min"
    assert letter.text.startswith(market)


def test_hostile_text_makes_no_header(server: MailServer) -> None:
    """A symbol with line breaks is one line."""
    hostile = "X\r\nBcc: thief@example.net\r\n\r\n.\r\nQUIT\u202e"
    assert sent(server, delivery(move(hostile)), delivery(move(f"{hostile}2"))) == Delivered()
    (letter,) = server.letters
    assert "Bcc" not in letter
    text = letter.get_content()
    assert "\u202e" not in text + letter["Subject"]
    assert len([line for line in text.splitlines() if "Bcc" in line and "fell" in line]) == 2


def test_what_is_over_is_said_in_a_letter_of_its_own() -> None:
    """For whoever asks for it: what was sent cannot be edited."""
    assert not channel().can_edit
    over = replace(move(), updated_ts=NOW + 272, over_ts=NOW + 242)
    letter = written(delivery(over, Told.OVER), late=2)
    assert letter.subject == "Market Pulse: AAPL −1.23 % in 5 min, over"
    assert "Over after 4 min 02 s, peak −1.23 %." in letter.text
    assert "2 earlier messages were not sent" in letter.text


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (250, Delivered()),
        (421, RetryAt(None, "421: the mail server refuses it")),
        (550, Broken(Scope.DESTINATION, "550: the mail server refuses it")),
        (554, Broken(Scope.MESSAGE, "554: the mail server refuses it")),
    ],
)
def test_what_a_code_means_by_itself(code: int, expected: Outcome) -> None:
    """As those of an answer over HTTP."""
    assert channel().outcome(code, {}, b"", NOW) == expected
