"""Certificates that must not be accepted: each is named as what it is, at a real TLS server."""

from __future__ import annotations

import asyncio
import ssl
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme
from websockets.asyncio.server import ServerConnection, serve

from feeds import Feed, FeedState, TickQueue, Timing
from page.troubles import feed_reason
from tests.waiting import HANG_SEC
from vendors.eodhd import Eodhd

PAST, FUTURE = datetime(2021, 1, 1, tzinfo=UTC), datetime(2150, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def reason_at(certificate: trustme.LeafCert | Path) -> str:
    """What a feed says about a vendor at ``localhost`` that shows this certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if isinstance(certificate, Path):
        context.load_cert_chain(certificate)
    else:
        certificate.configure_cert(context)

    async def attend(ws: ServerConnection) -> None:
        await ws.wait_closed()

    async def run() -> str:
        async with serve(attend, "127.0.0.1", 0, ssl=context) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            vendor, timing = Eodhd(f"wss://localhost:{port}/ws", "key"), Timing(accept_sec=0.05)
            feed = Feed(vendor, "crypto", ("BTC-USD",), TickQueue(), time.time, timing=timing)
            running = asyncio.create_task(feed.run())
            async with asyncio.timeout(HANG_SEC):
                while feed.status(time.time()).state is not FeedState.RECONNECTING:  # noqa: ASYNC110 - of no event
                    await asyncio.sleep(0.01)
            running.cancel()
            reason = feed_reason(feed.status(time.time()))
            await asyncio.gather(running, return_exceptions=True)
            return reason

    return asyncio.run(run())


@pytest.fixture(autouse=True)
def _trust(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """This computer trusts the authority."""
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))


def test_good_certificate_is_accepted(authority: trustme.CA) -> None:
    """So that the others fail for what is wrong with them: here only the greeting is missing."""
    reason = reason_at(authority.issue_cert("localhost"))
    assert reason == "the vendor did not accept the API key within 0.05 s"


def test_expired_certificate_is_named(authority: trustme.CA) -> None:
    """With the host whose it is."""
    certificate = authority.issue_cert("localhost", not_before=PAST, not_after=PAST.replace(day=2))
    assert reason_at(certificate) == "the certificate of localhost has expired"


def test_certificate_of_the_future_is_named(authority: trustme.CA) -> None:
    """As when this computer's clock is years behind."""
    certificate = authority.issue_cert(
        "localhost", not_before=FUTURE, not_after=FUTURE.replace(day=2)
    )
    assert reason_at(certificate) == "the certificate of localhost is not valid yet"


def test_certificate_of_another_host_is_named(authority: trustme.CA) -> None:
    """Signed by somebody trusted, for somebody else."""
    reason = reason_at(authority.issue_cert("elsewhere.example"))
    assert reason == "the certificate of localhost is for another host name"


def test_certificate_of_a_stranger_is_named() -> None:
    """By an authority that this computer does not know."""
    reason = reason_at(trustme.CA().issue_cert("localhost"))
    assert reason == "the certificate of localhost was issued by nobody whom this computer trusts"


def test_self_signed_certificate_is_named(tmp_path: Path) -> None:
    """An authority's own, as of a proxy that reads along."""
    itself = trustme.CA()
    itself.cert_pem.write_to_path(tmp_path / "own.pem")
    itself.private_key_pem.write_to_path(tmp_path / "own.pem", append=True)
    reason = reason_at(tmp_path / "own.pem")
    assert reason == "the certificate of localhost is self-signed"
