"""Events on their way from the desk to all services at once, over real sockets."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Final

from alerts.channels import Market, make
from alerts.desk import Desk
from alerts.status import DestinationStatus
from settings.destinations import Destination
from tests.alerting import move
from tests.chat_servers import BOT, GROUP, SLACK_TOKEN, TOKEN, ChatServer
from tests.mail_server import MailServer
from tests.waiting import until

PAGE: Final = "https://pulse.example.org"


def destinations(chats: ChatServer, mails: MailServer) -> list[Destination]:
    """One of each kind."""
    slack = Destination(name="hook", type="slack", url=f"{chats.url}/services/T/B/x")
    found = [
        slack,
        replace(slack, name="bot", url=f"{chats.url}/slack", secret=SLACK_TOKEN, to="C0123456789"),
        Destination(
            name="discord", type="discord", url=f"{chats.url}/api/webhooks/1234567890/to-ken"
        ),
        Destination(name="telegram", type="telegram", url=chats.url, secret=BOT, to=str(GROUP)),
        Destination(name="ntfy", type="ntfy", url=chats.url, secret=TOKEN, to="pulse-x7"),
        Destination(
            name="mail",
            type="email",
            url=mails.url,
            secret="any",  # noqa: S106 - the server takes any
            to="desk@example.org",
            sender="pulse@example.org",
        ),
    ]
    return [
        replace(each, is_private=True, is_insecure=True, is_simulated=True, wait_sec=0.0)
        for each in found
    ]


def test_every_service_is_told_once_and_edits_what_it_can() -> None:
    """Of three symbols in one message each, and of the end of one of them."""
    with ChatServer(clock=time.monotonic) as chats, MailServer() as mails:
        all_of_them = destinations(chats, mails)
        market = Market.SIMULATED
        desk = Desk([(each, make(each, PAGE, market)) for each in all_of_them], is_simulated=True)
        desk.start()
        try:
            now = time.time()
            events = [move(symbol, ts=now) for symbol in ("AAPL", "TSLA", "MSFT")]
            desk.deliveries_for(events)

            def status() -> dict[str, DestinationStatus]:
                return {each.name: each for each in desk.status().destinations}

            def sent(name: str) -> int:
                return status()[name].sent

            until(lambda: all(sent(each.name) == 3 for each in all_of_them))
            assert len(chats.messages) == 5
            over = replace(events[0], updated_ts=now + 1, over_ts=now + 1)
            desk.deliveries_for([over])
            until(lambda: all(sent(name) == 4 for name in ("bot", "discord", "telegram", "ntfy")))
            assert not [each.why for each in status().values() if each.why]
        finally:
            desk.stop()
    # Edited in their places, and the hook's as it was.
    assert len(chats.messages) == 5
    edited = [str(post).replace("\\", "") for post in chats.messages.values()]
    assert [text.count("[alert, over after 1 s] AAPL") for text in edited].count(1) == 4
    for text in edited:
        assert "SIMULATED" in text
        assert "3 moves in 1 s" in text
        assert "TSLA fell" in text
    (letter,) = mails.letters
    assert letter["Subject"].startswith("SIMULATED: Market Pulse: 3 moves in 1 s")
