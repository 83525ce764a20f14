"""The command demo: a month of a teaching platform, from the calls to the proof."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from tracking.durable_files import create_exclusively
from tracking.errors import LedgerError
from tracking.home import Home
from warehouse.building.build import build
from warehouse.cli.ledger import describe_build, describe_seal
from warehouse.cli.output import HomeOption, command_name, complain, progress_bar, say, say_table, working
from warehouse.demo import DEFAULT_CALLS, play
from warehouse.ledger.manifest import Manifest
from warehouse.published.proof import CutProof, prove
from warehouse.published.query import ask
from warehouse.published.read import open_warehouse

DEMO_HOME = Path("llm-cost-demo")

REPORTS = {
    "Cost per day": "select reporting_date, requests, failed_requests, unpriced_requests, token_count,"
    " cost_usd from cost_per_day"
    " order by reporting_date",
    "Cost per user, the ten highest": "select user_id, user_name, requests, failed_requests,"
    " unpriced_requests, token_count, cost_usd from cost_per_user order by cost_usd desc nulls last limit 10",
    "Cost per assignment, the ten highest": "select assignment_id, assignment_name, requests,"
    " failed_requests, unpriced_requests, token_count, cost_usd from cost_per_assignment"
    " order by cost_usd desc nulls last limit 10",
}


UNPRICED_NOTE = (
    "Unpriced are the calls of the school's own model, which no catalogue knows: their cost is unknown, so it is NULL, "
    "not zero. Failed calls stand apart: no provider bills them."
)
NEXT = (
    "top assignments",
    "budget",
    "sql \"select llm, count(*), sum(cost_usd) from fct_usage where status = 'partial' group by llm\"",
    "ui",
)


def register(app: typer.Typer) -> None:
    app.command(epilog="Example: llm-cost demo")(demo)


def demo(
    calls: Annotated[int, typer.Option(min=1, help="How many calls to play.")] = DEFAULT_CALLS,
    home: HomeOption = None,
) -> None:
    """Play a month of a teaching platform through the tracker, build the reports, and prove them.

    Plays into ./llm-cost-demo, never into a home that holds a ledger of your own. Playing again adds nothing.
    Beside the home it writes its page, ./llm-cost-demo.html.
    """
    target = Home(home if home is not None else DEMO_HOME)
    _claim(target)
    with progress_bar("playing September 2026", calls) as advance:
        recorded_calls = play(target.root, calls, progress=advance)
    say(f"Recorded {recorded_calls:,} calls in {target.root}")
    with working("building the reports"):
        report = build(target)
    say(describe_seal(report.seal_report))
    say(describe_build(report))
    with open_warehouse(target) as connection:
        for title, query in REPORTS.items():
            result = ask(connection, query)
            say_table(result.columns, result.rows, title=title)
        proofs = prove(connection)
    _say_proof(proofs)
    if not all(proof.holds for proof in proofs):
        complain("a report does not sum to the ledger")
        sys.exit(1)
    in_ledger = proofs[0].ledger["requests"]
    if in_ledger < recorded_calls:
        complain(f"the ledger holds {in_ledger:,} requests of {recorded_calls:,} recorded")
        sys.exit(1)
    from warehouse.html_report import write_report

    page = target.root.with_name(f"{target.root.name}.html")
    write_report(target, page)
    say(UNPRICED_NOTE)
    say(f"The same as a page: {_from_here(page)}")
    say("What to open next:")
    for arguments in NEXT:
        say(f"  {command_name()} {arguments} --home {_from_here(target.root)}")


def _from_here(path: Path) -> Path:
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _claim(home: Home) -> None:
    """Make `home` a demo's, unless it is somebody's ledger."""
    marker = home.demo_marker
    if home.ledger_toml.exists():
        home.settings()  # one from a newer version is refused before anything of it is touched
    if not marker.exists() and _holds_calls(home):
        raise LedgerError(f"home {home.root} holds a ledger that is not a demo's; give another --home")
    home.open()
    create_exclusively(marker, b"Played by `llm-cost demo`. Nobody paid for these calls.\n")


def _holds_calls(home: Home) -> bool:
    if home.journals():
        return True
    if not home.manifest.exists():
        return False
    with Manifest(home) as manifest:
        return bool(manifest.segments())


def _say_proof(proofs: list[CutProof]) -> None:
    measures = list(proofs[0].ledger)
    rows: list[tuple[object, ...]] = [("ledger", None, *proofs[0].ledger.values(), None)]
    for proof in proofs:
        rows.append((proof.cut, proof.rows, *proof.sums.values(), "equal" if proof.holds else "DIFFERENT"))
    title = "Proof: every report sums to the ledger, to the last digit"
    say_table(["relation", "rows", *measures, "proof"], rows, title=title)
