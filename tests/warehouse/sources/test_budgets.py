"""budgets.toml: what is refused and how it is said, and what the file means."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from ledgers import llm_cost

from tracking import CostTracker, LedgerError
from warehouse.sources.budgets import load_budgets

GOOD = {"name": '"school"', "scope": '"all"', "period": '"month"', "limit_usd": "10"}


def written(path: Path, *entries: dict[str, str | None]) -> Path:
    """A budgets.toml of entries that differ from a good one; None leaves a field out."""
    file = path / "budgets.toml"
    lines: list[str] = []
    for entry in entries:
        lines += ["[[budget]]", *(f"{name} = {value}" for name, value in (GOOD | entry).items() if value is not None)]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ({"scope": '"planet"'}, r"number 1 \(school\): scope \(planet\) is not one of 'all', 'tenant'"),
        (
            {"period": '"decade"'},
            r"period \(decade\) is not one of 'day', 'week', 'month', 'quarter', 'year' or 'term'",
        ),
        ({"limit": "3"}, "unknown field limit"),
        ({"limit_usd": "-1"}, r"limit_usd \(-1\) is negative"),
        ({"limit_usd": "0.0000000000001"}, r"limit_usd \(1E-13\) has more than 12 decimal places"),
        ({"limit_usd": "nan"}, r"limit_usd \(NaN\) is not finite"),
        ({"limit_usd": '"ten"'}, r"limit_usd \(ten\) is not a number"),
        ({"limit_usd": "true"}, r"limit_usd \(True\) is not a number"),
        ({"limit_usd": "1e15"}, r"limit_usd \(1E\+15\) is too large"),
        ({"limit_usd": None}, "limit_usd is missing"),
        ({"name": '" "'}, r"number 1: name \( \) is blank"),
        ({"warn": "[120]"}, r"warn \(\[120\]\) is not a list of whole per cents from 1 to 100"),
        ({"warn": "80"}, r"warn \(80\) is not a list"),
        ({"value": '"x"'}, "value is not for scope all"),
        ({"scope": '"user"'}, "value is missing for scope user"),
        ({"scope": '"tenant"', "value": '"a"', "tenant": '"a"'}, "tenant is not for scope tenant"),
        ({"scope": '"trackable"', "value": '"42"'}, r"value \(42\) is not written like Assignment/42"),
        ({"scope": '"tag"', "value": '"subject"'}, r"value \(subject\) is not written like subject=history"),
        ({"period": '"term"', "from": "2026-09-01"}, "to is missing for period term"),
        ({"from": "2026-09-02", "to": "2026-09-01"}, r"to \(2026-09-01\) is before from \(2026-09-02\)"),
        ({"from": '"2026-09-02"'}, r"from \(2026-09-02\) is not a date"),
        ({"from": "2026-09-02T10:00:00Z"}, r"from \(.*\) is not a date"),
    ],
)
def test_a_malformed_entry_is_refused_with_its_number_field_and_value(
    tmp_path: Path, entry: dict[str, str | None], problem: str
) -> None:
    with pytest.raises(LedgerError, match=problem):
        load_budgets(written(tmp_path, entry))


def test_entries_of_one_name_that_overlap_are_refused_with_both_named(tmp_path: Path) -> None:
    until, since = {"to": "2026-09-30"}, {"from": "2026-10-01"}
    assert len(load_budgets(written(tmp_path, until, since))) == 2
    with pytest.raises(LedgerError, match="number 1 and number 3 overlap: both are named 'school'"):
        load_budgets(written(tmp_path, until, since, {"from": "2026-09-30", "to": "2026-10-02"}))


@pytest.mark.parametrize(
    ("text", "problem"),
    [("[[budget]", "is not valid TOML"), ("[[budgets]]", "budgets is no kind of entry"), ("budget = 3", "not a list")],
)
def test_a_file_that_is_no_list_of_budgets_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "budgets.toml").write_text(text)
    with pytest.raises(LedgerError, match=problem):
        load_budgets(tmp_path / "budgets.toml")


def test_a_limit_keeps_every_digit_as_number_and_as_text(tmp_path: Path) -> None:
    for limit in ("0.1", '"0.1"', "123456.789012345678", '"123456.789012345678"', "0"):
        (budget,) = load_budgets(written(tmp_path, {"limit_usd": limit}))
        assert budget.limit_usd == Decimal(limit.strip('"'))


def test_what_an_entry_means(tmp_path: Path) -> None:
    term = {"period": '"term"', "from": "2026-09-01", "to": "2026-12-19", "warn": "[95, 50, 50]"}
    tag = {"scope": '"tag"', "value": '"room=a=b"', "tenant": '"north"'}
    trackable = {"scope": '"trackable"', "value": '"Assignment/1/2"', "name": '"one"'}
    (first, second) = load_budgets(written(tmp_path, term | tag, trackable))
    assert (first.first, first.last, first.end) == (date(2026, 9, 1), date(2026, 12, 19), date(2026, 12, 20))
    assert first.warn == (50, 95)
    assert (first.scope_pair, first.tenant) == (("room", "a=b"), "north")
    assert (second.scope_pair, second.warn) == (("Assignment", "1/2"), (80,))


def test_no_file_is_no_budget(tmp_path: Path) -> None:
    assert load_budgets(tmp_path / "budgets.toml") == []


def test_a_build_with_a_malformed_file_is_one_line_and_exit_code_2_and_publishes_nothing(home: Path) -> None:
    CostTracker(home).close()
    written(home, {"limit_usd": "-5"})
    done = llm_cost("build", "--home", home)
    assert (done.returncode, done.stdout) == (2, "")
    assert "[[budget]] number 1 (school): limit_usd (-5) is negative" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (home / "warehouse.duckdb").exists()
