"""The hub: seconds of the worker's thread, handed over on the loop that serves."""

from __future__ import annotations

import asyncio
import threading

from api.hub import Hub
from engine.heartbeat import SecondOver


def over(second: int) -> SecondOver:
    """A second without anything in it."""
    return SecondOver(second, second + 0.999, None, (), is_history=False)


def test_what_another_thread_hands_over_comes_on_the_loops_own_thread_in_order() -> None:
    async def follow() -> list[tuple[int, int]]:
        hub, heard, done = Hub(), list[tuple[int, int]](), asyncio.Event()

        def listener(second: SecondOver) -> None:
            heard.append((second.second, threading.get_ident()))
            if second.second == 2:
                done.set()

        hub.bind(asyncio.get_running_loop())
        hub.listen(listener)
        for second in range(3):
            await asyncio.to_thread(hub.receive, over(second))
        await done.wait()
        return heard

    here = threading.get_ident()
    assert asyncio.run(follow()) == [(0, here), (1, here), (2, here)]


def test_without_a_loop_and_after_its_end_nothing_is_kept_and_nobody_is_disturbed() -> None:
    hub, heard = Hub(), list[SecondOver]()
    hub.listen(heard.append)
    hub.receive(over(1))

    async def bind() -> None:
        hub.bind(asyncio.get_running_loop())

    asyncio.run(bind())
    hub.receive(over(2))
    assert heard == []
