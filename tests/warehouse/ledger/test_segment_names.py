"""Names of segments are read as they were written, whatever a journal is called."""

from datetime import date
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from warehouse.ledger.segment_names import (
    SEGMENT_FILE,
    ByteRange,
    SegmentKind,
    day_of,
    is_rewritten,
    rewritten_name,
    segment_file,
    segment_file_of,
    segment_paths,
)

JOURNALS = st.from_regex(r"[a-zA-Z0-9._-]{1,20}", fullmatch=True).map(lambda name: f"{name}.log")
BYTE_RANGES = st.builds(ByteRange, JOURNALS, st.integers(0, 10**12), st.integers(0, 10**12))
MEMBERS = st.lists(st.tuples(st.text(), st.text()), max_size=3)


@given(byte_range=BYTE_RANGES, day=st.dates())
def test_a_name_says_which_bytes_its_rows_were_made_from(byte_range: ByteRange, day: date) -> None:
    assert ByteRange.named(byte_range.name) == byte_range
    file = segment_file(day, byte_range.name)
    path = Path("/anywhere/usage") / file
    assert (segment_file_of(path), day_of(path.parent)) == (file, day)
    assert SEGMENT_FILE.findall(f"select * from read_parquet(['{path}', '{path}'])") == [file, file]


@given(kind=st.sampled_from(SegmentKind), members=MEMBERS)
def test_a_segment_made_of_others_is_no_range_of_bytes(kind: SegmentKind, members: list[tuple[str, str]]) -> None:
    name = rewritten_name(kind, members)
    assert name == rewritten_name(kind, reversed(members))
    assert is_rewritten(name)
    assert ByteRange.named(name) is None


@given(byte_range=BYTE_RANGES)
def test_a_range_of_bytes_is_no_segment_made_of_others(byte_range: ByteRange) -> None:
    assert not is_rewritten(byte_range.name)


@given(outer=BYTE_RANGES, start=st.integers(0, 10), length=st.integers(0, 10))
def test_a_range_contains_what_lies_within_it(outer: ByteRange, start: int, length: int) -> None:
    inner = ByteRange(outer.journal, outer.start + start, outer.start + start + length)
    assert outer.contains(inner) == (inner.end <= outer.end)
    assert not outer.contains(ByteRange(f"other-{outer.journal}", inner.start, inner.end))


def test_only_files_of_segments_are_listed(tmp_path: Path) -> None:
    live, other = (tmp_path / segment_file(date(2026, 11, day), "host-1-a-0-9") for day in (2, 3))
    for file in (live, other, live.with_name(".host.parquet.1.tmp"), tmp_path / "else" / "x.parquet"):
        file.parent.mkdir(exist_ok=True)
        file.touch()
    assert list(segment_paths(tmp_path)) == [live, other]
    assert list(segment_paths(tmp_path, date(2026, 11, 3))) == [other]
    assert list(segment_paths(tmp_path / "usage")) == []
