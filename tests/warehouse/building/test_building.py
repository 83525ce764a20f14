"""Builds: reports that equal what was recorded, published under the eyes of readers. The tests follow one another on
one home, because a build takes seconds."""

import hashlib
import shutil
import sqlite3
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from ledgers import MEASURES, NOON, body, llm_cost, llm_cost_process, record, record_month, sums

from tracking import CostTracker, LedgerError, LLMUsageRecord
from tracking.home import Home
from warehouse.building.build import build, prepare
from warehouse.building.dbt import BuildError
from warehouse.published.proof import prove
from warehouse.published.read import open_warehouse

Records = list[LLMUsageRecord]
CUTS = ("cost_per_assignment", "cost_per_day", "cost_per_trackable", "cost_per_user", "fct_usage")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("built") / "home"


@pytest.fixture(scope="module")
def records(home: Path) -> Records:
    """What was recorded so far. A stream's partial answer is sealed before the final one corrects it."""
    with CostTracker(home, on_unknown_model="record") as tracker:
        records = record_month(tracker)
        partial = record(tracker, body(500, 10, id="stream"), user="teacher-9", status="partial")
    build(Home(home))
    with CostTracker(home, on_unknown_model="record") as tracker:
        final = record(tracker, body(500, 90, id="stream"), user="teacher-9")
    build(Home(home))
    assert partial.cost_usd is not None
    assert final.cost_usd is not None
    assert final.cost_usd > partial.cost_usd
    return [*records, final]


def grouped(records: Iterable[LLMUsageRecord], key: Callable[[LLMUsageRecord], Any]) -> dict[Any, tuple[Any, ...]]:
    groups: dict[Any, Records] = defaultdict(list)
    for made in records:
        groups[key(made)].append(made)
    return {name: sums(group)[:3] for name, group in groups.items()}


def reported(home: Path, columns: str, cut: str) -> dict[Any, tuple[Any, ...]]:
    """requests, token_count and cost_usd of each row of a cut; money that is unknown counts as none."""
    with open_warehouse(Home(home)) as warehouse:
        rows = warehouse.execute(
            f"select {columns}, requests, coalesce(token_count, 0), coalesce(cost_usd, 0) from {cut}"
        ).fetchall()
    found = {row[:-3] if len(row) > 4 else row[0]: row[-3:] for row in rows}
    assert len(found) == len(rows)
    return found


def root(made: LLMUsageRecord) -> tuple[str, str]:
    if made.trackable_parent_type is not None and made.trackable_parent_id is not None:
        return made.trackable_parent_type, made.trackable_parent_id
    return made.trackable_type, made.trackable_id


def fingerprint(file: Path) -> tuple[int, str]:
    return file.stat().st_ino, hashlib.sha256(file.read_bytes()).hexdigest()


def marts(home: Path) -> dict[str, list[tuple[Any, ...]]]:
    with open_warehouse(Home(home)) as warehouse:
        return {cut: warehouse.execute(f"select * from {cut} order by all").fetchall() for cut in CUTS}


def test_totals_by_day_equal_the_records(home: Path, records: Records) -> None:
    assert reported(home, "reporting_date", "cost_per_day") == grouped(records, lambda made: made.occurred_at.date())


def test_totals_by_user_equal_the_records(home: Path, records: Records) -> None:
    assert reported(home, "user_id, tenant", "cost_per_user") == grouped(
        records, lambda made: (made.user_id, made.tenant)
    )


def test_totals_by_assignment_equal_the_records_with_what_was_made_for_them(home: Path, records: Records) -> None:
    """A rubric's cost belongs to its assignment."""
    assert any(made.trackable_parent_id for made in records)
    assert reported(home, "assignment_id, tenant", "cost_per_assignment") == grouped(
        records, lambda made: (root(made)[1], made.tenant)
    )


def test_totals_by_trackable_equal_the_records(home: Path, records: Records) -> None:
    assert reported(home, "trackable_type, trackable_id, tenant", "cost_per_trackable") == grouped(
        records, lambda made: (*root(made), made.tenant)
    )


def test_every_cut_is_proven_against_the_ledger_and_the_ledger_against_the_records(
    home: Path, records: Records
) -> None:
    with open_warehouse(Home(home)) as warehouse:
        proofs = prove(warehouse)
    assert {proof.cut for proof in proofs} >= set(CUTS)
    expected = dict(zip(MEASURES, sums(records), strict=True))
    for proof in proofs:
        assert proof.holds
        # Whole micro-dollars are rounded row by row, the correction's too.
        assert abs(int(proof.sums["micro_usd"]) - expected["micro_usd"]) <= 1
        assert {**proof.sums, "micro_usd": expected["micro_usd"]} == expected


def test_the_published_file_stands_alone(
    home: Path, records: Records, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the build file, from elsewhere, by plain DuckDB, and through a link."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link.duckdb").symlink_to(home / "warehouse.duckdb")
    hidden = tmp_path / "hidden"
    shutil.move(home / "build.duckdb", hidden)
    try:
        with duckdb.connect(tmp_path / "link.duckdb", read_only=True) as warehouse:
            assert warehouse.execute("select sum(requests) from fct_usage").fetchone() == (len(records),)
            assert warehouse.execute("select sum(requests)::bigint from cost_per_user").fetchone() == (len(records),)
    finally:
        shutil.move(hidden, home / "build.duckdb")
    assert (home / "warehouse.duckdb").stat().st_mode & 0o077 == 0


def test_published_tables_and_views_carry_their_descriptions(home: Path, records: Records) -> None:
    with open_warehouse(Home(home)) as warehouse:
        without = warehouse.execute(
            "select table_name from duckdb_tables() where schema_name = 'main' and comment is null"
            " union all select view_name from duckdb_views()"
            " where schema_name = 'main' and not internal and comment is null"
        ).fetchall()
        columns = warehouse.execute(
            "select table_name, column_name from duckdb_columns()"
            " where schema_name = 'main' and not internal and comment is null"
        ).fetchall()
    assert (without, columns) == ([], [])


def test_intermediate_models_and_leftovers_are_not_published(home: Path, records: Records) -> None:
    with open_warehouse(Home(home)) as warehouse:
        names = {name for (name,) in warehouse.execute("select table_name from information_schema.tables").fetchall()}
    assert not [name for name in names if name.startswith("int_")]
    assert not list(home.glob(".warehouse*"))
    assert not list(home.glob("*.wal"))


READER = """
import sys, duckdb
with duckdb.connect(sys.argv[1], read_only=True) as warehouse:
    for _ in sys.stdin:
        print(warehouse.execute("select sum(requests)::bigint from cost_per_day").fetchone()[0], flush=True)
"""


def test_readers_are_never_in_the_way_and_keep_their_answers(home: Path, records: Records) -> None:
    """A late row meanwhile changes one day: only that day is built anew, and what the others hold stays as it is."""
    file = home / "warehouse.duckdb"
    count = "select sum(requests)::bigint from cost_per_day"
    day = min(made.occurred_at for made in records).date()
    with duckdb.connect(home / "build.duckdb") as built:
        built.execute("update int_cost_daily set provider = 'left as it was'")
    elsewhere = subprocess.Popen(
        [sys.executable, "-c", READER, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert elsewhere.stdin
    assert elsewhere.stdout

    def ask_elsewhere() -> int:
        elsewhere.stdin.write("\n")
        elsewhere.stdin.flush()
        return int(elsewhere.stdout.readline())

    with open_warehouse(Home(home)) as here, duckdb.connect(file, read_only=True) as plain:
        before = len(records)
        assert ask_elsewhere() == before
        assert plain.execute(count).fetchone() == (before,)
        with CostTracker(home) as tracker:
            records.append(record(tracker, body(77), at=NOON + timedelta(minutes=1), user="late"))
        build(Home(home))
        assert ask_elsewhere() == before
        assert here.execute(count).fetchone() == plain.execute(count).fetchone() == (before,)
        with open_warehouse(Home(home)) as new:
            assert new.execute(count).fetchone() == (before + 1,)
        asked = llm_cost_process("sql", count, "--home", home, "--json")
        assert str(before + 1) in asked.stdout
    elsewhere.communicate()
    with duckdb.connect(home / "build.duckdb", read_only=True) as built:
        rebuilt = built.execute(
            "select distinct usage_date from int_cost_daily where provider <> 'left as it was'"
        ).fetchall()
    assert rebuilt == [(day,)]


def test_a_full_refresh_equals_what_was_built_by_changed_day(home: Path, records: Records) -> None:
    incremental = marts(home)
    build(Home(home), full_refresh=True)
    assert marts(home) == incremental
    with duckdb.connect(home / "build.duckdb", read_only=True) as built:
        assert built.execute("select count(*) from int_cost_daily where provider = 'left as it was'").fetchone() == (0,)


def test_a_build_with_nothing_new_reads_no_row_and_leaves_the_published_file(
    home: Path, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Meanwhile segments have nothing but their footers, and are not named as damaged."""
    monkeypatch.setattr("warehouse.building.build.refuse_damaged", lambda *_: None)
    before = fingerprint(home / "warehouse.duckdb")
    segments = {path: path.read_bytes() for path in (home / "usage").glob("*/*.parquet")}
    for path, content in segments.items():
        footer = int.from_bytes(content[-8:-4], "little") + 8
        path.write_bytes(content[:4] + bytes(len(content) - footer - 4) + content[-footer:])
    try:
        report = build(Home(home))
    finally:
        for path, content in segments.items():
            path.write_bytes(content)
    assert report.dbt is None
    assert fingerprint(home / "warehouse.duckdb") == before


def test_a_failed_test_leaves_the_published_file_byte_for_byte(home: Path, records: Records) -> None:
    before = fingerprint(home / "warehouse.duckdb")
    manifest = sqlite3.connect(home / "manifest.sqlite", isolation_level=None)
    query = "select rowid, cost_usd from segments where cost_usd <> '0.000000000000' order by rowid limit 1"
    place, cost = manifest.execute(query).fetchone()
    wrong = str(Decimal(cost) + Decimal("0.000000000001"))
    manifest.execute("update segments set cost_usd = ? where rowid = ?", (wrong, place))
    try:
        refused = llm_cost("build", "--home", home)
    finally:
        manifest.execute("update segments set cost_usd = ? where rowid = ?", (cost, place))
        manifest.close()
    assert refused.returncode == 1
    assert refused.stderr.startswith("llm-cost: test ")
    assert "sums_to_ledger" in refused.stderr
    assert refused.stderr.count("\n") == 1
    assert "Published" not in refused.stdout
    assert fingerprint(home / "warehouse.duckdb") == before
    assert not list(home.glob(".warehouse*"))


def test_a_damaged_build_file_is_one_clear_error_and_a_build_makes_it_anew(home: Path, records: Records) -> None:
    wanted = marts(home)
    (home / "build.duckdb").write_bytes(b"not a database" * 1000)
    with pytest.raises(LedgerError, match=r"build\.duckdb cannot be prepared: .*; delete it, and the next build makes"):
        prepare(Home(home))
    report = build(Home(home))
    assert report.renewed
    assert report.dbt is not None
    assert marts(home) == wanted


def test_a_published_table_that_was_changed_is_found_out(home: Path, records: Records) -> None:
    tampered = Home(home.with_name("tampered"))
    tampered.open()
    shutil.copy(home / "warehouse.duckdb", tampered.warehouse_database)
    with duckdb.connect(tampered.warehouse_database) as warehouse:
        warehouse.execute("update cost_per_user set cost_usd = cost_usd + 0.000000000001 where user_id = 'late'")
    # Not as a reader opens it: that would refuse a copy in another home first.
    with duckdb.connect(tampered.warehouse_database, read_only=True) as warehouse:
        proofs = {proof.cut: proof for proof in prove(warehouse)}
    assert [cut for cut, proof in proofs.items() if not proof.holds] == ["cost_per_user"]
    wrong = proofs["cost_per_user"]
    assert wrong.sums["cost_usd"] - wrong.ledger["cost_usd"] == Decimal("0.000000000001")


def test_a_damaged_published_file_is_one_clear_error(home: Path, records: Records, tmp_path: Path) -> None:
    damaged = Home(tmp_path / "damaged")
    damaged.open()
    damaged.warehouse_database.write_bytes(b"not a database" * 1000)
    with (
        pytest.raises(LedgerError, match=r"warehouse\.duckdb cannot be read.*`llm-cost build` renews it"),
        open_warehouse(damaged),
    ):
        pass


def test_a_zone_that_only_this_system_knows_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.open()
    home.ledger_toml.write_text(home.ledger_toml.read_text().replace('"UTC"', '"localtime"'))
    with pytest.raises(LedgerError, match=r"ledger\.toml: reporting_timezone is 'localtime'"):
        prepare(home)


def test_a_build_that_cannot_run_dbt_says_so_in_one_line(
    home: Path, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = fingerprint(home / "warehouse.duckdb")
    monkeypatch.setattr(
        "warehouse.building.dbt.dbt_command", lambda _: [sys.executable, "-c", "import sys; sys.exit('a\\nb')"]
    )
    with pytest.raises(BuildError, match="dbt stopped with exit code 1: a; b"):
        build(Home(home), full_refresh=True)
    assert fingerprint(home / "warehouse.duckdb") == before
