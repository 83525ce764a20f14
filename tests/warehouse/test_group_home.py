"""A home that a group shares: its members do everything with it, whatever their umask; to others it is closed."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from ledgers import record
from other_users import as_user, place_for_all
from typer.testing import CliRunner

from tracking import ArgumentError, CostTracker, LedgerError
from tracking.durable_files import create_file, file_mode, replace_file
from tracking.home import Home
from tracking.home.sharing import group_of, share
from warehouse.cli import app
from warehouse.integrity.verify import verify
from warehouse.sealing.seal import seal

GROUP = 4100
ANN, BOB, EVE = 4001, 4002, 4003

RECORD = """
import sys
from tracking import CostTracker
user, calls, model = sys.argv[1], int(sys.argv[2]), "gpt-4o"
with CostTracker() as tracker:
    for number in range(calls):
        body = {"id": f"{user}-{number}", "model": model, "usage": {"prompt_tokens": 10, "completion_tokens": 1}}
        tracker.record(llm_response=body, provider="openai", user=user, trackable=("Assignment", number),
                       request_type="generate_rubric", prompt=f"A prompt of {user}.")
    try:
        tracker.record(llm_response={}, user=user, trackable=("A", 1), request_type="generate_rubric", prompt="x")
    except Exception:
        pass
"""
COMMANDS = """
import shlex, sys
from typer.testing import CliRunner
from warehouse.cli import app
for line in sys.argv[1:]:
    done = CliRunner().invoke(app, shlex.split(line))
    print(done.output)
    if done.exit_code:
        raise done.exception if not isinstance(done.exception, SystemExit) else SystemExit(f"{line}: {done.output}")
"""


@pytest.fixture
def place() -> Iterator[Path]:
    with place_for_all() as folder:
        yield folder


def run(user: int, code: str, *arguments: object, place: Path, umask: int) -> str:
    """As a user who is in the group beside a group of their own."""
    done = as_user(user, user, [GROUP], code, *arguments, umask=umask, home=place)
    assert done.returncode == 0, done.stderr[-2000:] + done.stdout[-2000:]
    return done.stdout


def assert_shared(root: Path, group: int) -> None:
    for path in (root, *root.rglob("*")):
        status = path.lstat()
        mode = stat.S_IMODE(status.st_mode)
        expected = 0o2770 if path.is_dir() else 0o640 if path.name == "prompt.key" else 0o660
        assert (status.st_gid, oct(mode)) == (group, oct(expected)), path


def test_two_users_record_seal_compact_erase_and_find_it_whole(place: Path) -> None:
    ledger = place / "ledger"
    run(ANN, COMMANDS, f"init --group {GROUP}", place=place, umask=0o077)
    run(ANN, RECORD, "ann", 3, place=place, umask=0o077)
    run(BOB, RECORD, "bob", 3, place=place, umask=0o022)
    run(BOB, COMMANDS, "seal", place=place, umask=0o077)
    run(BOB, RECORD, "bob", 5, place=place, umask=0o077)
    run(ANN, COMMANDS, "seal", "compact", place=place, umask=0o022)
    run(ANN, RECORD, "ann", 4, place=place, umask=0o077)
    said = run(BOB, COMMANDS, "erase --user ann --yes", "verify", place=place, umask=0o077)
    assert "ok" in said.lower() or "whole" in said.lower() or "clean" in said.lower(), said
    assert_shared(ledger, GROUP)
    assert verify(Home(ledger)).problems == []

    reading = "import sys; print(open(sys.argv[1], 'rb').read())"
    files = [path for path in ledger.rglob("*") if path.is_file()]
    assert any("keys" in path.parts for path in files)
    for path in (files[0], ledger / "keys" / "prompt.key", ledger / "manifest.sqlite"):
        closed = as_user(EVE, EVE, [], reading, path, home=place)
        assert "PermissionError" in closed.stderr
    for code, arguments in ((RECORD, ["eve", 1]), (COMMANDS, ["seal"])):
        refused = as_user(EVE, EVE, [], code, *arguments, home=place)
        assert refused.returncode
        assert "LedgerError" in refused.stderr


@pytest.mark.slow
def test_one_user_builds_and_another_builds_on_and_reads(place: Path) -> None:
    run(ANN, COMMANDS, f"init --group {GROUP}", place=place, umask=0o077)
    run(ANN, RECORD, "ann", 3, place=place, umask=0o077)
    run(BOB, COMMANDS, "build", place=place, umask=0o022)
    run(BOB, RECORD, "bob", 3, place=place, umask=0o022)
    said = run(ANN, COMMANDS, "build", "top users", "verify", "ui --prepare", place=place, umask=0o077)
    assert "ann" in said
    assert "bob" in said
    assert_shared(place / "ledger", GROUP)
    assert "bob" in run(BOB, COMMANDS, "erase --user ann --yes", "top users", place=place, umask=0o077)
    assert_shared(place / "ledger", GROUP)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o777])
def test_modes_are_the_homes_own_whatever_the_umask(home: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        for name, group in (("private", None), ("shared", str(os.getegid()))):
            ledger = Home(home / name)
            ledger.open()
            if group:
                share(ledger, group)
            with CostTracker(ledger.root) as tracker:
                record(tracker)
                seal(ledger)
                record(tracker, {"model": "gpt-4o", "usage": {"prompt_tokens": 2, "completion_tokens": 2}})
                with pytest.raises(ArgumentError):
                    record(tracker, user=" ")
            seal(ledger)
    finally:
        os.umask(before)
    assert_shared(home / "shared", os.getegid())
    for path in (home / "private", *(home / "private").rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_a_home_that_is_there_is_shared_whole_and_says_so(home: Path) -> None:
    with CostTracker(home) as tracker:
        record(tracker)
    seal(Home(home))
    assert group_of(Home(home)) is None
    done = CliRunner().invoke(app, ["init", "--group", "--home", str(home)])
    assert done.stdout == f"{home} is a ledger's home, the group {group_of(Home(home))}'s\n"
    assert_shared(home, os.getegid())
    assert verify(Home(home)).problems == []
    again = CliRunner().invoke(app, ["init", "--home", str(home)])
    assert again.stdout == done.stdout


def test_a_new_home_is_its_owners_alone_below_a_groups_folder_too(tmp_path: Path) -> None:
    tmp_path.chmod(0o2770)
    done = CliRunner().invoke(app, ["init", "--home", str(tmp_path / "home")])
    assert done.stdout == f"{tmp_path / 'home'} is a ledger's home, its owner's alone\n"
    assert stat.S_IMODE((tmp_path / "home").stat().st_mode) == 0o700


def test_verify_names_what_is_open_to_others_and_closed_to_the_group(home: Path) -> None:
    with CostTracker(home) as tracker:
        record(tracker)
        share(Home(home))
    seal(Home(home))
    (home / "keys").chmod(0o2775)
    (home / "keys" / "prompt.key").chmod(0o600)
    assert [f"{found.place}: {found.problem}" for found in verify(Home(home)).problems] == [
        "keys: has mode 0775, expected none for others",
        "keys/prompt.key: has mode 0600, which the group that shares the home cannot read",
    ]


def test_what_cannot_be_shared_is_said(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match=r"--group \('no such'\) is no group"):
        share(Home(tmp_path / "home"), "no such")
    with pytest.raises(LedgerError, match=r"cannot be shared: it has a \? or #"):
        share(Home(tmp_path / "a?b"))


def test_a_file_has_its_mode_from_the_first_moment_of_its_name(tmp_path: Path) -> None:
    tmp_path.chmod(0o2770)
    before = os.umask(0o077)
    try:
        os.close(create_file(tmp_path / "new", os.O_APPEND))
        with pytest.raises(FileExistsError):
            create_file(tmp_path / "new", os.O_APPEND)
        replace_file(tmp_path / "whole", b"1")
    finally:
        os.umask(before)
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {
        "new": file_mode(tmp_path),
        "whole": 0o660,
    }
