"""What `ledger.toml` says reaches the models: every variable a user has reason to set, and no day keeps an old one."""

import json
import re
from dataclasses import fields
from pathlib import Path

import yaml

from tracking.book_settings import BookSettings, ReportSettings, parse_book_settings
from warehouse.building.dbt import PROJECT, dbt_arguments


def test_dbt_is_told_what_the_books_say_and_whether_to_start_over() -> None:
    assert '{"reporting_timezone": "Europe/Berlin"}' in dbt_arguments(BookSettings(reporting_timezone="Europe/Berlin"))
    reports = ReportSettings(grading_request_types=("grade_essay",), rubric_types=(), outlier_robust_z=4.5)
    assert (
        '{"reporting_timezone": "UTC", "grading_request_types": ["grade_essay"], "rubric_types": [], '
        '"outlier_robust_z": 4.5}'
    ) in dbt_arguments(BookSettings(reports=reports))
    assert "--full-refresh" not in dbt_arguments(BookSettings())
    assert "--full-refresh" in dbt_arguments(BookSettings(), full_refresh=True)


def test_the_books_can_set_every_variable_of_the_project_but_a_builds_own() -> None:
    """The defaults stand in the project alone, and no variable is one that only an editor of the package can set."""
    variables = yaml.safe_load((PROJECT / "dbt_project.yml").read_text(encoding="utf-8"))["vars"]
    assert variables.keys() - {"reporting_timezone", "status_date", "today"} == {
        field.name for field in fields(ReportSettings)
    }


def test_no_model_by_changed_day_reads_what_the_books_may_change() -> None:
    """A day's fingerprint holds the reporting time zone, and nothing else of the settings: it would stay as it was."""
    daily = "".join(file.read_text() for file in (PROJECT / "models" / "intermediate" / "daily").glob("*.sql"))
    assert set(re.findall(r"var\('(\w+)'", daily)) <= {"reporting_timezone"}


def test_the_settings_of_the_reports_are_documented_with_their_defaults() -> None:
    page = (PROJECT.parent / "docs" / "optimisation.md").read_text(encoding="utf-8")
    (table,) = re.findall(r"```toml\n(\[reports\].*?)```", page, re.DOTALL)
    documented = parse_book_settings(Path("docs"), f"format_version = 1\n{table}").reports.given()
    variables = yaml.safe_load((PROJECT / "dbt_project.yml").read_text(encoding="utf-8"))["vars"]
    assert json.loads(json.dumps(documented)) == {name: variables[name] for name in documented}
    assert documented.keys() == {field.name for field in fields(ReportSettings)}
