"""OpenAPI: the description of every endpoint, of which the schemas are those of the records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from http import HTTPStatus
from typing import Any, Final

import msgspec
from starlette.responses import Response

from api import bars, correlation, events, export, frame, stats
from api.asked import Asked
from api.endpoint import json_response
from api.health import Health, Probe
from api.problems import MEDIA_TYPE, ProblemDetails
from api.status import API_VERSION, StatusAnswer
from formulas import COLUMNS
from history.export import MIME, WHATS

__all__ = ["description", "openapi"]

# A description is JSON: of these nothing is known but that they are plain values.
_Json = dict[str, Any]

_TIME: Final = {"anyOf": [{"type": "number"}, {"type": "string"}]}

_PARAMETERS: Final[Mapping[str, tuple[_Json, str]]] = {
    "symbols": ({"type": "string"}, "Symbols with commas between; all if it is not given."),
    "assets": (
        {"type": "string"},
        "Some of stocks, forex, crypto with commas between; all if it is not given, and of a"
        " correlation those of the base.",
    ),
    "fields": ({"type": "string"}, "Columns with commas between; all if it is not given."),
    "at": (_TIME, "Which second; the newest if it is not given."),
    "times": (
        {"type": "string", "enum": ["unix", "iso"]},
        "How times are written: seconds since the epoch, or RFC 3339.",
    ),
    "window": ({"type": "string"}, "Seconds from 10 to 3600 with commas; 60,300,900,3600."),
    "symbol": ({"type": "string"}, "The symbol."),
    "from": (_TIME, "The begin of the span: seconds since the epoch, or RFC 3339."),
    "to": (_TIME, "Its end, which is not in it; what is over if it is not given."),
    "step": ({"type": "string", "enum": list(bars.STEPS)}, "How long a bar is; 1s."),
    "limit": ({"type": "integer", "minimum": 1, "maximum": bars.MOST}, "The most on a page; 1000."),
    "cursor": ({"type": "string"}, "What the page before has in next."),
    "kinds": ({"type": "string"}, "Kinds of events with commas between; all if it is not given."),
    "severity": ({"type": "string", "enum": ["watch", "alert", "extreme"]}, "The least."),
    "updates": (
        {"type": "string", "enum": ["0", "1"]},
        "1: every state that came in the span, in the order in which they came.",
    ),
    "base": ({"type": "string"}, "The symbol that others are compared with."),
    "bars": (
        {"type": "string", "enum": ["auto", "10", "20", "30", "60"]},
        "How many seconds a bar of returns is; auto.",
    ),
}

_REQUIRED: Final = {"/api/v1/history": ("symbol",), "/api/v1/correlation": ("base",)}

_OPEN: Final = ("/livez", "/readyz", "/healthz", "/api/v1/openapi.json")
"""They need no token."""

_SUMMARIES: Final[Mapping[str, tuple[str, Sequence[str], str]]] = {
    "/livez": ("Whether what runs behind the page lives", (), "Probe"),
    "/readyz": ("Whether this process can serve", (), "Probe"),
    "/healthz": ("Whether the data is good; each check for who has a token", (), "Health"),
    "/metrics": ("The same in numbers, for a monitor", (), ""),
    "/api/v1/status": ("What is true of everything behind the page", (), "StatusAnswer"),
    "/api/v1/frame": ("Every figure of one second, in columns", frame.PARAMETERS, "Frame"),
    "/api/v1/stats": (
        "Statistics of the last seconds: mean of ticks, the others of one-second prices",
        stats.PARAMETERS,
        "StatsAnswer",
    ),
    "/api/v1/history": ("Bars of one symbol, the oldest first", bars.PARAMETERS, "BarPage"),
    "/api/v1/events": ("The events of a span", events.PARAMETERS, "EventPage"),
    "/api/v1/correlation": (
        "What moves like a symbol",
        correlation.PARAMETERS,
        "CorrelationAnswer",
    ),
    "/api/v1/openapi.json": ("This description", (), ""),
}

_ERRORS: Final[Mapping[HTTPStatus, str]] = {
    HTTPStatus.BAD_REQUEST: "A parameter cannot be read.",
    HTTPStatus.UNAUTHORIZED: "There is no token, or a wrong one.",
    HTTPStatus.FORBIDDEN: "The Host or the Origin is none of this dashboard's.",
    HTTPStatus.NOT_FOUND: "There is no such path, or nothing of what was asked for.",
    HTTPStatus.METHOD_NOT_ALLOWED: "Neither GET nor HEAD.",
    HTTPStatus.TOO_MANY_REQUESTS: "More than 60 requests a second, or 4 files at once.",
    HTTPStatus.INTERNAL_SERVER_ERROR: "An error of ours.",
    HTTPStatus.SERVICE_UNAVAILABLE: "Nothing runs behind the page, or its archive cannot be read.",
}

_FILE_ERRORS: Final[Mapping[HTTPStatus, str]] = {
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "More than a file of this form may hold.",
    HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE: "The file has no such part.",
    HTTPStatus.INSUFFICIENT_STORAGE: "There is no room for the file.",
}

_RECORDS: Final = (
    Probe,
    Health,
    ProblemDetails,
    StatusAnswer,
    stats.StatsAnswer,
    bars.BarPage,
    events.EventPage,
    correlation.CorrelationAnswer,
)


def openapi(asked: Asked) -> Response:
    """The description; it changes only with the dashboard."""
    return json_response(description(), headers={"Cache-Control": "max-age=3600"})


@cache
def description() -> _Json:
    """The description of all endpoints, in OpenAPI 3.1."""
    _, schemas = msgspec.json.schema_components(
        _RECORDS, ref_template="#/components/schemas/{name}"
    )
    paths = {path: {"get": _operation(path, *found)} for path, found in _SUMMARIES.items()}
    for what in WHATS:
        for form in export.FORMS:
            paths[f"/api/v1/export/{what}.{form}"] = {"get": _file(what, MIME[form])}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Market Pulse",
            "version": API_VERSION,
            "description": "The facts of the page for programs. The stream of seconds is a"
            " WebSocket, /api/v1/stream, which OpenAPI has no words for.",
        },
        "paths": paths,
        "components": {
            "schemas": {**schemas, "Frame": _frame()},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(path: str, summary: str, names: Sequence[str], answer: str) -> _Json:
    """What is asked and answered at one path."""
    content: _Json = {"text/plain": {"schema": {"type": "string"}}}
    if path != "/metrics":
        content = {"application/json": {"schema": _ref(answer) if answer else {"type": "object"}}}
    responses: _Json = {"200": {"description": summary, "content": content}}
    if path == "/api/v1/frame":
        responses["304"] = {"description": "The second is that of If-None-Match."}
    if path in ("/livez", "/readyz", "/healthz"):
        responses["503"] = {"description": "It is not so.", "content": content}
        errors = {HTTPStatus.BAD_REQUEST: _ERRORS[HTTPStatus.BAD_REQUEST]}
    else:
        errors = dict(_ERRORS)
    return {
        "summary": summary,
        "operationId": path.strip("/").replace("/", "_").replace(".", "_"),
        "security": [] if path in _OPEN else [{"token": []}],
        "parameters": [_parameter(name, path) for name in names],
        "responses": {**_problems(errors), **responses},
    }


def _file(what: str, mime: str) -> _Json:
    """What is asked and answered at the path of a file."""
    content: _Json = {mime: {}}
    summary = f"The {what} of a span as a file; without one, of the last hour"
    found = _operation(f"/api/v1/export/{what}_{mime.rpartition('/')[2]}", summary, (), "")
    return {
        **found,
        "operationId": f"export_{what}_{mime.rpartition('.')[2].rpartition('/')[2]}",
        "parameters": [_parameter(name, "") for name in export.PARAMETERS],
        "responses": {
            "200": {"description": "The file.", "content": content},
            "206": {"description": "A part of it, or several.", "content": content},
            "304": {"description": "It is that of If-None-Match."},
            **_problems({**_ERRORS, **_FILE_ERRORS}),
        },
    }


def _problems(errors: Mapping[HTTPStatus, str]) -> _Json:
    content = {MEDIA_TYPE: {"schema": _ref("ProblemDetails")}}
    return {
        str(status.value): {"description": text, "content": content}
        for status, text in errors.items()
    }


def _parameter(name: str, path: str) -> _Json:
    schema, text = _PARAMETERS[name]
    is_required = name in _REQUIRED.get(path, ())
    found = {"name": name, "in": "query", "description": text, "schema": schema}
    return {**found, "required": True} if is_required else found


def _frame() -> _Json:
    """A frame: those of the columns that are asked for, each a list."""
    words, flags = ("asset", "regime"), ("early",)
    columns: _Json = {}
    for name in COLUMNS:
        known: list[_Json] = [{"type": "number"}, {"type": "null"}]
        if name in words:
            known = [{"type": "string"}]
        elif name in flags:
            known = [{"type": "boolean"}]
        elif name in frame.TIME_COLUMNS:
            known.append({"type": "string"})
        columns[name] = {"type": "array", "items": {"anyOf": known}}
    return {
        "title": "Frame",
        "description": "The figures of one second; each column in the order of the symbols.",
        "type": "object",
        "properties": {
            "seq": {"type": "integer"},
            "now": _TIME,
            "symbols": {"type": "array", "items": {"type": "string"}},
            **columns,
        },
        "required": ["seq", "now", "symbols"],
        "additionalProperties": False,
    }


def _ref(name: str) -> _Json:
    return {"$ref": f"#/components/schemas/{name}"}
