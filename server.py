"""The same page with the API beside it, on one port: one process, started and stopped as one.

``python server.py`` takes the options, the variables and the settings of ``streamlit run``. It
serves by itself, because ``streamlit run`` waits for ever for a client that does not read: here
such a client is gone after half a minute, and holds up the end of the process for two seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import os
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
import streamlit as st
import uvicorn
from starlette.middleware import Middleware
from starlette.types import Receive, Scope, Send
from streamlit import cli_util, config, file_util
from streamlit.web.bootstrap import load_config_options
from streamlit.web.cli import configurator_options
from streamlit.web.server import server_util

import page
from api.assets import Assets, Served, served
from api.beside import Beside, is_ours
from api.guarding import Guard
from page.assets import FOLDER, MANIFEST, assets, script_address, serve_assets
from page.skeleton import modules_of, with_skeleton
from settings import ApiSettings, load
from settings.start import start_lines
from ticks import MarketPulseError

if TYPE_CHECKING:
    from behind import Behind

PAGE: Final = Path(__file__).parent / "app.py"

USER_TIMEOUT_MS: Final = 30_000
"""After so long the system gives up a client that takes nothing of what was sent to it."""
END_SEC: Final = 2
"""How long the end of the process waits for clients that take what is sent to them."""
LINGER_SEC: Final = 1
"""How long it waits after that for threads, such as one that still writes a file."""
PING_SEC: Final = 20
"""How often a client is asked whether it is there, and how long its answer may take."""
MOST_MESSAGE_BYTES: Final = 2**20
"""Of a client, before anybody knows whose it is; those of the page are below."""
BACKLOG: Final = 2048
THEME: Final = {
    "ground": "backgroundColor",
    "card": "secondaryBackgroundColor",
    "line": "borderColor",
    "text": "textColor",
}
"""The colours of the skeleton, and the options of Streamlit's themes that name them."""
CHUNKS: Final = ("BidiComponent", "Html", "Button")
"""The parts of Streamlit's script that draw what the page is made of."""
PORTS_TRIED: Final = 100
"""If nobody says which port, the next one that is free."""


# What is served.


def _option(name: str) -> Any:
    """One of Streamlit's settings."""
    return config.get_option(f"server.{name}")


def is_loopback(address: str) -> bool:
    """Whether what listens at an address can be reached from this computer alone."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address.lower() == "localhost"


def _loaded(loop: asyncio.AbstractEventLoop) -> Behind:
    """What is behind the page, with nothing begun."""
    # Not above: this takes longer than all else until the page is served, and a browser that loads
    # that page meanwhile needs none of it.
    from behind import Behind

    return Behind(loop, lambda: not is_loopback(_option("address") or ""))


class Beginning:
    """Loads and begins what is behind the page on a thread, while the page is served already.

    A program that asks before all has begun waits until it has.
    """

    def __init__(self) -> None:
        self._loading: asyncio.Task[Behind] | None = None
        self._beginning: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Begin, on the loop that runs; returns at once."""
        loop = asyncio.get_running_loop()
        self._loading = loop.create_task(asyncio.to_thread(_loaded, loop))
        self._beginning = loop.create_task(self._begin(self._loading))

    async def end(self) -> None:
        """End what has begun."""
        await asyncio.to_thread((await self._behind()).end)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a program's request or handshake."""
        await (await self._behind())(scope, receive, send)

    @property
    def origins(self) -> tuple[str, ...]:
        """The origins of other pages that may read; until it is loaded as the settings say."""
        if self._loading is None or not self._loading.done():
            return api_settings().origins
        return self._loading.result().origins

    async def _begin(self, loading: asyncio.Task[Behind]) -> None:
        await asyncio.to_thread((await loading).begin)

    async def _behind(self) -> Behind:
        """What is behind the page, once all has begun that can."""
        if self._loading is None or self._beginning is None:
            raise RuntimeError("asked before the server runs")
        # So that who goes away meanwhile takes nothing along.
        await asyncio.wait([self._beginning])
        return self._loading.result()


_beginning = Beginning()


@contextlib.asynccontextmanager
async def lifespan(_: st.App) -> AsyncIterator[None]:
    """The worker begins with the process, not with the first tab, and ends with it."""
    serve_assets()
    _beginning.begin()
    try:
        yield
    finally:
        await _beginning.end()


def _files() -> Mapping[str, Served]:
    """The page's files by their paths below the page, and under none the page itself."""
    ground = config.get_option("theme.dark.backgroundColor") or "black"
    files = {
        f"{FOLDER}/{name}": served(file.media_type, file.body, is_kept=name != MANIFEST)
        for name, file in assets(page.SCRIPT, ground).items()
    }
    index = _index()
    return files if index is None else {**files, "": served("text/html", index, is_kept=False)}


def _index() -> bytes | None:
    """Streamlit's first page with our skeleton in it; None leaves it to Streamlit."""
    folder = Path(file_util.get_static_dir())
    colours = {
        f"{base}_{name}": config.get_option(f"theme.{base}.{option}")
        for base in ("dark", "light")
        for name, option in THEME.items()
    } | {"accent": config.get_option("theme.dark.primaryColor")}
    try:
        index = (folder / "index.html").read_text("utf-8")
    except OSError:
        return None
    if not all(colours.values()):
        return None
    # What the page's elements need is fetched by Streamlit only once it was told of them.
    chunks = modules_of(folder / "static" / "js", CHUNKS, index)
    scripts = [script_address(page.SCRIPT), *(f"./static/js/{chunk}" for chunk in chunks)]
    return with_skeleton(index, colours, scripts, page.CONTROLS.read_text("utf-8")).encode()


def _is_ours(scope: Scope) -> bool:
    return is_ours(scope, _option("baseUrlPath"))


app = st.App(
    PAGE,
    lifespan=lifespan,
    middleware=[
        Middleware(
            Guard,
            hosts=lambda: _option("allowedHosts"),
            origins=lambda: _beginning.origins,
            is_ours=_is_ours,
        ),
        Middleware(Beside, programs=_beginning, base=lambda: _option("baseUrlPath")),
        Middleware(Assets, folder=FOLDER, files=_files, base=lambda: _option("baseUrlPath")),
    ],
)


# How it is served.


def listening(address: str, port: int) -> socket.socket:
    """A socket that listens; those that it accepts inherit that nothing that is sent waits for more
    to be sent, and how long the system waits for a client.

    Raises:
        OSError: if the address is not ours, or the port is taken or barred.
        OverflowError: if it is no port.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    is_any = address == "::"
    made = socket.create_server(
        (address, port), family=family, backlog=BACKLOG, dualstack_ipv6=is_any
    )
    # Else the end of a small answer waits 40 ms for the word that its beginning came. asyncio turns
    # that off only for sockets that name their protocol, which these do not.
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT_MS)
    return made


def bound() -> socket.socket:
    """A socket that listens where Streamlit's settings say; without a port any free one from 8501.

    Raises:
        SystemExit: with what is wrong, if there is none.
    """
    wanted, first = _option("address"), int(_option("port"))
    addresses = [wanted] if wanted else ["::", "0.0.0.0"] if socket.has_ipv6 else ["0.0.0.0"]  # noqa: S104
    is_chosen = config.is_manually_set("server.port")
    why = ""
    for port in [first] if is_chosen else range(first, first + PORTS_TRIED):
        for address in addresses:
            try:
                return listening(address, port)
            except OSError as error:
                why = (error.strerror or str(error)).partition(" (")[0]
            except OverflowError:
                why = "ports go from 0 to 65535"
    raise SystemExit(
        f"Market Pulse cannot listen at {wanted or 'any address'}, port {first}: {why}."
        " Choose others by STREAMLIT_SERVER_ADDRESS and STREAMLIT_SERVER_PORT."
    )


def server_of(settings: ApiSettings) -> uvicorn.Server:
    """What serves ``app``; forwarded headers are believed as ``settings`` say."""
    ping = _option("websocketPingInterval") or PING_SEC
    return uvicorn.Server(
        uvicorn.Config(
            app,
            ws="websockets-sansio",
            ws_max_size=MOST_MESSAGE_BYTES,
            ws_ping_interval=ping,
            ws_ping_timeout=ping,
            ws_per_message_deflate=_option("enableWebsocketCompression"),
            ssl_certfile=_option("sslCertFile"),
            ssl_keyfile=_option("sslKeyFile"),
            timeout_graceful_shutdown=END_SEC,
            proxy_headers=True,
            forwarded_allow_ips=list(settings.proxies),
            # What it tells of every socket at a lower level holds the query.
            log_level="warning",
            access_log=False,
            use_colors=False,
        )
    )


def _without_home() -> None:
    """Let a user without a home be one whose home is empty: Streamlit looks there for settings."""
    try:
        Path.home()
    except RuntimeError:
        os.environ["HOME"] = "/nonexistent"


async def serve(server: uvicorn.Server, listener: socket.socket) -> None:
    """Serve until a signal comes; from the moment on at which all is closed, wait for no thread."""
    await server.serve(sockets=[listener])
    # As a daemon it ends with the process, if that ends by itself.
    last = threading.Timer(LINGER_SEC, os._exit, [0])
    last.daemon = True
    last.start()


def api_settings() -> ApiSettings:
    """The settings of the API; the usual ones if any setting is wrong, which the page then says."""
    try:
        return load().api
    except MarketPulseError:
        return ApiSettings()


def told_at_start() -> tuple[str, ...]:
    """What the terminal is told of the source; nothing if a setting is wrong, which is logged."""
    try:
        return start_lines(load())
    except MarketPulseError:
        return ()


@click.command(context_settings={"auto_envvar_prefix": "STREAMLIT"})
@configurator_options
def main(**options: Any) -> None:
    """Serve the page with the API beside it until SIGTERM or Ctrl+C.

    Takes what streamlit run takes: STREAMLIT_SERVER_ADDRESS and STREAMLIT_SERVER_PORT say where.
    """
    _without_home()
    load_config_options(options)
    with bound() as listener:
        config.set_option("server.port", listener.getsockname()[1])
        url = server_util.get_url(
            config.get_option("browser.serverAddress")
            if config.is_manually_set("browser.serverAddress")
            else server_util.get_display_address(_option("address") or "localhost")
        )
        if not config.get_option("logger.hideWelcomeMessage"):
            lines = "".join(f"  {line}\n" for line in told_at_start())
            click.echo(f"\n  Market Pulse: {url}\n{lines}")
        if not _option("headless"):
            cli_util.open_browser(url)
        server = server_of(api_settings())
        # It raises the signal that ended it once more, which would end us by that signal: so, by
        # ourselves and with status 0.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, server.handle_exit)
        with asyncio.Runner(loop_factory=server.config.get_loop_factory()) as runner:
            runner.run(serve(server, listener))
    if not server.started:
        sys.exit(1)


if __name__ == "__main__":
    main()
