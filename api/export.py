"""Export: bars or events of a span as one file, which may be fetched in parts."""

from __future__ import annotations

from collections.abc import MutableMapping
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, NamedTuple

from starlette.responses import FileResponse, Response
from starlette.types import Receive, Scope, Send

from api.asked import Asked
from api.etags import is_known, not_modified
from api.past import archive_of, archive_problem, known_symbols
from api.problems import Problem, problem_response
from api.spool import AT_ONCE, BusyError, Spool, SpooledFile
from history.archive import Archive, ArchiveError
from history.export import (
    MIME,
    MOST_ROWS,
    ExportError,
    Form,
    What,
    command,
    count,
    file_name,
    write,
)

__all__ = ["FORMS", "PARAMETERS", "Extract", "export", "extract", "spooled"]

FORMS: Final[tuple[Form, ...]] = ("parquet", "csv", "json")
"""Those for programs."""

PARAMETERS: Final = ("from", "to", "symbols")

_USUAL_SEC: Final = 3600.0
_RETRY_SEC: Final = 5


class Extract(NamedTuple):
    """What a file is to hold."""

    archive: Archive
    what: What
    form: Form
    begin: float
    end: float
    symbols: tuple[str, ...] | None

    @property
    def name(self) -> str:
        """What to call the file."""
        return file_name(self.what, self.form, self.begin, self.end)


def export(spool: Spool, what: What, form: Form, asked: Asked) -> Response:
    """A file of what began in a span, or a part of it."""
    wanted = extract(what, form, asked)
    found = spooled(spool, wanted)
    etag = f'"{found.sha256}"'
    if is_known(asked.request, etag):
        return not_modified(etag)
    # Without an encoding of ours a layer above would compress it, which takes long and leaves
    # nobody to know its length.
    headers = {
        "Cache-Control": "no-store",
        "Content-Encoding": "identity",
        "ETag": etag,
    }
    return _Ranged(found.path, 200, headers, MIME[form], filename=wanted.name)


def extract(what: What, form: Form, asked: Asked) -> Extract:
    """What is asked for by ``from``, ``to`` and ``symbols``: usually the last hour of all."""
    archive = archive_of(asked.engine)
    if archive is None:
        raise Problem(
            HTTPStatus.NOT_FOUND,
            "there is no archive to export from, expected one that keeps a history:"
            " a replay and MARKET_PULSE_DATA=off keep none",
        )
    # What is over; else every question would be another, and have a file of its own.
    over = int(asked.engine.reader.pulse().now) + 1.0
    begin, end = asked.span(over - _USUAL_SEC, over)
    symbols = asked.symbols(known_symbols(asked.engine))
    return Extract(archive, what, form, begin, end, symbols)


def spooled(spool: Spool, wanted: Extract) -> SpooledFile:
    """The file with this content; made if there is none.

    Raises:
        Problem: if there is nothing in it, or too much, or it cannot be made.
    """
    question = (wanted.archive.path, *wanted[1:])
    try:
        return spool.file(question, partial(_make, wanted))
    except BusyError:
        raise Problem(
            HTTPStatus.TOO_MANY_REQUESTS,
            f"{AT_ONCE} files are being made, expected fewer: wait {_RETRY_SEC} s",
            {"Retry-After": str(_RETRY_SEC)},
        ) from None
    except ExportError as error:
        raise Problem(HTTPStatus.NOT_FOUND, str(error)) from None
    except ArchiveError:
        raise archive_problem() from None
    except OSError as error:
        raise Problem(
            HTTPStatus.INSUFFICIENT_STORAGE,
            f"the file cannot be written ({error.strerror}): ask for a shorter span",
        ) from None


def _make(wanted: Extract, path: Path) -> None:
    archive, what, form, begin, end, symbols = wanted
    most = MOST_ROWS[form]
    if count(archive, what, begin, end, symbols, most) > most:
        line = command(archive, what, form, begin, end, symbols)
        raise Problem(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"there are more than {most:,} {what}, expected fewer: ask for a shorter span, or run"
            f" in the folder of the dashboard: {line}",
        )
    try:
        with path.open("xb") as file:
            write(archive, what, form, file, begin, end, symbols)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


class _Ranged(FileResponse):
    """A file of which a part may be asked for; a part that there is not is a problem as others."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refused: list[int] = []

        async def send_or_not(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start" and message["status"] >= 400:
                refused.append(message["status"])
            if not refused:
                await send(message)

        await super().__call__(scope, receive, send_or_not)
        if refused:
            size = self.headers["content-length"]
            problem = Problem(
                HTTPStatus(refused[0]),
                f"the header Range has no part of this file, expected one such as bytes=0-99 of its"
                f" {size} bytes",
                {"Content-Range": f"bytes */{size}"},
            )
            await problem_response(problem)(scope, receive, send)
