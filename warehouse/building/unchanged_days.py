"""Whether a day whose rows are what they were is reported as it was, by the two files alone."""

from datetime import date

import duckdb

from tracking.home import Home
from warehouse.database import attach, connect, quoted
from warehouse.ledger.days import stale_days

DATED = "reporting_date"


def read_otherwise(home: Home) -> list[str]:
    """Each report by date whose rows, on dates that no changed day of the ledger falls on, are not those published.

    What is built beside what is published; `["cost_per_day 2026-11-02"]`, none where nothing that can be read was
    published yet. Call it while holding the build lock, before publishing.
    """
    if not home.warehouse_database.exists():
        return []
    with connect() as connection:
        attach(connection, home.build_database, "built")
        try:
            attach(connection, home.warehouse_database, "published")
            changed_dates = _changed_dates(connection)
        except duckdb.Error:
            # What is published is spoilt, or not ours: to publish mends it.
            return []
        return [
            f"{report} {day}"
            for report in _comparable_reports(connection)
            for day in _different_dates(connection, report)
            if day not in changed_dates
        ]


def _changed_dates(connection: duckdb.DuckDBPyConnection) -> set[str]:
    """A day of the ledger (UTC) falls on up to three dates of wherever the reports are read.

    As text: the day before the first of Python's calendar, or after its last, is a date to DuckDB.
    """
    stale = stale_days(_fingerprints(connection, "published"), _fingerprints(connection, "built"))
    dates = connection.execute(
        "select (unnest($days::date[]) + apart::int)::varchar from range(-1, 2) as days(apart)", {"days": list(stale)}
    ).fetchall()
    return {day for (day,) in dates}


def _fingerprints(connection: duckdb.DuckDBPyConnection, database: str) -> dict[date, str]:
    return dict(connection.execute(f"select usage_date, fingerprint from {database}.ledger.segments").fetchall())


def _comparable_reports(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Tables by date that both files have, with the same columns: another version of the models may have others."""
    rows = connection.execute(
        """
        with columns as (
            select
                database_name,
                table_name,
                list(column_name || ' ' || data_type order by column_index) as columns,
                list_contains(list(column_name), $dated) as is_dated,
                list_contains(list(column_name), 'micro_usd') as is_cut
            from duckdb_columns()
            where schema_name = 'main' and database_name in ('built', 'published')
            group by all
        )

        select built.table_name
        from columns as built
        inner join columns as published using (table_name, columns)
        where
            built.database_name = 'built'
            and published.database_name = 'published'
            and built.is_dated
            and built.is_cut
        order by all
        """,
        {"dated": DATED},
    ).fetchall()
    return [report for (report,) in rows]


def _different_dates(connection: duckdb.DuckDBPyConnection, report: str) -> list[str]:
    """Dates on which the two have not the same rows, whatever their order."""
    digest = f"select {DATED}, count(*) as rows, sum(hash(each)) as digest"
    rows = connection.execute(
        f"""
        select {DATED}::varchar
        from ({digest} from built.main.{quoted(report)} as each group by all) as built
        full join ({digest} from published.main.{quoted(report)} as each group by all) as published using ({DATED})
        where (built.rows, built.digest) is distinct from (published.rows, published.digest)
        order by all
        """
    ).fetchall()
    return [day for (day,) in rows]
