"""`llm-cost import`: a file of lines, each of which is recorded or refused, and none of which stops another."""

import json
import shutil
from pathlib import Path

from tests.fuzz.promises import SAID, require, require_documented, require_exact, require_silent, with_words
from tracking.home import Home
from tracking.rows.record import LLMUsageRecord
from warehouse.importing.calls import FIELDS, Defaults, ImportFileError
from warehouse.importing.import_files import ImportReport, import_files
from warehouse.ledger.segment_names import ByteRange
from warehouse.sealing.journal_records import read_records

DEFAULTS = Defaults("teacher-1", "Assignment:42", "generate_rubric", "openai")


class _Import:
    """An import of one file into a home without any other row."""

    def __init__(self, folder: Path) -> None:
        self._home = Home(folder / "home")
        self._folder = folder

    def _import(self, file: Path, mapping: Path | None = None) -> ImportReport | None:
        """What was imported, which is checked; None where the whole file was refused."""
        for folder in (self._home.journal, self._home.quarantine):
            shutil.rmtree(folder, ignore_errors=True)
        try:
            report = import_files(self._home, [file], DEFAULTS, mapping=mapping)
        except Exception as error:
            require_documented(error, (ImportFileError,))
            require(not self._home.journal.exists() or not self._home.journals(), "half a file is imported")
            return None
        require(report.lines == report.recorded + len(report.refusals), f"{report} does not add up")
        for refusal in report.refusals:
            require_silent(refusal.reason, "a reason")
            require(refusal.reason.strip(), "a line was refused without a reason")
        self._check_kept(len(report.refusals))
        self._check_recorded(report.recorded)
        return report

    def _check_kept(self, refused: int) -> None:
        kept = b"".join(file.read_bytes() for file in self._home.quarantine.iterdir())
        entries = kept.splitlines()
        require(len(entries) == refused, f"{refused} lines were refused, {len(entries)} are kept")
        for entry in entries:
            require_silent(json.dumps(json.loads(entry), ensure_ascii=False), "quarantine")

    def _check_recorded(self, recorded: int) -> None:
        lines = b"".join(journal.read_bytes() for journal in self._home.journals())
        rows, bad = read_records(ByteRange("journal.log", 0, len(lines)), lines)
        require(rows.height == recorded and not bad, f"{recorded} were recorded, {rows.height} are read, {bad}")
        for row in rows.iter_rows(named=True):
            require_exact(row)
            require("\0" not in row["user_id"], "a user id that no command can name")
            require(LLMUsageRecord.model_fields.keys() <= row.keys(), "columns are missing")


class ImportLines(_Import):
    def __call__(self, data: bytes) -> None:
        content = b"\n".join(map(_spoken, data.split(b"\n")))
        file = self._folder / "calls.jsonl"
        file.write_bytes(content)
        wanted = sum(1 for line in content.split(b"\n") if line.strip())
        report = self._import(file)
        require(report is None or report.lines == wanted, f"{report} of {wanted} lines")


class ImportTables(_Import):
    """An input is a mapping file and a table in CSV, with a line of `=====` between them."""

    def __call__(self, data: bytes) -> None:
        mapping, _, table = data.partition(b"=====\n")
        (self._folder / "mapping.toml").write_bytes(mapping)
        (self._folder / "calls.csv").write_bytes(table)
        self._import(self._folder / "calls.csv", self._folder / "mapping.toml")


def _spoken(line: bytes) -> bytes:
    """The line with somebody's words where those belong, and in every field an import does not know."""
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):
        return line
    if not isinstance(fields, dict):
        return line
    for name, value in fields.items():
        if name == "response" or name not in FIELDS:
            fields[name] = with_words(value, "text")
        elif name == "prompt" and isinstance(value, str):
            fields[name] = SAID + value
    return json.dumps(fields).encode()
