"""What the calls of each day would have cost otherwise, as the table `ledger.what_if_costs`, brought up to date by day.

A day is priced anew when its files, the price list or the code that prices it changed; all days are on a model that
is new.
"""

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import duckdb
import polars as pl

from tracking import CostCalculator
from tracking.errors import LedgerError
from tracking.home import Home
from tracking.pricing.sources.overrides import PriceOverrides
from warehouse.causes import disk_problem, in_one_line
from warehouse.database import insert_rows, parquet_files
from warehouse.ledger.days import stale_days
from warehouse.ledger.manifest import Manifest, Segment
from warehouse.ledger.schema import duckdb_type
from warehouse.ledger.segments import scan
from warehouse.source_code import code_hash
from warehouse.sources.candidates import Candidate, candidates
from warehouse.sources.scenarios import COSTS, on_other_model, on_own_model, priced_calls

ROWS_AT_ONCE = 500_000
"""Days of fewer rows are priced together: each step has its price, whatever the rows."""

COLUMNS = {name: duckdb_type(kind) for name, kind in COSTS.items()}
DAYS = {
    "usage_date": "DATE",
    "fingerprint": "VARCHAR",
    "provider": "VARCHAR",
    "llm": "VARCHAR",
    "model": "VARCHAR",
    "requests": "BIGINT",
}
"""Of which calls the table is made: one row at least for each day, so that one without priced calls is known too."""

CANDIDATES = {"provider": "VARCHAR", "llm": "VARCHAR", "model": "VARCHAR", "context_window": "BIGINT"}
"""The models that all of its days were priced on."""

TABLES = {"what_if_costs": COLUMNS, "int_what_if_days": DAYS, "int_what_if_candidates": CANDIDATES}


class _Day(NamedTuple):
    usage_date: date
    fingerprint: str
    segments: list[Segment]

    @property
    def row_count(self) -> int:
        return sum(segment.row_count for segment in self.segments)


def update_what_if_costs(connection: duckdb.DuckDBPyConnection, home: Home) -> None:
    """Bring `ledger.what_if_costs` up to date with `ledger.segments` and `ledger.models`, or leave it as it was.

    Raises:
        LedgerError: a segment cannot be read, or `prices.toml` is malformed.
    """
    connection.execute("begin")
    try:
        _update(connection, home)
    except (pl.exceptions.PolarsError, OSError) as error:
        what = f"a segment below {home.usage} cannot be read"
        if disk_problem(error) is not None:
            what = f"what-if costs of {home.root} cannot be made"
        raise LedgerError(f"{what}: {in_one_line(error)}") from error
    connection.execute("commit")


def _update(connection: duckdb.DuckDBPyConnection, home: Home) -> None:
    _create_tables(connection, "create table if not exists")
    days = _live_days(connection, home)
    built = dict(connection.execute("select distinct usage_date, fingerprint from ledger.int_what_if_days").fetchall())
    stale = stale_days(built, {day.usage_date: day.fingerprint for day in days})
    if not stale:
        return
    changed_days = [day for day in days if day.usage_date in stale]
    if len(changed_days) == len(days):
        # The columns may be those of older code.
        _create_tables(connection, "create or replace table")
    for table in ("what_if_costs", "int_what_if_days"):
        connection.execute(f"delete from ledger.{table} where list_contains(?::date[], usage_date)", [list(stale)])
    for day in changed_days:
        insert_rows(connection, "int_what_if_days", DAYS, _calls_by_model(home, day))

    calculator = CostCalculator(PriceOverrides.load(home.prices_toml))
    new_candidates = candidates(connection, _all_calls(connection), calculator)
    old_candidates = [Candidate(*row) for row in connection.execute("from ledger.int_what_if_candidates").fetchall()]
    _replace_candidates(connection, old_candidates, new_candidates)
    long_above = _long_above(connection)
    for calls in _calls(home, changed_days):
        costs = [on_other_model(calls, candidate, calculator) for candidate in new_candidates]
        _keep(connection, home, [*costs, *on_own_model(calls, calculator, long_above)])
    additions = [candidate for candidate in new_candidates if candidate not in old_candidates]
    if additions:
        for calls in _calls(home, [day for day in days if day not in changed_days]):
            _keep(connection, home, [on_other_model(calls, candidate, calculator) for candidate in additions])


def _create_tables(connection: duckdb.DuckDBPyConnection, create: str) -> None:
    for name, columns in TABLES.items():
        typed = ", ".join(f"{column} {kind}" for column, kind in columns.items())
        connection.execute(f"{create} ledger.{name} ({typed})")


def _live_days(connection: duckdb.DuckDBPyConnection, home: Home) -> list[_Day]:
    """The days of the ledger, each with a fingerprint of all that its what-if costs are made from."""
    prices = connection.execute("select min(catalogue_fingerprint) from ledger.models").fetchall()
    code = hashlib.sha256(f"{prices} {code_hash(__name__)}".encode()).hexdigest()[:16]
    fingerprints = connection.execute(
        "select usage_date, fingerprint from ledger.segments where row_count > 0 order by usage_date"
    ).fetchall()
    live: dict[date, list[Segment]] = {}
    with Manifest(home) as manifest:
        for segment in manifest.segments():
            live.setdefault(segment.usage_date, []).append(segment)
    return [_Day(day, f"{fingerprint} {code}", live[day]) for day, fingerprint in fingerprints]


def _rows(home: Home, days: Iterable[_Day]) -> pl.LazyFrame:
    files = [home.usage / segment.file for day in days for segment in day.segments]
    return scan(files)


def _calls_by_model(home: Home, day: _Day) -> list[tuple[object, ...]]:
    is_counted = (pl.col("charge_class") == "usage") & pl.col("cost_usd").is_not_null()
    models = _rows(home, [day]).filter(is_counted).group_by("provider", "llm", "model").len().collect()
    none: list[tuple[Any, ...]] = [(None, None, None, 0)]
    return [(day.usage_date, day.fingerprint, *model) for model in models.rows() or none]


def _all_calls(connection: duckdb.DuckDBPyConnection) -> Counter[tuple[str, str, str]]:
    rows = connection.execute(
        "select provider, llm, model, sum(requests) from ledger.int_what_if_days where llm is not null group by all"
    ).fetchall()
    return Counter({(provider, llm, model): int(requests) for provider, llm, model, requests in rows})


def _replace_candidates(
    connection: duckdb.DuckDBPyConnection, old_candidates: Collection[Candidate], new_candidates: Collection[Candidate]
) -> None:
    for candidate in old_candidates:
        if candidate not in new_candidates:
            connection.execute(
                "delete from ledger.what_if_costs where what_if_provider = ? and what_if_llm = ?",
                [candidate.provider, candidate.llm],
            )
    connection.execute("delete from ledger.int_what_if_candidates")
    rows = [(each.provider, each.llm, each.model, each.context_window) for each in new_candidates]
    insert_rows(connection, "int_what_if_candidates", CANDIDATES, rows)


def _long_above(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """From how many input tokens on a model may have dearer rates."""
    rows = connection.execute(
        "select provider, llm, min(long_context_above) from ledger.models where long_context_above > 0 group by all"
    ).fetchall()
    return pl.DataFrame(rows, {"provider": pl.String, "llm": pl.String, "long_context_above": pl.Int64}, orient="row")


def _calls(home: Home, days: Iterable[_Day]) -> Iterator[pl.DataFrame]:
    """The calls of whole days, about ROWS_AT_ONCE rows at a time."""
    timezone = home.settings().reporting_timezone
    together: list[_Day] = []
    for day in days:
        if together and sum(each.row_count for each in together) + day.row_count > ROWS_AT_ONCE:
            yield priced_calls(_rows(home, together).collect(), timezone)
            together = []
        together.append(day)
    if together:
        yield priced_calls(_rows(home, together).collect(), timezone)


def _keep(connection: duckdb.DuckDBPyConnection, home: Home, costs: Iterable[pl.DataFrame]) -> None:
    # By a file: DuckDB takes seconds to take thousands of decimals from Python.
    with TemporaryDirectory(dir=home.root) as directory:
        file = Path(directory) / "costs.parquet"
        pl.concat(costs).write_parquet(file)
        connection.execute(f"insert into ledger.what_if_costs by name from {parquet_files([file])}")
