"""Are segments what the manifest says: their bytes, their rows, what those sum to, and each record once."""

import hashlib
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from tracking.errors import LedgerError
from tracking.home import Home
from warehouse.integrity.findings import Findings
from warehouse.ledger.footer import Provenance
from warehouse.ledger.manifest import Manifest, Segment
from warehouse.ledger.schema import PROMPT_SCHEMA
from warehouse.ledger.segments import TOTALS, exact_totals, scan
from warehouse.locks import sealing
from warehouse.sealing.id_runs import Hashes
from warehouse.sealing.sealed_ids import hashed

BLOCK_BYTES = 1 << 20
COLUMNS = (
    "record_id",
    "occurred_at",
    "usage_date",
    "charge_class",
    "corrects_record_id",
    "pricing_status",
    "corrects_pricing_status",
    "price_id",
    "status",
    "token_count",
    "other_units",
    "cost_usd",
    "micro_usd",
)


class SegmentVerifier:
    """Verifies segment after segment, then what only all of them together show. 8 bytes of memory a row."""

    def __init__(self, home: Home, findings: Findings, progress: Callable[[int], None]) -> None:
        self._home = home
        self._findings = findings
        self._progress = progress
        self._records: dict[str, Hashes] = {}
        self._bases: dict[str, pl.Series] = {}
        self._replaced = False
        """Whether a segment was replaced meanwhile, so that its rows were not seen where they were."""
        self.price_ids: dict[str, str] = {}
        """Each price that rows name, and a segment with such a row."""
        self.notes_in_footers: set[tuple[str | None, str]] = set()
        """Conflicts (event and record) and superseded records (no event) that footers speak of."""
        self.footers_complete = True
        """Whether every segment has a footer that could be read; the first version wrote none."""

    def verify(self, segment: Segment) -> None:
        path = self._home.usage / segment.file
        problems = len(self._findings.problems)
        rows = self._rows(path, segment)
        if rows is None:
            self.footers_complete = False
        else:
            self._compare_rows(path, segment, rows)
        self._verify_prompts(segment, rows)
        if len(self._findings.problems) > problems and not self._is_live(segment):
            # It was replaced while it was being looked at, and its files may be gone.
            del self._findings.problems[problems:]
            self._replaced = True

    def _is_live(self, segment: Segment) -> bool:
        with Manifest(self._home) as manifest:
            return segment in manifest.segments()

    def _is_intact(self, path: Path, sha256: str, size: int | None = None) -> bool:
        try:
            found_size = path.stat().st_size
            found_sha256 = _sha256(path, self._progress)
        except OSError as error:
            self._findings.problem(path, f"cannot be read: {error.strerror}")
            return False
        if size is not None:
            self._findings.differs(path, "its size in bytes", size, found_size)
        self._findings.differs(path, "its sha256", sha256, found_sha256)
        return found_sha256 == sha256

    def _rows(self, path: Path, segment: Segment) -> pl.DataFrame | None:
        if not self._is_intact(path, segment.sha256, segment.bytes):
            return None
        try:
            return scan(path).select(COLUMNS).collect()
        except (OSError, pl.exceptions.PolarsError) as error:
            self._findings.problem(path, f"cannot be read as Parquet: {error}")
            return None

    def _compare_rows(self, path: Path, segment: Segment, rows: pl.DataFrame) -> None:
        for name, total in exact_totals(rows.select(**TOTALS).row(0, named=True)).items():
            self._findings.differs(path, f"{name} of its rows", getattr(segment, name), total)
        days = pl.concat([rows["usage_date"], rows["occurred_at"].dt.date()]).unique()
        for day in days.filter(days != segment.usage_date):
            self._findings.problem(path, f"holds a row of {day}, expected only {segment.usage_date}")
        self._compare_footer(path, segment)
        self._records[segment.file] = hashed(rows["record_id"])
        self._bases[segment.file] = rows["corrects_record_id"].drop_nulls()
        for price_id in rows["price_id"].drop_nulls().unique():
            self.price_ids.setdefault(price_id, segment.file)

    def _compare_footer(self, path: Path, segment: Segment) -> None:
        try:
            provenance = Provenance.read(path)
        except LedgerError as error:
            self._findings.problem(path, str(error))
            self.footers_complete = False
            return
        if provenance is None:
            self.footers_complete = False
            return
        for name in ("journal", "journal_start", "journal_end"):
            self._findings.differs(path, f"{name} of its footer", getattr(segment, name), getattr(provenance, name))
        self.notes_in_footers |= {(conflict.event_key, conflict.record_id) for conflict in provenance.conflicts}
        self.notes_in_footers |= {(None, record_id) for record_id in provenance.superseded}

    def _verify_prompts(self, segment: Segment, rows: pl.DataFrame | None) -> None:
        if not segment.prompts and segment.prompts_sha256 is None:
            return
        path = self._home.prompts / segment.file
        if segment.prompts_sha256 is None or not segment.prompts:
            self._findings.problem(path, f"has {segment.prompts} prompts and the sha256 {segment.prompts_sha256}")
            return
        if not self._is_intact(path, segment.prompts_sha256):
            return
        try:
            prompts = scan(path, PROMPT_SCHEMA).select("record_id").collect()
        except (OSError, pl.exceptions.PolarsError) as error:
            self._findings.problem(path, f"cannot be read as Parquet: {error}")
            return
        self._findings.differs(path, "its number of prompts", segment.prompts, prompts.height)
        if rows is not None and prompts.join(rows, on="record_id", how="anti").height:
            self._findings.problem(path, "holds the prompt of a record that its segment does not hold")

    def verify_together(self) -> None:
        """Each record counts once, and each correction has the row it corrects."""
        hashes = np.sort(np.concatenate([np.zeros(0, np.uint64), *self._records.values()]))
        doubled = hashes[1:][hashes[1:] == hashes[:-1]]
        if doubled.size:
            self._name_doubled(doubled)
        for file, bases in self._bases.items():
            missing = bases.filter(pl.Series(~np.isin(hashed(bases), hashes))).unique()
            if self._replaced and missing.len():
                missing = missing.filter(~missing.is_in(self._live_now(missing)))
            for record_id in missing:
                self._findings.problem(
                    self._home.usage / file, f"corrects record {record_id}, which is in no live segment"
                )

    def _live_now(self, record_ids: pl.Series) -> list[str]:
        """Which records are live by the manifest as it is now, whose files stay while the sealer's lock is held."""
        with sealing(self._home), Manifest(self._home) as manifest:
            files = [self._home.usage / segment.file for segment in manifest.segments()]
            rows = scan(files).select("record_id").filter(pl.col("record_id").is_in(record_ids.to_list()))
            return rows.collect()["record_id"].to_list()

    def _name_doubled(self, doubled: Hashes) -> None:
        places: defaultdict[str, list[str]] = defaultdict(list)
        for file, hashes in self._records.items():
            among = np.isin(hashes, doubled)
            path = self._home.usage / file
            if among.any() and path.exists():
                record_ids = scan(path).select("record_id").collect()["record_id"]
                for record_id in record_ids.filter(pl.Series(among)):
                    places[record_id].append(file)
        for record_id, files in places.items():
            if len(files) > 1:
                others = ", ".join(files[1:])
                self._findings.problem(
                    self._home.usage / files[0], f"record {record_id} is there, expected once; also in {others}"
                )


def _sha256(path: Path, progress: Callable[[int], None]) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
            progress(len(block))
    return digest.hexdigest()
