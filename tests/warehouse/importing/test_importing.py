"""Importing: every line of a file is recorded or refused with its reason, and a second import adds nothing."""

import json
import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from imports import EVERYTHING, call, imported, kept, sealed, write
from ledgers import body

from tracking import CostTracker, LedgerError
from tracking.home import Home
from tracking.journal.writer import JournalWriter
from warehouse.importing.calls import ImportFileError
from warehouse.importing.import_files import ImportReport, import_files


def test_every_real_answer_is_accounted_for_and_a_second_import_adds_nothing(
    home: Path, lines: Path, real_responses: list[dict[str, Any]]
) -> None:
    write(lines, *real_responses)
    report = imported(home, lines)
    assert (report.lines, report.recorded, report.refusals) == (783, 783, [])
    rows = sealed(home)
    assert len(rows) == 783
    assert sum(row["pricing_status"] == "unpriced" for row in rows) == report.unpriced
    cost = sum((row["cost_usd"] for row in rows if row["cost_usd"] is not None), Decimal(0))
    assert cost > 0
    os.utime(lines, (1_700_000_000, 1_700_000_000))
    assert imported(home, lines).recorded == 783
    assert sealed(home) == rows


def test_equal_lines_all_count_and_only_once(home: Path, lines: Path) -> None:
    write(lines, call(), call(), call(prompt="p"), call())
    imported(home, lines)
    imported(home, lines)
    assert len(sealed(home)) == 4
    os.utime(lines, (1_700_000_000, 1_700_000_000))
    imported(home, lines)
    assert len(sealed(home)) == 4
    with lines.open("ab") as file:
        file.write(json.dumps(call()).encode() + b"\n")
    imported(home, lines)
    assert len(sealed(home)) == 5


def test_equal_lines_of_two_files_of_one_name_all_count(home: Path, tmp_path: Path) -> None:
    """Rotated logs are often called the same; numbering lines anew in each file lost the second one's money."""
    files: list[Path] = []
    for day in ("monday", "tuesday"):
        (tmp_path / day).mkdir()
        files.append(write(tmp_path / day / "calls.jsonl", call(), call()))
    for _ in range(2):
        imported(home, *files)
        assert len(sealed(home)) == 4


def test_a_file_named_twice_is_imported_once(home: Path, lines: Path) -> None:
    write(lines, call(), call())
    assert imported(home, lines, lines.parent / ".." / lines.parent.name / lines.name).recorded == 2
    assert len(sealed(home)) == 2


def test_the_source_label_decides_whether_it_is_the_same_line(home: Path, lines: Path, tmp_path: Path) -> None:
    write(lines, call())
    renamed = write(tmp_path / "renamed.jsonl", call())
    imported(home, lines)
    imported(home, renamed, source="calls.jsonl")
    assert len(sealed(home)) == 1
    imported(home, renamed)
    assert len(sealed(home)) == 2


def test_an_answer_with_an_id_is_one_call_in_whatever_file(home: Path, lines: Path, tmp_path: Path) -> None:
    write(lines, call(response=body(id="chatcmpl-1")))
    other = write(tmp_path / "other.jsonl", call(response=body(id="chatcmpl-1")), call(response=body(id="chatcmpl-2")))
    imported(home, lines, other)
    assert len(sealed(home)) == 2


@pytest.mark.parametrize("cut", [1, 40, -2])
def test_a_file_that_is_cut_off_is_refused_whole(home: Path, lines: Path, tmp_path: Path, cut: int) -> None:
    whole = write(tmp_path / "whole.jsonl", call())
    write(lines, call(), call())
    with lines.open("ab") as file:
        file.write(json.dumps(call()).encode()[:cut])
    with pytest.raises(ImportFileError, match=r"calls\.jsonl is cut off in line 3; nothing was imported"):
        imported(home, whole, lines)
    assert sealed(home) == []
    assert kept(home) == {}


def test_a_last_line_without_a_newline_is_whole_if_it_is_json(home: Path, lines: Path) -> None:
    lines.write_bytes(json.dumps(call()).encode())
    assert imported(home, lines).recorded == 1


def test_what_is_no_readable_file_is_refused_before_anything_is_imported(home: Path, lines: Path) -> None:
    write(lines, call())
    pipe = lines.parent / "pipe"
    os.mkfifo(pipe)
    empty = lines.parent / "empty"
    empty.mkdir()
    for unreadable in (lines.parent / "missing.jsonl", empty, pipe):
        with pytest.raises(ImportFileError, match=f"{unreadable} cannot be read"):
            imported(home, lines, unreadable)
    assert sealed(home) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_without_permission_is_refused(home: Path, lines: Path) -> None:
    write(lines, call()).chmod(0)
    with pytest.raises(ImportFileError, match="Permission denied"):
        imported(home, lines)


def test_line_endings_and_blank_lines_are_no_part_of_a_line(home: Path, lines: Path) -> None:
    write(lines, call(), call(user="ann"))
    imported(home, lines)
    write(lines, call(), b"", b"   ", call(user="ann"), ending=b"\r\n")
    report = imported(home, lines)
    assert (report.lines, report.refusals) == (2, [])
    assert len(sealed(home)) == 2


def test_an_empty_file_is_an_empty_import(home: Path, lines: Path) -> None:
    lines.write_bytes(b"")
    assert imported(home, lines) == ImportReport()


def test_a_file_name_that_is_not_utf8_is_no_obstacle(home: Path, tmp_path: Path) -> None:
    file = write(Path(os.fsdecode(os.fsencode(tmp_path) + b"/b\xfcro.jsonl")), call(), b"{")
    report = imported(home, file)
    assert [refusal.source for refusal in report.refusals] == ["b\\xfcro.jsonl"]
    assert imported(home, file).recorded == 1
    assert len(sealed(home)) == 1


def test_a_full_disk_ends_the_import_and_blames_no_line(
    home: Path, lines: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(lines, call(), call(), call())
    append, written = JournalWriter.append, []

    def refuse(writer: JournalWriter, line: bytes) -> None:
        if written:
            raise LedgerError("journal refused a record: No space left on device")
        written.append(line)
        append(writer, line)

    with monkeypatch.context() as patch:
        patch.setattr(JournalWriter, "append", refuse)
        with pytest.raises(LedgerError, match="No space left"):
            imported(home, lines)
    assert imported(home, lines).recorded == 3
    assert len(sealed(home)) == 3


def test_progress_adds_up_to_the_size_of_the_file(home: Path, lines: Path) -> None:
    write(lines, call(), b"{", call())
    told: list[int] = []
    import_files(Home(home), [lines], EVERYTHING, progress=told.append)
    assert sum(told) == lines.stat().st_size


def test_an_import_beside_a_living_tracker_mixes_nothing_up(home: Path, lines: Path, tracker: CostTracker) -> None:
    write(lines, call())
    imported(home, lines)
    tracker.record(
        llm_response=body(9), user="ann", trackable=("Essay", 1), request_type="grade_student_work", prompt="x"
    )
    assert len(sealed(home)) == 2
