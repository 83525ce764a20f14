"""How many unusual days are found, and how many usual ones flagged: `python -m tests.benchmarks.anomalies_found FILE…`

Each numeric column of each CSV file that names days is a series (see `forecast_coverage`), as if it were what
somebody's days cost in USD, who then comes on every day, or on so many a week or month, drawn by a hash. Of each,
every 40th day is made ten times as dear, so that no two are known at once, in four runs; and none in another. Printed
is, by how often they come, how many of the planted days the models' own SQL finds, and how many days of the other run
it flags; and the same without the rule of the dearest day. With `--home` the users of a ledger are taken too.
"""

import argparse
import sys
from pathlib import Path

import duckdb

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
EVERY, FIRST, FACTOR = 40, (5, 15, 25, 35), 10
FROM_A_LEDGER = "users of a ledger"


def read_days(connection: duckdb.DuckDBPyConnection, files: list[Path], home: Path | None) -> None:
    """Make the table `days`: how often who comes, of which series, on which day, and what that cost."""
    connection.execute("create table days (often varchar, series varchar, who varchar, day date, cost double)")
    for file in files:
        for name in read_series(connection, file):
            for often, share in OFTEN.items():
                for copy in range(COPIES if share < 1 else 1):
                    # Drawn by a hash, so that every run draws the same.
                    connection.execute(
                        f"""
                        insert into days
                        select $often, $series, concat_ws(', ', $series, $often, $copy), day, "{name}" from series
                        where "{name}" > 0 and md5_number_lower(concat($series, $copy, day)) % 1000 < 1000 * $share
                        """,
                        {"often": often, "series": f"{file.name} {name}", "copy": copy, "share": share},
                    )
    if home:
        with open_warehouse(Home(home)) as warehouse:
            users = warehouse.execute(
                f"select '{FROM_A_LEDGER}', 'users', user_id || coalesce(' ' || tenant, ''), reporting_date,"
                " sum(cost_usd)::double from cost_per_user_day where cost_usd > 0 group by all"
            ).fetchall()
        connection.executemany("insert into days values (?, ?, ?, ?, ?)", users)


def measure(files: list[Path], home: Path | None) -> list[tuple[str, int, float, float, float, float]]:
    """Of each way to come: planted days, what part of them is found, and what part of usual days is flagged; each with
    the dearest day's rule and without it."""
    queries = compiled(MODELS)
    flagged = queries["cost_anomalies"].rpartition("select * from explained")[0]
    with duckdb.connect() as connection:
        read_days(connection, files, home)
        connection.execute(
            f"""
            create table numbered as
            select *, row_number() over (partition by who order by day) % {EVERY} as place from days where cost < 1e15;
            create table int_cost_daily as
            select date '2000-01-01' as reporting_date, 1e-12::decimal(38, 12) as cost_usd;
            create table found (who varchar, day date, planted_at int, basis varchar)
            """
        )
        for planted_at in (None, *FIRST):
            planted = "null" if planted_at is None else planted_at
            connection.execute(
                f"""
                create or replace table int_entity_cells as
                select series as entity_type, who as entity_id, null::varchar as entity_tenant,
                    null::varchar as entity_provider, day as reporting_date, 'p' as provider, 'm' as llm,
                    'r' as request_type, 1 as requests, 1 as tokens,
                    (cost * case when place = {planted} then {FACTOR} else 1 end)::decimal(38, 12) as cost_usd
                from numbered;
                create or replace table int_entity_days as {queries["int_entity_days"]};
                insert into found {flagged} select entity_id, reporting_date, {planted}, basis from flagged
                """
            )
        usual = "basis <> 'dearest_day'"
        return connection.execute(
            f"""
            select
                often,
                count(*) filter (place in {FIRST}),
                count(planted.basis) / count(*) filter (place in {FIRST}),
                count(planted.basis) filter (planted.{usual}) / count(*) filter (place in {FIRST}),
                count(clean.basis) / count(*),
                count(clean.basis) filter (clean.{usual}) / count(*)
            from (select * from numbered union all select * replace ('all' as often) from numbered) as numbered
            left join found as planted
                on numbered.who = planted.who and numbered.day = planted.day and numbered.place = planted.planted_at
            left join found as clean
                on numbered.who = clean.who and numbered.day = clean.day and clean.planted_at is null
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
