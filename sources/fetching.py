"""Fetching: one HTTP request, and why it has no answer in words of our own.

An address or a header may hold the key: nothing here logs, raises or reports one.
"""

from __future__ import annotations

import errno
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import partial
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp

from feeds import Trouble
from vendors.rest import Request

__all__ = ["Fetch", "Fetcher", "Manners", "NoAnswerError"]

Fetch = Callable[[Request], Awaitable[bytes]]
"""Sends a request and returns the body of its answer; raises ``NoAnswerError``."""

_HEADERS: Final = {"User-Agent": "market-pulse", "Accept-Encoding": "identity"}
"""Some vendors turn away who does not say what it is. What is not compressed cannot swell."""

_MOST_BYTES: Final = 4 * 1024 * 1024
"""Of an answer; a thousand symbols have some 100 KB."""

_REFUSALS: Final[Mapping[int, Trouble]] = {
    401: Trouble.KEY_REFUSED,
    402: Trouble.HTTP_ERROR,
    403: Trouble.HTTP_ERROR,
    451: Trouble.UNAVAILABLE,
}
"""Statuses that tell who asks to ask no more, whatever it is; 402: the account's calls of a day are
used up."""

_THROTTLED: Final = (418, 429)
"""418: Binance, to who went on asking after 429."""


@dataclass(frozen=True, slots=True)
class Manners:
    """How long to wait for what, in seconds."""

    answer_sec: float = 10.0
    """For a whole answer."""
    backoff_floor_sec: float = 5.0
    backoff_cap_sec: float = 300.0
    throttled_sec: float = 60.0
    """After a vendor said that it is asked too often, and not for how long to leave it alone."""
    longest_sec: float = 3600.0
    """The longest wait that a vendor may ask for."""
    look_sec: float = 60.0
    """How often it is looked whether a new day has begun."""


class NoAnswerError(Exception):
    """There is no answer of use: why, and what that means for the next requests."""

    def __init__(
        self,
        trouble: Trouble,
        *,
        code: int | None = None,
        seconds: float | None = None,
        wait_sec: float | None = None,
        is_lasting: bool = False,
        is_refusal: bool = False,
    ) -> None:
        super().__init__(trouble)
        self.trouble = trouble
        self.code = code
        self.seconds = seconds
        self.wait_sec = wait_sec
        """For how long the vendor wants to be left alone; None: it says nothing."""
        self.is_lasting = is_lasting
        """Whether the same request will have the same answer, ..."""
        self.is_refusal = is_refusal
        """... and every other one of its kind as well."""


class Fetcher:
    """Sends requests; ``clock`` is the source's."""

    def __init__(self, manners: Manners, clock: Callable[[], float]) -> None:
        self._manners = manners
        self._clock = clock

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Fetch]:
        """What sends requests as long as this is open."""
        async with aiohttp.ClientSession(
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=_HEADERS,
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=self._manners.answer_sec),
        ) as session:
            yield partial(self._get, session)

    async def _get(self, session: aiohttp.ClientSession, request: Request) -> bytes:
        """See ``Fetch``; no error has any text of the other side."""
        try:
            async with session.get(
                request.url,
                headers=request.headers,
                allow_redirects=False,  # the key is for one host alone
                proxy=_proxy(request.url),
            ) as answer:
                if answer.status != HTTPStatus.OK:
                    raise self._rejected(answer)
                if answer.headers.get("Content-Encoding", "identity") != "identity":
                    raise NoAnswerError(Trouble.UNREADABLE, is_lasting=True)
                body = bytearray()
                async for piece in answer.content.iter_any():
                    body += piece
                    if len(body) > _MOST_BYTES:
                        raise NoAnswerError(Trouble.UNREADABLE, is_lasting=True)
                return bytes(body)
        except TimeoutError:
            seconds = self._manners.answer_sec
            raise NoAnswerError(Trouble.NO_ANSWER, seconds=seconds) from None
        except aiohttp.ClientConnectorDNSError:
            raise NoAnswerError(Trouble.NAME_NOT_FOUND) from None
        except aiohttp.ClientConnectorCertificateError:
            raise NoAnswerError(Trouble.CERTIFICATE) from None
        except aiohttp.ClientSSLError:
            raise NoAnswerError(Trouble.NOT_SECURE) from None
        except OSError as error:
            raise NoAnswerError(Trouble.NO_CONNECTION, code=error.errno) from None
        except (aiohttp.ServerConnectionError, aiohttp.ClientPayloadError):
            raise NoAnswerError(Trouble.NO_CONNECTION, code=errno.ECONNRESET) from None
        except (aiohttp.ClientError, ValueError):
            # Its own text may quote the address.
            raise NoAnswerError(Trouble.UNREADABLE) from None

    def _rejected(self, answer: aiohttp.ClientResponse) -> NoAnswerError:
        status, wait_sec = answer.status, self._retry_after(answer)
        if status in _THROTTLED:
            least = self._manners.throttled_sec if wait_sec is None else wait_sec
            return NoAnswerError(Trouble.THROTTLED, code=status, wait_sec=least)
        if status in _REFUSALS:
            trouble = _REFUSALS[status]
            return NoAnswerError(trouble, code=status, is_lasting=True, is_refusal=True)
        is_lasting = status < HTTPStatus.INTERNAL_SERVER_ERROR
        is_lasting = is_lasting and status != HTTPStatus.REQUEST_TIMEOUT
        return NoAnswerError(
            Trouble.HTTP_ERROR, code=status, wait_sec=wait_sec, is_lasting=is_lasting
        )

    def _retry_after(self, answer: aiohttp.ClientResponse) -> float | None:
        """What the vendor asks for, in seconds or as a date; None if that is not to be read."""
        text = answer.headers.get("Retry-After", "").strip()
        if text.isdecimal():
            return min(float(text), self._manners.longest_sec)
        try:
            wait_sec = parsedate_to_datetime(text).timestamp() - self._clock()
        except (ValueError, OverflowError):
            return None
        return min(max(wait_sec, 0.0), self._manners.longest_sec)


def _proxy(url: str) -> str | None:
    """The environment's proxy for an address; none for this machine."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if host in ("127.0.0.1", "localhost", "::1") or proxy_bypass(host):
        return None
    return getproxies().get(parts.scheme)
