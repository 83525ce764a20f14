"""What every mart shows, and what it must by the files of the ledger and by Python's own calendar."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pytest

from tracking.home import Home
from warehouse.published.proof import prove
from warehouse.published.read import open_warehouse

PARQUET_ENDS = 8
"""Bytes after a Parquet file's footer: the footer's length, and the magic."""
Tables = dict[str, list[tuple[Any, ...]]]


def declared_cuts(home: Home) -> set[str]:
    nodes = json.loads((home.dbt / "target" / "manifest.json").read_text())["nodes"].values()
    return {
        node["name"]
        for node in nodes
        if node["resource_type"] == "model" and node["config"]["meta"].get("cut") and "marts" in node["fqn"]
    }


def tables(home: Home) -> Tables:
    """Every published mart's columns and rows."""
    with open_warehouse(home) as warehouse:
        names = warehouse.execute(
            "select table_name from information_schema.tables "
            "where table_schema = 'main' and table_name not like 'stg_%'"
        ).fetchall()
        return {name: warehouse.execute(f"select * from {name} order by all").fetchall() for (name,) in names}


def assert_every_cut_is_proven(home: Home) -> None:
    with open_warehouse(home) as warehouse:
        proofs = {proof.cut: proof for proof in prove(warehouse)}
        assert proofs.keys() == declared_cuts(home)
        assert len(proofs) >= 17
        assert [cut for cut, proof in proofs.items() if not proof.holds] == []
        rows = warehouse.execute("select sum(requests), sum(cost_usd) from fct_usage").fetchone()
    with duckdb.connect() as plain:
        # Counted from the files that lie there, without the manifest's or dbt's word for it.
        counted = plain.execute(
            "select count(*) filter (charge_class = 'usage'), sum(cost_usd) from read_parquet(?)",
            [f"{home.usage}/*/*.parquet"],
        ).fetchone()
    assert rows == counted


def calendar(home: Home, timezone: str) -> dict[str, Counter[Any]]:
    """Requests by day, week, month and hour of the week, by Python's own idea of the time zone."""
    zone = ZoneInfo(timezone)
    with open_warehouse(home) as warehouse:
        rows = warehouse.execute("select occurred_at, requests from fct_usage").fetchall()
    found: dict[str, Counter[Any]] = defaultdict(Counter)
    for occurred_at, requests in rows:
        local = occurred_at.astimezone(zone)
        day = local.date()
        found["cost_per_day"][day] += requests
        found["cost_per_week"][day - timedelta(days=day.weekday())] += requests
        found["cost_per_month"][day.replace(day=1)] += requests
        found["cost_per_quarter"][day.replace(day=1, month=(day.month - 1) // 3 * 3 + 1)] += requests
        found["usage_by_hour"][(day.isoweekday(), local.hour)] += requests
    return found


def assert_calendar_is_right(home: Home, timezone: str) -> None:
    keys = {
        "cost_per_day": "reporting_date",
        "cost_per_week": "reporting_week",
        "cost_per_month": "reporting_month",
        "cost_per_quarter": "reporting_quarter",
        "usage_by_hour": "(iso_weekday, reporting_hour)",
    }
    expected = calendar(home, timezone)
    with open_warehouse(home) as warehouse:
        for mart, key in keys.items():
            rows = warehouse.execute(f"select {key}, requests from {mart}").fetchall()
            assert len(dict(rows)) == len(rows)
            assert Counter(dict(rows)) == expected[mart], mart
        assert warehouse.execute("select count(*) from usage_by_hour").fetchone() == (7 * 24,)


@contextmanager
def unreadable(home: Home, *, but: date | None = None) -> Iterator[None]:
    """Wipe the rows of every segment, those of one day excepted, and leave the footers.

    A build would name them as damaged before it reads anything; here it is seen what it reads.
    """
    files = [file for file in home.usage.glob("*/*.parquet") if file.parent.name != f"usage_date={but}"]
    contents = {file: file.read_bytes() for file in files}
    unchecked = pytest.MonkeyPatch()
    try:
        unchecked.setattr("warehouse.building.build.refuse_damaged", lambda *_: None)
        for file, content in contents.items():
            footer = int.from_bytes(content[-PARQUET_ENDS:-4], "little") + PARQUET_ENDS
            file.write_bytes(content[:4] + bytes(len(content) - footer - 4) + content[-footer:])
        yield
    finally:
        unchecked.undo()
        for file, content in contents.items():
            file.write_bytes(content)


def as_of(home: Home, instant: datetime) -> Tables:
    """Every report that can be asked for as of an instant, at that one."""
    with open_warehouse(home) as warehouse:
        names = warehouse.execute(
            "select function_name from duckdb_functions() where function_name like 'cost_p%_as_of' or "
            "function_name = 'cost_movers_as_of'"
        ).fetchall()
        return {
            name.removesuffix("_as_of"): warehouse.execute(
                f"select * from {name}(?::timestamptz) order by all", [instant]
            ).fetchall()
            for (name,) in names
        }
