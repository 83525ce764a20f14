"""Tables in CSV or Parquet files, row by row."""

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from warehouse.importing.calls import BadLineError, ImportFileError

DELIMITERS = ",;\t|"
MOST_ROWS = 20_000
"""Rows of a Parquet file in memory at once."""

csv.field_size_limit(2**24)  # characters; Python's own limit of 131,072 is less than a long prompt


@dataclass(frozen=True, slots=True)
class Row:
    """`number` counts from 1, after the header; `cells` go by their columns' names, without those that are empty.

    `content` is all of them as bytes, `size` how many bytes of the file they took.
    """

    number: int
    cells: Mapping[str, object]
    content: bytes
    size: int
    fault: BadLineError | None = None


def is_table(file: Path) -> bool:
    return file.suffix.lower() in (".csv", ".tsv", ".parquet")


def columns(file: Path) -> list[str]:
    """The names of its columns.

    Raises:
        ImportFileError: no such table, one without a header or with two columns of one name, or one that is cut off.
    """
    names = _parquet_columns(file) if _is_parquet(file) else _checked_header(file)
    if twice := {name for name in names if names.count(name) > 1}:
        raise ImportFileError(f"{file} has two columns {min(twice)!r}")
    return names


def header(file: Path) -> list[str]:
    """The first row of a CSV file."""
    with file.open("rb") as opened:
        return next(_csv_cells(file, _Bytes(opened)), None) or []


def rows(file: Path) -> Iterator[Row]:
    """Its rows, in their order, in bounded memory."""
    return _parquet_rows(file) if _is_parquet(file) else _csv_rows(file)


def _is_parquet(file: Path) -> bool:
    return file.suffix.lower() == ".parquet"


def _parquet(file: Path) -> pl.LazyFrame:
    return pl.scan_parquet(file, glob=False, hive_partitioning=False)


def _parquet_columns(file: Path) -> list[str]:
    try:
        return list(_parquet(file).collect_schema())
    except pl.exceptions.PolarsError as error:
        raise ImportFileError(f"{file} is no Parquet file: {error}") from None


def _parquet_rows(file: Path) -> Iterator[Row]:
    table, size = _parquet(file), file.stat().st_size
    count = table.select(pl.len()).collect().item()
    for start in range(0, count, MOST_ROWS):
        for number, cells in enumerate(table.slice(start, MOST_ROWS).collect().iter_rows(named=True), start=start + 1):
            content = "\x1f".join("" if cell is None else str(cell) for cell in cells.values())
            share = size * number // count - size * (number - 1) // count
            given = {name: cell for name, cell in cells.items() if cell is not None}
            yield Row(number, given, content.encode(errors="surrogatepass"), share)


class _Bytes:
    """The lines of a file as text, and how many bytes they were."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        self._lines = lines
        self.read = 0
        self.whole = True

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            text = line.decode("utf-8-sig" if self.read == 0 else "utf-8", errors="surrogateescape")
            self.read += len(line)
            self.whole = line.endswith((b"\n", b"\r"))
            yield text


def _csv_cells(file: Path, lines: _Bytes) -> Iterator[list[str]]:
    """The header, then the rows, without blank lines."""
    texts = iter(lines)
    first = next(texts, "")
    delimiter = "\t" if file.suffix.lower() == ".tsv" else max(DELIMITERS, key=first.count)

    def again() -> Iterator[str]:
        yield first
        yield from texts

    try:
        yield from filter(None, csv.reader(again(), delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise ImportFileError(f"{file} is no CSV: {error}") from None


def _csv_rows(file: Path) -> Iterator[Row]:
    with file.open("rb") as stream:
        lines = _Bytes(stream)
        cells = _csv_cells(file, lines)
        names, bytes_before = next(cells), 0
        for number, values in enumerate(cells, start=1):
            content = "\x1f".join(values).encode(errors="surrogateescape")
            fault = None
            if len(values) != len(names):
                fault = BadLineError(f"{len(values)} cells, expected {len(names)}")
            values_by_name = {name: value for name, value in zip(names, values, strict=False) if value.strip()}
            yield Row(number, values_by_name, content, lines.read - bytes_before, fault)
            bytes_before = lines.read


def _checked_header(file: Path) -> list[str]:
    """The header of a CSV file whose last row is whole, as far as that can be seen."""
    with file.open("rb") as opened:
        lines = _Bytes(opened)
        cells = _csv_cells(file, lines)
        names = next(cells, None) or []
        last, number = names, 0
        for number, last in enumerate(cells, start=1):  # noqa: B007
            pass
    if not names:
        raise ImportFileError(f"{file} has no header")
    if not lines.whole and len(last) < len(names):
        raise ImportFileError(f"{file} is cut off in row {number}; nothing was imported")
    return names
