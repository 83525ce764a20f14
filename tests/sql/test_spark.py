"""The same models on Spark: compiled by dbt-spark, and every one resolved by Spark's own analyser.

`SPARK_PYTHON` names a Python that has dbt-spark and pyspark; they are no part of the development environment.
"""

import os
import subprocess
from pathlib import Path

import duckdb
import pytest

from tracking.home import Home
from warehouse.building.build import prepare
from warehouse.building.dbt import PROJECT, dbt_environment

pytestmark = pytest.mark.slow


def test_spark_resolves_every_model(tmp_path: Path) -> None:
    python = os.environ.get("SPARK_PYTHON")
    if not python:
        pytest.skip("SPARK_PYTHON names no Python that has dbt-spark and pyspark")
    home = Home(tmp_path / "home")
    home.open()
    prepare(home)
    sources = tmp_path / "sources"
    sources.mkdir()
    with duckdb.connect(home.build_database, read_only=True) as connection:
        for (name,) in connection.execute(
            "select table_name from information_schema.tables where table_schema = 'ledger'"
        ).fetchall():
            connection.execute(f"copy ledger.{name} to '{sources / name}.parquet' (format parquet)")
    environment = os.environ | dbt_environment(home)
    compiling = [python, "-c", "from dbt.cli.main import cli; cli()", "compile", "--target", "spark"]
    compiled = subprocess.run(compiling, env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert compiled.returncode == 0, compiled.stdout[-3000:]
    analysing = [python, Path(__file__).with_name("spark_analysis.py"), home.dbt / "target", sources]
    resolved = subprocess.run(analysing, env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert resolved.returncode == 0, resolved.stderr[-3000:]
    assert sorted(resolved.stdout.split()) == sorted(model.stem for model in (PROJECT / "models").rglob("*.sql"))
