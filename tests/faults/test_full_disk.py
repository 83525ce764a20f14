"""A disk with no room left: a clear error, nothing acknowledged is lost, and once there is room all goes on."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from books import LONG, Call, Tally, calls, record, record_all, sealed_and_visible
from maintenance import ALL, OPERATIONS, SEALED, completed, make_ledger, readable

from tracking import CostTracker, LedgerError
from tracking.home import Home
from tracking.journal.quarantine import Quarantine
from warehouse.building.build import build
from warehouse.integrity.verify import verify
from warehouse.published.proof import prove
from warehouse.published.read import open_warehouse
from warehouse.sealing.seal import seal

SIZE = 1024 * 1024
PAGE = 4096


@pytest.fixture
def small_disk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A file system in memory, of one mebibyte unless the test asks for another size."""
    disk = tmp_path / "disk"
    disk.mkdir()
    size = getattr(request, "param", SIZE)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(disk)], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"mounting a small disk is not possible here: {mounted.stderr.strip()}")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def fill(disk: Path, leaving: int) -> Path:
    """A file that takes all room but `leaving` bytes."""
    filler = disk / "filler"
    free = shutil.disk_usage(disk).free
    filler.write_bytes(b"x" * max(0, free - leaving))
    return filler


@pytest.mark.parametrize("durability", ["process", "interval", "always"])
def test_a_disk_that_fills_up_while_calls_are_recorded(durability: str, small_disk: Path, tally: Tally) -> None:
    home = small_disk / "home"
    acknowledged: list[Call] = []
    number = 0
    with CostTracker(home, durability=durability) as tracker:
        for _ in range(20 if LONG else 3):
            record(tracker, call := Call("writer", number))
            acknowledged.append(call)
            filler = fill(small_disk, leaving=3 * PAGE)
            refused = 0
            while refused < 5:
                number += 1
                try:
                    record(tracker, call := Call("writer", number))
                    acknowledged.append(call)
                except LedgerError as error:
                    assert "refused a record: No space left on device" in str(error)
                    refused += 1
            filler.unlink()
            number += 1
        assert acknowledged[-1].number < number - 5
    tally.count(sealed_and_visible(home), acknowledged)
    assert verify(Home(home)).quarantined == 0


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_disk_too_full_by_any_number_of_pages(name: str, small_disk: Path, tally: Tally) -> None:
    """Each page more lets maintenance come further before it is refused; what was sealed stays readable."""
    operation = OPERATIONS[name]
    home, model = small_disk / "home", small_disk.parent / "model"
    make_ledger(model)
    refused = 0
    for pages in range(60) if LONG else (0, 2, 4, 8, 16, 32, 64):
        shutil.copytree(model, home)
        filler = fill(small_disk, leaving=pages * PAGE)
        try:
            operation.again(Home(home))
        except LedgerError:
            refused += 1
            tally.count(readable(home), SEALED, ALL)
        filler.unlink()
        tally.count(completed(home, operation), ALL)
        shutil.rmtree(home)
    assert refused > 2


@pytest.mark.slow
@pytest.mark.parametrize("small_disk", [300 * SIZE], indirect=True)
def test_a_disk_too_full_for_dbt_or_for_its_results_is_named_and_the_next_build_publishes(small_disk: Path) -> None:
    """First dbt cannot write its own files; then it can, and what it made cannot be published."""
    home = Home(small_disk / "home")
    record_all(home.root, calls("writer", 20))
    build(home)
    said = ""
    for number, leaving in enumerate((SIZE // 5, 12 * SIZE), start=1):
        recorded = calls("writer", 20 + 5 * number)
        record_all(home.root, recorded)
        filler = fill(small_disk, leaving)
        with pytest.raises(LedgerError, match=rf"{home.root}.* cannot be .*: no space is left on the disk") as told:
            build(home)
        said += f"{told.value}\n"
        filler.unlink()
        with open_warehouse(home) as connection:
            earlier = len(recorded) - 5
            assert connection.execute("select sum(requests) from cost_per_day").fetchall() == [(earlier,)]
        build(home)
        with open_warehouse(home) as connection:
            assert connection.execute("select sum(requests) from cost_per_day").fetchall() == [(len(recorded),)]
            assert all(proof.holds for proof in prove(connection))
    assert "the reports of" in said
    assert "warehouse.duckdb cannot be written" in said


def test_a_refused_call_half_kept_spoils_no_other(small_disk: Path) -> None:
    quarantine = Quarantine(small_disk)
    kept = 0
    filler = fill(small_disk, leaving=PAGE)
    with pytest.raises(OSError, match="No space left on device"):
        while True:
            quarantine.keep(ValueError("n" * 300), {"usage": {"n": kept}}, {})
            kept += 1
    filler.unlink()
    quarantine.keep(ValueError("room"), {"usage": {"n": kept}}, {})
    (file,) = small_disk.iterdir()
    *earlier, last = map(json.loads, file.read_text().splitlines())
    assert [entry["answer"]["usage"]["n"] for entry in earlier] == [*range(kept)]
    assert last["reason"] == "room"


def test_a_read_only_disk_is_refused(small_disk: Path) -> None:
    record_all(small_disk / "home", calls("writer", 3))
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    for home in (small_disk / "home", small_disk / "another"):
        with pytest.raises(LedgerError, match=r"is not writable|cannot be used: Read-only file system"):
            CostTracker(home)
    with pytest.raises(LedgerError):
        seal(Home(small_disk / "home"))
