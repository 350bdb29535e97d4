"""Scripts: the page's JavaScript modules joined into the one script that Streamlit takes.

Each module keeps a scope of its own and hands out only what it exports. What is understood is the
little that the page's modules need; anything else raises when the page is imported.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

__all__ = ["ScriptError", "joined"]

_IMPORT: Final = re.compile(
    r'^import \{(?P<names>[^{}]*)\} from "\./(?P<module>[a-z_]+\.js)";$', re.MULTILINE
)
_EXPORT: Final = re.compile(
    r"^export (?P<kind>const|class|function|async function) (?P<name>[A-Za-z_$][\w$]*)\b",
    re.MULTILINE,
)
_DEFAULT: Final = re.compile(r"^export default (?P<kind>function) (?P<name>[\w$]+)\b", re.MULTILINE)
_NAME: Final = re.compile(r"[A-Za-z_$][\w$]*")
_OTHER: Final = re.compile(
    r"^\s*(import|export)\b.*|^.*\bimport\s*[(.].*|^(?:for )?await\b.*", re.MULTILINE
)


class ScriptError(ValueError):
    """A module that cannot be joined: which, and why."""


def joined(modules: Mapping[str, str]) -> str:
    """One module with the default export of the last of ``modules``, sources by file name.

    Their order is that in which they run: a module may import from those before it.

    Raises:
        ScriptError: a module imports what no module before it exports, or holds an import or
            export of another form than ``import { a, b } from "./x.js"``, ``export`` before a
            ``const``, ``class`` or ``function``, and one ``export default function``, in the last.
    """
    if not modules:
        raise ScriptError("found no modules, expected at least one")
    exported: dict[str, tuple[str, ...]] = {}
    parts = []
    *_, last = modules
    for name, source in modules.items():
        parts.append(_scoped(name, source, exported, is_last=name == last))
    return "\n".join([*parts, f"export default {_variable(last)}.default;\n"])


def _scoped(name: str, source: str, exported: dict[str, tuple[str, ...]], *, is_last: bool) -> str:
    """A module as a function that is called at once; adds to ``exported`` what it hands out."""

    def imported(found: re.Match[str]) -> str:
        module, names = found["module"], [part.strip() for part in found["names"].split(",")]
        if names and not names[-1]:
            names.pop()  # after a trailing comma
        if module not in exported:
            raise ScriptError(f"{name} imports from {module}, which does not come before it")
        for wanted in names:
            if not _NAME.fullmatch(wanted):
                raise ScriptError(f"{name} imports {wanted!r}, expected a plain name")
            if wanted not in exported[module]:
                raise ScriptError(f"{name} imports {wanted}, which {module} does not export")
        return f"const {{{found['names']}}} = {_variable(module)};"

    body = _IMPORT.sub(imported, source)
    names = tuple(found["name"] for found in _EXPORT.finditer(body))
    body = _EXPORT.sub(r"\g<kind> \g<name>", body)
    defaults = [found["name"] for found in _DEFAULT.finditer(body)]
    body = _DEFAULT.sub(r"\g<kind> \g<name>", body)
    other = _OTHER.search(body)
    if other:
        raise ScriptError(f"{name}: cannot join {other[0].strip()!r}")
    if len(defaults) != is_last:
        expected = "one default export" if is_last else "none: only the last module has one"
        raise ScriptError(f"{name} has {len(defaults)} default exports, expected {expected}")
    exported[name] = names
    handed_out = [*names, *(f"default: {default}" for default in defaults)]
    return (
        f"const {_variable(name)} = (() => {{ // {name}\n"
        f"{body}\nreturn {{ {', '.join(handed_out)} }};\n}})();"
    )


def _variable(module: str) -> str:
    """What a module's exports are called in the joined script."""
    return f"${module.removesuffix('.js')}"
