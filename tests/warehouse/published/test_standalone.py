"""The published warehouse in other hands: open for writing in a BI tool, and as a file that needs no home."""

import shutil
import stat
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from ledgers import publish_untested, record

from tracking import CostTracker, LedgerError
from tracking.home import Home
from warehouse.building.build import prepare
from warehouse.ledger.tidy import tidy
from warehouse.locks import building
from warehouse.published.standalone import export_standalone
from warehouse.sealing.seal import seal

OPEN = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('open', flush=True); sys.stdin.read()"


def publish_rows(home: Home) -> None:
    """Record a call, and publish what dbt would read, which is the ledger's own."""
    with CostTracker(home.root) as tracker:
        record(tracker)
    seal(home)
    with building(home):
        prepare(home)
        publish_untested(home)
        tidy(home)


def test_a_program_that_has_the_warehouse_open_for_writing_stops_no_build(home: Path) -> None:
    publish_rows(ledger := Home(home))
    command = [sys.executable, "-c", OPEN, str(ledger.warehouse_database)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as tool:
        assert tool.stdout
        assert tool.stdout.readline() == "open\n"
        with building(ledger):
            tidy(ledger)  # of a build with nothing new
            (ledger.dbt / "published.json").unlink()
            tidy(ledger)  # published by an earlier version
        publish_rows(ledger)
        tool.communicate()
    with duckdb.connect(ledger.warehouse_database, read_only=True) as warehouse:
        assert warehouse.execute("select count(*) from ledger.usage").fetchone() == (2,)


def test_a_standalone_file_needs_no_home_and_goes_by_any_name(home: Path, tmp_path: Path) -> None:
    publish_rows(Home(home))
    file = tmp_path / "costs.duckdb"
    assert export_standalone(Home(home), file) > 3
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with pytest.raises(LedgerError, match=r"costs\.duckdb exists; --force overwrites it"):
        export_standalone(Home(home), file)
    assert export_standalone(Home(home), file, overwrite=True)
    shutil.rmtree(home)
    moved = file.rename(tmp_path / "elsewhere.db")
    with duckdb.connect() as connection:
        connection.execute(f"attach '{moved}' as other (read_only)")
        assert connection.execute("select user_id from other.ledger.usage").fetchall() == [("teacher-1",)]
        assert connection.execute("select row_count from other.ledger.segments").fetchall() == [(1,)]
        assert connection.execute(
            "select count(*) from duckdb_views() where database_name = 'other' and not internal"
        ).fetchone() == (0,)
    assert [path.name for path in tmp_path.iterdir()] == ["elsewhere.db"]
