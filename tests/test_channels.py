"""Every channel's messages, at servers that enforce what the services document."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

import pytest

from alerts.channel import Broken, Channel, Delivered, RetryAt, Scope
from alerts.channels import Market, make
from history.deliveries import Delivery, Told
from settings.destinations import Destination
from tests.alerting import NOW, burst, delivery, move, trial
from tests.chat_servers import BOT, GROUP, SLACK_TOKEN, TOKEN, Answer, ChatServer
from ticks import Severity

PAGE: Final = "https://pulse.example.org"
KINDS: Final = ("hook", "bot", "discord", "telegram", "ntfy")
EDITING: Final = ("bot", "discord", "telegram", "ntfy")


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with ChatServer() as found:
        yield found


def channel(
    kind: str, url: str, market: Market = Market.REAL, page: str = PAGE, secret: str = ""
) -> Channel:
    """The channel of a kind that speaks to that server."""
    usual = {
        "hook": Destination(name="x", type="slack", url=f"{url}/services/T/B/x"),
        "bot": Destination(
            name="x", type="slack", url=f"{url}/slack", secret=SLACK_TOKEN, to="C0123456789"
        ),
        "discord": Destination(
            name="x", type="discord", url=f"{url}/api/webhooks/1234567890/to-ken"
        ),
        "telegram": Destination(name="x", type="telegram", url=url, secret=BOT, to=str(GROUP)),
        "ntfy": Destination(name="x", type="ntfy", url=url, secret=TOKEN, to="pulse-x7"),
    }[kind]
    return make(replace(usual, secret=secret or usual.secret), page, market)


def shown(kind: str, post: dict[str, Any]) -> str:
    """All that people read of what was posted, one line each."""
    if kind in ("hook", "bot"):
        return "\n".join(text["text"] for text in texts_of(post))
    if kind == "discord":
        (embed,) = post["embeds"]
        return f"{embed['title']}\n{embed['description']}"
    return str(post["text"] if kind == "telegram" else f"{post['title']}\n{post['message']}")


def texts_of(post: dict[str, Any]) -> list[dict[str, Any]]:
    """The texts of Slack's blocks."""
    return [text for block in post["blocks"] for text in block.get("elements", [block.get("text")])]


def last(server: ChatServer, kind: str) -> str:
    return shown(kind, server.posts[-1][1])


# What fits.


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("page", ["", PAGE, f"https://pulse.example.org/{'x' * 450}"])
def test_a_burst_of_300_symbols_fits(server: ChatServer, kind: str, page: str) -> None:
    """Ten lines, the worst first, and how many more there are."""
    told = server.tell(channel(kind, server.url, page=page), *burst(300), late=12)
    assert isinstance(told, Delivered)
    text = last(server, kind).replace("\\", "")
    lines = [line for line in text.split("\n") if line.startswith("[extreme] ")]
    assert len(lines) == 10
    assert "SSSSSSSSSSSSSS000299" in lines[0]
    assert "300 moves in 2 s" in text
    assert "and 290 more" in text
    assert "12 earlier messages were not sent" in text


@pytest.mark.parametrize("kind", KINDS)
def test_every_single_message_of_a_burst_fits(server: ChatServer, kind: str) -> None:
    """Of whatever severity, direction and company."""
    for each in burst(40):
        server.now += 5.0
        assert isinstance(server.tell(channel(kind, server.url), each), Delivered)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sign", ["x", "<", "&", "*", "\\", "é", "𝔘"])
def test_what_is_large_beyond_all_measure_fits(server: ChatServer, kind: str, sign: str) -> None:
    """Signs that are escaped to many or take several bytes or units, and hundreds of twins."""
    speaker = channel(kind, server.url, Market.SIMULATED)
    twins = tuple(f"{sign * 20}{number}" for number in range(500))
    events = [replace(move(f"{sign * 200}{number}"), twins=twins) for number in range(12)]
    told = [delivery(event) for event in events]
    for group in (told, told[:1]):
        assert isinstance(server.tell(speaker, *group, late=3), Delivered)
        server.now += 5.0
    assert " more" in shown(kind, server.posts[0][1])


@pytest.mark.parametrize("kind", KINDS)
def test_as_fast_as_a_channel_goes_it_is_never_too_fast(server: ChatServer, kind: str) -> None:
    """Telegram's groups take 20 a minute, Slack one a second, Discord what its answers say."""
    speaker = channel(kind, server.url)
    for number in range(50):
        told = server.tell(speaker, delivery(move(ts=NOW + number)))
        assert isinstance(told, Delivered)
        # What waits so long is not of one instant, which rounding could miss.
        server.now += max(speaker.spacing_sec, told.rest_sec) + 1e-6


def test_a_chat_of_two_is_faster_than_a_group() -> None:
    """One message a second."""
    for chat, expected in [("123456", 1.0), ("-123456", 3.0), ("@channel", 3.0)]:
        one = Destination(name="x", type="telegram", url=PAGE, secret=BOT, to=chat)
        assert make(one, PAGE).spacing_sec == expected


# What is said.


@pytest.mark.parametrize("kind", KINDS)
def test_one_event_is_told_with_a_link_to_its_moment(server: ChatServer, kind: str) -> None:
    """In the words of the page."""
    server.tell(channel(kind, server.url), delivery(move()))
    said = json.dumps(server.posts[-1][1], ensure_ascii=False).replace("&amp;", "&")
    assert f"{PAGE}/?symbol=AAPL&at=2026-11-26T21:22:32Z" in said
    text = last(server, kind).replace("\\", "")
    assert "[alert] AAPL fell 1.23 % in 5 min: 3.4 × its usual 5 minutes" in text
    assert "335.00 → 330.88" in text


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_in_ones_own_network_has_a_link_too(server: ChatServer, kind: str) -> None:
    """Discord refuses the address of a host without a dot, but as text."""
    page = "http://pulse:8501"
    told = server.tell(channel(kind, server.url, page=page), delivery(move()))
    assert isinstance(told, Delivered)
    assert f"{page}/?symbol=AAPL" in json.dumps(server.posts[-1][1])


@pytest.mark.parametrize("kind", KINDS)
def test_without_an_address_of_the_page_there_is_no_link(server: ChatServer, kind: str) -> None:
    """Nothing leads to a computer that the reader is not at."""
    server.tell(channel(kind, server.url, page=""), delivery(move()))
    assert "http" not in json.dumps(server.posts[-1][1])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("market", [Market.SIMULATED, Market.REPLAYED])
def test_a_market_that_is_not_real_comes_first(
    server: ChatServer, kind: str, market: Market
) -> None:
    """Of one event, of several, and of a test."""
    for told in ([delivery(move())], burst(3), [trial()]):
        server.now += 5.0
        server.tell(channel(kind, server.url, market), *told)
        assert last(server, kind).lstrip("*").startswith(market.value)


@pytest.mark.parametrize("kind", KINDS)
def test_the_end_tells_how_long_it_was_and_how_far(server: ChatServer, kind: str) -> None:
    """With the figures as they were."""
    over = replace(move(value=-0.0193), updated_ts=NOW + 272, over_ts=NOW + 242)
    server.tell(channel(kind, server.url), delivery(over, Told.OVER))
    text = last(server, kind).replace("\\", "")
    assert "Over after 4 min 02 s, peak −1.93 %." in text
    assert "AAPL fell 1.93 % in 5 min" in text


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_worse_says_so(server: ChatServer, kind: str) -> None:
    """In a new message."""
    server.tell(channel(kind, server.url), delivery(move(severity="extreme"), Told.WORSE))
    assert "[now extreme] AAPL" in last(server, kind).replace("\\", "")


@pytest.mark.parametrize("kind", KINDS)
def test_states_of_one_event_that_go_together_are_one_line(server: ChatServer, kind: str) -> None:
    """The newest."""
    worse = replace(move(value=-0.02, severity="extreme"), updated_ts=NOW + 1)
    server.tell(channel(kind, server.url), delivery(move()), delivery(worse, Told.WORSE))
    text = last(server, kind).replace("\\", "")
    assert "fell 2.00 %" in text
    assert "fell 1.23 %" not in text


@pytest.mark.parametrize("kind", KINDS)
def test_a_test_says_that_it_is_one(server: ChatServer, kind: str) -> None:
    """And of no symbol anything."""
    assert isinstance(server.tell(channel(kind, server.url), trial()), Delivered)
    assert "This is a test" in last(server, kind)


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_dropped_is_said_alone_too(server: ChatServer, kind: str) -> None:
    """If nothing else is to be told."""
    assert isinstance(server.tell(channel(kind, server.url), late=1), Delivered)
    text = last(server, kind)
    assert text.count("1 earlier message was not sent") == 1
    assert "test" not in text.casefold()


def test_severity_is_how_loud_it_is(server: ChatServer) -> None:
    """The priority of ntfy, and whether Telegram makes a sound."""
    severities: tuple[Severity, ...] = ("watch", "alert", "extreme")
    for kind, key, expected in [
        ("ntfy", "priority", [3, 4, 5]),
        ("telegram", "disable_notification", [True, None, None]),
    ]:
        found = []
        for severity in severities:
            server.now += 5.0
            server.tell(channel(kind, server.url), delivery(move(severity=severity)))
            found.append(server.posts[-1][1].get(key))
        assert found == expected


# What is hostile.

HOSTILE: Final = (
    "<!channel> <@U1> @everyone **x** [a](http://evil.example) <b>&amp; `y` _z_ \u202e\n#"
)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [1, 2])
def test_hostile_text_is_text(server: ChatServer, kind: str, count: int) -> None:
    """Nobody is mentioned, nothing linked or formatted, no line added, no direction turned."""
    told = [delivery(move(f"{HOSTILE}{number}")) for number in range(count)]
    assert isinstance(server.tell(channel(kind, server.url), *told), Delivered)
    name, post = server.posts[-1]
    text = last(server, kind)
    assert "\u202e" not in json.dumps(post, ensure_ascii=False)
    assert len([line for line in text.split("\n") if "fell" in line]) == count
    if kind in ("hook", "bot"):
        for said in (text, post["text"]):
            assert "<!" not in said
            assert "<@" not in said
            assert "<b>" not in said
        formatted = [text for text in texts_of(post) if text["type"] == "mrkdwn"]
        assert not [text for text in formatted if "*x*" in text["text"]]
    if kind == "discord":
        assert post["allowed_mentions"] == {"parse": []}
        for sign in "*_`[]<>@#":
            bare = text.replace(f"\\{sign}", "")
            assert sign not in bare.replace("U+202E", "")
        assert "://" not in text.replace("\\:", "")
    if kind == "telegram":
        assert not {"parse_mode", "entities"} & post.keys()
        assert post["link_preview_options"] == {"is_disabled": True}
    assert name


# What is edited.


def over(event_id: str, reference: str) -> Delivery:
    ended = replace(move(event_id), updated_ts=NOW + 60, over_ts=NOW + 30)
    return replace(delivery(ended, Told.OVER), reference=reference)


@pytest.mark.parametrize("kind", EDITING)
def test_an_event_edits_its_own_message(server: ChatServer, kind: str) -> None:
    """By what the answer called it."""
    speaker = channel(kind, server.url)
    assert speaker.can_edit
    first = server.tell(speaker, delivery(move()))
    assert isinstance(first, Delivered)
    assert first.reference
    server.now += 5.0
    assert isinstance(server.tell(speaker, over("AAPL", first.reference)), Delivered)
    (text,) = [shown(kind, post) for post in server.messages.values()]
    assert "Over after 30 s" in text


@pytest.mark.parametrize("kind", EDITING)
def test_a_message_of_several_keeps_the_others(server: ChatServer, kind: str) -> None:
    """What is new of one stands beside what it told of them."""
    speaker = channel(kind, server.url)
    first = server.tell(speaker, delivery(move("AAPL")), delivery(move("TSLA")))
    assert isinstance(first, Delivered)
    server.now += 5.0
    both = (delivery(move("TSLA")), over("AAPL", first.reference))
    assert isinstance(server.tell(speaker, *both), Delivered)
    (text,) = [shown(kind, post).replace("\\", "") for post in server.messages.values()]
    assert "[alert, over after 30 s] AAPL" in text
    assert "[alert] TSLA" in text
    assert "2 moves in 1 s" in text


@pytest.mark.parametrize("kind", EDITING)
def test_a_message_that_is_gone_is_the_messages_own_trouble(server: ChatServer, kind: str) -> None:
    """Others may still be sent; ntfy simply shows what is new."""
    gone = {"bot": "C0123456789 1.1", "discord": "99", "telegram": "99", "ntfy": "mp_99"}[kind]
    told = server.tell(channel(kind, server.url), over("AAPL", gone))
    if kind == "ntfy":
        assert isinstance(told, Delivered)
    else:
        assert isinstance(told, Broken)
        assert told.scope is Scope.MESSAGE


def test_an_edit_that_changes_nothing_is_done(server: ChatServer) -> None:
    """Telegram answers 400 to it: an earlier try arrived."""
    speaker = channel("telegram", server.url)
    first = server.tell(speaker, delivery(move()))
    assert isinstance(first, Delivered)
    for _ in range(2):
        server.now += 5.0
        assert isinstance(server.tell(speaker, over("AAPL", first.reference)), Delivered)


def test_a_changed_notification_makes_no_sound(server: ChatServer) -> None:
    """It is on the phone already."""
    first = server.tell(channel("ntfy", server.url), delivery(move()))
    assert isinstance(first, Delivered)
    server.tell(channel("ntfy", server.url), over("AAPL", first.reference))
    assert [post["priority"] for _, post in server.posts] == [4, 2]


def test_an_older_ntfy_has_nothing_to_edit() -> None:
    """It would show each change anew."""
    with ChatServer(knows_sequences=False) as server:
        assert server.tell(channel("ntfy", server.url), delivery(move())) == Delivered("")


def test_a_thread_of_discord_is_edited_in_its_place(server: ChatServer) -> None:
    """The address may name it."""
    url = f"{server.url}/api/webhooks/1234567890/to-ken?thread_id=7"
    speaker = make(Destination(name="x", type="discord", url=url), PAGE)
    first = speaker.request([delivery(move())], NOW)
    later = speaker.request([over("AAPL", "55")], NOW)
    assert getattr(first, "url", "").endswith("/to-ken?thread_id=7&wait=true")
    assert getattr(later, "url", "").endswith("/to-ken/messages/55?thread_id=7")


# What answers mean.

SLOW: Final = RetryAt(7.0, "429 Too Many Requests", counts_as_failure=False)
TELEGRAM_SLOW: Final = {"ok": False, "error_code": 429, "parameters": {"retry_after": 7}}


def slack(error: str) -> Answer:
    return Answer(200, {"ok": False, "error": error})


def telegram(status: int, description: str) -> Answer:
    return Answer(status, {"ok": False, "error_code": status, "description": description})


def left(count: int, reset: str) -> dict[str, str]:
    return {"X-RateLimit-Remaining": str(count), "X-RateLimit-Reset-After": reset}


def refused(words: str) -> Broken:
    return Broken(Scope.DESTINATION, words)


@pytest.mark.parametrize(
    ("kind", "answer", "expected"),
    [
        ("hook", Answer(429, "", {"Retry-After": "7"}), SLOW),
        ("hook", Answer(429, ""), RetryAt(None, "429 Too Many Requests")),
        ("hook", Answer(400, "invalid_payload"), Broken(Scope.MESSAGE, "400: invalid_payload")),
        ("hook", Answer(400, "no_team"), refused("400: no_team")),
        ("hook", Answer(403, "action_prohibited"), refused("403: action_prohibited")),
        ("hook", Answer(404, "no_service"), refused("404: no_service")),
        (
            "hook",
            Answer(410, "channel_is_archived"),
            Broken(Scope.GONE, "410: channel_is_archived"),
        ),
        ("hook", Answer(500, "rollup_error"), RetryAt(None, "500: rollup_error")),
        ("bot", Answer(429, "", {"Retry-After": "7"}), SLOW),
        ("bot", slack("ratelimited"), RetryAt(None, "429: ratelimited")),
        ("bot", slack("internal_error"), RetryAt(None, "200: internal_error")),
        ("bot", slack("msg_too_long"), Broken(Scope.MESSAGE, "200: msg_too_long")),
        ("bot", slack("invalid_auth"), refused("200: invalid_auth")),
        ("bot", slack("not_in_channel"), refused("200: not_in_channel")),
        ("bot", slack("is_archived"), refused("200: is_archived")),
        ("bot", Answer(200, "<html>"), RetryAt(None, "200: not an answer of Slack's")),
        ("discord", Answer(429, {"retry_after": 7.0}), SLOW),
        ("discord", Answer(429, {"retry_after": 7000.0}), SLOW),
        ("discord", Answer(429, "<html>", {"Retry-After": "7"}), SLOW),
        (
            "discord",
            Answer(400, {"code": 50035}),
            Broken(Scope.MESSAGE, "400: the message is malformed"),
        ),
        ("discord", Answer(404, {"code": 10015}), refused("404: the webhook is gone")),
        ("discord", Answer(401, {"code": 50027}), refused("401: the webhook's token is invalid")),
        ("discord", Answer(502, "<html>"), RetryAt(None, "502 Bad Gateway")),
        ("discord", Answer(200, "<html>"), Delivered("")),
        ("discord", Answer(200, {"id": "7"}, left(0, "1.5")), Delivered("7", 1.5)),
        ("discord", Answer(200, {"id": "7"}, left(3, "1.5")), Delivered("7")),
        ("discord", Answer(200, {"id": "7"}, left(0, "soon")), Delivered("7")),
        ("discord", Answer(200, {"id": "../../x"}), Delivered("")),
        ("telegram", Answer(429, TELEGRAM_SLOW), SLOW),
        ("telegram", Answer(429, "", {"Retry-After": "7"}), SLOW),
        ("telegram", telegram(401, "Unauthorized"), refused("401 Unauthorized")),
        ("telegram", telegram(404, "Not Found"), refused("404 Not Found")),
        (
            "telegram",
            telegram(403, "Forbidden: bot was kicked from the supergroup chat"),
            refused("403: the bot was removed from the group"),
        ),
        (
            "telegram",
            telegram(400, "Bad Request: group chat was upgraded to a supergroup chat"),
            refused("400: the group is a supergroup now, whose number is another one"),
        ),
        (
            "telegram",
            telegram(400, "Bad Request: message text is empty"),
            Broken(Scope.MESSAGE, "400 Bad Request"),
        ),
        ("telegram", Answer(502, "<html>"), RetryAt(None, "502 Bad Gateway")),
        ("telegram", Answer(200, "<html>"), RetryAt(None, "200: not an answer of Telegram's")),
        ("ntfy", Answer(429, {"code": 42901}), RetryAt(5.0, "429 Too Many Requests", False)),
        (
            "ntfy",
            Answer(429, {"code": 42908}),
            RetryAt(3600.0, "429: the messages of a day are used up", False),
        ),
        ("ntfy", Answer(429, "", {"Retry-After": "7"}), SLOW),
        ("ntfy", Answer(401, {"code": 40101}), refused("401 Unauthorized")),
        ("ntfy", Answer(400, {"code": 40009}), refused("400: its topic is not allowed")),
        ("ntfy", Answer(413, "<html>"), Broken(Scope.MESSAGE, "413 Request Entity Too Large")),
        ("ntfy", Answer(200, "<html>"), Delivered("")),
    ],
)
def test_what_an_answer_means(
    server: ChatServer, kind: str, answer: Answer, expected: object
) -> None:
    """The service's own forms, and what a proxy before it may say."""
    server.answers.append(answer)
    assert server.tell(channel(kind, server.url), delivery(move())) == expected


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("status", [200, 301, 400, 401, 404, 410, 429, 500])
def test_no_words_are_the_other_sides(server: ChatServer, kind: str, status: int) -> None:
    """It may quote the address or a token."""
    quoted = f"no {server.url}/to-ken {BOT} {TOKEN} {SLACK_TOKEN}"
    said = {"ok": False, "error": quoted, "description": quoted, "message": quoted}
    for body in (quoted, said):
        server.answers.append(Answer(status, body))
        found = str(server.tell(channel(kind, server.url), delivery(move())))
        assert not [word for word in ("to-ken", BOT, TOKEN, SLACK_TOKEN, "127.0") if word in found]


@pytest.mark.parametrize("kind", KINDS)
def test_a_channel_shows_no_secret_of_its_own(kind: str) -> None:
    """Nor what it is about to send."""
    speaker = channel(kind, "http://example.org")
    said = f"{speaker} {speaker.request([delivery(move())], NOW)}"
    secrets = [BOT, TOKEN, SLACK_TOKEN, "to-ken", "/services/T/B/x"]
    assert not [secret for secret in secrets if secret in said]


def test_a_wrong_token_is_refused(server: ChatServer) -> None:
    """Whoever has one can tell."""
    for kind in ("bot", "telegram", "ntfy"):
        told = server.tell(channel(kind, server.url, secret="1:wrong"), delivery(move()))  # noqa: S106
        assert isinstance(told, Broken)
        assert told.scope is Scope.DESTINATION
