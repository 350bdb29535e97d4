"""Posting: one HTTP request to a destination, and its answer or why there is none.

An address or a header may hold a secret: nothing here logs, raises or returns one.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from functools import partial
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from alerts.apart import apart
from alerts.channel import Answer, Broken, Request, RetryAt, Scope
from alerts.guard import is_public

__all__ = ["Post"]

MOST_BYTES: Final = 64 * 1024
"""So much of an answer is read."""

_KEEP_SEC: Final = 2.0
"""A connection is used again only so soon after: many servers end those that rest."""

_HEADERS: Final = {"User-Agent": "market-pulse", "Accept-Encoding": "identity"}
"""What is not compressed cannot swell."""


class _NotPublicError(OSError):
    """A connection to an address that is not public was refused here."""


class _Names(AbstractResolver):
    """Looks up one name at a time, so that one nobody answers for takes no thread of another's."""

    def __init__(self) -> None:
        self._asked: asyncio.Future[list[ResolveResult]] | None = None

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of a host; if the last question still waits, the answer to that."""
        if self._asked is None or self._asked.done():
            self._asked = apart("market-pulse-names", partial(_addresses, host, port, family))
        return await asyncio.shield(self._asked)

    async def close(self) -> None:
        """Nothing is open."""


class Post:
    """Sends requests to one destination, over connections of its own; open as a context.

    Only to public addresses unless it ``is_private``, only by https unless it ``is_insecure``. No
    redirect is followed, no proxy of the environment used, no cookie kept.
    """

    def __init__(self, answer_sec: float, *, is_private: bool, is_insecure: bool) -> None:
        self._answer_sec = answer_sec
        self._is_private = is_private
        self._is_insecure = is_insecure
        self._was_refused = False
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                resolver=_Names(),
                socket_factory=self._socket,
                keepalive_timeout=_KEEP_SEC,
                limit=1,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=_HEADERS,
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=self._answer_sec),
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def send(self, request: Request) -> Answer | RetryAt | Broken:
        """The answer to a request, of which only so much is read as is of use."""
        if self._session is None:
            raise RuntimeError("the session is not open; use this as a context")
        if urlsplit(request.url).scheme != "https" and not self._is_insecure:
            return Broken(
                Scope.DESTINATION, "its address is not https: insecure = true would allow that"
            )
        self._was_refused = False
        try:
            async with self._session.request(
                request.method,
                request.url,
                headers=request.headers,
                data=request.body,
                allow_redirects=False,
            ) as answer:
                headers = {name.lower(): value for name, value in answer.headers.items()}
                return Answer(answer.status, headers, await _body(answer))
        except TimeoutError:
            return RetryAt(None, f"no answer within {self._answer_sec:g} s")
        except aiohttp.ClientConnectorDNSError:
            return RetryAt(None, "its name was not found")
        except aiohttp.ClientConnectorCertificateError:
            return RetryAt(None, "its certificate cannot be trusted")
        except aiohttp.ClientSSLError:
            return RetryAt(None, "no secure connection")
        except OSError as error:
            if self._was_refused:
                return Broken(
                    Scope.DESTINATION,
                    "its address is not public: private = true would allow that",
                )
            return RetryAt(None, f"no connection: {errno.errorcode.get(error.errno or 0, 'error')}")
        except (aiohttp.InvalidURL, ValueError):
            return Broken(Scope.DESTINATION, "its address cannot be read")
        except aiohttp.ClientError as error:
            # The other side's own text may quote the address.
            return RetryAt(None, f"the connection broke: {type(error).__name__}")

    def _socket(self, info: aiohttp.AddrInfoType) -> socket.socket:
        """A socket for an address that was found, if it may be connected to."""
        family, kind, protocol, _, address = info
        if not self._is_private and not is_public(str(address[0])):
            self._was_refused = True
            raise _NotPublicError("the address is not public")
        return socket.socket(family, kind, protocol)


def _addresses(host: str, port: int, family: socket.AddressFamily) -> list[ResolveResult]:
    """What the system knows of a host; a destination has one, so it is always the same."""
    found = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)
    return [
        ResolveResult(
            hostname=host,
            # With the scope, if it has one: what is of one link only is not public.
            host=str(address[0]),
            port=int(address[1]),
            family=kind,
            proto=protocol,
            flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
        )
        for kind, _, protocol, _, address in found
    ]


async def _body(answer: aiohttp.ClientResponse) -> bytes:
    """The beginning of an answer; the rest of one that is too long is never read."""
    body = bytearray()
    async for piece in answer.content.iter_any():
        body += piece
        if len(body) >= MOST_BYTES:
            answer.close()
            break
    return bytes(body[:MOST_BYTES])
