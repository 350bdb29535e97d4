"""Text from outside as it may be shown."""

from __future__ import annotations

import pytest

from ticks import is_legible, legible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("AAPL", "AAPL"),
        ("Müller & Söhne <b>", "Müller & Söhne <b>"),
        ("東京 600519", "東京 600519"),
        ("AAPL\u202eLSFT", "AAPLU+202ELSFT"),
        ("A\u200bAPL", "AU+200BAPL"),
        ("A\u00a0B", "AU+00A0B"),
        ("A\x00\n\tB", "AU+0000U+000AU+0009B"),
        ("A\u3164\ufe0f\U000e0101", "AU+3164U+FE0FU+E0101"),
        ("\ud800", "U+D800"),
    ],
)
def test_what_leaves_no_mark_is_shown_as_its_code(text: str, shown: str) -> None:
    assert legible(text) == shown
    assert is_legible(text) == (text == shown)
    assert is_legible(shown)


def test_a_long_text_is_cut() -> None:
    assert legible("9" * 4300, most=5) == "99999…"
    assert legible("99999", most=5) == "99999"
