"""Which days of the ledger the published reports do not have as they are sealed now."""

from datetime import date

from tracking.home import Home
from warehouse.ledger.days import fingerprints, sealed_days, stale_days
from warehouse.published.read import open_warehouse


def unpublished_days(home: Home) -> dict[date, str | None]:
    """Days that are new, changed or gone since the reports were built, in order, each with its fingerprint now.

    It is `None` where the day is gone. Every day, where nothing was published yet.

    Raises:
        LedgerError: the published file cannot be read.
    """
    return stale_days(_published_fingerprints(home), fingerprints(sealed_days(home)))


def _published_fingerprints(home: Home) -> dict[date, str]:
    if not home.warehouse_database.exists():
        return {}
    with open_warehouse(home) as connection:
        return dict(connection.execute("select usage_date, fingerprint from ledger.segments").fetchall())
