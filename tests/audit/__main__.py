"""`python -m tests.audit`: a hostile ledger, built in several time zones, and each report recomputed in plain Python.

Exit code 1 where a cell differs. What is recomputed is read from the Parquet files that the manifest names, and from
the home's own files (names, budgets, invoices, kept prices); of refused calls, quarantine as the project reads it.
"""

import argparse
import logging
import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from tests.audit import budgets, costs, finance, movers, outcomes, quality, savings, units, usage
from tests.audit.compare import Comparison, compare, published_relations, published_rows, report
from tests.audit.hostile import TODAY, choose_zone, make_ledger
from tests.audit.rows import Books
from tests.warehouse import dbt_server
from tracking.home import Home
from warehouse.building import dbt
from warehouse.building.build import build

FAMILIES = (costs, usage, outcomes, quality, movers, budgets, finance, units, savings)
ZONES = ("UTC", "Pacific/Kiritimati", "America/St_Johns")


def audit(home: Path, zone: str) -> list[Comparison]:
    """Compare what is published in a home that was built in the zone."""
    books = Books.read(home, zone, TODAY)
    expected = [relation for family in FAMILIES for relation in family.recomputed(books)]
    published = published_rows(home / "warehouse.duckdb", [one.relation for one in expected])
    return [compare(published[one.relation], one) for one in expected] + _audit_as_of(books)


def _audit_as_of(books: Books) -> list[Comparison]:
    """The cuts of cost as they were known when half of the rows had been recorded."""
    instant = sorted(row["recorded_at"] for row in books.rows)[len(books.rows) // 2]
    cuts = [one for one in costs.recomputed(books.known_at(instant)) if one.relation.startswith("cost_per_")]
    expected = [replace(one, relation=f"{one.relation}_as_of") for one in cuts]
    published = published_rows(books.home / "warehouse.duckdb", [one.relation for one in expected], instant)
    return [compare(published[one.relation], one) for one in expected]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.audit", description=__doc__)
    parser.add_argument("--calls", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--zones", nargs="+", default=ZONES)
    given = parser.parse_args()
    # Refused calls are part of the ledger, and each would be a line of its own.
    logging.getLogger("llm_cost_ledger").setLevel(logging.CRITICAL)
    comparisons: list[Comparison] = []
    relations: list[str] = []
    with tempfile.TemporaryDirectory(prefix="llm-cost-audit-") as folder, dbt_server.listening() as address:
        os.environ[dbt_server.ADDRESS] = address
        dbt.dbt_command = dbt_server.command
        home = Path(folder) / "home"
        make_ledger(home, given.calls, given.seed)
        for zone in given.zones:
            choose_zone(home, zone)
            build(Home(home), today=TODAY)
            compared = audit(home, zone)
            differences = sum(len(one.differences) for one in compared)
            print(f"{zone}: {sum(one.cells for one in compared):,} cells, {differences:,} differences", flush=True)
            comparisons += compared
            relations = published_relations(home / "warehouse.duckdb")
    print(report(comparisons, relations))
    return int(any(one.differences for one in comparisons))


if __name__ == "__main__":
    sys.exit(main())
