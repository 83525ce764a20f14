"""What the user brings as CSV or JSON: invoices and names. Malformed it is one `LedgerError`, else it is all there."""

import shutil
from decimal import Decimal, localcontext
from pathlib import Path

import duckdb

from tests.fuzz.promises import require, require_documented
from tracking import LedgerError
from tracking.home import Home
from tracking.money import EXACT
from warehouse.sources.invoices import create_invoices, load_invoices
from warehouse.sources.names import create_names


class _UsersFile:
    place = ""

    def __init__(self, folder: Path) -> None:
        self.home = Home(folder / "home")
        self.home.open()
        self._file = self.home.root / self.place
        shutil.rmtree(self._file.parent, ignore_errors=True)
        self._file.parent.mkdir()
        self._connection = duckdb.connect()

    def __call__(self, data: bytes) -> None:
        self._file.write_bytes(data)
        self._connection.execute("drop schema if exists ledger cascade; create schema ledger")
        try:
            self.read(self._connection)
        except Exception as error:
            require_documented(error, (LedgerError,))
            require(self._file.name in str(error), f"the file is not named: {error}")
            tables = self._connection.execute("select count(*) from duckdb_tables()").fetchall()
            require(tables == [(0,)], "half of it was read")

    def read(self, connection: duckdb.DuckDBPyConnection) -> None:
        raise NotImplementedError


class InvoicesCsv(_UsersFile):
    """Every charge that was accepted is in the table, to the last digit."""

    place = "invoices/november.csv"

    def read(self, connection: duckdb.DuckDBPyConnection) -> None:
        create_invoices(connection, self.home)
        invoices = load_invoices(self.home.invoices)
        with localcontext(EXACT):
            billed = sum((line.amount.usd for it in invoices for line in it.lines), Decimal(0))
        ((total, lines),) = connection.execute(
            "select coalesce(sum(amount_usd), 0)::decimal(38,12), count(*) from ledger.invoices"
        ).fetchall()
        require((total, lines) == (billed, sum(len(it.lines) for it in invoices)), f"{total} of {billed}")


class InvoicesJson(InvoicesCsv):
    place = "invoices/november.json"


class NamesCsv(_UsersFile):
    """Each line names somebody, or is told of with its reason."""

    place = "dimensions/users.csv"

    def read(self, connection: duckdb.DuckDBPyConnection) -> None:
        create_names(connection, self.home)
        rows = connection.execute("select user_id, name from ledger.users").fetchall()
        require(all(user and name for user, name in rows), f"a blank name: {rows}")
        connection.execute("select reason from ledger.unusable_names").fetchall()
