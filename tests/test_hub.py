"""The hub: seconds of the worker's thread, handed over on the loop that serves."""

from __future__ import annotations

import asyncio
import threading

from api.hub import Hub
from engine.heartbeat import SecondOver


def over(second: int) -> SecondOver:
    """A second without anything in it."""
    return SecondOver(second, second + 0.999, None, (), is_history=False)


class Heard:
    """Whoever listens, and in which thread."""

    def __init__(self) -> None:
        self.seconds: list[tuple[int, int]] = []
        self.is_done = asyncio.Event()

    def second_over(self, over: SecondOver) -> None:
        """Note it, until the second 2."""
        self.seconds.append((over.second, threading.get_ident()))
        if over.second == 2:
            self.is_done.set()


def test_what_another_thread_hands_over_comes_on_the_loops_own_thread_in_order() -> None:
    async def follow() -> list[tuple[int, int]]:
        hub, heard = Hub(), Heard()
        hub.bind(asyncio.get_running_loop())
        hub.listen(heard)
        for second in range(3):
            await asyncio.to_thread(hub.receive, over(second))
        await heard.is_done.wait()
        return heard.seconds

    here = threading.get_ident()
    assert asyncio.run(follow()) == [(0, here), (1, here), (2, here)]


def test_without_a_loop_and_after_its_end_nothing_is_kept_and_nobody_is_disturbed() -> None:
    hub, heard = Hub(), Heard()
    hub.listen(heard)
    hub.receive(over(1))

    async def bind() -> None:
        hub.bind(asyncio.get_running_loop())

    asyncio.run(bind())
    hub.receive(over(2))
    assert heard.seconds == []


def test_whoever_is_gone_is_no_longer_told() -> None:
    async def follow() -> list[int]:
        hub, heard = Hub(), Heard()
        hub.bind(asyncio.get_running_loop())
        gone = Heard()
        seconds = gone.seconds
        hub.listen(gone)
        hub.listen(heard)
        hub.receive(over(1))
        await asyncio.sleep(0)
        del gone
        hub.receive(over(2))
        await heard.is_done.wait()
        return [second for second, _ in seconds]

    assert asyncio.run(follow()) == [1]
