"""Mailing: one e-mail handed to the server of a destination, or why it was not taken.

The address of a destination is ``smtp://user@host:587``, with STARTTLS unless it is insecure, or
``smtps://user@host:465``; its secret is the password. Nothing here logs, raises or returns either.
"""

from __future__ import annotations

import smtplib
import socket
import ssl
from contextlib import closing, suppress
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate
from typing import Final
from urllib.parse import unquote, urlsplit

from alerts.channel import Answer, Broken, Mail, RetryAt, Scope
from alerts.guard import is_public
from settings.destinations import Destination

__all__ = ["mail"]

_PORTS: Final = {"smtp": 587, "smtps": 465}

_TAKEN: Final = 250
"""The code of a reply that all is well."""


class _NotPublicError(OSError):
    """A connection to an address that is not public was refused here."""


class _NoTlsError(smtplib.SMTPException):
    """The server offers no secure connection."""


def mail(message: Mail, destination: Destination, timeout_sec: float) -> Answer | RetryAt | Broken:
    """Hand a message to the server; waits for each of its answers as long as that at most."""
    try:
        with closing(_connected(destination, timeout_sec)) as server:
            server.send_message(_written(message, destination))
            # It is taken, whatever is answered to that.
            with suppress(smtplib.SMTPException, OSError):
                server.quit()
    except _NotPublicError:
        return Broken(
            Scope.DESTINATION, "its address is not public: private = true would allow that"
        )
    except _NoTlsError:
        return Broken(
            Scope.DESTINATION, "no secure connection is offered: insecure = true would allow that"
        )
    except smtplib.SMTPRecipientsRefused as error:
        return Answer(max(code for code, _ in error.recipients.values()))
    except smtplib.SMTPConnectError as error:
        return RetryAt(None, f"{error.smtp_code}: the mail server is not to be spoken to now")
    except smtplib.SMTPResponseException as error:
        return Answer(error.smtp_code)
    except ssl.SSLError:
        return RetryAt(None, "no secure connection, or its certificate cannot be trusted")
    except smtplib.SMTPException as error:
        return RetryAt(None, f"the connection broke: {type(error).__name__}")
    except TimeoutError:
        return RetryAt(None, f"no answer within {timeout_sec:g} s")
    except socket.gaierror:
        return RetryAt(None, "its name was not found")
    except OSError as error:
        return RetryAt(None, f"no connection: {error.strerror or type(error).__name__}")
    except ValueError:
        return Broken(Scope.DESTINATION, "its address cannot be read")
    return Answer(_TAKEN)


def _connected(destination: Destination, timeout_sec: float) -> smtplib.SMTP:
    """A server that knows who we are; whoever gets it closes it."""
    parts = urlsplit(destination.url)
    host, port = parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0)
    secure = ssl.create_default_context()
    server: smtplib.SMTP
    if parts.scheme == "smtps":
        server = _Secure(host, port, timeout_sec, secure, is_private=destination.is_private)
    else:
        server = _Plain(host, port, timeout_sec, is_private=destination.is_private)
    try:
        if parts.scheme != "smtps":
            _begin_tls(server, secure, is_wanted=not destination.is_insecure)
        if parts.username and destination.secret:
            server.login(unquote(parts.username), destination.secret)
    except BaseException:
        server.close()
        raise
    return server


def _begin_tls(server: smtplib.SMTP, secure: ssl.SSLContext, *, is_wanted: bool) -> None:
    """Go on over a secure connection, if the server has one."""
    server.ehlo()
    if server.has_extn("starttls"):
        server.starttls(context=secure)
    elif is_wanted:
        raise _NoTlsError


class _Plain(smtplib.SMTP):
    """A client that looks at the address it connects to, for which the library has this hook."""

    def __init__(self, host: str, port: int, timeout_sec: float, *, is_private: bool) -> None:
        self._is_private = is_private
        super().__init__(host, port, timeout=timeout_sec)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        return _socket(host, port, timeout, is_private=self._is_private)


class _Secure(smtplib.SMTP_SSL):
    """The same with a secure connection from the first byte on."""

    def __init__(
        self, host: str, port: int, timeout_sec: float, secure: ssl.SSLContext, *, is_private: bool
    ) -> None:
        self._is_private, self._secure, self._name = is_private, secure, host
        super().__init__(host, port, timeout=timeout_sec, context=secure)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        found = _socket(host, port, timeout, is_private=self._is_private)
        try:
            return self._secure.wrap_socket(found, server_hostname=self._name)
        except BaseException:
            found.close()
            raise


def _socket(host: str, port: int, timeout_sec: float, *, is_private: bool) -> socket.socket:
    """A socket that is connected to the first address of a host that answers."""
    refusal = OSError("the name has no address")
    for family, kind, protocol, _, address in socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM
    ):
        if not is_private and not is_public(str(address[0])):
            raise _NotPublicError("the address is not public")
        found = socket.socket(family, kind, protocol)
        found.settimeout(timeout_sec)
        try:
            found.connect(address)
        except OSError as error:
            found.close()
            refusal = error
        else:
            return found
    raise refusal


def _written(message: Mail, destination: Destination) -> EmailMessage:
    found = EmailMessage(policy=SMTP)
    found["Subject"] = message.subject
    found["From"] = destination.sender
    found["To"] = destination.to
    found["Date"] = formatdate(usegmt=True)
    found["Message-ID"] = message.message_id
    found["Auto-Submitted"] = "auto-generated"
    found.set_content(message.text)
    return found
