"""Reading from several threads while another one writes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.waiting import HANG_SEC

__all__ = ["readers"]


@contextmanager
def readers(read: Callable[[], None]) -> Iterator[None]:
    """Have three threads call ``read`` over and over during the block, and once more after it.

    Fails if one of them raises or hangs.
    """
    written = threading.Event()
    failures: list[BaseException] = []

    def run() -> None:
        try:
            while True:
                is_last = written.is_set()
                read()
                if is_last:
                    return
        except BaseException as error:  # noqa: BLE001 - reported by the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        written.set()
        for thread in threads:
            thread.join(HANG_SEC)
    assert not any(thread.is_alive() for thread in threads)
    assert failures == []
