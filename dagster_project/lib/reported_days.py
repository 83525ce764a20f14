"""What Dagster is told of the ledger's days."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

import dagster as dg

from dagster_project.lib.partitions import FIRST_DAY, USAGE, day_metadata
from dagster_project.lib.translator import ROWS
from warehouse.ledger.days import SealedDay, fingerprints, stale_days

DATA_VERSION = "dagster/data_version"
EMPTIED = "emptied"
"""The data version of a day whose rows are gone, by retention."""

Report = Callable[[dg.AssetMaterialization], None]


def report_changed_days(instance: dg.DagsterInstance, days: Mapping[date, SealedDay], report: Report) -> None:
    """Tell Dagster of each day that is not as it last saw it, whoever sealed it. Twice tells it nothing new."""
    tags = instance.event_log_storage.get_latest_tags_by_partition(
        USAGE, dg.DagsterEventType.ASSET_MATERIALIZATION, [DATA_VERSION]
    )
    versions = {date.fromisoformat(partition): known.get(DATA_VERSION, "") for partition, known in tags.items()}
    known = {day: version for day, version in versions.items() if version != EMPTIED}
    for day, fingerprint in stale_days(known, fingerprints(days)).items():
        if fingerprint is None:
            report(_materialization(day, EMPTIED, {ROWS: 0}))
        elif day >= FIRST_DAY:
            report(_materialization(day, fingerprint, day_metadata(days[day])))


def _materialization(day: date, version: str, metadata: Mapping[str, Any]) -> dg.AssetMaterialization:
    return dg.AssetMaterialization(USAGE, partition=day.isoformat(), metadata=metadata, tags={DATA_VERSION: version})
