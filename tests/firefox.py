"""Debian's Firefox, headless, as far as a test needs it, over WebDriver BiDi.

The protocol is https://w3c.github.io/webdriver-bidi; Playwright drives a Firefox of its own only.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, Final

from websockets.sync.client import ClientConnection, connect

from tests.waiting import HANG_SEC, until

_LISTENS: Final = re.compile(r"WebDriver BiDi listening on (ws://\S+)")

_MOST_BYTES: Final = 64 * 1024 * 1024


def firefox_path() -> str | None:
    """Debian's Firefox; None if it is not installed."""
    return shutil.which("firefox-esr")


@contextmanager
def firefox(path: str, folder: Path) -> Iterator[Firefox]:
    """The Firefox at ``path`` with one tab; its profile and its log are in ``folder``."""
    profile, log = folder / "profile", folder / "firefox.log"
    profile.mkdir(parents=True)
    command = [path, "--headless", "--no-remote", "--remote-debugging-port", "0"]
    home = {"HOME": str(folder), "MOZ_CRASHREPORTER_DISABLE": "1"}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--profile", str(profile), "about:blank"],
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **home},
        )
    try:
        until(lambda: _address(log) is not None)
        address = f"{_address(log)}/session"
        with connect(address, max_size=_MOST_BYTES, open_timeout=HANG_SEC) as socket:
            yield Firefox(socket)
    finally:
        process.terminate()
        try:
            process.wait(HANG_SEC)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _address(log: Path) -> str | None:
    found = _LISTENS.search(log.read_text("utf-8", "replace"))
    return found[1] if found else None


class Firefox:
    """One tab of a browser that listens on ``socket``."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._numbers = count(1)
        self._tab = ""
        self.complaints: list[str] = []
        """The errors of the page's console."""

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """What a command of the protocol answers."""
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            message = json.loads(self._socket.recv(HANG_SEC))
            if message.get("method") == "log.entryAdded":
                if message["params"]["level"] == "error":
                    self.complaints.append(message["params"]["text"])
            elif message.get("id") == number:
                assert message["type"] == "success", message
                result: dict[str, Any] = message["result"]
                return result

    def open(self, url: str, width: int, height: int) -> None:
        """Show an address in a tab of so many pixels."""
        self.call("session.new", capabilities={})
        self.call("session.subscribe", events=["log.entryAdded"])
        self._tab = self.call("browsingContext.create", type="tab")["context"]
        viewport = {"width": width, "height": height}
        self.call("browsingContext.setViewport", context=self._tab, viewport=viewport)
        self.call("browsingContext.navigate", context=self._tab, url=url, wait="complete")

    def value(self, expression: str) -> Any:
        """What an expression of JavaScript is on the page: anything that JSON can hold.

        ``board`` in it is the root of the board, null until there is one.
        """
        result = self.call(
            "script.callFunction",
            functionDeclaration=f"""async () => {{
                const roots = [...document.querySelectorAll("*")].map((one) => one.shadowRoot);
                const board = roots.find((one) => one?.querySelector(".market-pulse")) ?? null;
                return JSON.stringify((await ({expression})) ?? null);
            }}""",
            target={"context": self._tab},
            awaitPromise=True,
        )
        assert result["type"] == "success", result
        return json.loads(result["result"]["value"])

    def until(self, expression: str) -> None:
        """Wait until an expression is true on the page."""
        until(lambda: bool(self.value(expression)))

    def click(self, selector: str) -> None:
        """Click the middle of the first element of the board that fits, as a hand does."""
        x, y = map(round, self.value(f"({_MIDDLE})(board.querySelector({json.dumps(selector)}))"))
        pointer = [
            {"type": "pointerMove", "x": x, "y": y},
            {"type": "pointerDown", "button": 0},
            {"type": "pointerUp", "button": 0},
        ]
        actions = [{"type": "pointer", "id": "mouse", "actions": pointer}]
        self.call("input.performActions", context=self._tab, actions=actions)

    def press(self, key: str) -> None:
        """Press a key by its code in WebDriver."""
        keys = [{"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]
        actions = [{"type": "key", "id": "keyboard", "actions": keys}]
        self.call("input.performActions", context=self._tab, actions=actions)


_MIDDLE: Final = """(element) => {
    element.scrollIntoView({ block: "nearest" });
    const { x, y, width, height } = element.getBoundingClientRect();
    return [x + width / 2, y + height / 2];
}"""

ESCAPE: Final = "\ue00c"
LEFT: Final = "\ue012"
"""Keys by their codes in WebDriver."""
