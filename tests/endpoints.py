"""A server with OpenAI's chat completions at a free port, that replies as a test wants it to."""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple


class Reply(NamedTuple):
    """Status, body, and what else there is to a reply."""

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = (("retry-after-ms", "1"),)
    delay: float = 0.0
    length: int | None = None  # that the header claims


def said(text: str | None, *, finish: str = "stop") -> Reply:
    """A completion."""
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "finish_reason": finish, "message": message}
    whole = {"id": "x", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice]}
    return Reply(body=json.dumps(whole).encode())


class Endpoint:
    """Its address, and every request that came: when, with which headers, and what it asked."""

    def __init__(self, replies: Callable[[str, int], Reply]) -> None:
        self.url = ""
        self.requests: list[tuple[float, dict[str, str], dict[str, Any]]] = []
        self.most = 0  # requests at once
        self._replies = replies
        self._tries: dict[str, int] = {}
        self._now = 0
        self._lock = threading.Lock()

    def reply(self, headers: dict[str, str], asked: dict[str, Any]) -> Reply:
        prompt = asked["messages"][-1]["content"]
        with self._lock:
            self.requests.append((time.monotonic(), headers, asked))
            self._tries[prompt] = number = self._tries.get(prompt, 0) + 1
            self._now += 1
            self.most = max(self.most, self._now)
        found = self._replies(prompt, number)
        time.sleep(found.delay)
        with self._lock:
            self._now -= 1
        return found


@contextlib.contextmanager
def endpoint(replies: Callable[[str, int], Reply]) -> Iterator[Endpoint]:
    """Serve ``replies`` of a prompt and the number of its try, from 1."""
    shared = Endpoint(replies)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            found = shared.reply({k.lower(): v for k, v in self.headers.items()}, asked)
            with contextlib.suppress(OSError):  # the client may have given up
                self.send_response(found.status)
                for header in (("content-type", "application/json"), *found.headers):
                    self.send_header(*header)
                self.send_header("content-length", str(found.length or len(found.body)))
                self.end_headers()
                self.wfile.write(found.body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    shared.url = f"http://127.0.0.1:{server.server_port}/v1"
    try:
        yield shared
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
