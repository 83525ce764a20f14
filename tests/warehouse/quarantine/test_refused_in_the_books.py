"""Nothing refused goes unseen: every door says how many calls and how much, until they are replayed."""

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import dagster as dg
import pytest
from ledgers import body
from refusals import FIRST, arguments, one_recorded_and_others_refused
from typer.testing import CliRunner

from dagster_project.defs.published_checks import no_call_is_refused
from dagster_project.lib.resources import LedgerHome
from tracking import CostTracker, LLMResponse
from tracking.home import Home
from warehouse.alerts.breaches import BreachKind, Severity, find_breaches
from warehouse.cli import app
from warehouse.html_report import write_report
from warehouse.integrity.verify import verify
from warehouse.published.coverage import Part, books_of
from warehouse.published.proof import prove
from warehouse.published.read import open_warehouse
from warehouse.quarantine.refused_calls import State
from warehouse.quarantine.standing import standing_refusals

Run = Callable[..., str]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One call recorded and 99 refused; beside them one that failed, one without a price and one on an assumption."""
    home = tmp_path_factory.mktemp("books") / "home"
    one_recorded_and_others_refused(home)
    failed = LLMResponse.failed(provider="openai", model="gpt-4o", error_type="Timeout")
    flex = body(1000, 100, id="flex", model="gpt-4o", service_tier="flex")
    with CostTracker(home, on_unknown_model="record") as tracker:
        for number, answer in enumerate((failed, body(5, 5, id="own", model="school-own-grader"), flex)):
            tracker.record(**arguments(number, user="teacher-1", llm_response=answer))
    return home


def llm_cost(home: Path, *arguments: str) -> str:
    done = CliRunner().invoke(app, [*arguments, "--home", str(home)])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_all_doors_say_how_many_were_refused_and_how_much_that_was_until_they_are_replayed(
    home: Path, tmp_path: Path
) -> None:
    built = llm_cost(home, "build")
    calls = [call for call in standing_refusals(Home(home)) if call.state is State.WAITING]
    usd = sum((call.estimated_usd or Decimal(0) for call in calls), Decimal(0))
    assert (len(calls), usd > 0) == (99, True)
    told = f"refused 99 (estimated {usd:,f} USD; in no report)"
    apart = "unpriced 1 (USD unknown); assumed 1 ("
    for said in (built, llm_cost(home, "verify")):
        assert told in said and apart in said and "failed 1 (nothing to bill)" in said
    with open_warehouse(Home(home)) as connection:
        books = books_of(connection)
        proofs = prove(connection)
        assert all(proof.holds for proof in proofs)
        assert {proof.sums["requests"] for proof in proofs} == {4}
        summary = "select reporting_date, provider, reason, calls, estimated_usd from quarantine_summary"
        assert connection.execute(summary).fetchall() == [(FIRST.date(), "openai", "user is missing or blank", 99, usd)]
        coverage = (
            "select pricing_status, requests, refused_requests, refused_estimated_usd from pricing_coverage order by 1"
        )
        assert connection.execute(coverage).fetchall() == [
            ("estimated", 1, 0, None),
            ("failed", 1, 0, None),
            ("priced", 1, 0, None),
            ("refused", 0, 99, usd),
            ("unpriced", 1, 0, None),
        ]
    assert (books.refused, books.unpriced, books.failed) == (Part(99, usd), Part(1), Part(1, Decimal(0)))
    assert books.recorded.calls == 4 and books.assumed.calls == 1 and books.assumed.usd
    verified = verify(Home(home))
    assert verified.clean and verified.books == books
    (breach,) = [breach for breach in find_breaches(Home(home)) if breach.kind is BreachKind.REFUSED]
    assert breach.severity is Severity.WARN and breach.title.startswith(f"99 calls of {FIRST.date()} were refused")
    page = tmp_path / "page.html"
    write_report(Home(home), page)
    head = page.read_text().partition("</header>")[0]
    assert "99 calls were refused and are in no report" in head and f"{usd.normalize():f}"[:6] in head
    assert "1 are unpriced" in head and "1 failed and have nothing to bill" in head
    tiles = page.read_text().partition("</header>")[2]
    assert "<b>4</b><span>calls, 1 failed</span>" in tiles
    assert "<b>1</b><span>calls that a price is missing for; their cost is not zero" in tiles
    checked = no_call_is_refused(LedgerHome(root=str(home)))
    assert isinstance(checked, dg.AssetCheckResult) and not checked.passed
    assert (checked.metadata["refused"].value, checked.metadata["refused_usd"].value) == (99, f"{usd:f}")

    llm_cost(home, "quarantine", "replay", "--user", "teacher-2")
    assert "refused 0;" in llm_cost(home, "build")
    with open_warehouse(Home(home)) as connection:
        days = connection.execute("select reporting_date, requests from cost_per_day").fetchall()
        assert days == [(FIRST.date(), 103)]
        replayed = connection.execute("select state, calls, estimated_usd from quarantine_summary").fetchall()
        assert replayed == [("replayed", 99, usd)]
        assert books_of(connection).refused == Part(0, None)
        charged = connection.execute("select sum(cost_usd) from cost_per_user where user_id = 'teacher-2'").fetchall()
        assert charged == [(usd,)]
    assert [breach for breach in find_breaches(Home(home)) if breach.kind is BreachKind.REFUSED] == []
    assert json.loads(llm_cost(home, "quarantine", "replay", "--user", "teacher-2", "--json"))["replayed"] == 0
