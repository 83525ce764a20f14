"""A journal as a sealer finds it, whatever wrote it: each line is a row, or is kept with its place; sums are exact.

An input is lines of JSON, each of which becomes a journal's line with its checksum; one that begins with `!` is taken
as it is.
"""

import json
import shutil
from decimal import Decimal
from pathlib import Path
from zlib import crc32

import duckdb

from tests.fuzz.promises import require, require_kinds
from tracking.home import Home
from tracking.journal.writer import decode_line, encode_line
from warehouse.integrity.verify import verify
from warehouse.ledger.segment_names import ByteRange
from warehouse.sealing.journal_records import read_records
from warehouse.sealing.seal import seal
from warehouse.sources.ledger import create_sources

SEALED = 8
"""One input of so many is sealed and verified, which takes a hundred times as long as reading it."""


class JournalLines:
    def __init__(self, folder: Path) -> None:
        self._home = Home(folder / "home")

    def __call__(self, data: bytes) -> None:
        lines = [line[1:] + b"\n" if line.startswith(b"!") else encode_line(line) for line in data.split(b"\n") if line]
        journal = b"".join(lines)
        if not journal:
            return
        rows, bad = read_records(ByteRange("elsewhere-1-a.log", 0, len(journal)), journal)
        whole = sum(1 for line in lines if decode_line(line[:-1]) is not None)
        require(rows.height + len(bad) >= len(lines) and rows.height <= whole, f"{len(lines)} lines: {rows}, {bad}")
        require(sum(line.length for line in bad) <= len(journal), "more is kept than there was")
        for row in rows.iter_rows(named=True):
            require_kinds(row)
        if crc32(data) % SEALED == 0:
            self._check_sealed(journal, rows.height, len(bad))

    def _check_sealed(self, journal: bytes, readable: int, bad: int) -> None:
        shutil.rmtree(self._home.root, ignore_errors=True)
        self._home.open()
        (self._home.journal / "elsewhere-1-a.log").write_bytes(journal)
        report = seal(self._home)
        require(report.quarantined == bad, f"{bad} lines are bad, {report} of them quarantined")
        require(report.rows <= 2 * readable, f"of {readable} rows {report.rows} were sealed")
        kept = [json.loads(line) for file in self._home.quarantine.iterdir() for line in file.read_bytes().splitlines()]
        require(len(kept) == bad, f"{bad} lines are bad, {len(kept)} are kept")
        # Nobody kept prices here, and whoever acknowledged a bad line is not at hand.
        left_out = ("quarantine", "prices")
        problems = [problem for problem in verify(self._home).problems if not problem.place.startswith(left_out)]
        require(not problems, f"not as it was written: {problems}")
        with duckdb.connect() as connection:
            connection.execute("set TimeZone = 'UTC'")
            create_sources(connection, self._home)
            by_row = connection.execute("select sum(cost_usd)::decimal(38,12), count(*) from ledger.usage").fetchall()
            by_day = connection.execute(
                "select sum(cost_usd)::decimal(38,12), sum(row_count) from ledger.segments"
            ).fetchall()
            connection.execute("select occurred_at at time zone 'Pacific/Kiritimati', tags::json from ledger.usage")
            connection.fetchall()
        require(_money(by_row[0][0]) == _money(by_day[0][0]), f"{by_row} is not {by_day}")


def _money(value: Decimal | None) -> Decimal:
    require(value is None or type(value) is Decimal, f"{value!r} is no amount")
    return value or Decimal(0)
