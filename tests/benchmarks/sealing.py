"""Sealing beside bare Polars on the same rows, its memory, and the look-up of new ids among 100 million sealed rows."""

import hashlib
import random
import shutil
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import polars as pl

from tests.benchmarks.timing import CONSOLE, seconds_and_peak, table
from tracking import CostTracker, LLMResponse, LLMUsageRecord
from tracking.home import Home
from tracking.journal.writer import ROTATE_BYTES, record_line
from warehouse.ledger.manifest import Segment
from warehouse.sealing.id_runs import Run, write_run
from warehouse.sealing.sealed_ids import LARGEST_RUN, SealedIds

ROWS = (150_000, 600_000)
ROUNDS = 3
SEALED_ROWS = 100_000_000
SEALED_SEGMENTS = 10_000
NEW_ROWS = 100_000
SMALL_RUNS = (1_000_000, 100_000, 10_000)
"""Ids of the runs that are not merged yet: seven of each."""

STARTED = datetime(2026, 11, 2, 9, tzinfo=UTC)
WORDS = [f"word{number}" for number in range(300)]

TIMED = "import time\n{imports}\nstarted = time.perf_counter()\n{call}\nprint(time.perf_counter() - started)"
SEAL = TIMED.format(
    imports="from tracking.home import Home\nfrom warehouse.sealing.seal import seal",
    call="seal(Home({home!r}))",
)
EAGER = TIMED.format(
    imports="import polars as pl\nfrom warehouse.ledger.schema import JOURNAL_SCHEMA",
    call="pl.read_ndjson({rows!r}, schema=JOURNAL_SCHEMA).write_parquet({out!r})",
)
STREAMING = EAGER.replace("read_ndjson", "scan_ndjson").replace("write_parquet", "sink_parquet")


def run() -> None:
    with tempfile.TemporaryDirectory() as folder:
        _against_polars(Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        _look_up(Path(folder))


def _against_polars(folder: Path) -> None:
    shown: list[tuple[str, ...]] = []
    for rows in ROWS:
        prepared, ndjson = folder / f"home-{rows}", folder / f"{rows}.ndjson"
        _record(prepared, ndjson, rows)
        codes = {
            "seal": SEAL.format(home=str(folder / "home")),
            "Polars, all in memory": EAGER.format(rows=str(ndjson), out=str(folder / "out.parquet")),
            "Polars, streaming": STREAMING.format(rows=str(ndjson), out=str(folder / "out.parquet")),
        }
        results: dict[str, list[tuple[float, int | None]]] = {name: [] for name in codes}
        for _ in range(ROUNDS):
            shutil.rmtree(folder / "home", ignore_errors=True)
            shutil.copytree(prepared, folder / "home")
            for name, code in codes.items():
                results[name].append(seconds_and_peak(code))
        ours = min(seconds for seconds, _ in results["seal"])
        for name, measured in results.items():
            seconds, peak = min(measured)
            memory = "" if peak is None else f"{peak / 2**20:,.0f}"
            shown.append((f"{rows:,}", name, f"{rows / seconds:,.0f}", f"{ours / seconds:.2f} ×", memory))
    size = (folder / f"{ROWS[0]}.ndjson").stat().st_size / ROWS[0]
    title = f"journals of {size:,.0f} bytes a row with prompts to Parquet, a fresh process, best of {ROUNDS}"
    table(title, ("rows", "", "rows a second", "seal takes", "peak MB"), shown)


def _record(home: Path, ndjson: Path, rows: int) -> None:
    """Full journals as a writer leaves them, and their records as bare NDJSON."""
    template = _template(home)
    number, size = 0, 0
    journal = (home / "journal" / "bench-1-0.log").open("wb")
    with ndjson.open("wb") as bare:
        for line in _lines(template, rows):
            if size + len(line) > ROTATE_BYTES:
                journal.close()
                number, size = number + 1, 0
                journal = (home / "journal" / f"bench-1-{number}.log").open("wb")
            size += journal.write(line)
            bare.write(line[9:])
    journal.close()


def _template(home: Path) -> LLMUsageRecord:
    """One record as the tracker makes it; the home is then ready, and without a journal."""
    usage = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}
    answer = {"id": "chatcmpl-x", "model": "gpt-4o", "usage": usage, "service_tier": "default"}
    with CostTracker(home) as tracker:
        template = tracker.record(
            llm_response=LLMResponse.from_provider(answer, provider="openai"),
            user="teacher",
            trackable=("Assignment", 1),
            request_type="grade_student_work",
            prompt="Grade this.",
            latency_ms=812,
            tenant="school-a",
        )
    for journal in (home / "journal").iterdir():
        journal.unlink()
    return template


def _lines(template: LLMUsageRecord, rows: int) -> Iterator[bytes]:
    chance = random.Random(7)
    for number in range(rows):
        digest = hashlib.sha256(b"%d" % number).hexdigest()
        at = STARTED + timedelta(milliseconds=20 * number)
        fields = {"event_key": digest[:32], "record_id": digest[32:], "occurred_at": at, "recorded_at": at}
        fields |= {"user_id": f"teacher-{chance.randrange(50_000)}", "trackable_id": f"{chance.randrange(20_000)}"}
        fields |= {"provider_response_id": f"chatcmpl-{number}"}
        prompt = " ".join(chance.choices(WORDS, k=40))
        yield record_line(template.model_copy(update=fields), f"Grade essay {number}: {prompt} {digest}")


def _look_up(folder: Path) -> None:
    home = Home(folder)
    (folder / "ids").mkdir()
    live = _synthetic_runs(folder / "ids")
    started = time.perf_counter()
    ids = SealedIds(home)
    ids.open(live)
    opened = time.perf_counter() - started
    shown = [(f"open {len(list((folder / 'ids').iterdir()))} runs of {len(live):,} segments", f"{opened:.3f}")]
    for name in ("first look-up", "second look-up"):
        rows = _new_rows(name)
        started = time.perf_counter()
        found = ids.files_that_may_hold(rows)
        shown.append((name, f"{time.perf_counter() - started:.3f}"))
        if found:
            CONSOLE.print(f"{len(found)} segments would be looked into in vain")
    table(
        f"{NEW_ROWS:,} new rows, each with a record and an event, looked up among {SEALED_ROWS:,} sealed",
        ("", "seconds"),
        shown,
    )


def _synthetic_runs(directory: Path) -> list[Segment]:
    """Runs as merging leaves them; two ids a row."""
    chance = np.random.default_rng(7)
    sizes = [size for size in SMALL_RUNS for _ in range(7)]
    sizes += [LARGEST_RUN] * ((2 * SEALED_ROWS - sum(sizes)) // LARGEST_RUN)
    segments: list[Segment] = []
    for number, size in enumerate(sizes):
        mine = [_segment(number, part) for part in range(max(1, SEALED_SEGMENTS * size // (2 * SEALED_ROWS)))]
        segments += mine
        hashes = np.sort(chance.integers(0, 2**64, size, dtype=np.uint64))
        places = chance.integers(0, len(mine), size).astype(np.uint32)
        counts = tuple(np.bincount(places, minlength=len(mine)).tolist())
        write_run(directory, Run(tuple((each.file, each.sha256) for each in mine), counts, hashes, places))
    return segments


def _segment(number: int, part: int) -> Segment:
    name = f"bench-{number}-{part}"
    sums = {"row_count": 0, "requests": 0, "token_count": 0, "micro_usd": 0, "unpriced_requests": 0, "bytes": 0}
    return Segment(
        name=name,
        usage_date=date(2026, 11, 2),
        **sums,
        cost_usd=Decimal(0),
        sha256=hashlib.sha256(name.encode()).hexdigest(),
        prompts=0,
        prompts_sha256=None,
        journal=None,
        journal_start=None,
        journal_end=None,
    )


def _new_rows(seed: str) -> pl.DataFrame:
    ids = [hashlib.sha256(f"{seed} {number}".encode()).hexdigest() for number in range(NEW_ROWS)]
    return pl.DataFrame({"record_id": [each[:32] for each in ids], "event_key": [each[32:] for each in ids]})
