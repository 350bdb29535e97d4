"""ChatServer: one real HTTP server that answers as Slack, Discord, Telegram and ntfy do.

It enforces their documented limits, of sizes and of pace, on a clock that the test sets.
"""

from __future__ import annotations

import json
import re
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import parse_qs, urlsplit

from alerts.channel import Channel, Outcome, Request
from history.deliveries import Delivery
from tests.waiting import HANG_SEC

__all__ = ["BOT", "GROUP", "SLACK_TOKEN", "TOKEN", "Answer", "ChatServer"]

SLACK_TOKEN: Final = "xoxb-1234567890-abcdefghijkl"  # noqa: S105 - of no account
TOKEN: Final = "tk_abcdefghijklmnopqrstuvwxyz123"  # noqa: S105 - of no account
BOT: Final = "123456789:AAabcdefghijklmnopqrstuvwxyz0123456"
GROUP: Final = -1001234567890


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered to a request."""

    status: int = 200
    body: Any = ""
    """Text as it is, anything else as JSON."""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Pace:
    """So many messages within so many seconds."""

    most: int
    within_sec: float
    taken: deque[float] = field(default_factory=deque)

    def wait(self, now: float) -> float:
        """Take one; or how long to wait for the next, above 0."""
        while self.taken and self.taken[0] <= now - self.within_sec:
            self.taken.popleft()
        if len(self.taken) < self.most:
            self.taken.append(now)
            return 0.0
        return self.taken[0] + self.within_sec - now

    def left(self) -> int:
        """How many may still come."""
        return self.most - len(self.taken)


class ChatServer:
    """The server, in use as a context; ``now`` is its clock, which stands still unless it has one.

    ``answers`` are given instead of its own, in order. ``posts`` are the bodies it took, each with
    the name of what was asked of it.
    """

    def __init__(
        self, *, knows_sequences: bool = True, clock: Callable[[], float] | None = None
    ) -> None:
        self.now = 0.0
        self._clock = clock
        self.answers: deque[Answer] = deque()
        self.posts: list[tuple[str, dict[str, Any]]] = []
        self.messages: dict[str, dict[str, Any]] = {}
        """What stands there now, by the name of each message."""
        self._knows_sequences = knows_sequences
        self._slack = Pace(1, 1.0)
        self._discord = Pace(5, 2.0)
        self._telegram = [Pace(1, 1.0), Pace(20, 60.0)]
        self._ntfy = 60.0
        self._ntfy_at = self.now
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                headers = {name.lower(): value for name, value in self.headers.items()}
                said = server.answered(self.command, self.path, headers, self.rfile.read(length))
                is_text = isinstance(said.body, str)
                body = said.body.encode() if is_text else json.dumps(said.body).encode()
                self.send_response(said.status)
                for name, value in said.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_PATCH = do_POST  # noqa: N815 - its name there

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join(HANG_SEC)
        self._server.server_close()

    def tell(self, channel: Channel, *deliveries: Delivery, late: int = 0) -> Outcome:
        """Send what a channel makes of deliveries, and what the channel makes of the answer."""
        request = channel.request(deliveries, self.now, late=late)
        assert isinstance(request, Request)
        parts = urlsplit(request.url)
        assert f"http://{parts.netloc}" == self.url
        connection = HTTPConnection(parts.netloc, timeout=HANG_SEC)
        try:
            path = f"{parts.path}?{parts.query}" if parts.query else parts.path
            connection.request(request.method, path, request.body, dict(request.headers))
            answer = connection.getresponse()
            headers = {name.lower(): value for name, value in answer.getheaders()}
            return channel.outcome(answer.status, headers, answer.read(), self.now)
        finally:
            connection.close()

    def answered(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """What is answered to a request."""
        if self.answers:
            return self.answers.popleft()
        if self._clock is not None:
            self.now = self._clock()
        post = json.loads(body)
        assert headers["content-type"].startswith("application/json")
        parts = urlsplit(target)
        if parts.path.startswith("/services/"):
            return self._hook(post)
        if parts.path.startswith("/slack/"):
            return self._bot(parts.path.rpartition("/")[2], headers, post)
        if parts.path.startswith("/api/webhooks/"):
            return self._webhook(method, parts.path, parse_qs(parts.query), post)
        if parts.path.startswith("/bot"):
            return self._telegram_bot(parts.path, post)
        return self._topic(headers, post)

    def _took(self, name: str, post: dict[str, Any], message: str) -> None:
        self.posts.append((name, post))
        self.messages[message] = post

    # Slack.

    def _hook(self, post: dict[str, Any]) -> Answer:
        wrong = _wrong_slack(post, most_text=40_000)
        if wrong:
            return Answer(400, wrong)
        if wait := self._slack.wait(self.now):
            return Answer(429, "rate_limited", {"Retry-After": f"{wait:.0f}"})
        self._took("hook", post, f"hook {len(self.posts)}")
        return Answer(200, "ok")

    def _bot(self, method: str, headers: Mapping[str, str], post: dict[str, Any]) -> Answer:
        if headers.get("authorization") != f"Bearer {SLACK_TOKEN}":
            return Answer(200, {"ok": False, "error": "invalid_auth"})
        wrong = _wrong_slack(post, most_text=4000)
        if wrong:
            return Answer(200, {"ok": False, "error": wrong})
        if wait := self._slack.wait(self.now):
            asked = {"Retry-After": f"{max(1.0, wait):.0f}"}
            return Answer(429, {"ok": False, "error": "ratelimited"}, asked)
        if method == "chat.update":
            if post["ts"] not in self.messages or post["channel"] != "C0123456789":
                return Answer(200, {"ok": False, "error": "message_not_found"})
            ts = post["ts"]
        else:
            ts = f"17957281{len(self.posts):02d}.000200"
        self._took(method, post, ts)
        return Answer(200, {"ok": True, "channel": "C0123456789", "ts": ts, "message": {}})

    # Discord.

    def _webhook(
        self, method: str, path: str, query: Mapping[str, list[str]], post: dict[str, Any]
    ) -> Answer:
        if set(post) - {"embeds", "allowed_mentions"} or not _is_embeds(post["embeds"]):
            return Answer(400, {"code": 50035, "message": "Invalid Form Body", "errors": {}})
        found = re.fullmatch(r"/api/webhooks/1234567890/to-ken(?:/messages/([0-9]+))?", path)
        if found is None:
            return Answer(404, {"code": 10015, "message": "Unknown Webhook"})
        if (method == "PATCH") != bool(found[1]):
            return Answer(405, {"code": 0, "message": "405: Method Not Allowed"})
        if found[1] and found[1] not in self.messages:
            return Answer(404, {"code": 10008, "message": "Unknown Message"})
        wait = self._discord.wait(self.now)
        if wait:
            return Answer(
                429,
                {"message": "You are being rate limited.", "retry_after": wait, "global": False},
                {"Retry-After": f"{wait:.0f}", "X-RateLimit-Scope": "user"},
            )
        name = found[1] or str(10**18 + len(self.posts))
        self._took(method, post, name)
        left = {
            "X-RateLimit-Remaining": str(self._discord.left()),
            "X-RateLimit-Reset-After": f"{self._discord.taken[0] + 2.0 - self.now:.3f}",
        }
        if method == "POST" and query.get("wait") != ["true"]:
            return Answer(204, "", left)
        return Answer(200, {"id": name, "type": 0, "embeds": post["embeds"]}, left)

    # Telegram.

    def _telegram_bot(self, path: str, post: dict[str, Any]) -> Answer:
        _, token, method = path.split("/") if path.count("/") == 2 else ("", "", "")
        if token != f"bot{BOT}":
            return _refused(401, "Unauthorized")
        if post["chat_id"] != GROUP:
            return _refused(400, "Bad Request: chat not found")
        if "parse_mode" in post or not 0 < len(post["text"].encode("utf-16-le")) // 2 <= 4096:
            return _refused(400, "Bad Request: message is too long")
        waits = [pace.wait(self.now) for pace in self._telegram]
        if any(waits):
            wait = int(max(waits)) + 1
            again = {"retry_after": wait}
            return _refused(429, f"Too Many Requests: retry after {wait}", again)
        if method == "editMessageText":
            before = self.messages.get(str(post["message_id"]))
            if before is None:
                return _refused(400, "Bad Request: message to edit not found")
            if before["text"] == post["text"]:
                return _refused(
                    400, "Bad Request: message is not modified: specified new message content"
                )
        number = post.get("message_id", 100 + len(self.posts))
        self._took(method, post, str(number))
        return Answer(200, {"ok": True, "result": {"message_id": number, "text": post["text"]}})

    # ntfy.

    def _topic(self, headers: Mapping[str, str], post: dict[str, Any]) -> Answer:
        if headers.get("authorization") != f"Bearer {TOKEN}":
            return _error(403, 40301, "forbidden")
        if len(post["title"].encode()) > 1024:
            return _error(400, 40057, "title too long")
        if len(",".join(post["tags"]).encode()) > 512 or post["priority"] not in range(1, 6):
            return _error(400, 40007, "invalid priority parameter")
        if len(post["message"].encode()) > 4096:
            return _error(400, 40014, "attachments not allowed")
        self._ntfy = min(60.0, self._ntfy + (self.now - self._ntfy_at) / 5.0)
        self._ntfy_at = self.now
        if self._ntfy < 1.0:
            return _error(429, 42901, "limit reached: too many requests, please be nice")
        self._ntfy -= 1.0
        name = f"msg{len(self.posts)}"
        sequence = post.get("sequence_id", "") if self._knows_sequences else ""
        self._took("publish", post, sequence or name)
        said = {"id": name, "time": 1, "event": "message", "topic": post["topic"]}
        return Answer(200, {**said, **({"sequence_id": sequence} if sequence else {})})


def _wrong_slack(post: dict[str, Any], most_text: int) -> str:
    """The word for what is wrong with a post; empty if nothing is."""
    if len(post["text"].encode()) > most_text:
        return "msg_too_long"
    blocks = post["blocks"]
    if not 1 <= len(blocks) <= 50:
        return "invalid_blocks"
    for block in blocks:
        texts = [block["text"]] if block["type"] == "section" else block["elements"]
        if len(texts) > 10 or not all(0 < len(text["text"]) <= 3000 for text in texts):
            return "invalid_blocks"
    return ""


def _is_embeds(embeds: list[dict[str, Any]]) -> bool:
    sizes = [(_units(one["title"]), _units(one["description"])) for one in embeds]
    hosts = [urlsplit(one["url"]).hostname or "" for one in embeds if "url" in one]
    return (
        len(embeds) <= 10
        and all("." in host for host in hosts)
        and all(len(one.get("url", "")) <= 2048 for one in embeds)
        and all(0 < title <= 256 and 0 < text <= 4096 for title, text in sizes)
        and sum(map(sum, sizes)) <= 6000
    )


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def _refused(status: int, description: str, parameters: Any = None) -> Answer:
    said = {"ok": False, "error_code": status, "description": description}
    return Answer(status, {**said, **({"parameters": parameters} if parameters else {})})


def _error(status: int, code: int, error: str) -> Answer:
    return Answer(status, {"code": code, "http": status, "error": error})
