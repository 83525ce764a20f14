"""`invoices/` in the home: what providers billed, to be compared with the ledger. See docs/finance.md."""

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import duckdb

from tracking.errors import LedgerError
from tracking.home import Home
from warehouse.database import create_table
from warehouse.sources.invoice_files import Invoice, Line, read_invoice

SUFFIXES = (".csv", ".json")
LINES = {
    "file": "VARCHAR",
    "line": "BIGINT",
    "provider": "VARCHAR",
    "first_date": "DATE",
    "end_date": "DATE",
    "model": "VARCHAR",
    "token_count": "BIGINT",
    "amount_usd": "DECIMAL(38,12)",
    "tolerance_usd": "DECIMAL(38,12)",
}
DAYS = {"provider": "VARCHAR", "usage_date": "DATE", "file": "VARCHAR"}


def load_invoices(folder: Path) -> list[Invoice]:
    """Every CSV and JSON file of the folder, in order of name. No folder, no invoices.

    Raises:
        LedgerError: a file is malformed, or two speak for the same day of a provider; both are named.
    """
    if not folder.exists():
        return []
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    except OSError as error:
        raise LedgerError(f"{folder} cannot be read: {error.strerror}") from error
    invoices = [read_invoice(path) for path in paths if not path.name.startswith(".")]
    for invoice in invoices:
        _refuse_overlapping_lines(folder, invoice)
    _refuse_overlapping_files(folder, invoices)
    return invoices


def _refuse_overlapping_lines(folder: Path, invoice: Invoice) -> None:
    """Several charges may be for the same days; days that overlap without being the same would count twice."""
    spans = sorted({(line.provider, line.model or "", line.first, line.end) for line in invoice.lines})
    for (provider, model, first, end), (*others, other_first, _) in pairwise(spans):
        if [provider, model] == others and other_first < end:
            raise LedgerError(
                f"{folder / invoice.file}: days of {provider} {model or '(no model)'} overlap: those from {first} to "
                f"{end} hold {other_first}, from which others are billed too"
            )


def _refuse_overlapping_files(folder: Path, invoices: Iterable[Invoice]) -> None:
    files: dict[tuple[str, date], str] = {}
    for invoice in invoices:
        for provider, day in _days(invoice):
            other = files.setdefault((provider, day), invoice.file)
            if other != invoice.file:
                raise LedgerError(f"{folder}: {other} and {invoice.file} overlap: both bill {day} of {provider}")
        if invoice.file.lower().endswith(".json"):
            _refuse_repeated_buckets(folder, invoice)


def _refuse_repeated_buckets(folder: Path, invoice: Invoice) -> None:
    spans = sorted(invoice.spans)
    for (provider, _, end), (other_provider, first, _) in pairwise(spans):
        if provider == other_provider and first < end:
            raise LedgerError(f"{folder / invoice.file}: two buckets of {provider} overlap: both hold {first}")


def _days(invoice: Invoice) -> Iterator[tuple[str, date]]:
    for provider, first, end in dict.fromkeys(invoice.spans):
        for number in range((end - first).days):
            yield provider, first + timedelta(days=number)


def _row(file: str, line: Line) -> tuple[object, ...]:
    amount = line.amount
    return (
        file,
        line.number,
        line.provider,
        line.first,
        line.end,
        line.model,
        line.tokens,
        amount.usd,
        amount.tolerance,
    )


def create_invoices(connection: duckdb.DuckDBPyConnection, home: Home) -> None:
    """Create or replace `ledger.invoices` and `ledger.invoice_days`.

    Raises:
        LedgerError: what is in `invoices/` cannot be used; then neither is touched.
    """
    invoices = load_invoices(home.invoices)
    create_table(connection, "invoices", LINES, [_row(it.file, line) for it in invoices for line in it.lines])
    days = {(provider, day): it.file for it in invoices for provider, day in _days(it)}
    create_table(connection, "invoice_days", DAYS, [(*key, file) for key, file in days.items()])
