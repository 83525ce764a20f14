"""The published warehouse is read through one door: what is published can be read through it, and nothing else."""

import json
import os
from collections.abc import Iterator
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

import duckdb
import pytest
from typer.testing import CliRunner

from tracking import ArgumentError
from tracking.home import Home
from warehouse.cli import app
from warehouse.database import escaped, literal, parquet_files
from warehouse.published.query import QueryError, QueryResult, ask, distinct
from warehouse.published.read import open_warehouse


def write_parquet(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    duckdb.sql(f"copy (select {literal(text)} as said) to {literal(str(path))} (format parquet)")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home with a view over one segment, a segment that is no longer live, a prompt and a key; its name is a glob."""
    home = Home(tmp_path_factory.mktemp("door") / "it's [a] *o\\me")
    home.open()
    live = home.usage / "usage_date=2026-11-02" / "live.parquet"
    write_parquet(live, "published")
    write_parquet(live.with_name("retired.parquet"), "SECRET")
    write_parquet(home.prompts / "usage_date=2026-11-02" / "live.parquet", "SECRET")
    (live.parent / "link.parquet").symlink_to(home.prompts / "usage_date=2026-11-02" / "live.parquet")
    for name in ("keys/prompt.key", "journal/a.log", "quarantine/a.jsonl", "ledger.csv"):
        (home.root / name).write_text("SECRET")
    with duckdb.connect(home.root / "other.duckdb") as other:
        other.execute("create table t as select 'SECRET' as said")
    with duckdb.connect(home.warehouse_database) as warehouse:
        warehouse.execute("create schema ledger")
        warehouse.execute(f"create view ledger.usage as from {parquet_files([live])}")
        warehouse.execute("create table cost_per_day as select 1.5::decimal(38, 12) as cost_usd")
    return home


@pytest.fixture
def door(home: Home) -> Iterator[duckdb.DuckDBPyConnection]:
    with open_warehouse(home) as connection:
        yield connection


def test_what_is_published_is_read(door: duckdb.DuckDBPyConnection) -> None:
    assert ask(door, "from ledger.usage").rows == [("published",)]
    assert ask(door, "from cost_per_day").rows == [(Decimal("1.5"),)]


@pytest.mark.parametrize(
    "query",
    [
        "select 1 as n",
        "with a as (select 1) from a",
        "from cost_per_day;",
        "values (1)",
        "table cost_per_day",
        "describe cost_per_day",
        "summarize cost_per_day",
        "show tables",
        "show all tables",
        "(select 1) union all (select 2)",
        "explain from cost_per_day",
        "explain analyze from cost_per_day",
        "explain /* ü */ (format json) select 'ü'",
        "explain analyze with a as (select 1) from a;",
        "explain describe cost_per_day",
        "pivot cost_per_day on cost_usd in (1) using count(*)",
        "from query_table('cost_per_day')",
        "-- a comment\nselect ';' -- and one; more",
    ],
)
def test_what_only_reads_is_answered(door: duckdb.DuckDBPyConnection, query: str) -> None:
    assert ask(door, query).columns


@pytest.mark.parametrize(
    "query",
    [
        "",
        "-- nothing",
        "select 1; select 2",
        "prepare p as select 1; execute p",
        "copy (select 1) to 'F' (use_tmp_file false)",
        "copy cost_per_day from 'F'",
        "explain analyze copy (select 1) to 'F' (use_tmp_file false)",
        "explain (analyze, format json) copy (select 1) to 'F' (use_tmp_file false)",
        "explain /* é select 1 */ analyze -- select 1\n copy (select 1) to 'F' (use_tmp_file false)",
        "explain analyze insert into cost_per_day values (1)",
        "explain analyze execute p",
        "attach 'F' as other",
        "attach ':memory:' as other",
        "detach warehouse",
        "use memory",
        "install httpfs",
        "load httpfs",
        "load 'F'",
        "set enable_external_access = true",
        "set allowed_directories = ['/']",
        "reset lock_configuration",
        "pragma enable_profiling",
        "pragma table_info('cost_per_day')",
        "from enable_logging()",
        "select (select count(*) from system.main.Enable_Profiling())",
        "describe from checkpoint('warehouse')",
        "explain from force_checkpoint('warehouse')",
        "with a as (from query('select 1')) from a",
        "from json_execute_serialized_sql(json_serialize_sql('select 1'))",
        "from arrow_scan(1, 2, 3)",
        "from pandas_scan(1)",
        "call enable_logging()",
        "export database 'F'",
        "checkpoint",
        "vacuum",
        "begin",
        "create table memory.t as select 1",
        "create temp table t as select 1",
        "create secret s (type s3)",
        "insert into cost_per_day values (1)",
        "update cost_per_day set cost_usd = 0",
        "delete from cost_per_day",
        "drop table cost_per_day",
    ],
)
def test_what_does_more_than_read_is_refused_by_its_kind(home: Home, query: str) -> None:
    before = files(home)
    for target in (home.warehouse_database, home.usage / "usage_date=2026-11-02" / "live.parquet", home.root / "new"):
        with open_warehouse(home) as door, pytest.raises((ArgumentError, QueryError)) as refused:
            ask(door, query.replace("'F'", literal(str(target))))
        assert "\n" not in str(refused.value)
    assert files(home) == before


PLACES = [
    "keys/prompt.key",
    "journal/a.log",
    "quarantine/a.jsonl",
    "ledger.toml",
    "ledger.csv",
    "other.duckdb",
    "manifest.sqlite",
    "prompts/usage_date=2026-11-02/live.parquet",
    "usage/usage_date=2026-11-02/retired.parquet",
    "usage/usage_date=2026-11-02/link.parquet",
    "usage/usage_date=2026-11-02/../../prompts/usage_date=2026-11-02/live.parquet",
    "usage/*/*.parquet",
    "*/*/*.parquet",
]
READERS = [
    "from read_text(F)",
    "from read_blob(F)",
    "from read_csv(F)",
    "from read_json(F)",
    "from read_ndjson_objects(F)",
    "from read_parquet(F)",
    "from read_parquet([F])",
    "from parquet_metadata(F)",
    "from parquet_schema(F)",
    "from sniff_csv(F)",
    "from read_duckdb(F, table_name = 't')",
    "from glob(F)",
    "from query($$from read_text(F)$$)",
    "select (select content from read_text(F))",
    "explain analyze from read_text(F)",
]


def test_no_other_file_is_reached(home: Home, door: duckdb.DuckDBPyConnection) -> None:
    """Whatever the path: a symbolic link, a way round, a glob, one that DuckDB reads as the file."""
    outside = ["/etc/passwd", "/proc/self/environ", "/dev/stdin", "file:///etc/passwd", ".", os.path.relpath(home.root)]
    for path in [*(str(home.root / place) for place in PLACES), *outside]:
        for written in {path, escaped(path)}:
            with pytest.raises(QueryError):
                ask(door, f"from {literal(written)}")


def test_no_function_reads_a_file(home: Home, door: duckdb.DuckDBPyConnection) -> None:
    """Not a published one either, and not for a reader of our own that asks without `ask`."""
    for reader in READERS:
        with pytest.raises((ArgumentError, QueryError)):
            ask(door, reader.replace("F", literal(str(home.usage / "usage_date=2026-11-02" / "live.parquet"))))
        for place in PLACES:
            with pytest.raises(duckdb.Error):
                door.execute(reader.replace("F", literal(str(home.root / place))))


def test_no_setting_opens_the_door(door: duckdb.DuckDBPyConnection) -> None:
    for statement in ("set enable_external_access = true", "set allowed_paths = []", "reset lock_configuration"):
        with pytest.raises(duckdb.InvalidInputException):
            door.execute(statement)


@pytest.mark.parametrize("scheme", ["http", "https", "s3", "gs", "hf", "az", "ftp"])
def test_no_network_is_reached(door: duckdb.DuckDBPyConnection, scheme: str) -> None:
    for reader in ("from F", "from read_parquet(F)", "from read_text(F)", "from glob(F)"):
        with pytest.raises((ArgumentError, QueryError), match=r"(?i)calls|disabled|not exist|access|extension"):
            ask(door, reader.replace("F", f"'{scheme}://127.0.0.1:9/x.parquet'"))


@pytest.mark.parametrize(
    "query", ["select getenv('HOME')", "from duckdb_secrets()", "from which_secret('s3://x', 's3')", "from frame"]
)
def test_neither_the_environment_nor_secrets_nor_the_callers_variables_are_seen(
    door: duckdb.DuckDBPyConnection, query: str
) -> None:
    frame = duckdb.sql("select 'SECRET' as said")
    assert len(frame) == 1
    with pytest.raises((ArgumentError, QueryError)):
        ask(door, query)


def files(home: Home) -> dict[str, str]:
    return {str(path): sha256(path.read_bytes()).hexdigest() for path in home.root.rglob("*") if path.is_file()}


def test_what_does_not_fit_into_memory_lies_in_no_folder_of_the_caller(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".tmp").mkdir()
    (tmp_path / ".tmp" / "mine.csv").write_text("SECRET")
    with open_warehouse(home) as door:
        with pytest.raises(QueryError):
            ask(door, "from '.tmp/mine.csv'")
        (spill,) = ask(door, "select current_setting('temp_directory')").rows[0]
        assert not Path(spill).is_relative_to(tmp_path)
    assert not Path(spill).exists()


def test_a_query_may_be_limited_in_rows_and_in_time(door: duckdb.DuckDBPyConnection) -> None:
    assert ask(door, "from range(3)", most=2) == QueryResult(["range"], [(0,), (1,)], cut_off=True)
    assert not ask(door, "from range(3)", most=3).cut_off
    with pytest.raises(QueryError, match=r"took longer than 0\.2 s"):
        ask(door, "select count(*) from range(1000000000000) where hash(range) = 1", seconds=0.2)
    assert ask(door, "select 1", seconds=60).rows == [(1,)]


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["n", "n"], ["n", "n_1"]),
        (["n", "n", "n_1", "n"], ["n", "n_2", "n_1", "n_3"]),
        (["n", "N", ""], ["n", "N", ""]),
        (["", ""], ["", "_1"]),
    ],
)
def test_columns_of_one_name_are_all_kept(names: list[str], told: list[str]) -> None:
    assert distinct(names) == told


def sql(home: Home, query: str, *options: str) -> str:
    done = CliRunner().invoke(app, ["sql", query, *options, "--home", str(home.root)])
    assert done.exit_code == 0, done.exception
    return done.stdout


def test_json_is_valid_whatever_a_query_finds(home: Home) -> None:
    query = """
        select 1 as n, 2 as n, 'nan'::double as nan, 'inf'::float as inf, ['-inf'::double] as list,
            {'a': 'nan'::double, 'b': 1.10::decimal(9, 2)} as struct, map {1: 'x'} as map,
            map {1.5: 'nan'::double} as odd,
            9007199254740993::hugeint as wide, chr(27) || chr(8238) || chr(155) || 'ü"' as said, 'x'::blob as bytes,
            interval 1 day as took, time '10:00' as at, null as nothing, 0.000000000001::decimal(38, 12) as cost_usd
        """

    def refused(constant: str) -> Any:
        raise AssertionError(constant)

    text = sql(home, query, "--json")
    assert all(character.isprintable() or character == "\n" for character in text)
    (row,) = json.loads(text, parse_constant=refused)
    assert row == {
        "n": 1,
        "n_1": 2,
        "nan": "nan",
        "inf": "inf",
        "list": ["-inf"],
        "struct": {"a": "nan", "b": "1.10"},
        "map": {"1": "x"},
        "odd": {"1.5": "nan"},
        "wide": 9007199254740993,
        "said": '\x1b\u202e\x9bü"',
        "bytes": "b'x'",
        "took": "1 day, 0:00:00",
        "at": "10:00:00",
        "nothing": None,
        "cost_usd": "0.000000000001",
    }


def test_a_table_moves_no_cursor_and_turns_no_line(home: Home) -> None:
    text = sql(home, "select chr(27) || '[2J' || chr(8238) || chr(155) || 'Zoë' as \"a\x1b[31m\"")
    assert "Zoë" in text
    assert all(character.isprintable() or character == "\n" for character in text)


def test_a_plan_is_drawn_line_by_line(home: Home) -> None:
    assert len(sql(home, "explain from cost_per_day").splitlines()) > 3
