"""The commands `llm-cost quarantine …`: what was refused, and bringing it into the books after all."""

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal, localcontext
from functools import partial, wraps
from inspect import Signature, signature
from pathlib import Path
from typing import Annotated, Any, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from tracking.errors import ArgumentError
from tracking.home import Home
from tracking.money import EXACT
from warehouse.cli.output import HomeOption, JsonOption, complain, home_of, progress_bar, say, say_json, say_table
from warehouse.quarantine.refused_calls import RefusalKind, RefusedCall
from warehouse.quarantine.replay import OPEN, Missing, SettleReport, discard, replay
from warehouse.quarantine.selection import CallSelection
from warehouse.quarantine.standing import standing_refusals
from warehouse.sealing.seal import seal

DAY = ["%Y-%m-%d"]
SHORT_ID = 13
"""The beginning of an id that a person types: of a UUIDv7 the instant."""

KEPT = ("request_type", "trackable", "trackable_parent", "user", "tenant", "tags", "trace_id", "status")
HIDDEN = {"line_base64", "columns", "answer", "response", "estimated_usd", "id", "occurred_at", "refused_at"}


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


def _selection(
    ids: Annotated[
        list[str] | None, typer.Argument(help="Ids, or their beginnings; default: every one that is meant.")
    ] = None,
    kind: Annotated[RefusalKind | None, typer.Option(help="Who refused it: a tracker, an import, the sealer.")] = None,
    error: Annotated[str | None, typer.Option(help="The class of the error, as UnknownModelError.")] = None,
    reason: Annotated[str | None, typer.Option(help="Words of the reason.")] = None,
    of_provider: Annotated[str | None, typer.Option(help="Only calls of this provider.")] = None,
    of_model: Annotated[str | None, typer.Option(help="Only calls of this model.")] = None,
    of_user: Annotated[str | None, typer.Option(help="Only calls that say this user.")] = None,
    of_tenant: Annotated[str | None, typer.Option(help="Only calls that say this tenant.")] = None,
    first: Annotated[datetime | None, typer.Option("--from", formats=DAY, help="The first day, UTC.")] = None,
    last: Annotated[datetime | None, typer.Option("--to", formats=DAY, help="The last day, UTC.")] = None,
) -> CallSelection:
    """The options that say which calls are meant."""
    days = (first and first.date(), last and last.date())
    return CallSelection(tuple(ids or ()), kind, error, reason, of_provider, of_model, of_user, of_tenant, *days)


def _selecting(command: Callable[..., None]) -> Callable[..., None]:
    """The command with the options of `_selection`, which it gets as its `selection`."""
    selectors = signature(_selection).parameters
    own = [option for name, option in signature(command).parameters.items() if name != "selection"]

    @wraps(command)
    def with_options(**given: Any) -> None:
        command(selection=_selection(**{name: given.pop(name) for name in selectors}), **given)

    vars(with_options)["__signature__"] = Signature([*selectors.values(), *own])
    return with_options


@_selecting
def list_(
    selection: CallSelection,
    settled: Annotated[bool, typer.Option("--settled", help="Those that were replayed or discarded, too.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """List calls that no report holds, with what each cost by its own counts (an estimate). No prompt is kept."""
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
    (call,) = CallSelection(ids=(identity,)).of(_calls(home_of(home)))
    if as_json:
        say_json(_as_json(call))
        return
    for name, value in _as_json(call).items():
        if value is not None:
            say(f"{name}: {_flat(value)}")


@_selecting
def replay_(
    selection: CallSelection,
    user: Annotated[str | None, typer.Option(help="For calls that say none, or no usable one.")] = None,
    trackable: Annotated[str | None, typer.Option(help="For calls without one, as Type:id.")] = None,
    trackable_parent: Annotated[str | None, typer.Option(help="For calls without one, as Type:id.")] = None,
    request_type: Annotated[str | None, typer.Option(help="For calls without one.")] = None,
    tenant: Annotated[str | None, typer.Option(help="For calls without one.")] = None,
    provider: Annotated[str | None, typer.Option(help="For answers that name none.")] = None,
    model: Annotated[str | None, typer.Option(help="For answers that name none.")] = None,
    time_zone: Annotated[str | None, typer.Option(help="Of calls whose time has none.")] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Record calls after all, each at its own time and by the prices of then. Replaying again adds nothing.

    What a call did not say is given here. Exit code 1 where some could not be recorded; they stay, with their reasons.
    """
    target = home_of(home)
    missing = Missing(user, trackable, trackable_parent, request_type, tenant, provider, model, _zone(time_zone))
    seal(target)
    report = replay(target, selection, missing, partial(progress_bar, "replaying"))
    if as_json:
        say_json(_report_json(report))
    else:
        known = f"; {report.known:,} were recorded already" if report.known else ""
        say(f"Replayed {report.replayed:,} calls{known}; {len(report.failures):,} could not be recorded and stay")
        if report.replayed:
            say("The next `llm-cost build` brings them into the reports")
    for why, count in Counter(why for _, why in report.failures).most_common():
        complain(f"{count:,} not recorded: {why}")
    if report.failures:
        raise typer.Exit(1)


@_selecting
def discard_(
    selection: CallSelection,
    why: Annotated[str | None, typer.Option("--why", help="Noted with it.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take calls out of quarantine for good. Reports go on counting them, as discarded, with who did it and why."""
    target = home_of(home)
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
    details = {name: call.entry.get(name) for name in KEPT}
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
        **details,
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
    left = [{"id": call.id, "reason": why} for call, why in report.failures]
    return {"replayed": report.replayed, "known": report.known, "discarded": report.discarded, "left": left}
