"""Commands that keep the ledger whole: doctor, verify, repair, backup, restore."""

from dataclasses import asdict, astuple, fields
from pathlib import Path
from typing import Annotated

import typer

from tracking.home import Home
from warehouse.cli.output import HomeOption, JsonOption, home_of, progress_bar, say, say_json, say_table
from warehouse.integrity.backup import CopyReport, backup, restore
from warehouse.integrity.doctor import examine
from warehouse.integrity.findings import Finding
from warehouse.integrity.repair import RepairReport, Totals, repair
from warehouse.integrity.verify import VerifyReport, verify
from warehouse.ledger.segment_names import segment_paths


def register(app: typer.Typer) -> None:
    app.command(name="verify", epilog="Example: llm-cost verify --home /var/lib/llm-cost")(verify_)
    app.command(epilog="Example: llm-cost doctor --home /var/lib/llm-cost")(doctor)
    app.command(name="repair", epilog="Example: llm-cost repair --dry-run")(repair_)
    app.command(name="backup", epilog="Example: llm-cost backup /mnt/backups/2026-11-22")(backup_)
    app.command(name="restore", epilog="Example: llm-cost restore /mnt/backups/2026-11-22 --home /var/lib/llm-cost")(
        restore_
    )


def doctor(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Look at the home and this machine: versions, permissions, clock, space, journals left behind, prices, lost calls.

    Exit code 0 where all is well, 1 where something is to be done, which is told beside it. Nothing is changed.
    """
    checks = examine(home_of(home))
    if as_json:
        say_json([asdict(check) for check in checks])
    else:
        for check in checks:
            say(f"{'!!' if check.advice else 'ok'} {check.name}: {check.found}")
            if check.advice:
                say(f"   {check.advice}")
    if any(check.advice for check in checks):
        raise typer.Exit(1)


def verify_(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Check every file and every sum of the ledger, beside whoever writes to it. Nothing is changed.

    Exit code 0 where all is as it was written, 1 where something is not; each problem is named with its place.
    """
    target = home_of(home)
    with progress_bar("verifying", _bytes_of_segments(target)) as advance:
        report = verify(target, advance)
    if as_json:
        say_json(_verification_json(report))
    else:
        for finding in (*report.notes, *report.problems):
            say(f"{finding.place}: {finding.problem}")
        say(describe_verification(report))
    if not report.clean:
        raise typer.Exit(1)


def repair_(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make the manifest anew from the segments alone. The old one is kept beside it.

    Damaged files go to quarantine/ and are named with what they held; the exit code is then 1.
    """
    target = home_of(home)
    with progress_bar("repairing", _bytes_of_segments(target)) as advance:
        report = repair(target, dry_run=dry_run, progress=advance)
    if as_json:
        say_json(_repair_json(report, dry_run=dry_run))
    else:
        _say_repair(report, dry_run=dry_run)
    if report.losses:
        raise typer.Exit(1)


def backup_(
    directory: Annotated[Path, typer.Argument(help="Where the copy is to be: an empty folder, or none yet.")],
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Copy everything that cannot be derived, while writers go on. Each file's checksum is checked on the way.

    The copy is a home itself. Reports are left out: `llm-cost build` makes them anew.
    """
    source = home_of(home)
    with progress_bar("backing up", _bytes_to_copy(source)) as advance:
        report = backup(source, directory, advance)
    _say_copy("Backed up", report, directory, as_json=as_json)


def restore_(
    directory: Annotated[Path, typer.Argument(help="A backup.")],
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Copy a backup to a home that is empty or not there yet. `llm-cost build` then makes the reports."""
    target = home_of(home)
    with progress_bar("restoring", _bytes_to_copy(Home(directory))) as advance:
        report = restore(directory, target, advance)
    _say_copy("Restored", report, target.root, as_json=as_json)


def _bytes_to_copy(home: Home) -> int:
    return _bytes_of_segments(home) + sum(file.stat().st_size for file in home.journals())


def _say_copy(verb: str, report: CopyReport, target: Path, *, as_json: bool) -> None:
    if as_json:
        say_json(asdict(report))
        return
    say(
        f"{verb} {report.segments:,} segments with {report.rows:,} rows and {report.cost_usd:,f} USD: "
        f"{report.files:,} files, {report.bytes:,} bytes in {target}"
    )


def _say_repair(report: RepairReport, *, dry_run: bool) -> None:
    columns = [field.name for field in fields(Totals)]
    rows = [("before", *(astuple(report.before) if report.before else (None,) * len(columns)))]
    say_table(["manifest", *columns], [*rows, ("after", *astuple(report.after))])
    for finding in report.losses:
        say(f"{finding.place}: {finding.problem}")
    counts = [
        (report.replaced, "files that others replaced"),
        (report.unfinished, "files of a seal that did not finish, whose rows are still in journals"),
        (report.leftovers, "files whose rows are in others too"),
        (report.quarantined, "quarantined lines"),
    ]
    for count, what in counts:
        if count:
            say(f"{count:,} {what}")
    if dry_run:
        say("Nothing was changed.")
    elif report.kept_manifest:
        say(f"The old manifest is kept as {report.kept_manifest}")


def _bytes_of_segments(home: Home) -> int:
    return sum(file.stat().st_size for folder in (home.usage, home.prompts) for file in segment_paths(folder))


def describe_verification(report: VerifyReport) -> str:
    looked_at = (
        f"{report.segments:,} segments with {report.rows:,} rows, {report.requests:,} requests, "
        f"{report.cost_usd:,f} USD and {report.prompts:,} prompts; {report.journals:,} journals with "
        f"{report.unsealed_lines:,} lines to seal; {report.quarantined:,} lines in quarantine"
    )
    found = "Clean:" if report.clean else f"Problems: {len(report.problems):,}. Looked at"
    return f"{found} {looked_at}; {report.books.in_words()}"


def _verification_json(report: VerifyReport) -> dict[str, object]:
    fields: dict[str, object] = {name: getattr(report, name) for name in report.__slots__}
    findings = {"problems": _as_json(report.problems), "notes": _as_json(report.notes)}
    return {"clean": report.clean, **fields, "books": asdict(report.books), **findings}


def _repair_json(report: RepairReport, *, dry_run: bool) -> dict[str, object]:
    counts = {name: getattr(report, name) for name in ("replaced", "unfinished", "leftovers", "quarantined")}
    return {
        "dry_run": dry_run,
        "before": asdict(report.before) if report.before else None,
        "after": asdict(report.after),
        **counts,
        "lost": _as_json(report.losses),
        "kept_manifest": None if report.kept_manifest is None else str(report.kept_manifest),
    }


def _as_json(findings: list[Finding]) -> list[dict[str, str]]:
    return [{"place": finding.place, "problem": finding.problem} for finding in findings]
