"""`import tracking` costs an application next to nothing."""

import subprocess
import sys

import tracking

HEAVY = ("duckdb", "polars", "dbt", "dagster", "genai_prices", "pydantic_settings", "pyarrow", "asyncio", "sqlite3")


def modules_after(code: str) -> set[str]:
    printed = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"], capture_output=True, text=True, check=True
    )
    return set(printed.stdout.split())


def test_importing_loads_nothing_heavy() -> None:
    loaded = modules_after("import tracking")
    assert "tracking.tracker" in loaded
    assert not loaded.intersection(HEAVY)


def test_nothing_of_the_warehouse_is_loaded_even_by_recording() -> None:
    code = """
import tempfile
from tracking import CostTracker
with CostTracker(tempfile.mkdtemp()) as tracker:
    tracker.record(llm_response={"model": "gpt-4o", "usage": {"prompt_tokens": 1, "completion_tokens": 1}},
                   trackable=("A", 1), user=1, request_type="generate_rubric", prompt="p")
"""
    loaded = modules_after(code)
    assert "genai_prices" in loaded
    assert not loaded.intersection({"duckdb", "polars", "dbt", "dagster", "pyarrow", "warehouse", "dagster_project"})


def test_every_public_name_is_there_and_documented() -> None:
    for name in tracking.__all__:
        assert getattr(tracking, name).__doc__, name
    assert sorted(tracking.__all__) == list(tracking.__all__)
