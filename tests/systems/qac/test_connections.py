"""Hostile bytes on a real socket: each gets a clean answer, and the server goes on."""

import contextlib
import json
import resource
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from serving import served

from pyfastlm._http.serving import MOST_CONNECTIONS
from pyfastlm.cli.app import run

LINE = b"GET /complete?q=red HTTP/1.1\r\nHost: localhost\r\n"


@pytest.fixture
def line(address: str) -> Iterator[socket.socket]:
    """A connection; afterwards the server must answer another one."""
    port = urlsplit(address).port
    with socket.create_connection(("127.0.0.1", port or 0), timeout=20) as connection:
        yield connection
    with socket.create_connection(("127.0.0.1", port or 0), timeout=20) as connection:
        assert exchange(connection, LINE + b"Connection: close\r\n\r\n")[0] == 200


def exchange(connection: socket.socket, request: bytes) -> tuple[int, dict[str, str], bytes]:
    connection.sendall(request)
    return answer(connection)


def answer(connection: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the one answer on ``connection``, which the server must then close."""
    received = b""
    while part := connection.recv(1 << 16):
        received += part
    head, blank, body = received.partition(b"\r\n\r\n")
    assert blank, received
    first, *lines = head.decode("ascii").split("\r\n")
    version, status, _ = first.split(" ", 2)
    assert version == "HTTP/1.1"
    headers = dict(line.lower().split(": ", 1) for line in lines)
    assert headers["content-length"] == str(len(body))
    return int(status), headers, body


def refusal(got: tuple[int, dict[str, str], bytes], status: int) -> str:
    assert got[0] == status, got
    assert got[1]["x-content-type-options"] == "nosniff"
    reason = json.loads(got[2])["error"]
    assert isinstance(reason, str)
    assert "\n" not in reason
    return reason


def get(target: bytes, *, method: bytes = b"GET") -> bytes:
    return method + b" " + target + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize("size", [40_000, 1 << 20, 8 << 20])
def test_a_query_of_megabytes(line: socket.socket, size: int) -> None:
    reason = refusal(exchange(line, get(b"/complete?q=" + b"a" * size)), 414 if size < 65_536 else 431)
    assert "expected at most" in reason


def test_huge_headers(line: socket.socket) -> None:
    request = LINE + b"X: " + b"y" * (1 << 20) + b"\r\n\r\n"
    assert "expected at most" in refusal(exchange(line, request), 431)


def test_many_headers(line: socket.socket) -> None:
    request = LINE + b"".join(b"X-%d: y\r\n" % i for i in range(20_000)) + b"\r\n"
    refusal(exchange(line, request), 431)


@pytest.mark.parametrize(
    "target", [b"/complete?q=%ff%fe", b"/complete?q=%", b"/complete?q=%c3%28", b"/%ff", b"/%"]
)
def test_percent_encoding_that_is_not_utf_8(line: socket.socket, target: bytes) -> None:
    assert "expected" in refusal(exchange(line, get(target)), 400)


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /complete?q=\xff\xfe HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /complete?q=é HTTP/1.1\r\nHost: localhost\r\n\r\n".encode(),
        b"GET /complete?q=a b HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /complete?q=a\x00b HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),  # TLS
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"GET /complete?q=a\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",  # no Host
        b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nbad header\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
    ],
)
def test_what_is_no_http(line: socket.socket, request_: bytes) -> None:
    status, _, _ = got = exchange(line, request_)
    assert 400 <= status < 500
    assert refusal(got, status)


@pytest.mark.parametrize(
    "target",
    [
        b"/../../../../etc/passwd", b"/..%2f..%2f..%2fetc%2fpasswd", b"/%2e%2e/%2e%2e/etc/passwd",
        b"/%252e%252e/etc/passwd", b"/..\\..\\etc\\passwd", b"//etc/passwd", b"/./page.js",
        b"/page.js/../page.css", b"/page.js%00.html", b"//complete?q=a",
        b"http://localhost/complete?q=a", b"*", b"evil.example:443",
    ],
)  # fmt: skip
def test_path_traversal(line: socket.socket, target: bytes) -> None:
    got = exchange(line, get(target))
    assert refusal(got, 404).startswith("path: expected one of")


@pytest.mark.parametrize("method", [b"POST", b"PUT", b"DELETE", b"OPTIONS", b"TRACE", b"get", b"X" * 200])
def test_wrong_methods(line: socket.socket, method: bytes) -> None:
    got = exchange(line, get(b"/complete?q=a", method=method))
    refusal(got, 405)
    assert got[1]["allow"] == "get, head"  # the helper's lower case


def test_an_upgrade_is_not_made(line: socket.socket) -> None:
    request = LINE + b"Upgrade: websocket\r\nConnection: upgrade, close\r\n\r\n"
    line.sendall(request)
    assert line.recv(1 << 16).startswith(b"HTTP/1.1 200 ")


def test_connect(line: socket.socket) -> None:
    assert exchange(line, get(b"localhost:80", method=b"CONNECT"))[0] == 404


def test_a_large_body_is_refused_while_it_comes(line: socket.socket) -> None:
    size = 4 << 20
    head = (
        b"POST /complete HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
        % size
    )
    refusal(exchange(line, head + b"x" * size), 405)


def test_a_body_that_never_comes(line: socket.socket) -> None:
    request = LINE + b"Connection: close\r\nContent-Length: 5\r\n\r\n"
    assert "body" in refusal(exchange(line, request), 413)


def test_foreign_host(line: socket.socket) -> None:
    request = b"GET /complete?q=a HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n"
    assert refusal(exchange(line, request), 400).startswith("Host: expected")


def test_half_a_request_and_then_the_end(line: socket.socket) -> None:
    line.sendall(LINE)
    line.shutdown(socket.SHUT_WR)
    assert "middle" in refusal(answer(line), 400)


def test_a_whole_request_and_then_the_end(line: socket.socket) -> None:
    line.sendall(LINE + b"\r\n")
    line.shutdown(socket.SHUT_WR)
    status, _, body = answer(line)
    assert (status, json.loads(body)["query"]) == (200, "red")


def test_two_requests_in_one_packet(line: socket.socket) -> None:
    line.sendall(LINE + b"\r\n" + get(b"/health"))
    received = b""
    while part := line.recv(1 << 16):
        received += part
    assert received.count(b"HTTP/1.1 200") == 2


def test_clients_that_vanish(address: str) -> None:
    port = urlsplit(address).port
    for part in (b"", b"GET", LINE, LINE + b"\r\n"):
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", port or 0), timeout=20) as connection:
                connection.setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0"
                )  # reset at close
                connection.sendall(part)
    with socket.create_connection(("127.0.0.1", port or 0), timeout=20) as connection:
        assert exchange(connection, get(b"/health"))[0] == 200


@pytest.mark.slow
def test_a_request_that_drips_is_cut_off(line: socket.socket) -> None:
    start = time.monotonic()
    line.settimeout(0.5)
    got = b""
    for byte in (LINE + b"X: " + b"y" * 200).split(b" "):
        line.sendall(byte + b" ")
    while not got:
        try:
            got = line.recv(1 << 16)
        except TimeoutError:
            line.sendall(b"y")
    assert got.startswith(b"HTTP/1.1 408 ")
    assert 8 < time.monotonic() - start < 15


@pytest.mark.slow
def test_silence_is_cut_off(line: socket.socket) -> None:
    start = time.monotonic()
    assert line.recv(1) == b""
    assert 8 < time.monotonic() - start < 15


@pytest.mark.skipif(
    resource.getrlimit(resource.RLIMIT_NOFILE)[0] < MOST_CONNECTIONS + 100, reason="too few files may be open"
)
def test_too_many_connections_are_told_so_and_the_others_go_on(address: str) -> None:
    port = urlsplit(address).port or 0
    with contextlib.ExitStack() as stack:
        for _ in range(MOST_CONNECTIONS):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=20))
        assert exchange(connection, get(b"/health"))[0] == 503
    end = time.monotonic() + 10
    status = 503
    while status == 503 and time.monotonic() < end:
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            status = exchange(connection, get(b"/health"))[0]
    assert status == 200


def test_a_rate_holds_on_this_machine_when_it_is_given(index_path: Path) -> None:
    with served(index_path, "--rate", "2") as address:
        port = urlsplit(address).port
        statuses = []
        for _ in range(12):
            with socket.create_connection(("127.0.0.1", port or 0), timeout=20) as connection:
                status, headers, _ = exchange(connection, get(b"/health"))
                statuses.append(status)
        assert statuses[:8] == [200] * 8
        assert statuses[-1] == 429
        assert headers["retry-after"] == "1"


def test_a_taken_port_is_one_line(address: str, index_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    port = urlsplit(address).port
    assert run(["qac", "serve", str(index_path), "--port", str(port)]) == 2
    assert "cannot listen at" in capsys.readouterr().err
