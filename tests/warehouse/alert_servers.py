"""Servers that alerts are sent to: of HTTP, of mail, and one that never comes to an end."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Received:
    """What a server got, and the statuses it answers with; 200 once they are used up. `location` goes with each."""

    requests: list[tuple[Message, bytes]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    location: str | None = None


@contextmanager
def http_server() -> Iterator[tuple[str, Received]]:
    received = Received()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.requests.append((self.headers, body))
            self.send_response(received.answers.pop(0) if received.answers else 200)
            if received.location:
                self.send_header("Location", received.location)
            self.end_headers()

        def do_GET(self) -> None:
            received.requests.append((self.headers, b""))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/alerts", received
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def smtp_server(*, refuse_with: str | None = None) -> Iterator[tuple[int, list[bytes]]]:
    """A mail server that speaks as much of RFC 5321 as one message needs; it may refuse the sender."""
    mails: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 test\r\n")
        while line := await reader.readline():
            verb = line[:4].upper()
            if verb == b"DATA":
                writer.write(b"354 go on\r\n")
                mails.append(await reader.readuntil(b"\r\n.\r\n"))
                writer.write(b"250 kept\r\n")
            elif verb == b"MAIL" and refuse_with:
                writer.write(f"{refuse_with} no\r\n".encode())
            elif verb == b"QUIT":
                writer.write(b"221 bye\r\n")
                break
            else:
                writer.write(b"250 ok\r\n")
            await writer.drain()
        writer.close()

    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(serve, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1], mails
    finally:
        server.close()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@contextmanager
def trickling_server(start: bytes) -> Iterator[tuple[int, threading.Event]]:
    """Says `start`, then a letter every 50 ms for as long as anybody listens; the event is set once nobody does."""
    left, stopped = threading.Event(), threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while not stopped.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                try:
                    connection.sendall(start)
                    while not stopped.wait(0.05):
                        connection.sendall(b"a")
                except OSError:
                    left.set()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1], left
    finally:
        stopped.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()
