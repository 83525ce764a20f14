"""The dbt models as assets, their tests as checks."""

import os
import subprocess
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from typing import Any

import dagster as dg
from dagster_dbt import DbtCliInvocation, dbt_assets
from dagster_dbt.asset_utils import get_updated_cli_invocation_params_for_context
from dagster_dbt.errors import DagsterDbtCliRuntimeError
from packaging.version import Version

from dagster_project.lib.dagster_home import BUILD_DATABASE_POOL
from dagster_project.lib.durations import Durations
from dagster_project.lib.failures import explained, failure, listed
from dagster_project.lib.measures import built_measures
from dagster_project.lib.resources import LedgerHome
from dagster_project.lib.translator import LedgerTranslator
from tracking.home import Home
from warehouse.building.build import prepare_or_renew
from warehouse.building.dbt import (
    PROJECT,
    dbt_arguments,
    dbt_command,
    dbt_environment,
    failures,
    forget_results,
    models_changed,
    note_models_built,
    project_hash,
    run_results,
)
from warehouse.building.tested import noting_tests
from warehouse.locks import building, inherited

DBT_SECONDS = "Execution Duration"


def dbt_models(manifest: Mapping[str, Any]) -> dg.AssetsDefinition:
    """One asset a model. A failed test fails the step, so nothing after it is built and nothing is published."""

    @dbt_assets(
        name="dbt_models",
        manifest=manifest,
        dagster_dbt_translator=LedgerTranslator(),
        pool=BUILD_DATABASE_POOL,
    )
    def dbt_models(context: dg.AssetExecutionContext, ledger_home: LedgerHome) -> Iterator[Any]:
        with building(ledger_home.home):
            with explained():
                prepare_or_renew(ledger_home.home)
            yield from _build(context, ledger_home.home)

    return dbt_models


def _build(context: dg.AssetExecutionContext, home: Home) -> Iterator[Any]:
    """Run dbt and tell Dagster what became of each node, with its measures.

    Events wait until dbt is done: only then may another process open the file that the measures are read from.
    """
    models = project_hash()
    events: list[Any] = []
    failure = None
    try:
        with noting_tests(home):
            forget_results(home)
            invocation = _start_dbt(context, home, full_refresh=models_changed(home))
            try:
                for event in invocation.stream():
                    events.append(event)
            finally:
                _end(invocation.process)
    except DagsterDbtCliRuntimeError as error:
        failure = error
    measures = {} if failure else built_measures(home)
    durations = Durations(context)
    for event in events:
        if isinstance(event, dg.Output):
            key = context.asset_key_for_output(event.output_name)
            metadata = measures.get(key.path[-1], {}) | durations.of(key, _seconds(event))
            context.add_output_metadata(metadata, output_name=event.output_name)
        yield event
    if failure:
        raise _explained(home, failure) from failure
    if not context.is_subset:
        note_models_built(home, models)


def _seconds(output: dg.Output[Any]) -> float:
    """What dbt says the model took."""
    entry = output.metadata[DBT_SECONDS]
    assert isinstance(entry, dg.FloatMetadataValue)  # noqa: S101
    return entry.value or 0.0


def _explained(home: Home, error: DagsterDbtCliRuntimeError) -> dg.Failure:
    """What failed, in one line; without dbt's own results, what dbt said last."""
    try:
        reasons = failures(run_results(home))
    except FileNotFoundError:
        reasons = [str(error).strip().splitlines()[-1]]
    return failure(
        listed(reasons),
        "Nothing was published: readers have the reports of the last good build. `llm-cost verify` says whether the "
        "ledger itself is whole; `llm-cost build --full-refresh` makes every report anew.",
    )


def _start_dbt(context: dg.AssetExecutionContext, home: Home, *, full_refresh: bool) -> DbtCliInvocation:
    """Start what `DbtCliResource.cli` starts, with the arguments and environment of every other build.

    The resource also asks `dbt --version` of another process and makes an adapter in this one: another 8 to 10 s, on
    top of a refresh that takes 12 s without.
    """
    parameters = get_updated_cli_invocation_params_for_context(
        context=context, manifest={}, dagster_dbt_translator=LedgerTranslator()
    )
    environment = os.environ | dbt_environment(home) | {"DBT_LOG_FORMAT": "json", "PYTHONUNBUFFERED": "1"}
    if parameters.indirect_selection:
        environment["DBT_INDIRECT_SELECTION"] = parameters.indirect_selection
    arguments = dbt_arguments(home.settings(), full_refresh=full_refresh)
    process = subprocess.Popen(  # noqa: S603
        dbt_command([*arguments, *parameters.selection_args]),
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        pass_fds=inherited(home),
    )
    return DbtCliInvocation(
        process=process,
        manifest=parameters.manifest,
        dagster_dbt_translator=parameters.dagster_dbt_translator,
        project_dir=PROJECT,
        target_path=home.dbt / "target",
        raise_on_error=True,
        cli_version=Version(version("dbt-core")),
        context=context,
    )


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Leave no dbt behind that would hold build.duckdb after its lock is gone."""
    if process.poll() is None:
        process.terminate()
    process.wait()
