"""What a call stands at after its corrections: Python's definition and the models' macro say the same."""

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracking.home import Home
from warehouse.building.dbt import run_command
from warehouse.ledger.corrections import standing_calls
from warehouse.ledger.schema import USAGE_SCHEMA

DAY = date(2026, 11, 21)
ADDED = ("input_tokens", "output_tokens", "cache_read_tokens", "token_count", "cost_usd", "provider_cost_usd")
SAID = ("status", "error_type", "pricing_status", "price_id")
AT = datetime(2026, 11, 21, 10, tzinfo=UTC)
STANDING = "standing_"


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What stg_usage says is assumed, how a row is covered, and the calls as they stand: as the models have them."""
    home = Home(tmp_path_factory.mktemp("compiled") / "home")
    home.open()
    macros = ("{{ assumed('price_assumptions', 'pricing_status') }}", "{{ coverage() }}")
    inline = ";".join([*macros, "with {{ standing_calls() }} select * from calls"])
    done = run_command(home, ["compile", "--inline", inline, "--output", "json", "--quiet"])
    assert done.returncode == 0, done.stdout
    return json.loads(done.stdout)["compiled"].split(";")


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("rows") / "rows.parquet"


def units(*quantities: int | None) -> str | None:
    known = {
        name: count for name, count in zip(("pages", "web_searches"), quantities, strict=True) if count is not None
    }
    return json.dumps(known) if known else None


counts = st.none() | st.integers(-5, 9)
money = st.none() | st.decimals("-2", "9", places=12)
call = st.fixed_dictionaries(
    {
        "recorded_at": st.integers(0, 3).map(lambda seconds: AT + timedelta(seconds=seconds)),
        "input_tokens": counts,
        "output_tokens": counts,
        "cache_read_tokens": counts,
        "token_count": counts,
        "cost_usd": money,
        "provider_cost_usd": money,
        "other_units": st.builds(units, counts, counts),
        "status": st.sampled_from(["ok", "partial", "error"]),
        "error_type": st.sampled_from([None, "Timeout"]),
        "pricing_status": st.sampled_from(["priced", "unpriced", "estimated"]),
        "price_id": st.sampled_from([None, "one", "another"]),
        "price_assumptions": st.sampled_from([None, '[{"totals_disagree": 5}]']),
    }
)


@st.composite
def ledgers(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Calls and corrections of them, in any order. A call that lies elsewhere may be corrected, too."""
    calls = draw(st.lists(call, max_size=4))
    corrections = draw(st.lists(st.tuples(st.integers(0, 4), call), max_size=6))
    rows = [row | {"record_id": f"{number}", "charge_class": "usage"} for number, row in enumerate(calls)]
    rows += [
        row | {"record_id": f"{100 + number}", "charge_class": "correction", "corrects_record_id": f"{base}"}
        for number, (base, row) in enumerate(corrections)
    ]
    return draw(st.permutations([row | {"occurred_at": AT, "usage_date": DAY} for row in rows]))


def by_the_rule(rows: list[dict[str, Any]], call: dict[str, Any]) -> dict[str, Any]:
    """The rule, written down plainly, for one call among rows."""
    corrections = [row for row in rows if row.get("corrects_record_id") == call["record_id"]]
    corrections.sort(key=lambda row: (row["recorded_at"], row["record_id"]))
    told = [call, *corrections]
    added = {
        name: sum(known) if (known := [row[name] for row in told if row[name] is not None]) else None
        for name in (
            "input_tokens",
            "output_tokens",
            "cache_read_tokens",
            "token_count",
            "cost_usd",
            "provider_cost_usd",
        )
    }
    together: dict[str, int] = {}
    for row in told:
        for name, count in json.loads(row["other_units"] or "{}").items():
            together[name] = together.get(name, 0) + count
    said = {name: told[-1][name] for name in SAID}
    return added | said | {"other_units": together, "corrections": len(corrections)}


@given(rows=ledgers())
@settings(max_examples=150)
def test_a_call_stands_at_the_sum_of_its_rows_and_at_the_word_of_the_last(rows: list[dict[str, Any]]) -> None:
    calls = standing_calls(pl.DataFrame(rows, schema=USAGE_SCHEMA)).to_dicts()
    found = {call["record_id"]: call | {"other_units": json.loads(call["other_units"] or "{}")} for call in calls}
    expected = {row["record_id"]: by_the_rule(rows, row) for row in rows if row["charge_class"] == "usage"}
    assert {
        record_id: {name: found[record_id][name] for name in standing} for record_id, standing in expected.items()
    } == expected
    assert found.keys() == expected.keys()


def as_dicts(result: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    names = [column[0] for column in result.description or ()]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


@given(rows=ledgers())
@settings(max_examples=60)
def test_the_models_macro_and_python_say_the_same_of_every_call(
    compiled: list[str], file: Path, rows: list[dict[str, Any]]
) -> None:
    assumed, coverage, query = compiled
    frame = pl.DataFrame(rows, schema=USAGE_SCHEMA)
    frame.write_parquet(file)
    with duckdb.connect() as connection:
        connection.execute("create schema ledger")
        connection.execute("create table ledger.segments as select ?::date as usage_date, 'f' as fingerprint", [DAY])
        connection.execute(
            f"create table stg_usage as select *, {assumed} as assumed, {coverage} as coverage from read_parquet(?)",
            [str(file)],
        )
        models = as_dicts(connection.execute(f"from ({query}) order by record_id"))
        standing_calls(frame).write_parquet(file)
        said = f"select *, {assumed} as assumed from read_parquet(?) order by record_id"
        python = as_dicts(connection.execute(said, [str(file)]))
    words = {name for call in models for name in call if name.startswith(STANDING)}
    # How a call is covered is said by rows alone; Python asks `has_failed` of what stands.
    compared = ["record_id", *sorted(words - {"standing_coverage"})]
    assert len(compared) > 6 or not models
    assert [{name: call[name] for name in compared} for call in models] == [
        {name: call[name.removeprefix(STANDING)] for name in compared} for call in python
    ]


def test_sums_of_money_wider_than_a_row_stay_exact() -> None:
    rows = [
        {"record_id": "a", "charge_class": "usage", "cost_usd": Decimal("999999.999999999999"), "recorded_at": AT},
        {
            "record_id": "b",
            "charge_class": "correction",
            "corrects_record_id": "a",
            "cost_usd": Decimal("0.000000000002"),
            "recorded_at": AT,
        },
    ]
    assert standing_calls(pl.DataFrame(rows, schema=USAGE_SCHEMA))["cost_usd"].to_list() == [
        Decimal("1000000.000000000001")
    ]
