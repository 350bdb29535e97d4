"""Where a setting is found: in the environment, in a TOML file, or in Streamlit's secrets."""

from __future__ import annotations

import codecs
import difflib
import os
import re
import stat
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from settings.quoting import Quoting, bare
from ticks import MarketPulseError

__all__ = [
    "Entry",
    "Given",
    "SettingsError",
    "Table",
    "advice",
    "api_key",
    "known_secrets",
    "resolved",
    "secret_text",
    "settings_file",
]


class SettingsError(MarketPulseError):
    """A setting is malformed: what was found, what was expected, what to do."""


class Entry(NamedTuple):
    """What was given for a setting, as the environment or TOML has it, and where."""

    value: Any
    """None: nothing was given."""
    place: str
    quoting: Quoting

    @property
    def shown(self) -> str:
        """The value as an error may quote it."""
        return self.quoting.value(self.value)

    def wrong(self, expected: str) -> SettingsError:
        """What to raise if the value is not what was expected."""
        found = "missing" if self.value is None else self.shown
        return SettingsError(f"{self.place} is {found}, expected {expected}")


class Table(NamedTuple):
    """A table of the settings file, or the whole file if ``name`` is empty."""

    entries: Mapping[str, Any]
    file: str
    quoting: Quoting
    name: str = ""

    @property
    def place(self) -> str:
        """Which table of which file."""
        return f"[{self.name}] in {self.file}" if self.name else self.file

    def entry(self, key: str) -> Entry:
        """What was given under a key; a text without blanks and quotation marks around it."""
        value = self.entries.get(key)
        if isinstance(value, str):
            value = bare(value) or value
        place = f"{key} {'of' if self.name else 'in'} {self.place}"
        return Entry(value, place, self.quoting)

    def table(self, key: str, known: Sequence[str]) -> Table:
        """The table below this one, empty if there is none, all of whose keys are known."""
        entries = self.entries.get(key, {})
        name = f"{self.name}.{key}" if self.name else key
        table = Table(entries, self.file, self.quoting, name)
        if not isinstance(entries, dict):
            raise Entry(entries, table.place, self.quoting).wrong("a table")
        table.reject_unknown(known)
        return table

    def named_table(self, key: str) -> Table:
        """The table below this one, empty if there is none, whose keys are anybody's to name."""
        entries = self.entries.get(key, {})
        table = Table(entries, self.file, self.quoting, key)
        if not isinstance(entries, dict):
            raise Entry(entries, table.place, self.quoting).wrong("a table")
        return table

    def tables(self, key: str, known: Sequence[str]) -> tuple[Table, ...]:
        """The tables of the list below this one, none if there is no list; likewise."""
        found = self.entries.get(key, [])
        if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
            place = f"{key} in {self.place}"
            raise Entry(found, place, self.quoting).wrong(f"tables, each headed [[{key}]]")
        # By their place, as a file may have many and a name may be missing.
        tables = [
            Table(each, self.file, self.quoting, f"{key} {number}")
            for number, each in enumerate(found, start=1)
        ]
        for table in tables:
            table.reject_unknown(known)
        return tuple(tables)

    def reject_unknown(self, known: Sequence[str], expected: str = "") -> None:
        """Raise if there is a key that is none of these, which ``expected`` may say shorter."""
        for key in self.entries:
            if key not in known:
                raise SettingsError(
                    f"{self.place} has {self.quoting.value(key)}, expected only"
                    f" {expected or ', '.join(known)}: {advice(key, known)}"
                )


class Given(NamedTuple):
    """Both places of a setting."""

    environ: Mapping[str, str]
    file: Table

    def entry(self, key: str, table: Table | None = None) -> Entry:
        """What was given for a setting; the environment wins over that ``table`` of the file."""
        variable = f"MARKET_PULSE_{key.upper()}"
        value = bare(self.environ.get(variable, ""))
        if value:
            return Entry(value, variable, self.file.quoting)
        return (self.file if table is None else table).entry(key)


def advice(found: str, known: Sequence[str]) -> str:
    """What to do about a name that is not known."""
    close = difflib.get_close_matches(found[:100], known, n=1)
    return f"did you mean {close[0]}?" if close else "remove it"


def resolved(text: str) -> Path:
    """A path, with its ``~`` resolved if that names somebody's home."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        return Path(text)


def settings_file(chosen: str, usual: Path, quoting: Quoting) -> Table:
    """The content of the settings file, empty if none was chosen and there is none."""
    file = resolved(chosen) if chosen else usual
    is_there = bool(chosen) or os.path.lexists(file)
    content = _read_toml(file, quoting.path(file)) if is_there else {}
    return Table(content, quoting.path(file.name), quoting)


_MOST_BYTES: Final = 1_000_000
"""Of a file of settings; those of people have some hundred."""


class _WrongFileError(Exception):
    """What is wrong with a file, and what to do, without anything that stands in it."""


def _read_toml(file: Path, shown: str) -> dict[str, Any]:
    try:
        return _parsed(file)
    except _WrongFileError as error:
        raise SettingsError(f"the settings file {shown} {error}") from None


def _parsed(file: Path) -> dict[str, Any]:
    """The content of a TOML file."""
    try:
        # Anything else, such as a pipe, could have no end.
        if not stat.S_ISREG(file.stat().st_mode):
            raise _WrongFileError("is not a file, expected a TOML file: check the path")
        with file.open("rb") as opened:
            content = opened.read(_MOST_BYTES + 1)
    except OSError as error:
        raise _WrongFileError(
            f"cannot be read ({error.strerror}): expected a TOML file, check the path"
        ) from None
    if len(content) > _MOST_BYTES:
        raise _WrongFileError(
            f"has more than {_MOST_BYTES // 1_000_000} MB, expected settings: check the path"
        )
    is_utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return tomllib.loads(content.decode("utf-16" if is_utf16 else "utf-8-sig"))
    except UnicodeDecodeError:
        raise _WrongFileError("is not text, expected TOML in UTF-8: save it as such") from None
    except (ValueError, RecursionError) as error:  # TOMLDecodeError is not all that it raises
        # Not its own words, which could quote the line with a key: only where it is.
        where = re.search(r"\(at (line \d+, column \d+|end of document)\)", str(error))
        at = f" at {where[1]}" if where else ""
        raise _WrongFileError(
            f'is not valid TOML{at}, expected lines like name = "text": correct it there'
        ) from None


# The keys, and all that must not be shown.


_SECRET_NAME: Final = re.compile("KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL", re.IGNORECASE)
_LEAST_SECRET: Final = 8
"""What is shorter and not the key itself is rather a word than a secret."""


def api_key(name: str, environ: Mapping[str, str], files: Sequence[Path]) -> str:
    """A vendor's key: from the environment, else from the first file that has it, else empty."""
    key = secret_text(name, environ, files)
    if not re.fullmatch(r"[!-~]{0,512}", key):
        raise SettingsError(
            f"{name} holds a blank or another character that no key has, or is longer than"
            " any key, expected letters, digits and punctuation: copy it again"
        )
    return key


def secret_text(name: str, environ: Mapping[str, str], files: Sequence[Path]) -> str:
    """What a variable holds, else the first file that has it, else nothing; without marks."""
    return bare(environ.get(name, "")) or _key_in(name, files)


def _key_in(name: str, files: Sequence[Path]) -> str:
    for file in files:
        if os.path.exists(file):  # noqa: PTH110 - unlike Path.exists, False in a folder barred to us
            try:
                value = _parsed(file).get(name, "")
            except _WrongFileError as error:
                raise SettingsError(f"{file}, which may hold {name}, {error}") from None
            if not isinstance(value, str):
                raise SettingsError(f"{name} in {file} is not text: put it in quotes")
            if bare(value):
                return bare(value)
    return ""


def known_secrets(
    names: Sequence[str], environ: Mapping[str, str], files: Sequence[Path]
) -> Iterator[str]:
    """Every text that is a secret by its place, whether or not anything here needs it.

    ``names`` are those of the keys, each of which is a secret however short.
    """
    for name, value in environ.items():
        is_path = value.startswith(("/", "~", "."))
        is_secret = _SECRET_NAME.search(name) and len(value) >= _LEAST_SECRET and not is_path
        if is_secret or name in names:
            yield bare(value)
    for file in files:
        try:
            content = _parsed(file)
        except _WrongFileError:
            continue
        yield from _texts(content, least=_LEAST_SECRET)
        for name in names:
            yield from _texts(content.get(name), least=1)


def _texts(value: Any, least: int) -> Iterator[str]:
    """All texts within a value of TOML that are not shorter."""
    if isinstance(value, str):
        if len(bare(value)) >= least:
            yield bare(value)
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item, least)
