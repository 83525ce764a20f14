"""The formats that calls made elsewhere come in: a protocol, and how a file finds its format."""

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from warehouse.importing.answer_lines import AnswerLines
from warehouse.importing.calls import Defaults, ImportFileError, SourceCall
from warehouse.importing.mapping import read_mapping
from warehouse.importing.table_rows import TableRows
from warehouse.importing.tables import SUFFIXES


class Importer(Protocol):
    """Reads files of one format. It records nothing, and remembers nothing between files."""

    def check(self, file: Path) -> None:
        """Refuse a file of which not everything can be read, before anything of any file is recorded.

        Raises:
            ImportFileError: it is not of this format, or cut off.
            OSError: it cannot be read.
        """
        ...

    def calls(self, file: Path) -> Iterator[SourceCall]:
        """Every call the file tells of, in its order and in bounded memory; what is none is a call with its fault."""
        ...


def importer_for(file: Path, mapping: Path | None, defaults: Defaults) -> Importer:
    """The importer of a file's format.

    Raises:
        ImportFileError: a table without a mapping, a mapping for what is no table, or a mapping that is none.
    """
    is_table = file.suffix.lower() in SUFFIXES
    if is_table and mapping is not None:
        return TableRows(read_mapping(mapping), defaults.provider)
    if is_table:
        raise ImportFileError(f"{file} is a table: --mapping FILE says which column holds what")
    if mapping is not None:
        raise ImportFileError(f"{file} is no table ({', '.join(sorted(SUFFIXES))}), which a mapping would be for")
    return AnswerLines()
