"""`llm-cost sql --csv` and `--parquet`: every digit, whole files, nobody else's eyes."""

import csv
import io
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from ledgers import llm_cost, llm_cost_process
from typer.testing import CliRunner

from tracking import ArgumentError, LedgerError
from tracking.home import Home
from warehouse.cli import app
from warehouse.published.export import ExportFormat, export
from warehouse.published.query import QueryError

EXACT = Decimal("99999999999999999999999999.123456789012")
QUERY = (
    "select 'Zoë, \"the\" 🎓' as who, cost_usd, "
    "(select sum(n) from (values (9007199254740993), (0)) as t(n)) as tokens, "
    "null::bigint as nothing, timestamptz '2026-11-22 12:00:00.000001+02' as occurred_at from cost_per_day -- all of it"
)


@pytest.fixture
def published(home: Path) -> Home:
    """A home with a published warehouse of one row."""
    opened = Home(home)
    opened.open()
    with duckdb.connect(opened.warehouse_database) as warehouse:
        warehouse.execute(f"create table cost_per_day as select {EXACT}::decimal(38, 12) as cost_usd")
    return opened


def test_csv_keeps_every_digit_and_instants_in_utc(published: Home, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    done = llm_cost_process("sql", QUERY, "--csv", path, "--home", published.root, TZ="Asia/Tokyo")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"Wrote 1 row to {path}\n", "")
    (row,) = csv.DictReader(path.open(encoding="utf-8", newline=""))
    assert row == {
        "who": 'Zoë, "the" 🎓',
        "cost_usd": str(EXACT),
        "tokens": "9007199254740993",
        "nothing": "",
        "occurred_at": "2026-11-22 10:00:00.000001+00",
    }
    assert path.stat().st_mode & 0o777 == 0o600
    assert llm_cost("sql", QUERY, "--csv", "-", "--home", published.root).stdout == path.read_text()


def test_parquet_keeps_every_digit_of_sums_too(published: Home, tmp_path: Path) -> None:
    path = tmp_path / "it's [odd] *.parquet"
    assert llm_cost("sql", QUERY + "\n;", "--parquet", path, "--home", published.root).returncode == 0
    copy = tmp_path / "copy.parquet"
    copy.write_bytes(path.read_bytes())
    row = duckdb.sql(f"select cost_usd, tokens, nothing from read_parquet('{copy}')").fetchall()
    assert row == [(EXACT, Decimal(9007199254740993), None)]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_file_is_overwritten_only_by_force(published: Home, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("precious")
    refused = llm_cost("sql", QUERY, "--csv", path, "--home", published.root)
    assert (refused.returncode, refused.stderr) == (2, f"llm-cost: {path} exists; --force overwrites it\n")
    assert path.read_text() == "precious"
    assert llm_cost("sql", QUERY, "--csv", path, "--force", "--home", published.root).returncode == 0
    assert path.read_text().startswith("who,")


def test_a_query_that_fails_halfway_leaves_nothing(published: Home, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("precious")
    failing = "select case when range < 200000 then range else error('halfway') end from range(300000)"
    with pytest.raises(QueryError, match="halfway"):
        export(published, failing, path, ExportFormat.CSV, overwrite=True)
    assert path.read_text() == "precious"
    assert set(tmp_path.iterdir()) == {path, tmp_path / "home"}


def test_columns_of_one_name_and_no_rows_are_exported_too(published: Home, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    assert export(published, 'select 1 as "a""b", 2 as "a""b" where false', path, ExportFormat.CSV) == 0
    (header,) = csv.reader(io.StringIO(path.read_text()))
    assert header[0] == 'a"b'
    assert len(header) == 2


@pytest.mark.parametrize("query", ["", "select 1; select 2", "-- nothing"])
def test_there_must_be_exactly_one_query(published: Home, tmp_path: Path, query: str) -> None:
    with pytest.raises(ArgumentError, match="query holds"):
        export(published, query, tmp_path / "rows.csv", ExportFormat.CSV)


ENDS = ["select 1 as n;", "select 1 as n ; -- ';'", "select 1 as n -- ;", "/*;*/ from (select 1 as n)"]


def test_a_query_ends_where_it_ends(published: Home, tmp_path: Path) -> None:
    for number, query in enumerate(ENDS):
        path = tmp_path / f"{number}.csv"
        assert export(published, query, path, ExportFormat.CSV) == 1
        assert path.read_text() == "n\n1\n"


CELLS = {
    "'=1+1'": "'=1+1",
    "'+cmd|'": "'+cmd|",
    "'-cmd'": "'-cmd",
    "'@sum'": "'@sum",
    "chr(9) || '=x'": "'\t=x",
    "chr(13) || '=x'": "'\r=x",
    "chr(10) || '=x'": "'\n=x",
    "'  =1'": "'  =1",
    "'＝1'": "'＝1",
    "'=1'::blob": "'=1",
    "'=1'::json_text": "'=1",
    "'teacher-1'": "teacher-1",
    "'-5'": "-5",
    "'-1.5e3'": "-1.5e3",
    "-1.250000000000::decimal(38, 12)": "-1.250000000000",
    "-7::hugeint": "-7",
    "-1.5::double": "-1.5",
    "date '2026-11-26'": "2026-11-26",
    "null::varchar": "",
    "['=1']": "['=1']",
}


def test_no_cell_of_a_csv_is_a_formula_and_every_number_stays_one(published: Home, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    cells = {cell.replace("::json_text", "::union(a varchar, b int)"): shown for cell, shown in CELLS.items()}
    query = ", ".join(f'{cell} as "={number}"' for number, cell in enumerate(cells))
    export(published, f"select {query}", path, ExportFormat.CSV)
    header, row = csv.reader(path.open(encoding="utf-8", newline=""))
    assert header == [f"'={number}" for number in range(len(cells))]
    assert dict(zip(cells, row, strict=True)) == cells
    parquet = tmp_path / "rows.parquet"
    export(published, "select '=1+1' as \"=a\"", parquet, ExportFormat.PARQUET)
    assert duckdb.sql(f"select \"=a\" from read_parquet('{parquet}')").fetchall() == [("=1+1",)]


def test_sums_within_lists_and_structs_keep_every_digit_too(published: Home, tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    export(published, "select {'n': [sum(9007199254740993)]} as s from cost_per_day", path, ExportFormat.PARQUET)
    assert duckdb.sql(f"select s.n[1] from read_parquet('{path}')").fetchall() == [(Decimal(9007199254740993),)]


def test_csv_on_stdout_holds_nothing_that_a_terminal_obeys(published: Home) -> None:
    query = "select 'a' || chr(27) || '[31m' || chr(8238) as who, 'x' || chr(9) || 'Zoë 👩‍🏫' as name"
    assert CliRunner().invoke(app, ["sql", query, "--csv", "-", "--home", str(published.root)]).stdout == (
        "who,name\na�[31m�,x\tZoë 👩‍🏫\n"
    )


def test_a_file_that_cannot_be_written_is_one_clear_error(published: Home, tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match=r"nowhere/rows\.csv cannot be written: No such file"):
        export(published, "select 1", tmp_path / "nowhere" / "rows.csv", ExportFormat.CSV)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--csv", "a.csv", "--json"], "--csv and --json exclude each other"),
        (["--csv", "a.csv", "--parquet", "a.parquet"], "--csv and --parquet exclude each other"),
        (["--parquet", "-"], "--parquet takes a file; only CSV can go to stdout"),
        (["--csv", "a.csv"], "Parser Error: syntax error at or near"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    published: Home, tmp_path: Path, options: list[str], complaint: str
) -> None:
    query = "selec" if options == ["--csv", "a.csv"] else QUERY
    refused = llm_cost("sql", query, *options, "--home", published.root, cwd=tmp_path)
    assert refused.returncode == 2
    assert refused.stderr.startswith(f"llm-cost: {complaint}")
    assert refused.stderr.count("\n") == 1
    assert {path.name for path in tmp_path.iterdir()} == {"home"}
