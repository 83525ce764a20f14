"""Commands that write: init, import, seal, build."""

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from tracking.errors import ArgumentError
from tracking.home.sharing import group_of, share
from warehouse.building.build import BuildReport, build
from warehouse.cli.output import HomeOption, JsonOption, complain, home_of, progress_bar, say, say_json, working
from warehouse.importing.calls import Defaults
from warehouse.importing.import_files import ImportReport, files_of, import_files
from warehouse.importing.importer import ANSWERS, FORMATS, TABLE
from warehouse.published.coverage import books_of
from warehouse.published.read import open_warehouse
from warehouse.sealing.seal import SealReport, seal

IMPORT_FORMATS = (ANSWERS, TABLE, *FORMATS)
SHOWN = 10
"""Refused lines, and reasons, that are named; the others are counted."""


def register(app: typer.Typer) -> None:
    app.command(name="init", epilog="Example: llm-cost init --group llm-cost --home /var/lib/llm-cost/ledger")(init)
    app.command(name="import", epilog="Example: llm-cost import calls.jsonl --user teacher-1 --trackable Assignment:1")(
        import_
    )
    app.command(name="seal", epilog="Example: llm-cost seal")(seal_)
    app.command(name="build", epilog="Example: llm-cost build --status-date 2026-10-31")(build_)


def init(
    name: Annotated[
        str | None, typer.Argument(help="With --group: which, by name or number; this process's where none is named.")
    ] = None,
    group: Annotated[
        bool, typer.Option("--group", help="Share the home: who is in the group records, reads and maintains it.")
    ] = False,
    home: HomeOption = None,
) -> None:
    """Make a home for a ledger, or share one that is there with a group. Recording makes one too: its owner's alone.

    A group's members can read everything in its home, prompts too: see docs/security.md.
    """
    if name is not None and not group:
        raise ArgumentError("NAME", f"({name!r}) is given without --group")
    target = home_of(home)
    target.open()
    if group:
        share(target, name)
    shared_by = group_of(target)
    whose = "its owner's alone" if shared_by is None else f"the group {shared_by}'s"
    say(f"{target.root} is a ledger's home, {whose}")


def import_(
    files: Annotated[list[Path], typer.Argument(help="Files, or folders of JSON lines.")],
    format_name: Annotated[
        str | None, typer.Option("--format", help=f"{', '.join(IMPORT_FORMATS)}; default: what a file looks like.")
    ] = None,
    mapping: Annotated[
        Path | None, typer.Option(help="Of tables: a TOML file that says which column holds what.")
    ] = None,
    user: Annotated[str | None, typer.Option(help="For lines without a user.")] = None,
    trackable: Annotated[str | None, typer.Option(help="For lines without one, as Type:id.")] = None,
    request_type: Annotated[str | None, typer.Option(help="For lines without one.")] = None,
    provider: Annotated[str | None, typer.Option(help="For lines without a provider.")] = None,
    model: Annotated[str | None, typer.Option(help="For answers that name no model, as Bedrock's.")] = None,
    source: Annotated[
        str | None, typer.Option(help="What lines without an id are known by; default: file name.")
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Record calls from logs and exports of other tools. Importing a file again adds nothing.

    Unknown models are recorded unpriced. Refused lines are kept in quarantine/ and summed up; the exit code is then 1.
    """
    defaults = Defaults(user, trackable, request_type, provider, model)
    size = sum(file.stat().st_size for path in files for file in files_of(path) if file.is_file())
    with progress_bar("importing", size) as advance:
        report = import_files(home_of(home), files, defaults, source, advance, mapping, format_name)
    if as_json:
        say_json(_import_json(report))
    else:
        say(
            f"{report.lines:,} lines: {report.recorded:,} recorded ({report.unpriced:,} of them unpriced), "
            f"{len(report.refusals):,} refused"
        )
        for named, (stated, ours) in sorted(report.stated_costs.items()):
            say(f"{named}: the files say {stated} USD, the ledger {ours} USD, {ours - stated:+} USD")
    _complain_of_refusals(report)
    if report.refusals:
        raise typer.Exit(1)


def _complain_of_refusals(report: ImportReport) -> None:
    """The first few, and where there are more how many were refused for which reason."""
    for refusal in report.refusals[:SHOWN]:
        complain(f"{refusal.source} line {refusal.line} refused: {refusal.reason}")
    if len(report.refusals) <= SHOWN:
        return
    reasons = report.reasons()
    complain(f"{len(report.refusals):,} lines were refused, all kept in quarantine/; by reason:")
    for reason, count in reasons[:SHOWN]:
        complain(f"{count:,} refused: {reason}")
    if len(reasons) > SHOWN:
        complain(f"{sum(count for _, count in reasons[SHOWN:]):,} refused for {len(reasons) - SHOWN:,} other reasons")


def seal_(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Turn what was recorded so far into segments. A build does this first; alone it makes room in journal/."""
    target = home_of(home)
    with progress_bar("sealing", sum(file.stat().st_size for file in target.journals())) as advance:
        report = seal(target, advance)
    if as_json:
        say_json({name: getattr(report, name) for name in report.__slots__})
    else:
        say(describe_seal(report))


def build_(
    home: HomeOption = None,
    full_refresh: Annotated[bool, typer.Option(help="Rebuild every day, not just the changed ones.")] = False,
    status_date: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Budgets stand as at this day's end; default: the ledger's last day."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Bring every report up to date: seal, build and test with dbt, publish warehouse.duckdb."""
    target = home_of(home)
    with working("building the reports"):
        report = build(target, full_refresh=full_refresh, status_date=status_date.date() if status_date else None)
    with open_warehouse(target) as connection:
        books = books_of(connection)
    if as_json:
        say_json(_build_json(report) | {"books": asdict(books)})
    else:
        say(describe_seal(report.seal_report))
        if report.renewed:
            complain(f"{target.build_database} could not be read; it was made from the ledger anew")
        say(describe_build(report))
        say(f"The books: {books.in_words()}")
        say(
            f"Published {target.warehouse_database}"
            if report.dbt
            else f"Published already: {target.warehouse_database}"
        )


def describe_seal(report: SealReport) -> str:
    counts = [
        (report.duplicates, "known already"),
        (report.superseded, "superseded by a more complete row"),
        (report.conflicts, "under a reused response id"),
        (report.quarantined, "lines quarantined"),
    ]
    extras = "".join(f", {count:,} {what}" for count, what in counts if count)
    return f"Sealed {report.rows:,} new rows in {report.segments:,} segments{extras}"


def describe_build(report: BuildReport) -> str:
    if report.dbt is None:
        return f"Nothing has changed: every report is up to date, {report.seconds:.1f} s"
    return f"Built {report.dbt.models} models, {report.dbt.tests} tests passed, {report.seconds:.1f} s"


def _import_json(report: ImportReport) -> dict[str, object]:
    refusals = [{"source": r.source, "line": r.line, "reason": r.reason} for r in report.refusals]
    return {
        "lines": report.lines,
        "recorded": report.recorded,
        "unpriced": report.unpriced,
        "refused": len(refusals),
        "reasons": dict(report.reasons()),
        "refusals": refusals,
        "stated": {
            model: {"stated_usd": str(stated), "ledger_usd": str(ours)}
            for model, (stated, ours) in sorted(report.stated_costs.items())
        },
    }


def _build_json(report: BuildReport) -> dict[str, object]:
    return {
        "sealed": {name: getattr(report.seal_report, name) for name in report.seal_report.__slots__},
        "up_to_date": report.dbt is None,
        "models": report.dbt.models if report.dbt else 0,
        "tests": report.dbt.tests if report.dbt else 0,
        "seconds": round(report.seconds, 3),
    }
