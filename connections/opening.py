"""Opening a connection to a vendor, and why there is none in words of our own.

An address or a header may hold the key: nothing here logs, raises or reports one.
"""

from __future__ import annotations

import errno
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.datastructures import Headers
from websockets.exceptions import InvalidStatus, WebSocketException

from connections.ending import EndedError, meant
from connections.line import Line
from connections.pace import Timing
from connections.status import Trouble
from ticks import Asset
from vendors.wire import NoticeKind, Vendor

__all__ = ["Connect", "host_of", "open_connection"]

_logger = logging.getLogger(__name__)

_MAX_FRAME_BYTES: Final = 256 * 1024
"""A trade has some 160 bytes, and one order may make a thousand of them, which some vendors send in
one message; a longer one ends the connection."""

_DIGITS: Final = 9
"""A number of seconds is cut after this many: no true one has as many."""

_LONGEST_WAIT_SEC: Final = 3600.0
"""The longest wait that a vendor may ask for: one mistake must not stop a feed for days."""


class _WireLog(logging.LoggerAdapter[logging.Logger]):
    """The library's log without DEBUG, at which it prints the request line, key included."""

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802 - the name in logging
        return level > logging.DEBUG and super().isEnabledFor(level)


class Connect(connect):
    """The library's ``connect``, following no redirect: the key is for one host alone."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        """Refuse it."""
        return exc


def host_of(url: str) -> str:
    """The name of the host in an address, which holds no key; empty if there is none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


async def open_connection(
    make: Callable[..., Awaitable[ClientConnection]],
    url: str,
    vendor: Vendor,
    asset: Asset,
    timing: Timing,
) -> ClientConnection:
    """Open a connection to ``url``, which may hold the key.

    Raises:
        EndedError: if there is none, without any text of the other side or of the library.
    """
    try:
        is_local = host_of(url) in ("127.0.0.1", "localhost", "::1")
        return await make(
            url,
            additional_headers=vendor.headers(asset),
            open_timeout=timing.open_sec,
            close_timeout=timing.close_sec,
            ping_interval=timing.ping_sec,
            ping_timeout=timing.ping_sec,
            create_connection=Line,
            max_size=_MAX_FRAME_BYTES,
            compression=None,
            # A proxy of the environment is for the world, not for this machine.
            proxy=None if is_local else True,
            logger=_WireLog(logging.getLogger("websockets.client")),
        )
    except InvalidStatus as error:
        raise _rejected(error, vendor, timing) from None
    except TimeoutError:
        raise EndedError(Trouble.NO_ANSWER, seconds=timing.open_sec) from None
    except ssl.SSLCertVerificationError as error:
        raise EndedError(Trouble.CERTIFICATE, code=error.verify_code) from None
    except ssl.SSLError:
        raise EndedError(Trouble.NOT_SECURE) from None
    except socket.gaierror:
        raise EndedError(Trouble.NAME_NOT_FOUND) from None
    except ConnectionResetError:  # without a number, in the midst of encrypting
        raise EndedError(Trouble.NO_CONNECTION, code=errno.ECONNRESET) from None
    except OSError as error:
        raise EndedError(Trouble.NO_CONNECTION, code=error.errno) from None
    except (WebSocketException, ValueError, ImportError) as error:
        # Its own text may quote the address. ImportError: of a SOCKS proxy in the environment.
        _logger.info("%s feed: no WebSocket: %s", asset, type(error).__name__)
        raise EndedError(Trouble.NO_WEBSOCKET) from None


def _rejected(error: InvalidStatus, vendor: Vendor, timing: Timing) -> EndedError:
    code, asked_sec = error.response.status_code, _retry_after(error.response.headers)
    kind = vendor.rejection(code)
    ended = meant(kind, code, timing, asked_sec)
    if ended is None or kind in (NoticeKind.BAD_REQUEST, NoticeKind.SERVER_ERROR):
        is_refusal = kind is NoticeKind.BAD_REQUEST
        wait_sec = max(timing.refused_sec, asked_sec) if is_refusal else asked_sec or None
        return EndedError(Trouble.HTTP_ERROR, code=code, is_refusal=is_refusal, wait_sec=wait_sec)
    return ended


def _retry_after(headers: Headers) -> float:
    """For how many seconds the vendor wants to be left alone; 0: it does not say.

    It may say until when instead, by its own clock, which its ``Date`` tells.
    """

    def first(name: str) -> str:
        # Not get(), which raises if the header is repeated.
        return next(iter(headers.get_all(name)), "")

    after = first("Retry-After")
    if after.isdecimal():
        return min(float(after[:_DIGITS]), _LONGEST_WAIT_SEC)
    try:
        span = parsedate_to_datetime(after) - parsedate_to_datetime(first("Date"))
    except (TypeError, ValueError, OverflowError):
        return 0.0
    return min(max(0.0, span.total_seconds()), _LONGEST_WAIT_SEC)
