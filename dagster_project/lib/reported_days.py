"""What Dagster is told of the ledger's days: each is a partition of `ledger/usage`."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

import dagster as dg

from dagster_project.lib.days import FIRST_DAY, SealedDay
from dagster_project.lib.translator import ROWS

USAGE = dg.AssetKey(["ledger", "usage"])

DATA_VERSION = "dagster/data_version"
EMPTIED = "emptied"
"""The data version of a day whose rows are gone, by retention."""

Report = Callable[[dg.AssetMaterialization], None]


def report_changed_days(instance: dg.DagsterInstance, days: Mapping[date, SealedDay], report: Report) -> None:
    """Tell Dagster of each day that is not as it last saw it, whoever sealed it. Twice tells it nothing new."""
    known = instance.event_log_storage.get_latest_tags_by_partition(
        USAGE, dg.DagsterEventType.ASSET_MATERIALIZATION, [DATA_VERSION]
    )
    versions = {partition: tags.get(DATA_VERSION) for partition, tags in known.items()}
    for day, sealed in days.items():
        if day >= FIRST_DAY and versions.get(day.isoformat()) != sealed.fingerprint:
            report(_materialization(day.isoformat(), sealed.fingerprint, sealed.metadata))
    for partition, version in versions.items():
        if version != EMPTIED and date.fromisoformat(partition) not in days:
            report(_materialization(partition, EMPTIED, {ROWS: 0}))


def _materialization(partition: str, version: str, metadata: Mapping[str, Any]) -> dg.AssetMaterialization:
    return dg.AssetMaterialization(USAGE, partition=partition, metadata=metadata, tags={DATA_VERSION: version})
