"""Dagster's event log on SQLite, its files opened once and not for every event."""

import os
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import dagster as dg
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._serdes import ConfigurableClassData
from sqlalchemy import create_engine, event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.pool import QueuePool

from tracking.durable_files import set_own_mode

INDEX = "index"
BUSY_SECONDS = 60
OPEN_FILES = 8
"""One for what all runs share, the others for a run each: who looks at many runs does not keep all of them open."""


class EventLog(SqliteEventLogStorage):
    """The files of Dagster's own `SqliteEventLogStorage`, row for row; either can read and write beside the other.

    A refresh makes 960 events, each up to five transactions, and for each of these Dagster opens a database, compiles
    its statements anew, syncs, empties the write-ahead log and closes: 8 s of a core, and as many waits for the disk.
    A power cut may take the last events of a run that it ended, never what was there before.
    """

    def __init__(self, dagster_home: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engines: OrderedDict[str, Engine] = OrderedDict()
        self._one_at_a_time = threading.Lock()
        super().__init__(str(Path(dagster_home, "history", "runs")), inst_data)

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        return {"dagster_home": dg.StringSource}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, object]) -> Self:
        return cls(str(config_value["dagster_home"]), inst_data)

    def store_event(self, event: dg.EventLogEntry) -> None:
        super().store_event(event)
        # The page of a run in the UI follows this file, which SQLite leaves as it is while a write-ahead log grows.
        os.utime(self.path_for_shard(event.run_id))

    @contextmanager
    def run_connection(self, run_id: str | None = None) -> Iterator[Connection]:
        assert run_id is not None  # noqa: S101
        with self._transaction(run_id) as connection:
            yield connection

    @contextmanager
    def index_connection(self) -> Iterator[Connection]:
        with self._transaction(INDEX) as connection:
            yield connection

    @contextmanager
    def _transaction(self, shard: str) -> Iterator[Connection]:
        with self._one_at_a_time, self._engine(shard).begin() as connection:
            yield connection

    def _engine(self, shard: str) -> Engine:
        if shard in self._engines and not Path(self.path_for_shard(shard)).exists():
            self._engines.pop(shard).dispose()
        if shard not in self._engines:
            self._engines[shard] = self._open(shard)
        self._engines.move_to_end(shard)
        while len(self._engines) > OPEN_FILES:
            self._engines.popitem(last=False)[1].dispose()
        return self._engines[shard]

    def _open(self, shard: str) -> Engine:
        with super().run_connection(shard):
            """Dagster makes the tables where there are none."""
        # SQLite makes files that no group can write to, whatever the umask; the write-ahead log takes the file's mode.
        set_own_mode(Path(self.path_for_shard(shard)))
        engine = create_engine(
            self.conn_string_for_shard(shard),
            poolclass=QueuePool,
            pool_size=1,
            connect_args={"timeout": BUSY_SECONDS},
        )
        event.listen(engine, "connect", _sync_when_the_log_is_emptied)
        return engine

    def dispose(self) -> None:
        while self._engines:
            self._engines.popitem()[1].dispose()
        super().dispose()


def _sync_when_the_log_is_emptied(connection: Any, _: object) -> None:
    connection.execute("pragma synchronous = normal")
