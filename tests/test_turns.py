"""Turns of exports: two at a time, in order, and nobody who left holds up the others."""

from __future__ import annotations

from page.turns import ExportTurns


def test_two_at_a_time_and_the_others_in_order() -> None:
    """Each is told its place; whoever came first is first."""
    turns = ExportTurns()
    assert [turns.ask(tab, 1.0) for tab in "abcde"] == [0, 0, 1, 2, 3]
    assert [turns.ask(tab, 2.0) for tab in "edcba"] == [3, 2, 1, 0, 0]
    turns.end("b")
    assert [turns.ask(tab, 3.0) for tab in "edc"] == [2, 1, 0]
    assert [turns.ask(tab, 4.0) for tab in "ed"] == [2, 1]


def test_a_turn_ends_by_itself() -> None:
    """At the time that was said last, and whoever has none cannot hold it."""
    turns = ExportTurns(1)
    assert turns.ask("a", 0.0) == 0
    turns.hold("a", 60.0)
    turns.hold("b", 1000.0)
    assert turns.ask("b", 59.0) == 1
    assert turns.has_turn("a", 59.9)
    assert not turns.has_turn("a", 60.0)
    assert turns.ask("b", 60.0) == 0
    assert turns.ask("a", 60.0) == 1


def test_a_file_that_never_comes_holds_a_turn_for_two_minutes() -> None:
    """As of a tab whose run was broken off."""
    turns = ExportTurns(1)
    assert turns.ask("a", 0.0) == 0
    assert turns.ask("b", 119.0) == 1
    assert turns.ask("b", 120.0) == 0


def test_who_does_not_ask_is_passed_but_keeps_its_place() -> None:
    """A tab that was closed holds nobody up; a hidden one asks once a minute."""
    turns = ExportTurns(1)
    assert [turns.ask(tab, 0.0) for tab in "abc"] == [0, 1, 2]
    assert turns.ask("c", 6.0) == 1
    assert turns.ask("b", 60.0) == 1
    assert turns.ask("c", 61.0) == 2
    turns.end("a")
    assert turns.ask("c", 62.0) == 1
    assert turns.ask("c", 66.0) == 0


def test_waiting_can_be_given_up() -> None:
    """And begins anew, at the end."""
    turns = ExportTurns(1)
    assert [turns.ask(tab, 0.0) for tab in "abc"] == [0, 1, 2]
    turns.end("b")
    assert [turns.ask(tab, 1.0) for tab in "cb"] == [1, 2]
    assert turns.ask("d", 200.0) == 0
