"""A thousand events, a receiver that misbehaves, and a sender that is killed twenty times."""

from __future__ import annotations

import os
import random
import signal
from collections import defaultdict
from pathlib import Path

from history.archive import Archive
from history.deliveries import DeliveryState
from tests.receiver import Asked, Receiver, reset, status, taken
from tests.sender import COUNT, Senders, key
from tests.waiting import until

KILLS = 20


def test_nothing_is_lost_and_repeats_have_the_same_id_in_their_order(tmp_path: Path) -> None:
    """Twelve in a hundred answers fail, two of them after the message was taken."""
    draw = random.Random(11)
    failing = [status(500)] * 5 + [status(429, {"Retry-After": "0"})] * 3 + [reset] * 4

    def answer(asked: Asked) -> None:
        place = draw.randrange(100)
        (failing[place] if place < len(failing) else taken)(asked)

    path = tmp_path / "a.sqlite"
    with Receiver(answer) as receiver, Senders(path, receiver.url) as senders:
        for kill in range(KILLS):
            sender = senders.begin()
            # Not at the same step of its work each time.
            wanted = (kill + 1) * COUNT // (KILLS + 1) + draw.randrange(20)
            until(lambda: len(set(receiver.keys)) >= wanted)  # noqa: B023 - called at once
            os.kill(sender, signal.SIGKILL)
            assert senders.ended() == -signal.SIGKILL
        senders.begin()
        assert senders.ended() == 0
        expected = [key(number) for number in range(COUNT)]
        assert list(dict.fromkeys(receiver.keys)) == expected
        ids = defaultdict(set)
        for got in receiver.got:
            ids[got.keys].add(got.id)
        assert {len(each) for each in ids.values()} == {1}
        assert len({got.id for got in receiver.got}) == COUNT
    deliveries = Archive(path).deliveries()
    assert [each.key for each in deliveries] == expected
    assert {each.state for each in deliveries} == {DeliveryState.SENT}
