"""`build.duckdb` when it cannot be used. It is derived: where it is spoilt, it is made from the ledger anew."""

import re

import duckdb

from tracking.errors import LedgerError
from tracking.home import Home
from warehouse.building.dbt import BuildError
from warehouse.causes import disk_problem, in_one_line, is_held
from warehouse.database import database_files

SPOILT = re.compile(
    r"not a valid DuckDB database|orrupt|[Cc]hecksum|Could not read enough bytes|ailed to deserialize"
    r"|Serialization Error|replaying WAL|INTERNAL Error|FATAL Error|has been invalidated|storage version"
)
"""What DuckDB says of a file that holds other bytes than it wrote, also by way of dbt."""


def unusable(home: Home, error: duckdb.Error) -> LedgerError:
    """Why it cannot be used, in one line, and what to do."""
    held, refused = is_held(error), disk_problem(error) is not None
    way_out = "" if held or refused else "; delete it, and the next build makes it from the ledger anew"
    return LedgerError(f"{home.build_database} cannot be prepared: {in_one_line(error)}{way_out}")


def is_spoilt(error: LedgerError | BuildError) -> bool:
    """Whether a build failed because of what is in the file."""
    said = f"{error} {error.__cause__}"
    about_it = isinstance(error, BuildError) or "build.duckdb" in said
    return about_it and SPOILT.search(said) is not None and disk_problem(said) is None


def forget_build(home: Home) -> None:
    """Remove the file, so that the next build makes it anew. Call it while holding the build lock."""
    for file in database_files(home.build_database):
        file.unlink(missing_ok=True)
