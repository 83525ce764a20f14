"""The command `llm-cost`; says what to install where only the tracking part is."""

import sys
from importlib.util import find_spec

NEEDED = ("duckdb", "polars", "typer", "rich", "dbt")


def main() -> None:
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        sys.stderr.write(
            f"llm-cost: {', '.join(missing)} not installed; run: pip install 'llm-cost-ledger[warehouse]'\n"
        )
        sys.exit(2)
    from warehouse.cli import run

    run()


if __name__ == "__main__":
    main()
