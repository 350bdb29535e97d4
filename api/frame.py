"""Frame: every figure of one second, of all symbols or some, column by column."""

from __future__ import annotations

import math
from typing import Final

from starlette.responses import Response

from api.asked import Asked, bad
from api.endpoint import json_response
from api.etags import is_known, not_modified
from formulas import COLUMNS
from ticks import ASSETS

__all__ = ["PARAMETERS", "TIME_COLUMNS", "frame"]

PARAMETERS: Final = ("symbols", "assets", "fields", "at", "times")

TIME_COLUMNS: Final = frozenset(name for name in COLUMNS if name.endswith("_ts"))


def frame(asked: Asked) -> Response:
    """The newest second, or that of ``at``: its end, the symbols, and a list for each column."""
    reader, at, written = asked.engine.reader, asked.instant("at"), asked.written()
    if at is not None:
        first, last = reader.span()
        if not first <= at < last + 1:
            raise bad(
                f"at is {asked.text('at')}, expected a time from {first} to {last}:"
                " others are not known"
            )
    now, shown = reader.pulse(at)
    fields = asked.words("fields", tuple(COLUMNS), tuple(COLUMNS))
    assets = asked.words("assets", ASSETS, ASSETS)
    symbols = asked.symbols([str(symbol) for symbol in shown.index])
    etag = f'"{int(now)}"'
    if is_known(asked.request, etag):
        return not_modified(etag)
    kept = shown[shown["asset"].isin(assets)]
    if symbols is not None:
        kept = kept[kept.index.isin(symbols)]
    answer: dict[str, object] = {
        "seq": int(now),
        "now": written(now),
        "symbols": [str(symbol) for symbol in kept.index],
    }
    for name in fields:
        values = kept[name].tolist()
        if name in TIME_COLUMNS:
            values = [None if math.isnan(value) else written(value) for value in values]
        answer[name] = values
    return json_response(answer, headers={"ETag": etag})
