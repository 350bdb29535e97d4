"""A browser whose tabs can really be hidden, driven over the DevTools protocol.

Playwright tells every page that it is visible and focused, so what a page does in the background
cannot be seen through it. Here a tab is hidden as a user hides it: another one comes before it.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from itertools import count
from pathlib import Path
from typing import Any, Final

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.browsing import FLAGS, chromium_path
from tests.waiting import HANG_SEC, until

THROTTLED_AFTER_SEC: Final = 60
"""A hidden page that has loaded gets one run of its timers per minute from then on.

Built into Chromium 156: its flag moves only the 300 s of pages that were hidden while they loaded.
"""

THROTTLED_AT_ONCE: Final = """
(() => {
  const begin = window.setInterval;
  window.setInterval = (run, ...rest) => {
    let last = performance.now();
    return begin(() => {
      const now = performance.now();
      if (document.hidden && now - last < 60000) return;
      last = now;
      run();
    }, ...rest);
  };
})()
"""
"""For a test that cannot wait a minute: a script for ``open(before=…)`` that does to a page's
intervals from the moment of hiding what the browser does later. Web Workers keep theirs, as they
do in the browser."""


# What has to be clicked, found by a selector through open shadow roots.
_FIND: Final = """
const find = (root, selector) => {
  const found = root.querySelector(selector);
  if (found) return found;
  for (const element of root.querySelectorAll("*")) {
    const inside = element.shadowRoot && find(element.shadowRoot, selector);
    if (inside) return inside;
  }
  return null;
};
"""


class DevToolsError(Exception):
    """The browser refused a command, or a script it evaluated threw."""


class RealBrowser:
    """A Chromium of its own with one window, whose tabs can be hidden behind one another."""

    def __init__(self, ws: ClientConnection) -> None:
        self._ws = ws
        self._ids = count(1)
        self._tabs: dict[str, RealTab] = {}
        self._cover: str | None = None

    def open(self, url: str, *, before: Iterable[str] = ()) -> RealTab:
        """A visible tab on ``url``; the scripts of ``before`` run ahead of each document's own."""
        target = self.command("Target.createTarget", url="about:blank")["targetId"]
        session = self.command("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        tab = self._tabs[session] = RealTab(self, target, session)
        for domain in ("Page", "Runtime", "Log"):
            tab.command(f"{domain}.enable")
        for script in before:
            tab.command("Page.addScriptToEvaluateOnNewDocument", source=script)
        tab.command("Page.navigate", url=url)
        return tab

    def grant(self, origin: str, *permissions: str) -> None:
        """Answer yes beforehand when ``origin`` asks for ``permissions``, as "notifications"."""
        self.command("Browser.grantPermissions", origin=origin, permissions=list(permissions))

    def cover(self) -> None:
        """Bring an empty tab before all others."""
        if self._cover is None:
            self._cover = self.command("Target.createTarget", url="about:blank")["targetId"]
        self.command("Target.activateTarget", targetId=self._cover)

    def command(self, method: str, session: str | None = None, **arguments: Any) -> dict[str, Any]:
        """Have the browser, or the tab of ``session``, do something; what it answers.

        Raises:
            DevToolsError: when it refuses.
        """
        number = next(self._ids)
        message: dict[str, Any] = {"id": number, "method": method, "params": arguments}
        if session is not None:
            message["sessionId"] = session
        self._ws.send(json.dumps(message))
        deadline = time.monotonic() + HANG_SEC
        while True:
            told = json.loads(self._ws.recv(timeout=max(0.0, deadline - time.monotonic())))
            if told.get("id") != number:
                self._hear(told)
                continue
            if "error" in told:
                raise DevToolsError(f"{method}: {told['error']['message']}")
            answer: dict[str, Any] = told["result"]
            return answer

    def _hear(self, told: dict[str, Any]) -> None:
        tab = self._tabs.get(told.get("sessionId", ""))
        if tab is not None:
            tab.hear(told["method"], told["params"])


class RealTab:
    """One tab of a ``RealBrowser``; ``complaints`` holds its errors and warnings so far."""

    def __init__(self, browser: RealBrowser, target: str, session: str) -> None:
        self._browser = browser
        self._target = target
        self._session = session
        self._complaints: list[str] = []

    def command(self, method: str, **arguments: Any) -> dict[str, Any]:
        """Have the tab do something; what it answers."""
        return self._browser.command(method, self._session, **arguments)

    def evaluate(self, script: str) -> Any:
        """The value of an expression in the page, awaited if it is a promise.

        Raises:
            DevToolsError: when it throws.
        """
        answer = self.command(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        if thrown := answer.get("exceptionDetails"):
            raise DevToolsError(_exception_text(thrown))
        return answer["result"].get("value")

    @property
    def complaints(self) -> list[str]:
        """Errors and warnings of the console, uncaught exceptions, failed requests."""
        self.evaluate("0")  # what was told before is heard with the answer
        return list(self._complaints)

    def is_hidden(self) -> bool:
        """Whether the page itself thinks that nobody sees it."""
        return bool(self.evaluate("document.visibilityState") == "hidden")

    def hide(self) -> None:
        """Bring another tab before this one."""
        self._browser.cover()
        until(self.is_hidden)

    def show(self) -> None:
        """Bring this tab before the others."""
        self._browser.command("Target.activateTarget", targetId=self._target)
        until(lambda: not self.is_hidden())

    def has(self, selector: str) -> bool:
        """Whether the page holds such an element, open shadow roots included."""
        return bool(self.evaluate(f"{{{_FIND} find(document, {json.dumps(selector)}) !== null}}"))

    def click(self, selector: str) -> None:
        """Click the first such element with the mouse, which the page takes for a user's click.

        Raises:
            DevToolsError: when there is none, or something else lies over its middle.
        """
        x, y = self.evaluate(
            f"""{{{_FIND}
            const element = find(document, {json.dumps(selector)});
            if (!element) throw new Error("nothing to click at " + {json.dumps(selector)});
            element.scrollIntoView({{block: "center", behavior: "instant"}});
            const box = element.getBoundingClientRect();
            const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
            const hit = element.getRootNode().elementFromPoint(x, y);
            if (!hit || !(element.contains(hit) || hit.contains(element)))
              throw new Error("something lies over " + {json.dumps(selector)});
            [x, y]}}"""
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.command(
                "Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1
            )

    def close(self) -> None:
        """Close the tab."""
        self._browser.command("Target.closeTarget", targetId=self._target)

    def hear(self, method: str, told: dict[str, Any]) -> None:
        """Note what the page complains of; called by the browser."""
        match method:
            case "Runtime.exceptionThrown":
                self._complaints.append(_exception_text(told["exceptionDetails"]))
            case "Runtime.consoleAPICalled" if told["type"] in ("error", "warning", "assert"):
                values = (value.get("value", value.get("description")) for value in told["args"])
                self._complaints.append(" ".join(map(str, values)))
            case "Log.entryAdded" if told["entry"]["level"] in ("error", "warning"):
                self._complaints.append(told["entry"]["text"])


def _exception_text(details: dict[str, Any]) -> str:
    text: str = details.get("exception", {}).get("description", details["text"])
    return text


@contextlib.contextmanager
def real_browser() -> Iterator[RealBrowser]:
    """Starts a Chromium, headless and with a profile of its own, and ends it.

    Raises:
        FileNotFoundError: when none is installed.
    """
    path = chromium_path()
    if path is None:
        raise FileNotFoundError("chromium is not installed")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        process = subprocess.Popen(
            [
                *(path, "--headless=new", "--remote-debugging-port=0", *FLAGS),
                *(f"--user-data-dir={folder}", "--window-size=1440,900", "about:blank"),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            with connect(_address(Path(folder)), max_size=None, compression=None) as ws:
                browser = RealBrowser(ws)
                yield browser
                with contextlib.suppress(ConnectionClosed):
                    browser.command("Browser.close")
            process.wait(HANG_SEC)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()


def _address(folder: Path) -> str:
    told = folder / "DevToolsActivePort"
    # Written line by line: the port, then the path.
    until(lambda: told.exists() and len(told.read_text("ascii").split()) == 2)
    port, path = told.read_text("ascii").split()
    return f"ws://127.0.0.1:{port}{path}"
