"""Commands that keep a ledger small and lawful: compact, retain, erase."""

import sys
from dataclasses import asdict, replace
from datetime import datetime
from decimal import Decimal
from typing import Annotated

import typer

from tracking.book_settings import Retention
from tracking.errors import ArgumentError
from tracking.home import Home
from warehouse.cli.output import (
    HomeOption,
    JsonOption,
    command_name,
    complain,
    home_of,
    progress_bar,
    say,
    say_json,
    say_table,
    working,
)
from warehouse.ledger.compact import compact, days_to_compact
from warehouse.ledger.manifest import Manifest
from warehouse.privacy.erase import ErasureReport, erase
from warehouse.privacy.person import Person
from warehouse.privacy.retain import RetentionReport, retain
from warehouse.privacy.search import Found

YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
DAY = typer.Option(formats=["%Y-%m-%d"], help="Only this day (UTC).", show_default=False)


def register(app: typer.Typer) -> None:
    app.command(name="compact", epilog="Example: llm-cost compact --min-segments 4")(compact_)
    app.command(name="retain", epilog="Example: llm-cost retain --prompts-days 90 --rows-days 730 --dry-run")(retain_)
    app.command(name="erase", epilog="Example: llm-cost erase --user 3f2b8c --yes")(erase_)


def compact_(
    day: Annotated[datetime | None, DAY] = None,
    min_segments: Annotated[int, typer.Option(min=2, help="Leave days with fewer small segments alone.")] = 2,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Merge the small segments of each day into one. No report changes; what was replaced goes after a later build.

    A build does this by itself for days that are over and have many.
    """
    target = home_of(home)
    target.settings()
    only = None if day is None else day.date()
    due = days_to_compact(target, day=only, min_segments=min_segments)
    with progress_bar("compacting", sum(due.values())) as advance:
        report = compact(target, day=only, min_segments=min_segments, progress=advance)
    if as_json:
        say_json([asdict(compacted) for compacted in report.days])
        return
    if report.days:
        columns = ["day", "segments", "rows", "bytes_before", "bytes_after"]
        say_table(columns, [[asdict(compacted)[name] for name in columns] for compacted in report.days])
    merged = sum(compacted.segments for compacted in report.days)
    say(f"Compacted {len(report.days):,} days: {merged:,} segments are {len(report.days):,} now")


def retain_(
    prompts_days: Annotated[
        int | None, typer.Option(min=1, help="Keep prompts this long; default: ledger.toml.", show_default=False)
    ] = None,
    rows_days: Annotated[
        int | None, typer.Option(min=1, help="Keep rows this long; default: ledger.toml.", show_default=False)
    ] = None,
    dry_run: Annotated[bool, typer.Option(help="Only say what would go.")] = False,
    yes: YesOption = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove prompts and rows that are older than the retention in ledger.toml says, or these options do.

    By whole UTC days, everywhere they are kept. Reports follow with the next build.
    """
    target = home_of(home)
    given = {name: days for name, days in (("prompts_days", prompts_days), ("rows_days", rows_days)) if days}
    retention = replace(target.settings().retention, **given)
    if retention == Retention():
        raise ArgumentError("--rows-days", "nothing says how long to keep: give days, or [retention] in ledger.toml")
    _require_answer(yes=yes or dry_run)
    report = retain(target, retention, dry_run=True)
    if not (dry_run or yes):
        _say_expired(report, to_stderr=True)
        _confirm(f"Remove this from {target.root} for ever?", yes=yes)
    if not dry_run:
        with progress_bar("removing", _segments(target)) as advance:
            report = retain(target, retention, progress=advance)
    if as_json:
        say_json({"days": [asdict(day) for day in report.days], "kept_files": report.kept_files, "dry_run": dry_run})
    elif dry_run:
        _say_expired(report)
        say("Nothing was removed: this was a dry run")
    else:
        rows = sum(day.rows for day in report.days)
        prompts = sum(day.prompts for day in report.days)
        say(f"Removed {rows:,} rows, {prompts:,} prompts, {report.kept_files:,} quarantine files")
        if rows:
            say(f"Reports follow with the next `{command_name()} build`")


def erase_(
    user: Annotated[str, typer.Option(help="The user's id, as it was recorded.")],
    user_type: Annotated[
        list[str] | None, typer.Option(help="A type of trackable that is a user; default: User.", show_default=False)
    ] = None,
    everywhere: Annotated[
        bool, typer.Option(help="The id means the user as any trackable, as tenant and in tags too.")
    ] = False,
    yes: YesOption = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Erase a user: their prompts go, their id becomes a pseudonym nobody can trace back, every cost stays.

    Builds the reports anew and proves it: equal sums, and a search through every file. The exit code is 1 where the
    id is left. Stop recording for the user before, and erase in backups too.
    """
    target = home_of(home)
    target.settings()
    if not user.strip():
        raise ArgumentError("--user", "is blank")
    _require_answer(yes=yes)
    _confirm(f"Erase this user from {target.root} for ever?", yes=yes)
    with working("erasing") as status:
        person = Person(user, tuple(user_type or ("User",)), everywhere=everywhere)
        report = erase(target, person, progress=status.update)
    if as_json:
        say_json(_erasure_json(report))
    else:
        _say_erasure(report)
    if report.before != report.after:
        complain("totals are not what they were")
    for place in report.left:
        complain(f"the id is still in {_place(place)}")
    named = {place.path for place in report.left}
    for place in (place for place in report.traces if place.path not in named):
        complain(f"what only this user wrote, or a hash of it, is still in {_place(place)}")
    if not report.proven:
        sys.exit(1)


def _require_answer(*, yes: bool) -> None:
    if not yes and not sys.stdin.isatty():
        raise ArgumentError("--yes", "is needed where nobody can be asked")


def _confirm(question: str, *, yes: bool) -> None:
    if not yes:
        typer.confirm(question, abort=True, err=True)


def _segments(home: Home) -> int:
    with Manifest(home) as manifest:
        return len(manifest.segments())


def _say_expired(report: RetentionReport, *, to_stderr: bool = False) -> None:
    columns = ["day", "rows", "requests", "cost_usd", "prompts", "bytes"]
    rows: list[list[object]] = [[getattr(day, name) for name in columns] for day in report.days]
    sums = [sum((getattr(day, name) for day in report.days), Decimal(0)) for name in columns[1:]]
    rows.append(
        ["all", *(value if name == "cost_usd" else int(value) for name, value in zip(columns[1:], sums, strict=True))]
    )
    say_table(columns, rows, title="Too old (a day with 0 rows loses its prompts alone)", to_stderr=to_stderr)
    if report.kept_files:
        say(f"and {report.kept_files:,} files of quarantine/", to_stderr=to_stderr)


def _say_erasure(report: ErasureReport) -> None:
    if not (report.rows or report.journal_lines or report.kept_lines):
        say("Nothing recorded named this user")
    say(
        f"Erased: {report.rows:,} rows made anonymous, {report.prompts:,} prompts removed, "
        f"{report.journal_lines:,} journal lines and {report.kept_lines:,} lines of quarantine/ overwritten"
    )
    rows = [["before", *report.before.values()], ["after", *report.after.values()]]
    equal = report.before == report.after
    say_table(["sums", *report.before], rows, title=f"Proof: every total is {'' if equal else 'NOT '}what it was")
    say("Searched every byte of every file: " + ("the id is gone" if not report.left else "the id is NOT gone"))
    gone = "are gone" if not report.traces else "are NOT gone"
    say(f"and for what only this user wrote: prompts, their hashes and keyed hashes {gone}")
    for place in report.in_own_files:
        say(f"Yours to change: {_place(place)}")
    if report.elsewhere:
        say(
            "The same text is left where it may mean another, or in another's words (see --everywhere and --user-type):"
        )
        for place in report.elsewhere:
            say(f"  {_place(place)}")


def _erasure_json(report: ErasureReport) -> dict[str, object]:
    places = {
        name: [asdict(place) for place in getattr(report, name)]
        for name in ("left", "traces", "in_own_files", "elsewhere")
    }
    counts = {name: getattr(report, name) for name in ("rows", "prompts", "journal_lines", "kept_lines")}
    return {**counts, "before": report.before, "after": report.after, **places, "proven": report.proven}


def _place(place: Found) -> str:
    return place.path if place.column is None else f"{place.path}, {place.column} ({place.count:,})"
