"""Commands that keep the ledger whole: verify."""

import typer

from tracking.home import Home
from warehouse.cli.output import HomeOption, JsonOption, home_of, progress_bar, say, say_json
from warehouse.findings import Finding
from warehouse.verification import VerifyReport, verify


def register(app: typer.Typer) -> None:
    app.command(name="verify", epilog="Example: llm-cost verify --home /var/lib/llm-cost")(verify_)


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


def _bytes_of_segments(home: Home) -> int:
    return sum(file.stat().st_size for folder in (home.usage, home.prompts) for file in folder.glob("*/*.parquet"))


def describe_verification(report: VerifyReport) -> str:
    looked_at = (
        f"{report.segments:,} segments with {report.rows:,} rows, {report.requests:,} requests, "
        f"{report.cost_usd:,f} USD and {report.prompts:,} prompts; {report.journals:,} journals with "
        f"{report.unsealed_lines:,} lines to seal; {report.quarantined:,} lines in quarantine"
    )
    if report.clean:
        return f"Clean: {looked_at}"
    return f"Problems: {len(report.problems):,}. Looked at {looked_at}"


def _verification_json(report: VerifyReport) -> dict[str, object]:
    fields: dict[str, object] = {name: getattr(report, name) for name in report.__slots__}
    findings = {"problems": _as_json(report.problems), "notes": _as_json(report.notes)}
    return {"clean": report.clean, **fields, **findings}


def _as_json(findings: list[Finding]) -> list[dict[str, str]]:
    return [{"place": finding.place, "problem": finding.problem} for finding in findings]
