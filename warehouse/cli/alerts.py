"""The command alerts: what the reports warn of, and telling it."""

from dataclasses import asdict
from typing import Annotated

import typer

from warehouse.alerts.breaches import find_breaches
from warehouse.alerts.delivery import DeliveryReport, send_alerts
from warehouse.alerts.settings import AlertSettings
from warehouse.cli.output import HomeOption, JsonOption, complain, home_of, say, say_json, say_table, working


def register(app: typer.Typer) -> None:
    app.command(epilog="Example: llm-cost alerts --send")(alerts)


def alerts(
    send: Annotated[bool, typer.Option("--send", help="Tell those whom alerts.toml names, each breach once.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what the published reports warn of: budgets, unusual costs, invoices that disagree, refused calls.

    The exit code is 1 where an alert could not be delivered; it is tried again the next time.
    """
    target = home_of(home)
    target.settings()
    breaches = find_breaches(target)
    report = DeliveryReport()
    if send:
        with working("sending"):
            report = send_alerts(target)
    if as_json:
        say_json({"breaches": [asdict(breach) for breach in breaches], **asdict(report)})
    else:
        if breaches:
            columns = ["severity", "kind", "title", "detail"]
            say_table(columns, [[str(getattr(breach, name)) for name in columns] for breach in breaches])
        else:
            say("No budget, cost or invoice is out of order, and no call was refused")
        if send and not AlertSettings.load(target).notify:
            say(f"Nobody to tell: {target.alerts_toml} names no recipient")
        elif send:
            say(f"Told {len(report.sent):,} alerts; {report.known:,} were told before")
    for delivery in report.failed:
        complain(f"{delivery.recipient} was not told of {delivery.breach.key}: {delivery.problem}")
    if report.failed:
        raise typer.Exit(1)
