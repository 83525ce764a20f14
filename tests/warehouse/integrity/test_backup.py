"""Backup and restore: a consistent copy while writers run; and homes that are moved or copied."""

import json
import os
import shutil
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from ledgers import NOON, assert_holds_exactly, body, llm_cost, record, record_month, visible, write_journal

from tracking import CostTracker, LedgerError, LLMUsageRecord
from tracking.home import Home
from warehouse.building.build import build
from warehouse.integrity.backup import backup, restore
from warehouse.integrity.verify import verify
from warehouse.ledger.compact import compact
from warehouse.sealing.seal import seal


def files(home: Path) -> dict[str, bytes]:
    return {path.relative_to(home).as_posix(): path.read_bytes() for path in home.rglob("*") if path.is_file()}


def full_home(home: Path) -> list[LLMUsageRecord]:
    """Sealed rows, quarantined lines, a refusal, the user's own files."""
    with CostTracker(home, on_unknown_model="record", on_error="log") as tracker:
        records = record_month(tracker)
        record(tracker, at="noon")  # type: ignore[arg-type]
    write_journal(home, b"no record at all\n")
    seal(Home(home))
    (home / "dimensions").mkdir()
    (home / "dimensions" / "users.csv").write_text("user_id,name\n")
    (home / "budgets.toml").write_text("")
    return records


def test_what_is_restored_is_the_home_it_was(home: Path, tmp_path: Path) -> None:
    records = full_home(home)
    before = files(home)
    [damaged] = problems = verify(Home(home)).problems
    assert damaged.place.endswith("elsewhere-1-feed.log bytes 0 to 17")
    report = backup(Home(home), tmp_path / "kept" / "today")
    restored = tmp_path / "restored"
    again = restore(tmp_path / "kept" / "today", Home(restored))
    assert report == again
    assert (report.rows, report.cost_usd) == (len(records), sum(each.cost_usd or 0 for each in records))
    assert files(restored) == {
        name: content for name, content in before.items() if name.partition("/")[0] not in ("ids", "locks", "dbt")
    }
    assert_holds_exactly(restored, records)
    for copy in (tmp_path / "kept" / "today", restored):
        assert verify(Home(copy)).problems == problems
        assert all(path.stat().st_mode & 0o077 == 0 for path in (copy, *copy.rglob("*")))
    assert seal(Home(restored)).rows == 0
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_backup_beside_writers_sealers_and_compaction_holds_what_was_recorded_before_it(
    home: Path, tmp_path: Path
) -> None:
    stop = threading.Event()
    made: list[LLMUsageRecord] = []
    failures: list[BaseException] = []

    def work(tracker: CostTracker) -> None:
        try:
            number = 0
            while not stop.is_set():
                number += 1
                made.append(record(tracker, body(number), at=NOON + timedelta(days=number % 3)))
                if number % 50 == 0:
                    seal(Home(home))
                    compact(Home(home))
        except BaseException as error:
            failures.append(error)

    with CostTracker(home, durability="process") as tracker:
        made.append(record(tracker))
        threads = [threading.Thread(target=work, args=(tracker,)) for _ in range(2)]
        for thread in threads:
            thread.start()
        before: list[list[LLMUsageRecord]] = []
        for number in range(4):
            before.append(list(made))
            backup(Home(home), tmp_path / f"backup-{number}")
        stop.set()
        for thread in threads:
            thread.join()
    assert failures == []
    attempted = {each.record_id for each in made}
    for number, acknowledged in enumerate(before):
        copy = Home(tmp_path / f"backup-{number}")
        assert verify(copy).problems == []
        seal(copy)
        found = [row["record_id"] for row in visible(copy)]
        assert len(found) == len(set(found))
        assert {each.record_id for each in acknowledged} <= set(found) <= attempted


def test_it_goes_to_an_empty_place_and_never_into_the_home_or_around_it(home: Path, tmp_path: Path) -> None:
    full_home(home)
    before = files(home)
    taken = tmp_path / "taken"
    taken.mkdir()
    backup(Home(home), taken)
    kept = files(taken)
    for target in (taken, home / "journal" / "backup", home.parent, tmp_path / "taken" / "ledger.toml"):
        with pytest.raises(LedgerError, match=r"is not an empty folder|lie within one another"):
            backup(Home(home), target)
    with pytest.raises(LedgerError, match="is not an empty folder"):
        restore(taken, Home(home))
    assert files(taken) == kept
    assert files(home) == before


@pytest.mark.parametrize("kind", ["usage", "prompts"])
def test_a_damaged_file_is_named_and_nothing_is_left(home: Path, tmp_path: Path, kind: str) -> None:
    full_home(home)
    path = sorted(home.glob(f"{kind}/*/*.parquet"))[-1]
    content = path.read_bytes()
    path.write_bytes(content[:-9] + bytes([content[-9] ^ 1]) + content[-8:])
    with pytest.raises(LedgerError, match=rf"{path.name} is damaged"):
        backup(Home(home), tmp_path / "backup")
    assert not (tmp_path / "backup").exists()
    path.write_bytes(content)
    backup(Home(home), tmp_path / "backup")
    path = tmp_path / "backup" / path.relative_to(home)
    os.truncate(path, 9)
    with pytest.raises(LedgerError, match=rf"{path.name} is damaged"):
        restore(tmp_path / "backup", Home(tmp_path / "restored"))
    assert sorted(each.name for each in tmp_path.iterdir()) == ["backup", "home"]


def test_the_commands_say_what_was_copied_and_refuse_in_one_line(home: Path, tmp_path: Path) -> None:
    full_home(home)
    done = llm_cost("backup", tmp_path / "backup", "--home", home)
    assert done.returncode == 0
    assert "60 rows" in done.stdout
    again = llm_cost("backup", tmp_path / "backup", "--home", home)
    assert (again.returncode, len(again.stderr.splitlines())) == (2, 1)
    restored = llm_cost("restore", tmp_path / "backup", "--home", tmp_path / "restored", "--json")
    assert json.loads(restored.stdout)["rows"] == 60
    nothing = llm_cost("restore", tmp_path / "nowhere", "--home", tmp_path / "other")
    assert (nothing.returncode, len(nothing.stderr.splitlines())) == (2, 1)


def test_a_home_can_be_moved_and_copied_and_its_next_build_mends_the_paths(home: Path, tmp_path: Path) -> None:
    records = full_home(home)
    build(Home(home))
    moved = tmp_path / "moved [it's] here"
    home.rename(moved)
    rows = ("sql", "select count(*) as rows, sum(cost_usd) as cost from fct_usage", "--json", "--home")
    answer = llm_cost(*rows, moved)
    assert (answer.returncode, len(answer.stderr.splitlines())) == (2, 1)
    assert "llm-cost build" in answer.stderr
    with CostTracker(moved, on_unknown_model="record") as tracker:
        records.append(record(tracker, body(321)))
    build(Home(moved))
    expected = [{"rows": len(records), "cost": f"{sum(each.cost_usd or 0 for each in records):f}"}]
    assert json.loads(llm_cost(*rows, moved).stdout) == expected
    (tmp_path / "link").symlink_to(moved)
    assert json.loads(llm_cost(*rows, tmp_path / "link").stdout) == expected
    # It would read the rows of the home it was copied from.
    assert llm_cost(*rows, shutil.copytree(moved, tmp_path / "copied")).returncode == 2
