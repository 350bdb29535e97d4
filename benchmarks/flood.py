"""A vendor that sends as fast as the socket takes: the other end of the end-to-end benchmark.

Run as a process of its own: prints its port, then for every number on standard input makes that
many trades, says so, and sends them to the newest subscriber.
"""

from __future__ import annotations

import asyncio
import sys
import time

from websockets.asyncio.server import ServerConnection, serve

SYMBOLS = ("AAPL", "TSLA", "NVDA", "AMZN", "MSFT", "META", "GOOGL", "IBM", "SPY", "BAC")
FRAMES_PER_WRITE = 500
HIGH_WATER_BYTES = 1 << 20


class Flood:
    """Answers like EODHD and keeps the newest subscriber."""

    def __init__(self) -> None:
        self._subscriber: ServerConnection | None = None

    async def answer(self, ws: ServerConnection) -> None:
        """Serve one connection."""
        await ws.send('{"status_code":200,"message":"Authorized"}')
        async for _ in ws:
            self._subscriber = ws

    async def send(self, count: int) -> None:
        """Send ``count`` trades as fast as the subscriber reads."""
        subscriber = self._subscriber
        if subscriber is None:
            raise RuntimeError("nobody has subscribed")
        transport = subscriber.transport
        ready = blobs(count)
        print("sending", flush=True)
        for blob in ready:
            transport.write(blob)
            while transport.get_write_buffer_size() > HIGH_WATER_BYTES:  # noqa: ASYNC110 - of no event
                await asyncio.sleep(0.0005)


def blobs(count: int) -> list[bytes]:
    """``count`` trades as WebSocket frames, many in a piece: building them is not what is timed."""
    frames = []
    for i in range(count):
        price = 330 + (i % 97) / 100
        message = (
            f'{{"s":"{SYMBOLS[i % len(SYMBOLS)]}","p":{price},"c":[],"v":5,"dp":false,'
            f'"ms":"extended-hours","t":{int(time.time() * 1000)}}}'
        ).encode()
        # An unmasked final text frame of fewer than 126 bytes.
        frames.append(bytes((0x81, len(message))) + message)
    return [b"".join(frames[i : i + FRAMES_PER_WRITE]) for i in range(0, count, FRAMES_PER_WRITE)]


async def main() -> None:
    """Serve until standard input ends."""
    flood = Flood()
    async with serve(flood.answer, "127.0.0.1", 0, compression=None) as server:
        print(next(iter(server.sockets)).getsockname()[1], flush=True)
        loop = asyncio.get_running_loop()
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            await flood.send(int(line))


if __name__ == "__main__":
    asyncio.run(main())
