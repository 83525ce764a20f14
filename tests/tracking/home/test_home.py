"""A home is usable as it is, or refused with one clear error and nothing half-written."""

import os
import stat
from pathlib import Path

import pytest

from tracking import CostTracker, LedgerError
from tracking.book_settings import FORMAT_VERSION, ReportSettings
from tracking.home import Home


def test_a_new_home_is_made_whole_and_private(home: Path) -> None:
    settings = Home(home).open()
    assert (settings.format_version, settings.reporting_timezone, settings.request_types) == (FORMAT_VERSION, "UTC", ())
    names = {path.name for path in home.iterdir()}
    assert {"ledger.toml", "journal", "usage", "prompts", "quarantine", "prices", "keys"} <= names
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    for path in home.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_opening_again_changes_nothing(home: Path) -> None:
    Home(home).open()
    before = {path: path.stat().st_mtime_ns for path in home.iterdir()}
    Home(home).open()
    assert {path: path.stat().st_mtime_ns for path in home.iterdir()} == before


def test_what_the_books_say_is_read(home: Path) -> None:
    home.mkdir()
    (home / "ledger.toml").write_text(
        'format_version = 1\nreporting_timezone = "Europe/Berlin"\nrequest_types = ["summarise_feedback"]\n'
        '[reports]\ngrading_request_types = ["grade_essay"]\nrubric_types = []\noutlier_robust_z = 4\n'
    )
    settings = Home(home).open()
    assert settings.reports == ReportSettings(("grade_essay",), rubric_types=(), outlier_robust_z=4.0)
    assert (settings.reporting_timezone, settings.request_types) == ("Europe/Berlin", ("summarise_feedback",))


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ("format_version = 2", ["format_version is 2", "newer"]),
        ('format_version = 99\nfrom_the_future = "x"', ["format_version is 99", "newer"]),
        ("", ["format_version is None", "expected"]),
        ("format_version = 0", ["format_version is 0"]),
        ("format_version = true", ["format_version is True"]),
        ('format_version = "1"', ["format_version is '1'"]),
        ("format_version = ", ["not valid TOML"]),
        ("format_version = 1\nformat_version = 1", ["not valid TOML"]),
        ("\udcff", ["not valid TOML"]),
        ('format_version = 1\nreporting_timezone = "Mars/Olympus"', ["reporting_timezone is 'Mars/Olympus'", "IANA"]),
        ('format_version = 1\nreporting_timezone = ""', ["reporting_timezone is ''"]),
        ('format_version = 1\nreporting_timezone = "../etc"', ["reporting_timezone is '../etc'"]),
        ("format_version = 1\nreporting_timezone = 1", ["reporting_timezone is 1"]),
        ("format_version = 1\ntimezone = 'UTC'", ["timezone is 'UTC'", "not a setting"]),
        ("format_version = 1\nrequest_types = 'a'", ["request_types is 'a'", "expected a list"]),
        ("format_version = 1\nrequest_types = ['Bad Name']", ["request_types is ['Bad Name']", "does not match"]),
        ("format_version = 1\nrequest_types = [1]", ["request_types is [1]"]),
        ("format_version = 1\nreports = 1", ["reports is 1", "expected a table with grading_request_types"]),
        ("format_version = 1\n[reports]\ngrading = ['a']", ["reports.grading is ['a']", "not a setting"]),
        ("format_version = 1\n[reports]\nrubric_types = 'Rubric'", ["reports.rubric_types is 'Rubric'", "a list"]),
        ("format_version = 1\n[reports]\nrubric_types = ['A', ' ']", ["reports.rubric_types is ['A', ' ']"]),
        ("format_version = 1\n[reports]\nsubmission_types = [7]", ["reports.submission_types is [7]"]),
        (
            "format_version = 1\n[reports]\nbatch_request_types = ['Bad Name']",
            ["reports.batch_request_types is ['Bad Name']", "does not match"],
        ),
        ("format_version = 1\n[reports]\noutlier_robust_z = '4'", ["reports.outlier_robust_z is '4'", "a number"]),
        ("format_version = 1\n[reports]\noutlier_robust_z = true", ["reports.outlier_robust_z is True"]),
        ("format_version = 1\n[reports]\noutlier_robust_z = nan", ["reports.outlier_robust_z is nan"]),
        ("format_version = 1\n[reports]\noutlier_robust_z = inf", ["reports.outlier_robust_z is inf"]),
        ("format_version = 1\n[reports]\noutlier_robust_z = 0", ["reports.outlier_robust_z is 0"]),
        (
            "format_version = 1\n[reports]\nfiscal_year_first_month = 13",
            ["reports.fiscal_year_first_month is 13", "1 to 12"],
        ),
        ("format_version = 1\n[reports]\nfiscal_year_first_month = true", ["fiscal_year_first_month is True"]),
        (f"format_version = 1\n[reports]\noutlier_robust_z = 1{'0' * 400}", ["reports.outlier_robust_z is 1000"]),
        ("format_version = 1\n[retention]\nrows_days = 1.5", ["retention.rows_days is 1.5", "whole number of days"]),
        ("format_version = 1\n[retention]\nyears = 1", ["retention.years is 1", "not a setting"]),
    ],
)
def test_books_that_cannot_be_read_are_refused_by_name_and_value(home: Path, toml: str, words: list[str]) -> None:
    home.mkdir()
    (home / "ledger.toml").write_bytes(toml.encode(errors="surrogateescape"))
    with pytest.raises(LedgerError) as refusal:
        CostTracker(home)
    for word in ["ledger.toml", *words]:
        assert word in str(refusal.value)
    assert [path.name for path in home.iterdir()] == ["ledger.toml"]


def test_a_home_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a directory")
    for home in (tmp_path / "file", tmp_path / "file" / "home"):
        with pytest.raises(LedgerError, match=f"home {home} cannot be used"):
            CostTracker(home)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_directory_of_the_home_that_is_a_file_is_refused(home: Path) -> None:
    Home(home).open()
    (home / "journal").rmdir()
    (home / "journal").write_text("")
    with pytest.raises(LedgerError, match="cannot be used"):
        CostTracker(home)


def test_books_that_are_no_file_are_refused(home: Path) -> None:
    (home / "ledger.toml").mkdir(parents=True)
    with pytest.raises(LedgerError, match=r"ledger\.toml cannot be read"):
        Home(home).settings()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
@pytest.mark.parametrize("locked", [".", "journal"])
def test_a_home_without_permission_is_refused(home: Path, locked: str) -> None:
    home.mkdir()
    if locked != ".":
        Home(home).open()
    (home / locked).chmod(0o500)
    with pytest.raises(LedgerError, match=str(home)):
        CostTracker(home)


def test_settings_of_no_ledger_are_refused_without_making_one(home: Path) -> None:
    with pytest.raises(LedgerError, match=r"holds no ledger \(ledger.toml is missing\)"):
        Home(home).settings()
    assert not home.exists()


def test_a_home_under_tilde_is_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Home("~/ledger").root == tmp_path / "ledger"


def test_two_that_open_one_new_home_agree(home: Path) -> None:
    import threading

    found: list[object] = []
    threads = [threading.Thread(target=lambda: found.append(Home(home).open())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert not [path for path in home.iterdir() if path.name.endswith(".tmp")]
