"""A provider on this machine that answers as it is told, and remembers what it was asked."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Asked:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.body) if self.body[:1] == b"{" else {}


@dataclass
class Answer:
    """`pieces` are sent one by one; a `broken` one promises more than it sends."""

    pieces: list[bytes]
    kind: str = "application/json"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    broken: bool = False
    between: Callable[[], object] = lambda: None


def json_answer(body: Any, status: int = 200, **headers: str) -> Answer:
    return Answer([json.dumps(body).encode()], status=status, headers=headers)


class ProviderServer:
    """Answers what `answers` holds for the path's end, one after the other, the last one again and again."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.answers: dict[str, list[Answer]] = {}
        self.url = ""

    def on(self, path: str, *answers: Answer) -> None:
        self.answers[path] = list(answers)

    def answer_to(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        for path, answers in self.answers.items():
            if path in asked.path:
                return answers.pop(0) if len(answers) > 1 else answers[0]
        return json_answer({"error": {"message": f"nothing at {asked.path}", "type": "none"}}, 404)


@contextmanager
def provider_server() -> Iterator[ProviderServer]:
    told = ProviderServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = told.answer_to(Asked(self.command, self.path, headers, body))
            self.send_response(answer.status)
            self.send_header("content-type", answer.kind)
            for name, value in answer.headers.items():
                self.send_header(name.replace("_", "-"), value)
            length = sum(map(len, answer.pieces))
            self.send_header("content-length", str(length + (1000 if answer.broken else 0)))
            self.end_headers()
            try:
                for piece in answer.pieces:
                    self.wfile.write(piece)
                    answer.between()
            except OSError:  # who asked has gone
                self.close_connection = True
            self.close_connection = self.close_connection or answer.broken

        do_GET = do_POST = do_DELETE = answer

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    told.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield told
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
