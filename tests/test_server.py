"""``python server.py``: the page and the API on one port, for whom it may be, from begin to end."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import http.client
import json
import re
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect as sync_connect
from websockets.typing import Subprotocol

from server import listening
from tests.browsing import Server, copy_app
from tests.waiting import HANG_SEC, until

ENVIRON: Final = {"MARKET_PULSE_SOURCE": "simulated", "MARKET_PULSE_SEED": "7"}
HEALTH: Final = ("/livez", "/readyz")


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def ask(server: Server, path: str, method: str = "GET", **headers: str) -> Answer:
    """Ask a server something, by the name ``localhost`` unless ``Host`` is another."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=HANG_SEC)
    try:
        connection.request(method, path, headers={"Host": f"localhost:{server.port}", **headers})
        answer = connection.getresponse()
        named = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, named, answer.read())
    finally:
        connection.close()


def handshake(server: Server, path: str, **headers: str) -> int:
    """The status with which a handshake is answered: 101 is let in."""

    async def shake() -> int:
        others = dict(headers)
        host = others.pop("Host", f"localhost:{server.port}")
        try:
            async with connect(
                f"ws://{host}{path}",
                additional_headers=others,
                host="127.0.0.1",
                port=server.port,
            ):
                return 101
        except InvalidStatus as refused:
            return refused.response.status_code

    return asyncio.run(shake())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The application's code."""
    made = tmp_path_factory.mktemp("server")
    copy_app(made)
    return made


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    """One as it is started, for this computer alone."""
    with Server(folder, {**ENVIRON, "MARKET_PULSE_DATA": "off"}, with_api=True) as made:
        yield made


def test_the_worker_begins_with_the_process(server: Server) -> None:
    """Nobody has opened a page, and it is ready."""
    until(lambda: ask(server, "/readyz").status == 200)
    assert ask(server, "/livez").status == 200


def test_the_page_and_the_api_are_on_one_port(server: Server) -> None:
    """What is not the API's is the page's, and nothing below its paths is."""
    page = ask(server, "/")
    assert page.headers["content-type"].startswith("text/html")
    assert b"<html" in ask(server, "/metricsx").body
    for path in ("/api", "/api/", "/api/v1/nope", "/api/v1", "/api/../x", "/livez/x", "/metrics/x"):
        answer = ask(server, path)
        assert answer.status == 404, path
        assert "html" not in answer.headers.get("content-type", ""), path


SECURITY: Final = {
    "x-content-type-options": "nosniff",
    "content-security-policy": "frame-ancestors 'self'",
    "referrer-policy": "no-referrer",
}


@pytest.mark.parametrize(
    "path",
    [
        *(
            "/",
            "/nothing",
            "/assets/none",
            "/_stcore/health",
            "/_stcore/host-config",
            "/_stcore/stream",
        ),
        *("/media/none", "/static/none.js", "/favicon.png", "//x"),
        *("/livez", "/readyz", "/metrics", "/api/v1/nope"),
    ],
)
def test_every_answer_says_the_same_to_browsers(server: Server, path: str) -> None:
    """The page's, Streamlit's own and the API's, found or not, and what is refused."""
    for headers in ({}, {"Host": "evil.example"}):
        answer = ask(server, path, **headers)
        assert SECURITY.items() <= answer.headers.items(), (path, answer.status)


# What browsers keep of the page.


def test_the_pages_files_are_packed_and_kept(server: Server) -> None:
    """By names that tell what is in them, but for the manifest, which is asked for anew."""
    page = ask(server, "/").body.decode()
    (script,) = re.findall(r'href="\./(assets/board\.\w+\.js)"', page)
    (icon,) = re.findall(r'href="\./(assets/icon\.\w+\.svg)"', page)
    for path, caching in (
        (script, "public, max-age=31536000, immutable"),
        (icon, "public, max-age=31536000, immutable"),
        ("assets/manifest.webmanifest", "no-cache"),
        ("", "no-cache"),
    ):
        plain = ask(server, f"/{path}")
        packed = ask(server, f"/{path}", **{"Accept-Encoding": "br, gzip;q=0.8"})
        refused = ask(server, f"/{path}", **{"Accept-Encoding": "gzip;q=0, *"})
        assert plain.status == packed.status == 200, path
        assert "content-encoding" not in plain.headers
        assert packed.headers["content-encoding"] == "gzip", path
        assert "content-encoding" not in refused.headers
        assert gzip.decompress(packed.body) == plain.body
        for answer in (plain, packed):
            assert answer.headers["cache-control"] == caching
            assert answer.headers["vary"] == "Accept-Encoding"
        again = ask(server, f"/{path}", **{"If-None-Match": packed.headers["etag"]})
        assert (again.status, again.body) == (304, b"")
        assert again.headers["cache-control"] == caching
        assert ask(server, f"/{path}", "HEAD").body == b""


def test_a_file_of_another_version_is_not_there(server: Server) -> None:
    """Rather than the page in its place, which is no script."""
    answer = ask(server, "/assets/board.0000000000000000.js")
    assert answer.status == 404
    assert "another version" in json.loads(answer.body)["detail"]


def test_a_session_is_not_sent_the_script_that_is_served(folder: Path, server: Server) -> None:
    """Alone, the page has nobody to serve it: there it is sent."""
    with Server(folder, {**ENVIRON, "MARKET_PULSE_DATA": "off"}) as alone:
        assert board_script(server) < 1000
        assert board_script(alone) > 50_000


def board_script(server: Server) -> int:
    """The size of the script that a new tab is sent with the board."""
    with sync_connect(
        f"ws://localhost:{server.port}/_stcore/stream",
        subprotocols=[Subprotocol("streamlit")],
        max_size=None,
    ) as ws:
        ws.send(BackMsg(rerun_script=ClientState()).SerializeToString())
        while True:
            message: Any = ForwardMsg.FromString(ws.recv(HANG_SEC, decode=False))
            drawn = message.delta.new_element.bidi_component
            if "market-pulse" in drawn.html_content:
                return len(drawn.js_content)


# Names and origins.


def test_a_foreign_name_is_told_nothing(server: Server) -> None:
    """Over HTTP and at a handshake, for the page as for the API; by ours one is let in."""
    own = f"localhost:{server.port}"
    for host in (own, "localhost", "127.0.0.1:1", "LOCALHOST."):
        assert ask(server, "/livez", Host=host).status == 200, host
    for host in ("evil.example", "localhost.evil.example", "169.254.169.254"):
        for path in ("/", "/livez", "/_stcore/health", "/api/v1/nope"):
            answer = ask(server, path, Host=host)
            assert answer.status == 403, (host, path)
            assert json.loads(answer.body)["status"] == 403
            assert host.encode() not in answer.body
        for path in ("/api/v1/stream", "/_stcore/stream"):
            assert handshake(server, path, Host=host) == 403, (host, path)


def test_a_foreign_page_is_told_nothing(server: Server) -> None:
    """By the browser's word about where a script comes from."""
    own = f"localhost:{server.port}"
    assert ask(server, "/livez", Origin=f"http://{own}").status == 200
    assert ask(server, "/livez", Origin=f"https://{own}").status == 200  # behind a proxy
    for origin in ("http://evil.example", "null", f"http://{own}.evil.example", "http://localhost"):
        for path in HEALTH:
            assert ask(server, path, Origin=origin).status == 403, (origin, path)
        assert handshake(server, "/api/v1/stream", Origin=origin) == 403, origin


def test_a_message_that_is_too_large_ends_its_connection(server: Server) -> None:
    """Of whomever, before anybody knows whose it is."""
    with sync_connect(f"ws://localhost:{server.port}/_stcore/stream") as ws:
        with contextlib.suppress(ConnectionClosed):
            ws.send(bytes(2**20 + 1))
        with pytest.raises(ConnectionClosed) as closed:
            ws.recv(HANG_SEC)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009


KEY: Final = "SECRETKEY0123456789SECRETKEY0123456789"


def test_what_is_asked_is_not_logged(server: Server) -> None:
    """Neither a query nor a token, of requests and of sockets, let in or not."""
    for path in ("/livez", "/api/v1/status", "/api/v1/stream", "/nothing"):
        ask(server, f"{path}?token={KEY}", Authorization=f"Bearer {KEY}")
        ask(server, f"{path}?token={KEY}", Host=f"{KEY}.example")
    for path in ("/api/v1/stream", "/_stcore/stream", "/nothing"):
        handshake(server, f"{path}?token={KEY}", Authorization=f"Bearer {KEY}")
        handshake(server, f"{path}?token={KEY}", Origin="http://evil.example")
    assert KEY not in server.log.read_text("utf-8")


# The page, as by ``streamlit run``.


def session(server: Server) -> Any:
    """What a new tab is told: the theme, and what the browser may do."""
    with sync_connect(
        f"ws://localhost:{server.port}/_stcore/stream", subprotocols=[Subprotocol("streamlit")]
    ) as ws:
        ws.send(BackMsg(rerun_script=ClientState()).SerializeToString())
        while True:
            message: Any = ForwardMsg.FromString(ws.recv(HANG_SEC, decode=False))
            if message.HasField("new_session"):
                return message.new_session


def test_the_page_has_the_same_settings_as_alone(folder: Path, server: Server) -> None:
    """All of .streamlit/config.toml, as far as it reaches a browser."""
    with Server(folder, {**ENVIRON, "MARKET_PULSE_DATA": "off"}) as alone:
        here, there = session(server), session(alone)
        assert there.custom_theme.primary_color or there.custom_theme.dark.primary_color
        assert here.custom_theme == there.custom_theme
        assert here.config == there.config
        assert here.main_script_path == there.main_script_path
        hosts = "/_stcore/host-config"
        assert ask(server, hosts).body == ask(alone, hosts).body


OPTIONS: Final = """
import json, sys
sys.path.insert(0, sys.argv[1])
import server
server.load_config_options({})
print(json.dumps({name: server.config.get_option(name) for name in sys.argv[2:]}))
"""


def options(table: Mapping[str, Any], within: str = "") -> Iterator[tuple[str, Any]]:
    """The options of a settings file by their whole names."""
    for name, value in table.items():
        if isinstance(value, dict):
            yield from options(value, f"{within}{name}.")
        else:
            yield f"{within}{name}", value


def test_every_option_of_the_file_counts(folder: Path, tmp_path: Path) -> None:
    """From wherever the server is started."""
    text = (folder / ".streamlit" / "config.toml").read_text("utf-8")
    wanted = dict(options(tomllib.loads(text)))
    assert len(wanted) > 40
    done = subprocess.run(
        [sys.executable, "-c", OPTIONS, str(folder), *wanted],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    )
    assert json.loads(done.stdout) == wanted


# Its beginning.


def test_the_page_is_served_before_the_rest_is_loaded(folder: Path) -> None:
    """A browser loads it meanwhile: what computes, stores and answers programs comes after."""
    script = "import sys, server; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=folder, check=True, capture_output=True, text=True
    )
    loaded = done.stdout.split()
    assert "page" in loaded
    assert not {"pandas", "numpy", "aiohttp", "worker", "pulse_store", "api.routes"} & set(loaded)


def test_whoever_asks_at_once_is_answered(folder: Path, tmp_path: Path) -> None:
    """As soon as there is something to tell; pages of other origins are told apart from then on."""
    friend, config = "https://friend.example", tmp_path / "market_pulse.toml"
    config.write_text(f'[api]\norigins = ["{friend}"]\n', "utf-8")
    environ = {**ENVIRON, "MARKET_PULSE_CONFIG": str(config)}
    with Server(folder, environ, with_api=True) as server:
        assert ask(server, "/api/v1/status", Origin=friend).status == 200
        assert ask(server, "/api/v1/status", Origin="https://other.example").status == 403


# Its end.


def test_it_ends_when_it_is_asked_to(folder: Path, tmp_path: Path) -> None:
    """With status 0, its archive closed, and its readers told that it will be back."""
    environ = {**ENVIRON, "MARKET_PULSE_DATA": str(tmp_path)}
    with Server(folder, environ, with_api=True) as server:
        until(lambda: ask(server, "/readyz").status == 200)
        with sync_connect(f"ws://localhost:{server.port}/api/v1/stream") as reader:
            assert server.stop() == 0
            with pytest.raises(ConnectionClosed) as closed:
                list(reader)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1012
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".lock"] == [
        "simulated-7.sqlite"
    ]


def test_a_port_that_is_taken_is_said(folder: Path, server: Server) -> None:
    """With what to do, and no traceback."""
    done = subprocess.run(
        [sys.executable, "server.py", "--server.port", str(server.port)],
        cwd=folder,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr == (
        f"Market Pulse cannot listen at 127.0.0.1, port {server.port}: Address already in use."
        " Choose others by STREAMLIT_SERVER_ADDRESS and STREAMLIT_SERVER_PORT.\n"
    )


# To whom it may be told.


def test_without_a_token_others_than_this_computer_are_told_nothing(folder: Path) -> None:
    """As soon as they can ask, nobody is; health is for everybody."""
    environ = {**ENVIRON, "MARKET_PULSE_DATA": "off", "STREAMLIT_SERVER_ADDRESS": "0.0.0.0"}  # noqa: S104
    with Server(folder, environ, with_api=True) as server:
        until(lambda: ask(server, "/readyz").status == 200)
        for path in ("/api/v1/frame", "/metrics", "/api/v1/openapi.json", "/api"):
            answer = ask(server, path)
            assert answer.status == 503
            assert "MARKET_PULSE_API_TOKENS" in json.loads(answer.body)["detail"]
        assert handshake(server, "/api/v1/stream") == 503
        assert ask(server, "/livez").status == 200
        assert ask(server, "/").status == 200


def test_nothing_that_is_sent_waits_for_more_to_be_sent() -> None:
    """Of any connection: else a small answer would wait for a word of the other side."""
    with (
        contextlib.closing(listening("127.0.0.1", 0)) as listener,
        contextlib.closing(socket.create_connection(listener.getsockname())),
    ):
        accepted, _ = listener.accept()
        with contextlib.closing(accepted):
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
