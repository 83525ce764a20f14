"""Importing tables: a mapping file says which column holds what, and the totals are the table's own."""

import json
import os
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledgers import visible

from tracking.home import Home
from warehouse.importing.calls import Defaults, ImportFileError
from warehouse.importing.import_files import ImportReport, import_files
from warehouse.importing.mapping import read_mapping
from warehouse.importing.table_rows import TableRows
from warehouse.sealing.seal import seal

WHOSE = Defaults(user="teacher-1", trackable="Assignment:1", request_type="grade_student_work")
AZURE_TRACE = """
time_zone = "UTC"
[columns]
occurred_at = "TIMESTAMP"
input_tokens = "ContextTokens"
output_tokens = "GeneratedTokens"
[values]
provider = "azure"
model = "gpt-4"
"""


def mapped(folder: Path, text: str) -> Path:
    path = folder / "mapping.toml"
    path.write_text(text, encoding="utf-8")
    return path


def imported(home: Path, file: Path, mapping: str, defaults: Defaults = WHOSE) -> ImportReport:
    report = import_files(Home(home), [file], defaults, mapping=mapped(file.parent, mapping))
    assert report.lines == report.recorded + len(report.refusals)
    return report


def sealed(home: Path) -> list[dict[str, Any]]:
    seal(Home(home))
    return sorted(visible(home), key=lambda row: row["occurred_at"])


def table(folder: Path, *lines: str, name: str = "calls.csv", encoding: str = "utf-8") -> Path:
    file = folder / name
    file.write_bytes("".join(line + "\n" for line in lines).encode(encoding))
    return file


@pytest.mark.parametrize(
    ("name", "calls", "input_tokens", "output_tokens"),
    [
        ("azure_llm_trace_code_2023.csv", 8_819, 18_059_974, 245_896),
        ("azure_llm_trace_conv_2023.csv", 19_366, 22_361_870, 4_088_665),
    ],
)
def test_a_real_trace_comes_in_with_its_exact_totals(
    home: Path, tmp_path: Path, name: str, calls: int, input_tokens: int, output_tokens: int
) -> None:
    folder = os.environ.get("LLM_COST_TEST_DATA")
    if folder is None:
        pytest.skip("LLM_COST_TEST_DATA names no folder of traces")
    importer = TableRows(read_mapping(mapped(tmp_path, AZURE_TRACE)), None)
    usages = [call.fields["response"].usage for call in importer.calls(Path(folder) / name)]
    assert len(usages) == calls
    assert sum(usage.input_tokens for usage in usages) == input_tokens
    assert sum(usage.output_tokens for usage in usages) == output_tokens


def test_rows_are_recorded_with_their_own_times_and_a_second_import_adds_nothing(home: Path, tmp_path: Path) -> None:
    file = table(
        tmp_path,
        "TIMESTAMP,ContextTokens,GeneratedTokens",
        "2023-11-16 18:17:03.9799600,4808,10",
        "2023-11-16 18:17:04.0319600,3180,8",
        "2023-11-16 18:17:04.0319600,3180,8",
    )
    assert imported(home, file, AZURE_TRACE).recorded == 3
    rows = sealed(home)
    assert rows[0]["occurred_at"] == datetime(2023, 11, 16, 18, 17, 3, 979960, tzinfo=UTC)
    assert [(row["input_tokens"], row["output_tokens"]) for row in rows] == [(4808, 10), (3180, 8), (3180, 8)]
    assert {row["pricing_status"] for row in rows} <= {"priced", "estimated"}
    assert imported(home, file, AZURE_TRACE).recorded == 3
    assert sealed(home) == rows


EVERYTHING = """
time_unit = "milliseconds"
[columns]
id = "request id"
occurred_at = "at"
model = "model"
user = "who"
trackable_type = "kind"
trackable_id = "work"
request_type = "what"
tenant = "school"
"tags.term" = "term"
trace_id = "session"
input_tokens = "in"
cache_read_tokens = "cached"
output_tokens = "out"
"units.web_searches" = "searches"
latency_ms = "took"
cost_usd = "usd"
prompt = "prompt"
[values]
provider = "openai"
user = "nobody"
"""


def test_every_column_of_a_call_can_be_mapped(home: Path, tmp_path: Path) -> None:
    file = table(
        tmp_path,
        "request id;at;model;who;kind;work;what;school;term;session;in;cached;out;searches;took;usd;prompt",
        'r-1;1762084800000;gpt-4o;ann;Essay;7;generate_rubric;north;autumn;s-1;1000.0;200;50;2;870;0.0051;"a; b\nc"',
        "r-2;1762084801500;gpt-4o;;Essay;7;generate_rubric;;;;10;;5;;;;",
        name="sessions.csv",
        encoding="utf-8-sig",
    )
    report = imported(home, file, EVERYTHING, Defaults())
    assert report.refusals == []
    first, second = sealed(home)
    assert first["occurred_at"] == datetime(2025, 11, 2, 12, tzinfo=UTC)
    assert second["occurred_at"] == datetime(2025, 11, 2, 12, 0, 1, 500_000, tzinfo=UTC)
    columns = ("user_id", "trackable_type", "trackable_id", "request_type", "tenant", "tags", "trace_id", "latency_ms")
    assert [first[name] for name in columns] == [
        *("ann", "Essay", "7", "generate_rubric", "north", '{"term": "autumn"}', "s-1", 870)
    ]
    assert [second[name] for name in columns] == ["nobody", "Essay", "7", "generate_rubric", None, None, None, None]
    assert (first["input_tokens"], first["cache_read_tokens"], first["other_units"]) == (
        1000,
        200,
        '{"web_searches":2}',
    )
    assert (first["provider_cost_usd"], second["provider_cost_usd"]) == (Decimal("0.0051"), None)
    assert report.stated_costs == {"gpt-4o": (Decimal("0.0051"), first["cost_usd"])}
    assert first["prompt_chars"] == len("a; b\nc")


def test_an_answer_with_an_id_is_one_call_in_whatever_table(home: Path, tmp_path: Path) -> None:
    mapping = '[columns]\nid = "id"\ninput_tokens = "in"\n[values]\nprovider = "openai"\nmodel = "gpt-4o"\n'
    for name in ("monday.csv", "tuesday.tsv"):
        imported(
            home,
            table(
                tmp_path,
                "id\tin" if name.endswith("tsv") else "id,in",
                *("a\t5" if name.endswith("tsv") else "a,5",),
                name=name,
            ),
            mapping,
        )
    assert len(sealed(home)) == 1


def test_a_parquet_table_is_read_by_its_own_types(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "calls[1].parquet"
    pl.DataFrame(
        {
            "at": ["2026-11-02 12:00:00", "2026-07-02 12:00:00"],
            "in": [1000, None],
            "out": [10.0, 20.0],
            "usd": [Decimal("0.0026"), None],
        }
    ).with_columns(pl.col("at").str.to_datetime()).write_parquet(file)
    mapping = (
        'time_zone = "Europe/Berlin"\n[columns]\noccurred_at = "at"\ninput_tokens = "in"\noutput_tokens = "out"\n'
        'cost_usd = "usd"\n[values]\nprovider = "openai"\nmodel = "gpt-4o"\n'
    )
    told: list[int] = []
    import_files(Home(home), [file], WHOSE, progress=told.append, mapping=mapped(tmp_path, mapping))
    assert sum(told) == file.stat().st_size
    summer, winter = sealed(home)
    assert (summer["occurred_at"].hour, winter["occurred_at"].hour) == (10, 11)
    assert (winter["input_tokens"], winter["output_tokens"], winter["provider_cost_usd"]) == (
        1000,
        10,
        Decimal("0.0026"),
    )
    assert (summer["input_tokens"], summer["output_tokens"]) == (None, 20)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("2023-11-16 18:17:03,many,10", "input_tokens"),
        ("2023-11-16 18:17:03,-5,10", "negative"),
        ("2023-11-16 18:17:03,1e1000000,10", "too large"),
        ("2023-11-16 18:17:03,nan,10", "not a number"),
        ("2023-11-16 18:17:03,1.5,10", "whole number"),
        ("yesterday,5,10", "occurred_at"),
        ("2023-11-16 18:17:03,5", "2 cells, expected 3"),
        ("2023-11-16 18:17:03,5,10,11", "4 cells, expected 3"),
    ],
)
def test_a_row_that_cannot_be_meant_is_refused_and_its_neighbours_are_recorded(
    home: Path, tmp_path: Path, row: str, reason: str
) -> None:
    good = "2023-11-16 18:17:03.97,4808,10"
    report = imported(home, table(tmp_path, "TIMESTAMP,ContextTokens,GeneratedTokens", good, row, good), AZURE_TRACE)
    (refusal,) = report.refusals
    assert (refusal.source, refusal.line, report.recorded) == ("calls.csv", 2, 2)
    assert reason in refusal.reason
    (entry,) = [json.loads(line) for file in (home / "quarantine").iterdir() for line in file.read_text().splitlines()]
    assert (entry["user"], entry["provider"]) == ("teacher-1", "azure")
    assert len(sealed(home)) == 2


def test_a_refused_row_leaves_nothing_that_was_said(home: Path, tmp_path: Path) -> None:
    mapping = '[columns]\ninput_tokens = "prompt"\nuser = "who"\n[values]\nprovider = "openai"\nmodel = "gpt-4o"\n'
    report = imported(home, table(tmp_path, "prompt,who", "a canary sang of love,ann"), mapping)
    assert "canary" not in report.refusals[0].reason
    assert "canary" not in "".join(file.read_text() for file in (home / "quarantine").iterdir())


@pytest.mark.parametrize(
    ("mapping", "complaint"),
    [
        ('[columns]\ninput_tokens = "tokens"\n', r"no column 'tokens', which says input_tokens; it has 'at', 'in'"),
        ('[columns]\ninput_token = "in"\n', r"columns: 'input_token' is nothing that is said of a call; known: "),
        ('[columns]\n"units." = "in"\n', r"'units\.' is nothing"),
        ("[columns]\n", "columns: "),
        ("columns = 3\n", "columns: "),
        ('time_zone = "Berlin"\n[columns]\ninput_tokens = "in"\n', r"time_zone: \('Berlin'\) is no time zone"),
        ('time_unit = "days"\n[columns]\ninput_tokens = "in"\n', "time_unit: "),
        ('[columns]\ntrackable_id = "in"\n', "say trackable, or both trackable_type and trackable_id"),
        ('[columns]\ninput_tokens = "in"\n[value]\nprovider = "x"\n', "value: "),
        ("[columns", "is not TOML"),
    ],
)
def test_a_mapping_that_cannot_be_meant_is_refused_before_anything_is_recorded(
    home: Path, tmp_path: Path, mapping: str, complaint: str
) -> None:
    file = table(tmp_path, "at,in", "2023-11-16T18:17:03Z,5")
    with pytest.raises(ImportFileError, match=complaint):
        imported(home, file, mapping)
    assert sealed(home) == []


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        ([], "has no header"),
        (["at,at", "1,2"], "has two columns 'at'"),
        (["at,in", '"2023-11-16T18:17:03Z,5'], "is no CSV"),
    ],
)
def test_a_table_that_is_none_is_refused_before_anything_is_recorded(
    home: Path, tmp_path: Path, lines: list[str], complaint: str
) -> None:
    with pytest.raises(ImportFileError, match=complaint):
        imported(home, table(tmp_path, *lines), '[columns]\noccurred_at = "at"\n')


def test_a_table_that_is_cut_off_is_refused_whole(home: Path, tmp_path: Path) -> None:
    file = table(tmp_path, "TIMESTAMP,ContextTokens,GeneratedTokens", "2023-11-16 18:17:03,5,6")
    file.write_text(file.read_text() + "2023-11-16 18:17:0")
    with pytest.raises(ImportFileError, match="is cut off in row 2; nothing was imported"):
        imported(home, file, AZURE_TRACE)
    (tmp_path / "x.parquet").write_bytes(b"PAR1")
    with pytest.raises(ImportFileError, match="is no Parquet file"):
        imported(home, tmp_path / "x.parquet", AZURE_TRACE)
    assert sealed(home) == []


def test_a_table_needs_a_mapping_and_nothing_else_takes_one(home: Path, tmp_path: Path) -> None:
    with pytest.raises(ImportFileError, match="--mapping"):
        import_files(Home(home), [table(tmp_path, "a")], WHOSE)
    with pytest.raises(ImportFileError, match="is no table"):
        imported(home, table(tmp_path, "{}", name="calls.jsonl"), AZURE_TRACE)


CELL = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\x00"), max_size=12) | st.sampled_from(
    ["", "5", "-1", "1e999", "NaN", "2026-11-02T12:00:00Z", '"', "=1+1", "１２"]
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.lists(CELL, min_size=3, max_size=3), max_size=4))
def test_whatever_the_cells_hold_every_row_is_accounted_for(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]]
) -> None:
    folder = tmp_path_factory.mktemp("cells")
    file = folder / "calls.csv"
    quoted = [",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows]
    file.write_bytes("".join(line + "\r\n" for line in ["TIMESTAMP,ContextTokens,GeneratedTokens", *quoted]).encode())
    report = imported(folder / "home", file, AZURE_TRACE)
    assert report.lines == len(rows)
    assert len(sealed(folder / "home")) == report.recorded


def test_a_time_that_no_utc_clock_shows_refuses_its_own_row_alone(tmp_path: Path, home: Path) -> None:
    mapping = 'time_zone = "Europe/Berlin"\n[columns]\noccurred_at = "t"\ninput_tokens = "i"\n'
    mapping += '[values]\nprovider = "openai"\nmodel = "gpt-4o"\n'
    report = imported(home, table(tmp_path, "t,i", "0001-01-01 00:00:00,5", "2026-11-02 10:00:00,5"), mapping)
    assert report.recorded == 1
    assert [refusal.reason for refusal in report.refusals] == [
        "occurred_at (0001-01-01 00:00:00) is out of range in UTC"
    ]
