"""dbt imported once, and the project parsed once, for all builds of a test session: each command is a fork of that.

Of the CPU of a build on a small ledger a third is the import and the parsing, which say the same every time: the
manifest knows neither the home nor the settings. What is parsed anew, as in a process of its own: another project, `dbt
parse`, and whatever is to fail at a warning.
"""

import atexit
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from warehouse.building.dbt_process import run

ADDRESS = "TEST_DBT_SERVER"
"""The environment variable that tells the workers of a test session where it listens."""

PROJECT = Path(__file__).resolve().parents[2] / "sql"
CLIENT = Path(__file__).with_name("dbt_client.py")
OWN_PARSING = {"parse", "--warn-error", "--target"}


def command(arguments: Sequence[str]) -> list[str]:
    """What runs dbt instead of `warehouse.building.dbt.dbt_command`."""
    return [sys.executable, "-I", "-S", str(CLIENT), os.environ[ADDRESS], *arguments]


@contextmanager
def listening() -> Iterator[str]:
    """The address of a server that is there meanwhile. It does nothing before it is asked."""
    with tempfile.TemporaryDirectory(prefix="dbt-server-") as folder:
        address = f"{folder}/socket"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(address)
            listener.listen(64)
            server = subprocess.Popen(
                [sys.executable, "-P", __file__, str(listener.fileno()), folder],
                stdin=subprocess.PIPE,
                pass_fds=[listener.fileno()],
            )
        try:
            yield address
        finally:
            server.communicate()


def serve(listener: socket.socket, folder: Path) -> None:
    """Until whoever started this closes its end of stdin."""
    manifest = None
    while sys.stdin not in select.select([listener, sys.stdin], [], [], 5)[0]:
        # One process a command, and one that waits for it: their CPU is this one's children's, as it would have been.
        while _ended():
            pass
        if not select.select([listener], [], [], 0)[0]:
            continue
        connection, _ = listener.accept()
        _, descriptors, *_ = socket.recv_fds(connection, 1, 2)
        request = json.loads(connection.makefile("rb").readline())
        if manifest is None and _takes_the_manifest(request):
            manifest = _parsed(folder)
            gc.freeze()
        if os.fork() == 0:
            listener.close()
            _answer(connection, descriptors, request, manifest)
        connection.close()
        for descriptor in descriptors:
            os.close(descriptor)
    while _ended():
        pass


def _ended() -> bool:
    try:
        return os.waitpid(-1, os.WNOHANG)[0] != 0
    except ChildProcessError:
        return False


def _takes_the_manifest(request: dict[str, Any]) -> bool:
    same = request["environment"].get("DBT_PROJECT_DIR") == str(PROJECT)
    return same and OWN_PARSING.isdisjoint(request["arguments"])


def _parsed(folder: Path) -> Any:
    from dbt.cli.main import dbtRunner

    os.environ |= {
        "DBT_PROJECT_DIR": str(PROJECT),
        "DBT_PROFILES_DIR": str(PROJECT),
        "DBT_TARGET_PATH": str(folder / "target"),
        "DBT_LOG_PATH": str(folder / "logs"),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DBT_VERSION_CHECK": "false",
    }
    # Of a project that cannot be parsed every command says so itself.
    return dbtRunner().invoke(["--quiet", "parse"]).result


def _answer(connection: socket.socket, descriptors: Sequence[int], request: dict[str, Any], manifest: Any) -> None:
    """Fork dbt and tell the client how it ended; a client that is gone takes it along."""
    running = os.fork()
    if running == 0:
        code = _run(descriptors, request, manifest if _takes_the_manifest(request) else None)
        # Not by `sys.exit()`: of the threads that were there before the fork, C++ would find none to end, and abort.
        _close_the_database()
        atexit._run_exitfuncs()
        sys.stdout.flush()
        os._exit(code)
    process = os.pidfd_open(running)
    if connection in select.select([connection, process], [], [])[0]:
        os.kill(running, signal.SIGKILL)
    _, status = os.waitpid(running, 0)
    try:
        connection.sendall(bytes([os.waitstatus_to_exitcode(status) % 256]))
    finally:
        os._exit(0)


def _run(descriptors: Sequence[int], request: dict[str, Any], manifest: Any) -> int:
    for here, given in enumerate(descriptors, start=1):
        os.dup2(given, here)
    sys.stdout = os.fdopen(1, "w", buffering=1, encoding="utf-8", closefd=False)
    os.chdir(request["directory"])
    os.umask(request["umask"])
    os.environ.clear()
    os.environ |= request["environment"]
    return run(request["arguments"], manifest)


def _close_the_database() -> None:
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager

    if DuckDBConnectionManager._ENV is not None:
        DuckDBConnectionManager._ENV.close()


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])), Path(sys.argv[2]))
