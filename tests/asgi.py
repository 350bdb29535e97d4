"""Asking an ASGI application without a server."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.types import Message

__all__ = ["asked"]


def asked(
    app: Any, path: str, *headers: tuple[str, str], sent: list[Message] | None = None
) -> list[Message]:
    """What an ASGI application sends for a request."""
    sent = [] if sent is None else sent

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    raw = [(name.lower().encode(), value.encode()) for name, value in headers]
    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "root_path": "",
        "headers": raw,
        "query_string": b"",
    }
    asyncio.run(app(scope, receive, send))
    return sent
