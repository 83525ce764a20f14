"""What compaction, retention and erasure mean for the reports: one story on one home, because a build takes seconds."""

from datetime import timedelta
from pathlib import Path

import duckdb
from ledgers import NOON, body, record, record_month, sums

from tracking import CostTracker
from tracking.book_settings import Retention
from tracking.home import Home
from warehouse.building.build import build
from warehouse.ledger.compact import compact
from warehouse.privacy.erase import erase
from warehouse.privacy.person import Person
from warehouse.privacy.retain import retain
from warehouse.privacy.search import Canary
from warehouse.published.proof import prove
from warehouse.published.read import open_warehouse
from warehouse.sealing.seal import seal

CUTS = ("cost_per_assignment", "cost_per_day", "cost_per_trackable", "cost_per_user", "fct_usage")
Rows = list[tuple[object, ...]]
ANN = "ann-7c1f@example.org"


def marts(home: Home) -> dict[str, Rows]:
    with open_warehouse(home) as reports:
        assert all(proof.holds for proof in prove(reports))
        return {cut: reports.execute(f"select * from {cut} order by all").fetchall() for cut in CUTS}


def test_compaction_changes_no_report_retention_empties_days_and_erasure_leaves_every_sum(home: Path) -> None:
    ledger = Home(home)
    with CostTracker(home, on_unknown_model="record") as tracker:
        records = record_month(tracker)
        seal(ledger)
        records += [record(tracker, body(70 + day), at=NOON + timedelta(days=day), user=ANN) for day in range(7)]
    build(ledger)
    before = marts(ledger)

    compacted = {done.day for done in compact(ledger).days}
    assert len(compacted) > 5
    build(ledger)
    assert marts(ledger) == before

    kept_from = NOON.date() + timedelta(days=3)
    retain(ledger, Retention(rows_days=10), today=kept_from + timedelta(days=10))
    build(ledger)
    records = [made for made in records if made.occurred_at.date() >= kept_from]
    requests, tokens, cost, _, _ = sums(records)
    for relation, day in (("cost_per_day", "reporting_date"), ("fct_usage", "usage_date"), ("segments", "usage_date")):
        with open_warehouse(ledger) as reports:
            name = f"ledger.{relation}" if relation == "segments" else relation
            query = f"select min({day}), sum(requests)::bigint, sum(token_count)::bigint, sum(cost_usd) from {name}"
            assert reports.execute(query).fetchone() == (kept_from, requests, tokens, cost), relation
    with duckdb.connect(home / "build.duckdb", read_only=True) as built:
        assert built.execute("select min(usage_date) from int_cost_daily").fetchone() == (kept_from,)

    by_day = marts(ledger)["cost_per_day"]
    assert {place.path for place in Canary(ANN).search(ledger)} >= {"build.duckdb", "warehouse.duckdb"}
    report = erase(ledger, Person(ANN))
    assert (report.rows, report.places) == (4, [])
    assert report.proven
    after = marts(ledger)
    assert after["cost_per_day"] == by_day
    with open_warehouse(ledger) as reports:
        users = reports.execute("select user_id, requests from cost_per_user where user_id like 'erased-%'").fetchall()
    assert [requests for _, requests in users] == [4]
