"""The stream's protocol: what a client may say, what it is told, and why it is closed.

Pure: messages are records, and both subprotocols are forms of the same ones.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Annotated, Any, Final, Literal, get_args

import msgspec

from ticks import legible

__all__ = [
    "SAID_BYTES",
    "SUBPROTOCOLS",
    "VERSION",
    "Ack",
    "Auth",
    "Channel",
    "Close",
    "Closing",
    "ErrorCode",
    "File",
    "FileEnd",
    "FileHead",
    "Form",
    "Heartbeat",
    "Hello",
    "Id",
    "Mistake",
    "More",
    "Numbers",
    "Ping",
    "Pong",
    "Reset",
    "Said",
    "Sendable",
    "Stop",
    "Subscribe",
    "Wanted",
    "read",
    "write",
    "wrong_in",
]

VERSION: Final = 1

_TIMES_END: Final = 253_402_300_800
"""The year 10000, in seconds since the epoch."""

SAID_BYTES: Final = 65_536
"""The most bytes of a message from a client."""

Channel = Literal["frame", "bars", "events", "status"]
Numbers = Literal["f32", "f64"]
What = Literal["bars", "events"]
FileForm = Literal["parquet", "csv", "json"]

Id = Annotated[int, msgspec.Meta(ge=0, lt=2**32)] | Annotated[str, msgspec.Meta(max_length=64)]
"""What a client calls a subscription; its channel's name if it does not say."""

_Time = Annotated[float, msgspec.Meta(ge=0, le=_TIMES_END)]

_Names = Annotated[tuple[str, ...], msgspec.Meta(max_length=5000)]

Sendable = Mapping[str, Any]
"""A message as ASGI sends it, which may be sent to any number of clients."""


class Form(StrEnum):
    """How messages are written; its value is the subprotocol."""

    JSON = "market-pulse.v1.json"
    MSGPACK = "market-pulse.v1.msgpack"


SUBPROTOCOLS: Final = tuple(Form)


class Close(IntEnum):
    """Why a socket is closed. A client may come back unless it is 1008 or 3500."""

    UNREADABLE = 1007
    NOT_ALLOWED = 1008
    """No token in time, or too many messages."""
    TOO_LARGE = 1009
    RESTART = 1012
    EXPIRED = 3005
    TOO_SLOW = 3008
    REFUSED = 3500


class Closing(Exception):  # noqa: N818 - a decision, not an error
    """Ends a conversation with a code and what a person reads in it."""

    def __init__(self, code: Close, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class ErrorCode(StrEnum):
    """What was wrong with one message, in a word for programs."""

    UNREADABLE = "unreadable"
    UNAUTHORIZED = "unauthorized"
    UNKNOWN_ID = "unknown_id"
    UNKNOWN_NAME = "unknown_name"
    TOO_MANY = "too_many"
    UNAVAILABLE = "unavailable"
    DAMAGED = "damaged"


# What a client says.


class Auth(msgspec.Struct, tag="auth", frozen=True, forbid_unknown_fields=True):
    """Shows a token, the first or a newer one."""

    token: str


class Subscribe(
    msgspec.Struct, tag="subscribe", frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """Asks for a channel; what has the same id already is replaced."""

    channel: Channel
    id: Id | None = None
    every: Annotated[int, msgspec.Meta(ge=1, le=3600)] = 1
    """Of frames: one in so many seconds."""
    fields: _Names | None = None
    """Of frames: these columns; None: all."""
    symbols: _Names | None = None
    """Of frames, bars and events: these symbols; None: all."""
    numbers: Numbers | None = None
    """Of frames in msgpack: columns of numbers are raw little-endian ones."""
    acks: Annotated[int, msgspec.Meta(ge=1, le=64)] | None = None
    """Of frames and status: no more than so many are on the way, until the client says ack."""
    # Without limits: beside a tuple, msgspec 0.22 reads those of the number as types.
    since: int | tuple[int, str] | None = None
    """Of bars and events: the seq that the client has got to."""
    stream: str | None = None
    """The stream that ``since`` is of, as hello said."""

    @property
    def key(self) -> Id:
        """Its id."""
        return self.channel if self.id is None else self.id

    def wanted(self, form: Form) -> Wanted:
        """How it is written, and of which symbols."""
        return Wanted(form, self.key, self.symbols)


class Ack(msgspec.Struct, tag="ack", frozen=True, forbid_unknown_fields=True):
    """Gives one credit of a subscription back."""

    id: Id = "frame"


class File(msgspec.Struct, tag="file", frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Asks for a file, from an offset on."""

    id: Annotated[int, msgspec.Meta(ge=0, lt=2**32)]
    what: What
    begin: _Time = msgspec.field(name="from")
    end: _Time = msgspec.field(name="to")
    form: FileForm = "parquet"
    symbols: _Names | None = None
    offset: Annotated[int, msgspec.Meta(ge=0)] = 0
    sha256: str = ""
    """Of the file that the offset is of; another one begins at 0."""


class More(msgspec.Struct, tag="more", frozen=True, forbid_unknown_fields=True):
    """Gives credits of a file back."""

    id: Annotated[int, msgspec.Meta(ge=0, lt=2**32)]
    n: Annotated[int, msgspec.Meta(ge=1, le=8)] = 1


class Stop(msgspec.Struct, tag="stop", frozen=True, forbid_unknown_fields=True):
    """Ends a subscription or a file."""

    id: Id


class Ping(msgspec.Struct, tag="ping", frozen=True, forbid_unknown_fields=True):
    """Asks for a pong with the same number."""

    n: int | float = 0


Said = Auth | Subscribe | Ack | File | More | Stop | Ping

# What it is told, beside frames and the content of channels.


class Hello(msgspec.Struct, tag="hello", frozen=True, kw_only=True, omit_defaults=True):
    """The first message, and the one that follows a first token."""

    v: int
    auth: Literal["wanted", "ok"]
    stream: str = ""
    """Names the source, its seed and the format: where it differs, what was learnt is of another
    market."""
    now: float = 0.0
    symbols: tuple[str, ...] = ()
    assets: tuple[str, ...] = ()
    """The asset class of each symbol."""
    replica: bool | None = None
    """Whether the prices come by way of another dashboard."""


class Heartbeat(msgspec.Struct, tag="heartbeat", frozen=True):
    """Says that all is well while there is nothing else to say."""

    now: float


class Pong(msgspec.Struct, tag="pong", frozen=True):
    """The answer to a ping."""

    n: int | float
    now: float


class Mistake(msgspec.Struct, tag="error", frozen=True, kw_only=True):
    """Says what was wrong with a message; the socket stays open."""

    id: Id | None
    code: ErrorCode
    message: str


class Reset(msgspec.Struct, tag="reset", frozen=True, kw_only=True):
    """Not all that was missed is known: what follows begins anew with the second ``from``."""

    id: Id
    begin: int = msgspec.field(name="from")


class FileHead(msgspec.Struct, tag="file", frozen=True, kw_only=True):
    """What file follows, from ``offset`` on."""

    id: int
    name: str
    size: int
    sha256: str
    offset: int


class FileEnd(msgspec.Struct, tag="file_end", frozen=True):
    """All of a file was sent."""

    id: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """How a subscription of bars or events is written, and of which symbols it is; None: all."""

    form: Form
    id: Id
    symbols: tuple[str, ...] | None = None

    def reset(self, begin: int) -> Sendable:
        """Says that all begins anew with a second."""
        return write(self.form, Reset(id=self.id, begin=begin))

    def mistake(self, code: ErrorCode, message: str) -> Sendable:
        """Says what could not be had."""
        return write(self.form, Mistake(id=self.id, code=code, message=message))


_TYPES: Final = ", ".join(str(each.__struct_config__.tag) for each in get_args(Said))
_SAYS: Final = 200
"""Characters of an error at most, as it may quote what was said."""

_decode_json: Final[Callable[[Any], Said]] = msgspec.json.Decoder(Said).decode
_decode_msgpack: Final[Callable[[Any], Said]] = msgspec.msgpack.Decoder(Said).decode


_encode_json: Final = msgspec.json.Encoder().encode
_encode_msgpack: Final = msgspec.msgpack.Encoder().encode


def read(form: Form, content: str | bytes) -> Said | Mistake:
    """What a client said, or why it is none of what may be said.

    Raises:
        Closing: if it is too large, or nothing of this form at all.
    """
    size = len(content if isinstance(content, bytes) else content.encode())
    if size > SAID_BYTES:
        raise Closing(Close.TOO_LARGE, f"{size} bytes, expected {SAID_BYTES} at most")
    if isinstance(content, bytes) == (form is Form.JSON):
        wanted = "text" if form is Form.JSON else "binary"
        raise Closing(Close.UNREADABLE, f"expected {wanted} messages by {form}")
    try:
        said: Said = _decode_json(content) if form is Form.JSON else _decode_msgpack(content)
    except msgspec.ValidationError as error:
        message = f"{error}; the types are {_TYPES}"
        return Mistake(
            id=_id_of(form, content),
            code=ErrorCode.UNREADABLE,
            message=legible(message, _SAYS),
        )
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        raise Closing(Close.UNREADABLE, f"not a message of {form}") from None
    return said


def wrong_in(
    said: Subscribe, form: Form, fields: Container[str], symbols: Container[str]
) -> Mistake | None:
    """Why somebody cannot subscribe so, if there are these fields and symbols; None: they can."""

    def mistake(message: str, code: ErrorCode = ErrorCode.UNREADABLE) -> Mistake:
        return Mistake(id=said.key, code=code, message=message)

    is_tape = said.channel in ("bars", "events")
    if said.numbers is not None and (form is Form.JSON or said.channel != "frame"):
        return mistake(f"numbers are of frames by {Form.MSGPACK}, expected none here")
    if said.fields is not None and said.channel != "frame":
        return mistake("fields are of frames, expected none here")
    if said.acks is not None and is_tape:
        return mistake(f"{said.channel} are not thinned, expected no acks")
    if said.since is not None and not is_tape:
        return mistake("since is of bars and events, expected none here")
    second = said.since[0] if isinstance(said.since, tuple) else said.since
    if second is not None and not 0 <= second < _TIMES_END:
        return mistake(f"since is {second}, expected a second since the epoch")
    if isinstance(said.since, tuple) and said.channel == "bars":
        return mistake("since is a pair, expected the second that is the seq of bars")
    for name in said.fields or ():
        if name not in fields:
            return mistake(f"there is no field {legible(name)}", ErrorCode.UNKNOWN_NAME)
    for name in said.symbols or ():
        if name not in symbols:
            return mistake(f"{legible(name)} is not watched", ErrorCode.UNKNOWN_NAME)
    return None


def write(form: Form, message: Any) -> Sendable:
    """A message as ASGI sends it."""
    if form is Form.JSON:
        return {"type": "websocket.send", "text": _encode_json(message).decode()}
    return {"type": "websocket.send", "bytes": _encode_msgpack(message)}


class _WithId(msgspec.Struct):
    id: Id | None = None


_id_json: Final[Callable[[Any], _WithId]] = msgspec.json.Decoder(_WithId).decode
_id_msgpack: Final[Callable[[Any], _WithId]] = msgspec.msgpack.Decoder(_WithId).decode


def _id_of(form: Form, content: str | bytes) -> Id | None:
    """The id of a message that is wrong elsewhere, so that the client knows which it was."""
    try:
        decoded = _id_json(content) if form is Form.JSON else _id_msgpack(content)
    except (msgspec.DecodeError, RecursionError):
        return None
    return decoded.id
