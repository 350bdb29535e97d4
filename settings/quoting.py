"""How what was found in a setting is quoted in an error: briefly, legibly, and never a secret.

What resembles a secret is told by its length alone. That is so if six characters in a row are also
in a secret that is known, however either is spelled, and if a text has the form of a key: it may
have been put in the place of another setting.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date, time
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from ticks import legible

__all__ = ["Quoting", "bare", "secret_parts"]

_MOST: Final = 40
"""So many characters of a value are shown, ..."""
_MOST_OF_PATH: Final = 200
"""... and so many of a path."""

_PART: Final = 6
"""So many characters of a secret in a row are a part of it; fewer are chance."""

_KEY_LIKE: Final = re.compile(
    r"(?=[\w.~+=-]*\d)(?=[\w.~+=-]*[A-Za-z])[\w.~+=-]{16,}", flags=re.ASCII
)
"""Long, without a blank, of letters and digits."""

_MARKS: Final = {'"': '"', "'": "'", "“": "”", "‘": "’", "„": "“", "«": "»"}


def bare(text: str) -> str:
    """A text without the blanks, byte order marks and the pair of quotation marks around it."""
    text = _inner(text)
    if len(text) >= 2 and _MARKS.get(text[0]) == text[-1]:
        text = _inner(text[1:-1])
    return text


def _inner(text: str) -> str:
    return text.strip().strip("\ufeff").strip()


_LONG: Final = 16
"""So long is no word of an address that anybody may know."""


def secret_parts(text: str) -> tuple[str, ...]:
    """What of a secret must not be shown: of an address, what is more than its service's name.

    >>> secret_parts("https://discord.com/api/webhooks/1234567890/to-ken-7")
    ('1234567890', 'to-ken-7')
    """
    if not re.match(r"https?://", text):
        return (text,)
    _, _, behind = text.partition("://")[2].partition("/")
    parts = re.split(r"[/?&=#\s]", behind)
    return tuple(part for part in parts if re.search(r"\d", part) or len(part) >= _LONG)


@dataclass(frozen=True, slots=True)
class Quoting:
    """What may be shown of a value, given all the secrets that are known."""

    secrets: tuple[str, ...] = field(default=(), repr=False)

    def value(self, value: Any) -> str:
        """A value as it stood in the file or the environment; a list or table without its items."""
        match value:
            case str():
                return self._unless_secret(value, f"'{legible(value, _MOST)}'")
            case bool():
                return "true" if value else "false"
            case int() if abs(value) >= 10**_MOST:  # no text can be made of a very long one
                return "a number of too many digits"
            case date() | time():
                return value.isoformat()
            case list():
                return "a list" if value else "an empty list"
            case dict():
                return "a table"
        return self._unless_secret(str(value), str(value))

    def path(self, path: Path | str) -> str:
        """A path."""
        text = str(path)
        # A file has a folder or an extension, mostly, and a key has neither.
        is_path = bool(re.search(r"/|\.[A-Za-z]\w*$", text))
        is_hidden = self.holds_secret(text) or (not is_path and _KEY_LIKE.search(text))
        return self._hidden(text) if is_hidden else legible(text, _MOST_OF_PATH)

    def name(self, name: str) -> str:
        """The name of a variable."""
        return self._hidden(name) if self.holds_secret(name) else legible(name, 2 * _MOST)

    def holds_secret(self, text: str) -> bool:
        """Whether the beginning of a text, as far as it may be shown, holds a part of a secret."""
        text = text[:_MOST_OF_PATH]
        return any(
            _overlap(text.casefold(), secret.casefold()) or _overlap(_plain(text), _plain(secret))
            for secret in self.secrets
        )

    def hides(self, text: str) -> bool:
        """Whether a text is not shown: it holds a part of a secret, or has the form of a key."""
        return self.holds_secret(text) or bool(_KEY_LIKE.search(text))

    def _unless_secret(self, text: str, shown: str) -> str:
        return self._hidden(text) if self.hides(text) else shown

    @staticmethod
    def _hidden(text: str) -> str:
        return f"what may be a secret ({len(text)} characters)"


def _overlap(text: str, secret: str) -> bool:
    if len(secret) < _PART:
        return bool(secret) and secret in text
    return any(text[at : at + _PART] in secret for at in range(len(text) - _PART + 1))


def _plain(text: str) -> str:
    """A text by its letters and digits alone, as an address or a copy by hand may spell it."""
    return re.sub(r"[^a-z0-9]", "", unquote(text).casefold())
