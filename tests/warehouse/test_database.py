"""A path is that one file, whatever its folders are called: to DuckDB and to Polars, which take paths for globs."""

import shutil
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracking.home import Home
from warehouse.database import connect, database_files, escaped, literal, new_database, parquet_files, quoted, unescaped
from warehouse.ledger.segments import scan

ODD_NAMES = st.text("[]*?{}!^\\'\"-, ab0ü#%$~:", min_size=1, max_size=10)


@settings(max_examples=150)
@given(names=st.lists(ODD_NAMES, min_size=2, max_size=4, unique=True))
def test_each_reader_reads_the_files_it_is_given_alone(
    names: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("odd")
    for name in names:
        file = folder / name / "rows.parquet"
        file.parent.mkdir()
        pl.DataFrame({"record_id": [name]}).write_parquet(file)
    *asked, _ = names
    files = [folder / name / "rows.parquet" for name in asked]
    with connect() as connection:
        found = connection.execute(f"select record_id, filename from {parquet_files(files, filename=True)}").fetchall()
    assert sorted(found) == sorted((name, str(file)) for name, file in zip(asked, files, strict=True))
    assert scan(files).collect()["record_id"].to_list() == asked
    assert scan(files[0], None).collect().rows() == [(asked[0],)]
    shutil.rmtree(folder)


@given(path=ODD_NAMES)
def test_a_path_is_told_from_its_pattern(path: str) -> None:
    assert unescaped(escaped(path)) == path


@given(text=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_texts_and_names_are_quoted(text: str) -> None:
    with connect() as connection:
        result = connection.execute(f"select {literal(text)} as {quoted(text or 'none')}")
        assert result.description[0][0] == (text or "none")
        assert result.fetchall() == [(text,)]


@pytest.mark.parametrize("name", ["plain", "[a]*?{b} ü", "a#b"])
def test_a_new_database_is_whole_or_not_there(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    home = Home(tmp_path / name)
    home.open()
    with pytest.raises(ZeroDivisionError), new_database(home.warehouse_database, home.workplace) as connection:
        connection.execute("create table t as select 1 as i")
        _ = 1 / 0
    assert not list(tmp_path.rglob("*warehouse.duckdb*"))
    with new_database(home.warehouse_database, home.workplace) as connection:
        connection.execute("create table t as select 1 as i")
    assert list(tmp_path.rglob("*warehouse.duckdb*")) == [home.warehouse_database]
    assert home.warehouse_database.stat().st_mode & 0o777 == 0o600
    with connect(home.warehouse_database, read_only=True) as connection:
        assert connection.execute("from t").fetchall() == [(1,)]


def test_a_database_is_opened_in_utc_and_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "folder" / "build.duckdb"
    with connect(file) as connection:
        assert connection.execute("select current_setting('TimeZone')").fetchall() == [("UTC",)]
        connection.execute("create table t (i int)")
        assert [path.stat().st_mode & 0o777 for path in database_files(file) if path == file] == [0o600]
    assert file.parent.stat().st_mode & 0o777 == 0o700
