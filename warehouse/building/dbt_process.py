"""What runs in dbt's own process: dbt, for as long as the process that started it lives.

A run that is killed cleans nothing up. Its dbt would go on writing to `build.duckdb`, and the next build would meet it.
"""

import os
import sys
import threading
import time
from typing import NoReturn

SECONDS_BETWEEN_LOOKS = 0.2


def main(parent: int) -> None:
    """Run dbt's command line; `parent` is the id of the process that started this one."""
    threading.Thread(target=_end_with, args=(parent,), daemon=True, name="llm-cost-parent").start()
    from dbt.cli.main import cli

    cli()


def _end_with(parent: int) -> NoReturn:
    # A signal on the parent's death (prctl) is Linux's alone, and comes when the thread that started this one ends.
    while os.getppid() == parent:
        time.sleep(SECONDS_BETWEEN_LOOKS)
    sys.stderr.write("the process that started dbt is gone\n")
    os._exit(1)
