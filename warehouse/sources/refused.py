"""Refused calls as dbt reads them: what no report of cost holds, with what it cost by its own counts."""

import duckdb

from tracking.errors import LedgerError
from tracking.home import Home
from warehouse.database import create_table
from warehouse.quarantine.refused_calls import RefusedCall
from warehouse.quarantine.standing import standing_refusals

REFUSED = {
    "refused_id": "VARCHAR",
    "kind": "VARCHAR",
    "state": "VARCHAR",
    "error": "VARCHAR",
    "reason": "VARCHAR",
    "was_acknowledged": "BOOLEAN",
    "provider": "VARCHAR",
    "model": "VARCHAR",
    "request_type": "VARCHAR",
    "occurred_at": "TIMESTAMPTZ",
    "refused_at": "TIMESTAMPTZ",
    "estimated_usd": "DECIMAL(38,12)",
}
"""Whose the calls were is not among it: quarantine has it, and no report of them asks for it."""


def create_refused(connection: duckdb.DuckDBPyConnection, home: Home) -> None:
    """Create or replace `ledger.refused`, a row a call.

    Raises:
        LedgerError: quarantine cannot be read.
    """
    try:
        calls = standing_refusals(home)
    except OSError as error:
        raise LedgerError(f"quarantine of {home.root} cannot be read: {error.strerror or error}") from error
    connection.execute("drop table if exists ledger.quarantined")  # of earlier versions
    create_table(connection, "refused", REFUSED, [_row(call) for call in calls])


def _row(call: RefusedCall) -> list[object]:
    request_type = call.entry.get("request_type")
    return [
        call.id,
        call.kind.value,
        call.state.value,
        call.error,
        call.reason,
        call.was_acknowledged,
        call.provider,
        call.model,
        request_type,
        call.occurred_at,
        call.refused_at,
        call.estimated_usd,
    ]
