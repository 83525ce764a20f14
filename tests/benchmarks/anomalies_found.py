"""How many unusual days are found, and how many usual ones flagged: `python -m tests.benchmarks.anomalies_found FILE…`

Each numeric column of each CSV file that names days is a series (see `forecast_coverage`), as if it were what
somebody's days cost in USD, who then comes on every day, or on so many a week or month, drawn at random. Of each, every
17th day is made ten times as dear in one run, and none in another. Printed is, by how often they come, how many of the
planted days the models' own SQL finds, and how many days of the other run it flags; and the same without the rule of
the dearest day. With `--home` the users of a ledger are taken too, as they came.
"""

import argparse
import sys
from pathlib import Path
from random import Random

import duckdb
import polars as pl

from tests.benchmarks.forecast_coverage import compiled, read_series
from tracking.home import Home
from warehouse.published.read import open_warehouse

MODELS = ("int_entity_days", "cost_anomalies")
OFTEN = {
    "every day": 1.0,
    "5 a week": 5 / 7,
    "2 a week": 2 / 7,
    "1 a week": 1 / 7,
    "2 a month": 1 / 14,
    "1 a month": 1 / 30,
}
COPIES = 3
EVERY, FIRST, FACTOR = 17, 5, 10
FROM_A_LEDGER = "users of a ledger"

Day = tuple[str, str, str, str, float]
"""How often, series, who, which date, and what it cost."""


def days_of(files: list[Path], home: Path | None) -> list[Day]:
    random = Random(5)
    days: list[Day] = []
    with duckdb.connect() as connection:
        for file in files:
            for name in read_series(connection, file):
                rows = connection.execute(
                    f'select day, "{name}" from series where "{name}" > 0 order by day'
                ).fetchall()
                for often, share in OFTEN.items():
                    for copy in range(COPIES if share < 1 else 1):
                        who = f"{file.name} {name}, {often}, {copy}"
                        days += [
                            (often, f"{file.name} {name}", who, f"{day}", value)
                            for day, value in rows
                            if random.random() < share
                        ]
    if home:
        with open_warehouse(Home(home)) as warehouse:
            days += warehouse.execute(
                f"select '{FROM_A_LEDGER}', 'users', user_id || coalesce(' ' || tenant, ''), reporting_date::varchar,"
                " sum(cost_usd)::double from cost_per_user_day where cost_usd > 0 group by all"
            ).fetchall()
    return days


def measure(files: list[Path], home: Path | None) -> list[tuple[str, int, float, float, float, float]]:
    """Of each way to come: planted days, what part of them is found, and what part of usual days is flagged; each with
    the dearest day's rule and without it."""
    queries = compiled(MODELS)
    flagged = queries["cost_anomalies"].rpartition("select * from explained")[0]
    days = days_of(files, home)
    with duckdb.connect() as connection:
        connection.register("given_days", pl.DataFrame(days, ["often", "series", "who", "day", "cost"], orient="row"))
        connection.execute("create table days as select * replace (day::date as day) from given_days")
        connection.execute(
            f"""
            create table numbered as
            select *, row_number() over (partition by who order by day) % {EVERY} = {FIRST} as is_planted from days;
            create table int_cost_daily as
            select date '2000-01-01' as reporting_date, 1e-12::decimal(38, 12) as cost_usd;
            create table found (who varchar, day date, has_planted boolean, basis varchar)
            """
        )
        for has_planted in (False, True):
            connection.execute(
                f"""
                create or replace table int_entity_cells as
                select series as entity_type, who as entity_id, null::varchar as entity_tenant,
                    null::varchar as entity_provider, day as reporting_date, 'p' as provider, 'm' as llm,
                    'r' as request_type, 1 as requests, 1 as tokens,
                    (cost * case when {has_planted} and is_planted then {FACTOR} else 1 end)::decimal(38, 12)
                        as cost_usd
                from numbered where cost < 1e15;
                create or replace table int_entity_days as {queries["int_entity_days"]};
                insert into found
                {flagged} select entity_id, reporting_date, {has_planted}, basis from flagged
                """
            )
        known = "basis <> 'dearest_day'"
        return connection.execute(
            f"""
            select
                often,
                count(*) filter (is_planted),
                count(planted.basis) filter (is_planted) / count(*) filter (is_planted),
                count(planted.basis) filter (is_planted and planted.{known}) / count(*) filter (is_planted),
                count(clean.basis) / count(*),
                count(clean.basis) filter (clean.{known}) / count(*)
            from (select * from numbered union all select * replace ('all' as often) from numbered) as numbered
            left join (from found where has_planted) as planted using (who, day)
            left join (from found where not has_planted) as clean using (who, day)
            group by often
            order by list_position({[*OFTEN, FROM_A_LEDGER, "all"]}, often)
            """
        ).fetchall()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--home", type=Path)
    given = parser.parse_args()
    sys.stdout.write("| they come | planted | found | without the dearest day | usual days flagged | without |\n")
    sys.stdout.write("|---|---|---|---|---|---|\n")
    for often, planted, found, without, flags, flags_without in measure(given.files, given.home):
        sys.stdout.write(
            f"| {often} | {planted:,} | {found:.0%} | {without:.0%} | {flags:.2%} | {flags_without:.2%} |\n"
        )
