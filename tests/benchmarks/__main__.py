"""Run the groups named on the command line, or all of them."""

import importlib
import sys

from tests.benchmarks.timing import CONSOLE

GROUPS = {
    "pricing": "extraction and price of one answer, and the whole of record(), against genai-prices and LiteLLM",
    "append": "the journal and record() per durability, against a bare write, SQLite, DuckDB and logging",
    "cost_frame": "exact costs of a frame of usage, in memory and from Parquet to Parquet",
    "sealing": "journals to segments against bare Polars, and new ids looked up among 100 million rows",
    "refresh": "a refresh of the demo's home by Dagster, from a cold process",
    "warehouse": "builds over 1 and 10 million rows beside bare DuckDB, and the cookbook's questions",
    "startup": "imports, and the first price",
    "capture": "a call and a chunk of a watched client over those of an unwatched one",
}


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in GROUPS]
    if unknown:
        known = "\n".join(f"  {name:<12} {text}" for name, text in GROUPS.items())
        sys.stderr.write(f"no group is named {unknown[0]}; there are\n{known}\n")
        return 2
    for name in names or GROUPS:
        CONSOLE.rule(f"{name}: {GROUPS[name]}", align="left")
        importlib.import_module(f"tests.benchmarks.{name}").run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
