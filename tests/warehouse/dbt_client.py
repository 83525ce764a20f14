"""Stands in for the process of dbt: has `dbt_server` run a command, and ends as it ended. Imports next to nothing."""

import json
import os
import socket
import sys


def main(address: str, *arguments: str) -> int:
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(address)
        socket.send_fds(server, [b"\0"], [1, 2])
        os.umask(umask := os.umask(0))
        request = {
            "arguments": arguments,
            "environment": dict(os.environ),
            "directory": os.getcwd(),  # noqa: PTH109
            "umask": umask,
        }
        server.sendall(json.dumps(request).encode() + b"\n")
        return (server.recv(1) or b"\2")[0]


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
