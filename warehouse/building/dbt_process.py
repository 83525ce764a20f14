"""What runs in dbt's own process: dbt, for as long as the process that started it lives.

A run that is killed cleans nothing up. Its dbt would go on writing to `build.duckdb`, and the next build would meet it.
"""

import os
import sys
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

SECONDS_BETWEEN_LOOKS = 0.2
SAID = frozenset({"info", "warn", "error"})
"""The levels of dbt's events that are worth a line."""


def main(parent: int) -> NoReturn:
    """Run dbt's command line; `parent` is the id of the process that started this one."""
    threading.Thread(target=_end_with, args=(parent,), daemon=True, name="llm-cost-parent").start()
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str], manifest: "Manifest | None" = None) -> int:
    """Run one command, by this manifest of the project or by what it parses itself; dbt's exit code: 0, 1 or 2."""
    from dbt.cli.main import dbtRunner

    # dbt's own logger makes a line of each of a build's 7,300 events before it looks at its level.
    by_itself = "--quiet" in arguments or os.environ.get("DBT_LOG_FORMAT") == "json"
    callbacks, options = ([], []) if by_itself else ([_say_event], ["--log-level", "none"])
    dbt: Any = dbtRunner(manifest, callbacks)
    result = dbt.invoke([*options, *arguments])
    if result.exception is not None:
        _say(str(result.exception))
        return 2
    return 0 if result.success else 1


def _say_event(event: Any) -> None:
    if event.info.level in SAID:
        _say(event.info.msg)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _end_with(parent: int) -> NoReturn:
    # A signal on the parent's death (prctl) is Linux's alone, and comes when the thread that started this one ends.
    while os.getppid() == parent:
        time.sleep(SECONDS_BETWEEN_LOOKS)
    sys.stderr.write("the process that started dbt is gone\n")
    os._exit(1)
