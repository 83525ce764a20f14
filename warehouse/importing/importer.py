"""The formats that calls made elsewhere come in: a protocol, and how a file finds its format."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Protocol

from warehouse.importing.answer_lines import AnswerLines
from warehouse.importing.batch_results import BatchResults
from warehouse.importing.calls import Defaults, ImportFileError, SourceCall
from warehouse.importing.claude_code import ClaudeCodeSessions
from warehouse.importing.codex import CodexSessions
from warehouse.importing.litellm_spend import LiteLLMSpendLogs
from warehouse.importing.mapping import read_mapping
from warehouse.importing.table_rows import TableRows
from warehouse.importing.tables import is_table

ANSWERS = "answers"
TABLE = "table"


class Importer(Protocol):
    """Reads files of one format. It records nothing, and what it says of a file depends on files alone."""

    def check(self, file: Path) -> None:
        """Refuse a file of which not everything can be read, before anything of any file is recorded.

        Raises:
            ImportFileError: it is not of this format, or cut off.
            OSError: it cannot be read.
        """
        ...

    def calls(self, file: Path) -> Iterator[SourceCall]:
        """Every call the file tells of; a line that should be one and cannot be read is a call with its fault."""
        ...


class KnownFormat(Importer, Protocol):
    """A format that a file's beginning tells."""

    @staticmethod
    def reads(file: Path) -> bool:
        """Whether the file begins as one of this format does."""
        ...


FORMATS: Mapping[str, Callable[[], KnownFormat]] = {
    "claude-code": ClaudeCodeSessions,
    "codex": CodexSessions,
    "batch": BatchResults,
    "litellm": LiteLLMSpendLogs,
}
"""By the names that `--format` takes, beside `answers` and `table`."""


class Importers:
    """The importer of each file: of the format named, else of the one that its beginning tells.

    Raises:
        ImportFileError: no format of that name, a table without a mapping, or a mapping that is none.
    """

    def __init__(self, name: str | None, mapping: Path | None, defaults: Defaults) -> None:
        known = (ANSWERS, TABLE, *FORMATS)
        if name is not None and name not in known:
            raise ImportFileError(f"format {name!r} is not known; known: {', '.join(known)}")
        if mapping is not None and name not in (None, TABLE):
            raise ImportFileError(f"a mapping is for tables, not for {name}")
        self._name = TABLE if mapping is not None else name
        self._table = None if mapping is None else TableRows(read_mapping(mapping), defaults.provider)
        self._formats = {known: make() for known, make in FORMATS.items()}

    def of(self, file: Path) -> Importer:
        """Raises ImportFileError for a table without a mapping; OSError for a file that cannot be read."""
        name = self._name or self._told(file)
        if name in self._formats:
            return self._formats[name]
        if name == TABLE and self._table is None:
            raise ImportFileError(f"{file} is a table: --mapping FILE says which column holds what")
        if self._table is not None and not is_table(file):
            raise ImportFileError(f"{file} is no table (.csv, .tsv, .parquet), which a mapping would be for")
        return self._table or AnswerLines()

    def _told(self, file: Path) -> str:
        told = next((name for name, known in self._formats.items() if known.reads(file)), None)
        return told or (TABLE if is_table(file) else ANSWERS)
