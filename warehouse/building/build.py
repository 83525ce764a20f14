"""The build: seal, compact, dbt, publish, tidy up."""

import shutil
import time
from dataclasses import dataclass
from datetime import date

import duckdb

from tracking.errors import ArgumentError, LedgerError
from tracking.home import Home
from warehouse.building.build_file import forget_build, is_spoilt, unusable
from warehouse.building.dbt import BuildError, DbtReport, run_dbt
from warehouse.building.publish import publish
from warehouse.building.removed_models import drop_removed_models
from warehouse.building.tested import noting_tests
from warehouse.building.up_to_date import inputs_of, is_published, note_published
from warehouse.causes import in_one_line
from warehouse.database import connect
from warehouse.ledger.compact import compact_closed_days
from warehouse.ledger.days import today_of
from warehouse.ledger.manifest import Manifest
from warehouse.ledger.tidy import tidy
from warehouse.locks import building
from warehouse.sealing.seal import SealReport, seal
from warehouse.sources.inputs import create_inputs
from warehouse.sources.intact_segments import forget_intact, refuse_damaged
from warehouse.sources.ledger import create_sources
from warehouse.sources.price_history import create_price_history
from warehouse.sources.what_if_costs import update_what_if_costs


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What one build did, and how long it took in seconds. `dbt` is None where the reports were up to date.

    `renewed`: `build.duckdb` could not be read, and was made from the ledger anew.
    """

    seal_report: SealReport
    dbt: DbtReport | None
    seconds: float
    renewed: bool = False


def build(
    home: Home, *, full_refresh: bool = False, status_date: date | None = None, today: date | None = None
) -> BuildReport:
    """Bring every report up to date with everything recorded so far; budgets stand as at the end of the `status_date`.

    Where the reports are made from all that already, nothing is built, unless `full_refresh` asks for it. `today` is
    the clock's in the reporting time zone, unless it is given: rows dated later wait for their day.

    Raises:
        ArgumentError: the status date is later than today.
        LedgerError: the home cannot be used.
        BuildError: a model or test failed; the published warehouse is what it was before.
    """
    start = time.monotonic()
    latest = today or today_of(home)
    if status_date is not None and status_date > latest:
        raise ArgumentError("status_date", f"({status_date}) is later than today ({latest})")
    seal_report = seal(home)
    compact_closed_days(home)
    with building(home):
        try:
            dbt = _bring_up_to_date(home, full_refresh, status_date, today)
            renewed = False
        except (LedgerError, BuildError) as error:
            if not is_spoilt(error):
                raise
            forget_build(home)
            dbt = _bring_up_to_date(home, True, status_date, today)
            renewed = True
        except OSError as error:
            raise LedgerError(f"the reports of {home.root} cannot be built: {in_one_line(error)}") from error
        tidy(home)
    return BuildReport(seal_report, dbt, time.monotonic() - start, renewed)


def _bring_up_to_date(home: Home, full_refresh: bool, status_date: date | None, today: date | None) -> DbtReport | None:
    prepare(home, read_every_byte=full_refresh)
    latest, inputs = today or today_of(home), inputs_of(home, status_date)
    if not full_refresh and is_published(home, inputs, latest):
        return None
    with noting_tests(home):
        dbt = run_dbt(home, full_refresh=full_refresh, status_date=status_date, today=today)
    publish(home)
    note_published(home, inputs, latest)
    return dbt


def rebuild_from_nothing(home: Home) -> None:
    """Make every report anew, and nothing that was derived before stays. Call it while holding the build lock.

    The published warehouse is replaced at the end, as by every build.
    """
    forget_build(home)
    for folder in ("target", "logs", "docs"):
        shutil.rmtree(home.dbt / folder, ignore_errors=True)
    prepare(home)
    with noting_tests(home):
        run_dbt(home, full_refresh=True)
    publish(home)


def prepare(home: Home, *, read_every_byte: bool = False) -> None:
    """Make what dbt reads from the manifest as it is now, and drop what it no longer makes.

    A segment is hashed when it is new or was written to; `read_every_byte` hashes all. Call it while holding the build
    lock.

    Raises:
        LedgerError: a segment or one of the user's files cannot be used; or `build.duckdb`, then with the way out.
    """
    try:
        with connect(home.build_database) as connection:
            drop_removed_models(connection)
            if read_every_byte:
                forget_intact(connection)
            with Manifest(home) as manifest:
                refuse_damaged(connection, home, manifest.segments())
            create_sources(connection, home)
            create_inputs(connection, home)
            create_price_history(connection, home)
            update_what_if_costs(connection, home)
    except duckdb.Error as error:
        raise unusable(home, error) from error


def prepare_or_renew(home: Home) -> None:
    """`prepare`, from nothing where `build.duckdb` cannot be read. Call it while holding the build lock."""
    try:
        prepare(home)
    except LedgerError as error:
        if not is_spoilt(error):
            raise
        forget_build(home)
        prepare(home)
