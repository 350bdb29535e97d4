"""How often the tabs refresh."""

from __future__ import annotations

from page.tabs import REFRESH_SEC, OpenTabs


def open_tabs(tabs: OpenTabs, count: int, since: float, seconds: float) -> float:
    """``count`` tabs that refresh as they are told to; the interval at the end."""
    told: float = REFRESH_SEC
    at = since
    while at < since + seconds:
        for tab in range(count):
            told = tabs.note(f"tab {tab}", at)
        at += told
    return told


def test_few_tabs_refresh_every_two_seconds() -> None:
    """Up to what one process carries nobody waits longer."""
    assert open_tabs(OpenTabs(10), 10, 0.0, 60.0) == REFRESH_SEC


def test_the_interval_grows_with_the_tabs() -> None:
    """So many refreshes a second as before, whatever the number of tabs."""
    tabs = OpenTabs(10)
    assert open_tabs(tabs, 11, 0.0, 60.0) == 2 * REFRESH_SEC
    assert tabs.tabs == 11
    assert open_tabs(tabs, 35, 100.0, 60.0) == 4 * REFRESH_SEC


def test_it_shrinks_again_only_when_there_is_room() -> None:
    """A tab that comes and goes at the edge does not make the others flicker."""
    tabs = OpenTabs(10)
    open_tabs(tabs, 12, 0.0, 60.0)
    assert open_tabs(tabs, 10, 60.0, 60.0) == 2 * REFRESH_SEC
    assert open_tabs(tabs, 8, 120.0, 60.0) == REFRESH_SEC


def test_tabs_that_are_gone_or_hidden_do_not_count() -> None:
    """One refresh a minute, as browsers allow a hidden tab, costs next to nothing."""
    tabs = OpenTabs(10)
    for minute in range(5):
        for tab in range(100):
            tabs.note(f"hidden {tab}", minute * 60.0)
        open_tabs(tabs, 5, minute * 60.0 + 1, 58.0)
    assert tabs.tabs == 5
    assert tabs.refresh_sec == REFRESH_SEC
