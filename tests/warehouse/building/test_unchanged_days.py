"""Reports that read otherwise than before on days that did not change, by the two files alone."""

from pathlib import Path

import duckdb
import pytest

from tracking.home import Home
from warehouse.building.unchanged_days import read_otherwise

DATES = ("2026-11-05", "2026-11-06", "2026-11-09")
REPORTS = ("cost_per_model_day", "cost_per_user_day", "error_rates_daily")


def write_reports(file: Path) -> None:
    with duckdb.connect(file) as connection:
        connection.execute("create schema ledger")
        connection.execute("create table ledger.segments (usage_date date, fingerprint varchar)")
        connection.executemany("insert into ledger.segments values (?, 'as sealed')", [[day] for day in DATES])
        for report in REPORTS:
            connection.execute(f"create table {report} (reporting_date date, name varchar, micro_usd bigint)")
            connection.executemany(f"insert into {report} values (?, 'one', 1), ($1, 'two', 2)", [[d] for d in DATES])
        connection.execute("create table cost_per_user as select 'one' as user_id, 1::bigint as micro_usd")
        connection.execute("create table exchange_rates as select date '2026-11-05' as reporting_date, 1.5 as rate")


@pytest.fixture
def published(home: Path) -> Home:
    """A home whose build says just what was published."""
    ledger = Home(home)
    ledger.open()
    write_reports(ledger.build_database)
    write_reports(ledger.warehouse_database)
    return ledger


def change(home: Home, *statements: str) -> None:
    with duckdb.connect(home.build_database) as connection:
        for statement in statements:
            connection.execute(statement)


def test_reports_that_say_the_same_in_another_order_are_not_named(published: Home) -> None:
    change(
        published,
        "create or replace table cost_per_user_day as from cost_per_user_day order by reporting_date desc, name desc",
    )
    assert read_otherwise(published) == []


def test_a_report_that_changed_where_the_ledger_did_not_is_named(published: Home) -> None:
    change(
        published,
        "update cost_per_user_day set micro_usd = 3 where reporting_date = '2026-11-05' and name = 'one'",
        "delete from cost_per_model_day where reporting_date = '2026-11-09'",
        "update cost_per_user set micro_usd = 5",
        "update exchange_rates set rate = 2",
    )
    assert read_otherwise(published) == ["cost_per_model_day 2026-11-09", "cost_per_user_day 2026-11-05"]


def test_a_row_twice_is_another_report(published: Home) -> None:
    change(published, "insert into cost_per_user_day from cost_per_user_day where reporting_date = '2026-11-06'")
    assert read_otherwise(published) == ["cost_per_user_day 2026-11-06"]


@pytest.mark.parametrize(
    "sealed",
    [
        "update ledger.segments set fingerprint = 'another' where usage_date = '2026-11-06'",
        "delete from ledger.segments where usage_date = '2026-11-06'",
    ],
)
def test_a_day_of_the_ledger_that_changed_may_read_otherwise_on_the_dates_it_falls_on(
    published: Home, sealed: str
) -> None:
    changes = [f"update {report} set micro_usd = micro_usd + 1" for report in REPORTS[:2]]
    change(published, *changes, sealed)
    assert read_otherwise(published) == [f"{report} 2026-11-09" for report in REPORTS[:2]]


def test_a_report_of_another_shape_is_another_versions(published: Home) -> None:
    change(published, "alter table error_rates_daily rename name to renamed", "delete from error_rates_daily")
    assert read_otherwise(published) == []


def test_what_is_published_may_be_spoilt_or_missing(published: Home) -> None:
    change(published, "delete from cost_per_user_day")
    published.warehouse_database.write_bytes(b"spoilt")
    assert read_otherwise(published) == []
    published.warehouse_database.unlink()
    assert read_otherwise(published) == []
