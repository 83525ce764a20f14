"""Under a real prefork server: every call that a worker answered for is in the ledger once, killed workers' too."""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

import pytest
from books import LONG, Call, Tally, sealed_and_visible

WORKERS = 3
GUNICORN = ("-m", "gunicorn", "application:application", "--workers", str(WORKERS), "--log-level", "warning", "--bind")
UWSGI = (
    *("-c", "import sys, pyuwsgi; pyuwsgi.run(sys.argv[1:])", "--wsgi-file", "application.py", "--need-app"),
    *("--master", "--die-on-term", "--processes", str(WORKERS), "--http-socket"),
)
APPLICATION = """
import os, sys
sys.path.insert(0, {here!r})
from books import Call, record
from tracking import CostTracker

tracker = CostTracker({home!r})
if {warm}:
    record(tracker, Call("master", 0))

def application(environ, start_response):
    writer, number = environ["PATH_INFO"].strip("/").split("/")
    record(tracker, Call(writer, int(number)))
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"%d" % os.getpid()]
"""


@contextlib.contextmanager
def served(folder: Path, code: str, server: Sequence[str], *options: str) -> Iterator[int]:
    """The port that a server serves `code` on; it is asked to end, as a deployment asks it."""
    (folder / "application.py").write_text(code)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        command = [sys.executable, *server, f"fd://{listener.fileno()}", *options]
        with (folder / "server.log").open("wb") as log:
            process = subprocess.Popen(
                command, cwd=folder, pass_fds=[listener.fileno()], stdout=log, stderr=log, start_new_session=True
            )
    try:
        yield port
        process.send_signal(signal.SIGTERM)
        assert process.wait(600) == 0, (folder / "server.log").read_text()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def ask(port: int, call: Call) -> int | None:
    """The worker that answered for the call; `None` where it died first."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    try:
        connection.request("GET", f"/{call.writer}/{call.number}")
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        return int(answer.read())
    except (http.client.HTTPException, ConnectionError):
        return None
    finally:
        connection.close()


def kill_workers(folder: Path, tally: Tally, *, warm: bool, server: Sequence[str], options: Sequence[str]) -> None:
    """Each of the workers, again and again, right after it answered for a call."""
    home = folder / "home"
    code = APPLICATION.format(here=str(Path(__file__).parent), home=str(home), warm=warm)
    attempted: list[Call] = []
    acknowledged: list[Call] = []
    killed: set[int] = set()
    enough = 120 if LONG else WORKERS + 1
    with served(folder, code, server, *options) as port:
        while len(killed) < enough and len(attempted) < 20 * enough:
            attempted.append(call := Call("client", len(attempted)))
            worker = ask(port, call)
            if worker is not None:
                acknowledged.append(call)
                if len(acknowledged) % 5 == 0:
                    killed.add(worker)
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(worker, signal.SIGKILL)
                    time.sleep(0.05)
    assert len(killed) == enough
    of_master = [Call("master", 0)] if warm else []
    tally.count(sealed_and_visible(home), acknowledged + of_master, attempted + of_master)
    assert not list((home / "journal").iterdir())


@pytest.mark.parametrize("preload", [True, False], ids=["tracker of the master", "tracker of each worker"])
def test_workers_of_gunicorn_are_killed_and_replaced(preload: bool, tmp_path: Path, tally: Tally) -> None:
    options = ["--preload"] if preload else ["--threads", "2"]
    kill_workers(tmp_path, tally, warm=preload, server=GUNICORN, options=options)


@pytest.mark.slow
@pytest.mark.skipif(find_spec("pyuwsgi") is None, reason="pyuwsgi has wheels for Linux alone")
@pytest.mark.parametrize("options", [(), ("--enable-threads",), ("--threads", "4")], ids=" ".join)
def test_workers_of_uwsgi_are_killed_and_replaced(options: tuple[str, ...], tmp_path: Path, tally: Tally) -> None:
    """Forked in C from a master that has recorded: by default nobody tells Python, nor are there threads."""
    kill_workers(tmp_path, tally, warm=True, server=UWSGI, options=options)
