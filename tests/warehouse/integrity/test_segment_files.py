"""Whether the files of segments are whole, for whoever is about to read them."""

from datetime import timedelta
from pathlib import Path

import pytest
from ledgers import NOON, record

from tracking import CostTracker
from tracking.home import Home
from warehouse.integrity.segment_files import files_not_as_sealed, missing_or_cut_files
from warehouse.ledger.manifest import Manifest, Segment
from warehouse.sealing.seal import seal

DAYS = [NOON.date() + timedelta(days=number) for number in range(3)]


@pytest.fixture
def sealed(home: Path) -> tuple[Home, list[Segment]]:
    """Three days, one segment each."""
    with CostTracker(home) as tracker:
        for number in range(len(DAYS)):
            record(tracker, at=NOON + timedelta(days=number))
    seal(Home(home))
    with Manifest(Home(home)) as manifest:
        return Home(home), manifest.segments()


def test_files_as_they_were_sealed_are_whole(sealed: tuple[Home, list[Segment]]) -> None:
    home, _ = sealed
    assert missing_or_cut_files(home) == []
    assert files_not_as_sealed(home, DAYS) == []


def test_sizes_tell_what_is_missing_or_longer_or_shorter(sealed: tuple[Home, list[Segment]]) -> None:
    home, (first, second, third) = sealed
    (home.usage / first.file).unlink()
    with (home.usage / second.file).open("ab") as file:
        file.write(b"!")
    (home.usage / third.file).write_bytes((home.usage / third.file).read_bytes()[:-1])
    assert missing_or_cut_files(home) == [
        f"{first.file} is missing",
        f"{second.file} has {second.bytes + 1} bytes, the manifest says {second.bytes}",
        f"{third.file} has {third.bytes - 1} bytes, the manifest says {third.bytes}",
    ]
    assert files_not_as_sealed(home, DAYS) == [first.file, second.file, third.file]


def test_a_changed_byte_is_found_on_the_days_that_are_asked_for(sealed: tuple[Home, list[Segment]]) -> None:
    home, (first, second, _) = sealed
    for segment in (first, second):
        file = home.usage / segment.file
        content = file.read_bytes()
        file.write_bytes(content[:8] + bytes([content[8] ^ 1]) + content[9:])
    assert missing_or_cut_files(home) == []
    assert files_not_as_sealed(home, DAYS[1:]) == [second.file]
