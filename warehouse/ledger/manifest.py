"""The manifest: which segments are live, what they sum to, and how far each journal is sealed.

SQLite with its rollback journal and `synchronous=EXTRA`: what is committed here survives a power loss. (FULL does not
sync the folder after the rollback journal is deleted: it may come back, and take back a commit.)
"""

import sqlite3
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import astuple, dataclass, fields
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Self

from tracking.durable_files import set_mode
from tracking.errors import LedgerError
from tracking.home import Home
from warehouse.ledger.manifest_tables import MANIFEST_VERSION, migrate
from warehouse.ledger.segment_names import ByteRange, segment_file, segment_paths


@dataclass(frozen=True, slots=True)
class Segment:
    """One live pair of Parquet files and what its rows sum to. `cost_usd` is exact USD; NULL costs count as none.

    One range of a journal's bytes makes one segment a day, all of the same name: day and name together are unique.
    One that was made of other segments comes from no single range: its `journal`, start and end are NULL.
    """

    name: str
    usage_date: date
    row_count: int
    requests: int
    token_count: int
    cost_usd: Decimal
    micro_usd: int
    unpriced_requests: int
    bytes: int
    sha256: str
    prompts: int
    prompts_sha256: str | None
    journal: str | None
    journal_start: int | None
    journal_end: int | None

    @property
    def file(self) -> str:
        """The path of its files below `usage/` and `prompts/`."""
        return segment_file(self.usage_date, self.name)


@dataclass(frozen=True, slots=True)
class Retired:
    """A pair of files that is no longer live, and waits until no reader can still be reading it.

    `unpublished_at` is when a published warehouse without it first replaced one with it; NULL before.
    """

    name: str
    usage_date: date
    retired_at: datetime
    unpublished_at: datetime | None = None

    @property
    def file(self) -> str:
        """The path of its files below `usage/` and `prompts/`."""
        return segment_file(self.usage_date, self.name)


@dataclass(frozen=True, slots=True)
class QuarantinedLine:
    """A range of bytes of a journal that is kept in `quarantine/` because it is no record."""

    journal: str
    start: int
    length: int
    reason: str


@dataclass(frozen=True, slots=True)
class Conflict:
    """A row whose event is known with other attribution or smaller counts: a reused id. Both rows count."""

    event_key: str
    record_id: str


class Manifest:
    """The manifest of one home. A context manager; every change is one transaction."""

    def __init__(self, home: Home) -> None:
        self._path = home.manifest
        try:
            self._connection = sqlite3.connect(self._path, isolation_level=None, timeout=60)
        except sqlite3.Error as error:
            raise self._unusable(error) from error
        try:
            set_mode(self._path)
            self._connection.execute("pragma journal_mode = delete")
            self._connection.execute("pragma synchronous = extra")
            self._migrate(home)
        except BaseException as error:
            self._connection.close()
            if isinstance(error, sqlite3.Error):
                raise self._unusable(error) from error
            raise

    def _unusable(self, error: sqlite3.Error) -> LedgerError:
        return LedgerError(f"manifest {self._path} cannot be used: {error}")

    def _migrate(self, home: Home) -> None:
        (version,) = self._connection.execute("pragma user_version").fetchone()
        if version > MANIFEST_VERSION:
            raise LedgerError(
                f"manifest {self._path} has version {version}, newer than this version can read ({MANIFEST_VERSION})"
            )
        if version < MANIFEST_VERSION:
            with self._transaction():
                # Another process may have been first.
                (version,) = self._connection.execute("pragma user_version").fetchone()
                # An empty manifest over segments would make an empty ledger of a full one, and say nothing.
                if version == 0 and any(segment_paths(home.usage)):
                    raise LedgerError(f"manifest {self._path} is missing or empty, though usage/ holds segments")
                if version < MANIFEST_VERSION:
                    migrate(self._connection, version, home)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        self._connection.close()
        if isinstance(error, sqlite3.Error):
            raise self._unusable(error) from error

    @contextmanager
    def _transaction(self) -> Generator[None, None, None]:
        self._connection.execute("begin immediate")
        try:
            yield
        except BaseException:
            self._connection.execute("rollback")
            raise
        self._connection.execute("commit")

    def segments(self) -> list[Segment]:
        """Every live segment, by day and name."""
        columns = ", ".join(field.name for field in fields(Segment))
        rows = self._connection.execute(f"select {columns} from segments order by usage_date, name")
        try:
            return [_as_segment(row) for row in rows]
        except (TypeError, ValueError, ArithmeticError) as error:
            raise LedgerError(f"manifest {self._path} is damaged, a segment's entry is unreadable: {error}") from error

    def sealed_bytes(self, journal: str) -> int:
        """How many bytes of a journal are sealed or quarantined."""
        row = self._connection.execute("select sealed_bytes from journals where name = ?", (journal,)).fetchone()
        return row[0] if row else 0

    def quarantined(self) -> list[QuarantinedLine]:
        rows = self._connection.execute("select journal, start, length, reason from quarantined order by 1, 2")
        return [QuarantinedLine(*row) for row in rows]

    def conflicts(self) -> list[Conflict]:
        return [Conflict(*row) for row in self._connection.execute("select event_key, record_id from conflicts")]

    def superseded(self) -> set[str]:
        """Records that were replaced before they were ever sealed: delivered again, they still do not count."""
        return {record_id for (record_id,) in self._connection.execute("select record_id from superseded")}

    def commit_seal(
        self,
        byte_range: ByteRange,
        segments: Iterable[Segment],
        quarantined: Iterable[QuarantinedLine],
        conflicts: Iterable[Conflict],
        superseded: Iterable[str],
    ) -> None:
        """Make segments live and move a journal's seal forward, all or nothing."""
        self.fill(segments, [byte_range], quarantined, conflicts, superseded)

    def fill(
        self,
        segments: Iterable[Segment],
        byte_ranges: Iterable[ByteRange],
        quarantined: Iterable[QuarantinedLine],
        conflicts: Iterable[Conflict],
        superseded: Iterable[str],
        retired: Iterable[Segment] = (),
    ) -> None:
        """Take in what was sealed, in however many byte ranges, all or nothing."""
        with self._transaction():
            self._add(segments)
            self._connection.executemany(
                "insert or replace into quarantined values (?, ?, ?, ?)", [astuple(line) for line in quarantined]
            )
            self._connection.executemany(
                "insert or ignore into conflicts values (?, ?)", [astuple(conflict) for conflict in conflicts]
            )
            self._connection.executemany(
                "insert or ignore into superseded values (?)", [(record_id,) for record_id in superseded]
            )
            self._connection.executemany(
                "insert or replace into journals values (?, ?)",
                [(byte_range.journal, byte_range.end) for byte_range in byte_ranges],
            )
            self._retire(retired)

    def swap(self, outs: Iterable[Segment], ins: Iterable[Segment]) -> None:
        """Make `ins` live in place of `outs`, all or nothing; the files of `outs` become retired ones.

        Raises:
            LedgerError: one of `outs` is not live.
        """
        outs = list(outs)
        with self._transaction():
            for segment in outs:
                place = (segment.usage_date.isoformat(), segment.name)
                gone = self._connection.execute("delete from segments where usage_date = ? and name = ?", place)
                if gone.rowcount != 1:
                    raise LedgerError(f"segment {segment.file} cannot be replaced, it is not live")
            self._retire(outs)
            self._add(ins)

    def _retire(self, segments: Iterable[Segment]) -> None:
        now = datetime.now(UTC).isoformat()
        self._connection.executemany(
            "insert into retired (usage_date, name, retired_at) values (?, ?, ?)",
            [(segment.usage_date.isoformat(), segment.name, now) for segment in segments],
        )

    def retired(self) -> list[Retired]:
        """Every pair of files that waits to be deleted, by day and name."""
        columns = ", ".join(field.name for field in fields(Retired))
        rows = self._connection.execute(f"select {columns} from retired order by usage_date, name")
        return [
            Retired(
                name,
                date.fromisoformat(day),
                datetime.fromisoformat(at),
                datetime.fromisoformat(unpublished) if unpublished else None,
            )
            for name, day, at, unpublished in rows
        ]

    def note_unpublished(self, retired: Iterable[Retired]) -> None:
        """Remember that from now on no published warehouse names these files."""
        now = datetime.now(UTC).isoformat()
        with self._transaction():
            self._connection.executemany(
                "update retired set unpublished_at = ? where usage_date = ? and name = ? and unpublished_at is null",
                [(now, files.usage_date.isoformat(), files.name) for files in retired],
            )

    def forget_retired(self, retired: Iterable[Retired]) -> None:
        """The files are deleted: nothing speaks of them any more."""
        with self._transaction():
            self._connection.executemany(
                "delete from retired where usage_date = ? and name = ?",
                [(files.usage_date.isoformat(), files.name) for files in retired],
            )

    def drop_prompts(self, day: date) -> None:
        """The prompts of a day are live no longer; its rows are."""
        with self._transaction():
            self._connection.execute(
                "update segments set prompts = 0, prompts_sha256 = null where usage_date = ?", (day.isoformat(),)
            )

    def forget_quarantined(self, lines: Iterable[QuarantinedLine]) -> None:
        """These lines are kept in `quarantine/` no longer."""
        with self._transaction():
            self._connection.executemany(
                "delete from quarantined where journal = ? and start = ?",
                [(line.journal, line.start) for line in lines],
            )

    def forget_findings(self, conflicts: Iterable[str], superseded: Iterable[str]) -> None:
        """Notes about records go with the records themselves, both given by `record_id`."""
        with self._transaction():
            for table, record_ids in (("conflicts", conflicts), ("superseded", superseded)):
                self._connection.executemany(
                    f"delete from {table} where record_id = ?", [(record_id,) for record_id in record_ids]
                )

    def _add(self, segments: Iterable[Segment]) -> None:
        places = ", ".join("?" for _ in fields(Segment))
        self._connection.executemany(
            f"insert into segments values ({places})", [_as_row(segment) for segment in segments]
        )


def _as_row(segment: Segment) -> tuple[object, ...]:
    """SQLite has neither dates nor decimals: both as text, exactly."""
    return tuple(str(value) if isinstance(value, date | Decimal) else value for value in astuple(segment))


def _as_segment(row: tuple[Any, ...]) -> Segment:
    named = dict(zip((field.name for field in fields(Segment)), row, strict=True))
    named |= {"usage_date": date.fromisoformat(named["usage_date"]), "cost_usd": Decimal(named["cost_usd"])}
    return Segment(**named)
