"""The proof that reports agree with the ledger: every cut's sums beside what the sealer added up itself."""

from dataclasses import dataclass
from decimal import Decimal

import duckdb

from warehouse.database import quoted

MEASURES = ("requests", "token_count", "cost_usd", "micro_usd", "unpriced_requests")
"""What every cut carries; a relation with all of them is a cut of the ledger."""

Sums = dict[str, int | Decimal]


@dataclass(frozen=True, slots=True)
class CutProof:
    """One cut's sums against the ledger's, each exact (USD to 12 places)."""

    cut: str
    rows: int
    sums: Sums
    ledger: Sums

    @property
    def holds(self) -> bool:
        return self.sums == self.ledger


def prove(connection: duckdb.DuckDBPyConnection) -> list[CutProof]:
    """Add up every published cut, and compare it with `ledger.segments`."""
    _, ledger = _sums(connection, "ledger.segments")
    cuts = connection.execute(
        """
        select table_name
        from duckdb_columns()
        where schema_name = 'main' and not internal and column_name in (select unnest($measures))
        group by table_name
        having count(*) = $needed and not starts_with(table_name, 'stg_')
        order by table_name
        """,
        {"measures": list(MEASURES), "needed": len(MEASURES)},
    ).fetchall()
    return [CutProof(cut, *_sums(connection, f"main.{quoted(cut)}"), ledger) for (cut,) in cuts]


def _sums(connection: duckdb.DuckDBPyConnection, relation: str) -> tuple[int, Sums]:
    sums = ", ".join(
        f"coalesce(sum({measure}), 0)::{'decimal(38,12)' if measure == 'cost_usd' else 'bigint'}"
        for measure in MEASURES
    )
    row = connection.execute(f"select count(*), {sums} from {relation}").fetchone()
    assert row is not None  # noqa: S101
    return row[0], dict(zip(MEASURES, row[1:], strict=True))
