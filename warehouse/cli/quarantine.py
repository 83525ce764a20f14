"""The commands `llm-cost quarantine …`: what was refused, and bringing it into the books after all."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Annotated, Any, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from tracking.errors import ArgumentError
from tracking.home import Home
from tracking.money import EXACT
from warehouse.cli.output import HomeOption, JsonOption, complain, home_of, progress_bar, say, say_json, say_table
from warehouse.quarantine.refused_calls import Kind, RefusedCall
from warehouse.quarantine.selection import Selection
from warehouse.quarantine.settle import OPEN, Missing, SettleReport, discard, replay
from warehouse.quarantine.standing import standing_refusals
from warehouse.sealing.seal import seal

DAY = ["%Y-%m-%d"]
SHORT_ID = 13
"""The beginning of an id that a person types: of a UUIDv7 the instant."""

KEPT = ("request_type", "trackable", "trackable_parent", "user", "tenant", "tags", "trace_id", "status")
HIDDEN = {"line_base64", "columns", "answer", "response", "estimated_usd", "id", "occurred_at", "refused_at"}

Ids = Annotated[list[str] | None, typer.Argument(help="Ids, or their beginnings; default: every one that is meant.")]
KindOption = Annotated[Kind | None, typer.Option("--kind", help="Who refused it: a tracker, an import, the sealer.")]
ErrorOption = Annotated[str | None, typer.Option("--error", help="The class of the error, as UnknownModelError.")]
ReasonOption = Annotated[str | None, typer.Option("--reason", help="Words of the reason.")]
ProviderOption = Annotated[str | None, typer.Option("--of-provider", help="Only calls of this provider.")]
ModelOption = Annotated[str | None, typer.Option("--of-model", help="Only calls of this model.")]
UserOption = Annotated[str | None, typer.Option("--of-user", help="Only calls that say this user.")]
TenantOption = Annotated[str | None, typer.Option("--of-tenant", help="Only calls that say this tenant.")]
FirstOption = Annotated[datetime | None, typer.Option("--from", formats=DAY, help="The first day, UTC.")]
LastOption = Annotated[datetime | None, typer.Option("--to", formats=DAY, help="The last day, UTC.")]


def register(app: typer.Typer) -> None:
    group = typer.Typer(
        no_args_is_help=True, help="Calls that were paid for and refused: list, show, replay, discard.", epilog=EXAMPLE
    )
    group.command(name="list", epilog="Example: llm-cost quarantine list --reason user --from 2026-11-01")(list_)
    group.command(name="show", epilog="Example: llm-cost quarantine show 0198f1c2-77aa")(show)
    group.command(name="replay", epilog="Example: llm-cost quarantine replay --reason user --user teacher-1")(replay_)
    group.command(name="discard", epilog="Example: llm-cost quarantine discard 0198f1c2-77aa --why 'a test'")(discard_)
    app.add_typer(group, name="quarantine")


EXAMPLE = "Example: llm-cost quarantine list"


def list_(
    ids: Ids = None,
    kind: KindOption = None,
    error: ErrorOption = None,
    reason: ReasonOption = None,
    provider: ProviderOption = None,
    model: ModelOption = None,
    user: UserOption = None,
    tenant: TenantOption = None,
    first: FirstOption = None,
    last: LastOption = None,
    settled: Annotated[bool, typer.Option("--settled", help="Those that were replayed or discarded, too.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """List calls that no report holds, with what each cost by its own counts (an estimate). No prompt is kept."""
    selection = _selection(ids, kind, error, reason, provider, model, user, tenant, first, last)
    calls = [call for call in selection.of(_calls(home_of(home))) if settled or call.state in OPEN]
    if as_json:
        say_json([_as_json(call) for call in calls])
        return
    columns = ["id", "state", "called", "provider", "model", "user", "estimated_usd", "reason"]
    say_table(columns, [_row(call) for call in calls])
    say(_summary(calls))


def show(
    identity: Annotated[str, typer.Argument(metavar="ID", help="Its id, or the beginning of it.")],
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show all that is kept of one call: whose it was, when it was made, what it used; never what was said."""
    (call,) = Selection(ids=(identity,)).of(_calls(home_of(home)))
    if as_json:
        say_json(_as_json(call))
        return
    for name, value in _as_json(call).items():
        if value is not None:
            say(f"{name}: {_flat(value)}")


def replay_(
    ids: Ids = None,
    as_user: Annotated[str | None, typer.Option("--user", help="For calls that say none, or no usable one.")] = None,
    trackable: Annotated[str | None, typer.Option(help="For calls without one, as Type:id.")] = None,
    trackable_parent: Annotated[str | None, typer.Option(help="For calls without one, as Type:id.")] = None,
    request_type: Annotated[str | None, typer.Option(help="For calls without one.")] = None,
    as_tenant: Annotated[str | None, typer.Option("--tenant", help="For calls without one.")] = None,
    as_provider: Annotated[str | None, typer.Option("--provider", help="For answers that name none.")] = None,
    as_model: Annotated[str | None, typer.Option("--model", help="For answers that name none.")] = None,
    timezone: Annotated[str | None, typer.Option("--time-zone", help="Of calls whose time has none.")] = None,
    kind: KindOption = None,
    error: ErrorOption = None,
    reason: ReasonOption = None,
    provider: ProviderOption = None,
    model: ModelOption = None,
    user: UserOption = None,
    tenant: TenantOption = None,
    first: FirstOption = None,
    last: LastOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Record calls after all, each at its own time and by the prices of then. Replaying again adds nothing.

    What a call did not say is given here. Exit code 1 where some could not be recorded; they stay, with their reasons.
    """
    target = home_of(home)
    missing = Missing(
        as_user, trackable, trackable_parent, request_type, as_tenant, as_provider, as_model, _zone(timezone)
    )
    selection = _selection(ids, kind, error, reason, provider, model, user, tenant, first, last)
    with progress_bar("replaying", len([call for call in selection.of(_calls(target)) if call.state in OPEN])) as done:
        report = replay(target, selection, missing, done)
    if as_json:
        say_json(_report_json(report))
    else:
        known = f"; {report.known:,} were recorded already" if report.known else ""
        say(f"Replayed {report.replayed:,} calls{known}; {len(report.left):,} could not be recorded and stay")
        if report.replayed:
            say("The next `llm-cost build` brings them into the reports")
    for why, count in Counter(why for _, why in report.left).most_common():
        complain(f"{count:,} not recorded: {why}")
    if report.left:
        raise typer.Exit(1)


def discard_(
    ids: Ids = None,
    why: Annotated[str | None, typer.Option("--why", help="Noted with it.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    kind: KindOption = None,
    error: ErrorOption = None,
    reason: ReasonOption = None,
    provider: ProviderOption = None,
    model: ModelOption = None,
    user: UserOption = None,
    tenant: TenantOption = None,
    first: FirstOption = None,
    last: LastOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take calls out of quarantine for good. Reports go on counting them, as discarded, with who did it and why."""
    target = home_of(home)
    selection = _selection(ids, kind, error, reason, provider, model, user, tenant, first, last)
    chosen = [call for call in selection.of(_calls(target)) if call.state in OPEN]
    if chosen and not yes:
        typer.confirm(f"Discard {_summary(chosen)}?", abort=True, err=True)
    report = discard(target, selection, why)
    if as_json:
        say_json(_report_json(report))
    else:
        say(f"Discarded {report.discarded:,} calls")


def _calls(home: Home) -> list[RefusedCall]:
    """What was recorded is sealed first: a call that is in the ledger is refused no longer."""
    seal(home)
    return standing_refusals(home)


def _selection(
    ids: list[str] | None,
    kind: Kind | None,
    error: str | None,
    reason: str | None,
    provider: str | None,
    model: str | None,
    user: str | None,
    tenant: str | None,
    first: datetime | None,
    last: datetime | None,
) -> Selection:
    days = (first and first.date(), last and last.date())
    return Selection(tuple(ids or ()), kind, error, reason, provider, model, user, tenant, *days)


def _zone(name: str | None) -> ZoneInfo | None:
    try:
        return None if name is None else ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ArgumentError("--time-zone", f"({name!r}) is no time zone") from None


def _row(call: RefusedCall) -> list[object]:
    called = call.occurred_at.replace(microsecond=0)
    given = call.entry.get("user")
    return [call.id[:SHORT_ID], call.state, called, call.provider, call.model, given, call.estimated_usd, call.reason]


def _summary(calls: Iterable[RefusedCall]) -> str:
    calls = list(calls)
    known = [call.estimated_usd for call in calls if call.estimated_usd is not None]
    with localcontext(EXACT):
        usd = sum(known, Decimal(0))
    unknown = f"; of {len(calls) - len(known):,} nobody knows" if len(known) < len(calls) else ""
    return f"{len(calls):,} calls, {usd:,f} USD by their own counts (estimated){unknown}"


def _as_json(call: RefusedCall) -> dict[str, Any]:
    usage = None if call.response is None else call.response.usage
    counts = {} if usage is None else {name: count for name, count in usage.token_counts().items() if count is not None}
    said = {name: call.entry.get(name) for name in KEPT}
    more = {name: value for name, value in call.entry.items() if name not in {*KEPT, *HIDDEN, "error", "reason"}}
    return {
        "id": call.id,
        "kind": call.kind.value,
        "state": call.state.value,
        "error": call.error,
        "reason": call.reason,
        "occurred_at": call.occurred_at,
        "refused_at": call.refused_at,
        "provider": call.provider,
        "model": call.model,
        **said,
        "usage": None if usage is None else {**counts, **usage.other_units},
        "estimated_usd": call.estimated_usd,
        "file": None if call.file is None else Path(call.file).name,
        **{name: value for name, value in more.items() if name not in {"provider", "model"}},
        "settled": None
        if call.settlement is None
        else {"at": call.settlement.settled_at, "by": call.settlement.by, "why": call.settlement.why},
    }


def _flat(value: object) -> str:
    if isinstance(value, dict):
        named = cast("dict[str, object]", value)
        return ", ".join(f"{name} {_flat(inner)}" for name, inner in named.items()) or "nothing"
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def _report_json(report: SettleReport) -> dict[str, object]:
    left = [{"id": call.id, "reason": why} for call, why in report.left]
    return {"replayed": report.replayed, "known": report.known, "discarded": report.discarded, "left": left}
