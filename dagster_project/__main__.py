"""`python -m dagster_project HOME [PORT]`: Dagster on one ledger, everything it writes below the ledger's home."""

import os
import sys

from dagster_project.lib.dagster_home import instance_of, prepare_dagster_home, share_databases
from dagster_project.lib.dbt_manifest import prepared_manifest
from dagster_project.lib.reported_days import report_changed_days
from tracking.durable_files import umask_of
from tracking.errors import CostTrackingError
from tracking.home import Home
from warehouse.ledger.days import sealed_days

ADDRESS = "127.0.0.1"


def main(root: str, port: str | None = None) -> None:
    """Prepare the home; with a port say where to look, and become `dagster dev`."""
    home = Home(root)
    try:
        home.open()
        # Of all that Dagster writes, in the processes that become of this one too.
        os.umask(umask_of(home.root))
        _say(f"Preparing Dagster on {home.root}")
        prepare_dagster_home(home)
        prepared_manifest(home)
        _tell_of_sealed_days(home)
        share_databases(home)
    except CostTrackingError as error:
        sys.stderr.write(f"llm-cost: {error}\n")
        raise SystemExit(2) from None
    if port is None:
        _say(f"Prepared: DAGSTER_HOME={home.dagster} LLM_COST_HOME={home.root}")
        return
    os.environ |= {"LLM_COST_HOME": str(home.root), "DAGSTER_HOME": str(home.dagster)}
    _say(f"Dagster opens on http://{ADDRESS}:{port} in some ten seconds; stop it with Ctrl-C")
    os.execv(sys.executable, _dagster_dev(port))  # noqa: S606


def _tell_of_sealed_days(home: Home) -> None:
    """Days that were sealed before Dagster was there, on the command line say, are seen from the first look."""
    with instance_of(home) as instance:
        report_changed_days(instance, sealed_days(home), instance.report_runless_asset_event)


def _dagster_dev(port: str) -> list[str]:
    # `dagster dev` recommends `dg dev`, which wants the sources of a project where this may be an installed package.
    python = [sys.executable, "-W", "ignore:Function `dev_command` is superseded"]
    return [*python, "-m", "dagster", "dev", "-m", "dagster_project.definitions", "-h", ADDRESS, "-p", port]


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
