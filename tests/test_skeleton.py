"""What is put into Streamlit's first page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import streamlit

from page.skeleton import modules_of, with_skeleton

STATIC = Path(streamlit.__file__).parent / "static"
INDEX = (STATIC / "index.html").read_text("utf-8")
COLOURS = {
    f"{base}_{name}": f"#{number:06x}"
    for number, (base, name) in enumerate(
        (base, name) for base in ("dark", "light") for name in ("ground", "card", "line", "text")
    )
} | {"accent": "#abcdef"}


def test_streamlits_page_gets_a_name_an_icon_and_a_skeleton() -> None:
    """And keeps all that it has: its scripts, its styles, its root."""
    made = with_skeleton(INDEX, COLOURS, ["./assets/board.js"], "controls {}")
    assert "<title>Market Pulse</title>" in made
    assert made.index('rel="manifest"') < made.index("</head>") < made.index("<body>")
    assert made.index("<body>") < made.index('id="market-pulse-skeleton"') < made.index("root")
    assert '<link rel="modulepreload" href="./assets/board.js">' in made
    assert all(colour in made for colour in COLOURS.values())
    assert made.index("controls {}") < made.index("</style>")
    assert "$" not in made.replace(INDEX, "")
    kept = re.findall(r'(?:src|href)="(\./static/[^"]+)"', INDEX)
    assert [name for name in kept if name not in made] == []
    assert len(re.findall("<script", made)) == len(re.findall("<script", INDEX))


@pytest.mark.parametrize(
    "part", ["<title>Streamlit</title>", 'href="./favicon.png"', "</head>", "<body>"]
)
def test_a_page_of_another_form_is_left_alone(part: str) -> None:
    """As of another version of Streamlit."""
    for other in (INDEX.replace(part, ""), INDEX.replace(part, part * 2)):
        assert with_skeleton(other, COLOURS, [], "") == other


def test_what_the_page_is_made_of_is_fetched_at_once() -> None:
    """With all that it needs, and nothing twice; of another version, what there is of it."""
    folder = STATIC / "static" / "js"
    found = modules_of(folder, ["BidiComponent", "Html"], INDEX)
    assert {name.partition(".")[0] for name in found} >= {"BidiComponent", "Html", "purify"}
    assert len(found) == len(set(found))
    assert not [name for name in found if name in INDEX]
    assert modules_of(folder, ["Nothing"], INDEX) == []
