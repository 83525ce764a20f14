"""Checks of the published reports: that they are the ledger's, complete, and what they say of the money."""

from dataclasses import asdict, fields
from decimal import Decimal
from typing import Any, cast

import dagster as dg

from dagster_project.defs.published import DIFFERENT, WAREHOUSE
from dagster_project.lib.failures import listed
from dagster_project.lib.measures import as_metadata
from dagster_project.lib.resources import LedgerHome
from dagster_project.lib.tables import table
from warehouse.alerts.breaches import Breach, BreachKind, Severity, find_breaches
from warehouse.ledger.days import sealed_days
from warehouse.published.coverage import Refused, assumed_money, books_of, refused_by_reason, unpriced_calls
from warehouse.published.proof import MEASURES, CutProof, prove
from warehouse.published.read import open_warehouse
from warehouse.published.unpublished_days import unpublished_days

UNPRICED_SHARE = 0.05
"""Of the calls that did not fail: more than this without a price, and totals are no longer to be trusted as totals."""

SHOWN_REASONS = 50
"""Of the days, providers and reasons of refused calls, the latest first."""

ASSUMED_SHARE = Decimal("0.05")
"""Of the money: more than this at rates that were assumed, and the provider's bill will differ."""


@dg.asset_check(
    asset=WAREHOUSE,
    blocking=True,
    description="Every published report adds up to the sealed ledger, to the last digit of DECIMAL(18,12).",
)
def reports_sum_to_ledger(ledger_home: LedgerHome) -> dg.AssetCheckResult:
    with open_warehouse(ledger_home.home) as connection:
        proofs = prove(connection)
    wrong = [proof.cut for proof in proofs if not proof.holds]
    return dg.AssetCheckResult(
        passed=bool(proofs) and not wrong,
        description=f"not equal to the ledger: {listed(wrong)}" if wrong else None,
        metadata={"proof": _proof_table(proofs), "reports": len(proofs)},
    )


# Apart from the step that publishes: what a step checks by itself is taken for all that its run has to check, and a run
# of reports that follow the ledger would run no test of dbt.
@dg.asset_check(
    asset=WAREHOUSE,
    description=(
        "Where the ledger's days are what they were, the reports built now have the rows of those they replace: "
        "to build again gives the same."
    ),
)
def unchanged_days_read_as_before(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
    event = context.instance.get_latest_materialization_event(WAREHOUSE)
    published = event.asset_materialization if event else None
    entry = published.metadata.get(DIFFERENT) if published else None
    different = cast("list[str]", entry.value) if isinstance(entry, dg.JsonMetadataValue) else []
    return dg.AssetCheckResult(
        passed=not different,
        # Published all the same: they are proven to sum to the ledger, and other models may say it otherwise.
        severity=dg.AssetCheckSeverity.WARN,
        description=(
            f"other rows than before: {listed(different)}; right after an update of this package alone"
            if different
            else None
        ),
        metadata={"different": len(different)},
    )


@dg.asset_check(
    asset=WAREHOUSE,
    description="The reports have every day of the ledger as it is sealed now: none is missing, none is older.",
)
def every_sealed_day_is_published(ledger_home: LedgerHome) -> dg.AssetCheckResult:
    home = ledger_home.home
    stale, days = [f"{day}" for day in unpublished_days(home)], sealed_days(home)
    return dg.AssetCheckResult(
        passed=not stale,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"changed since the reports were built: {listed(stale)}; run `refresh`" if stale else None,
        metadata={"days": len(days), "stale_days": len(stale), "last_day": f"{max(days)}" if days else None},
    )


@dg.asset_check(
    asset=WAREHOUSE,
    description=f"No more than {UNPRICED_SHARE:.0%} of the calls that did not fail are without a price.",
)
def calls_are_priced(ledger_home: LedgerHome) -> dg.AssetCheckResult:
    coverage = unpriced_calls(ledger_home.home)
    return dg.AssetCheckResult(
        passed=coverage.unpriced <= coverage.calls * UNPRICED_SHARE,
        severity=dg.AssetCheckSeverity.WARN,
        description=_without_a_price(coverage.unpriced, coverage.calls) if coverage.unpriced else None,
        metadata={
            "calls": coverage.calls,
            "unpriced": coverage.unpriced,
            "models": table([asdict(model) for model in coverage.models], ["provider", "llm", "unpriced_requests"]),
        },
    )


def _without_a_price(unpriced: int, calls: int) -> str:
    return f"{unpriced:,} of {calls:,} calls have no price; name it in prices.toml, then run `update_prices`"


@dg.asset_check(
    asset=WAREHOUSE,
    description=f"No more than {ASSUMED_SHARE:.0%} of the money rests on an assumption, such as another tier's rate.",
)
def money_rests_on_known_rates(ledger_home: LedgerHome) -> dg.AssetCheckResult:
    money = assumed_money(ledger_home.home)
    assumed_usd, cost_usd = f"{money.assumed_usd:f}", f"{money.cost_usd:f}"
    return dg.AssetCheckResult(
        passed=money.assumed_usd <= money.cost_usd * ASSUMED_SHARE,
        severity=dg.AssetCheckSeverity.WARN,
        description=(
            f"{assumed_usd} of {cost_usd} USD rest on an assumption; see price_assumptions of fct_usage"
            if money.assumptions
            else None
        ),
        metadata={
            "cost_usd": cost_usd,
            "assumed_usd": assumed_usd,
            "assumptions": table([asdict(each) for each in money.assumptions], ["assumed", "requests", "cost_usd"]),
        },
    )


@dg.asset_check(
    asset=WAREHOUSE,
    description="No paid call waits in quarantine: refused calls are in no report until they are replayed.",
)
def no_call_is_refused(ledger_home: LedgerHome) -> dg.AssetCheckResult:
    with open_warehouse(ledger_home.home) as connection:
        books, reasons = books_of(connection), refused_by_reason(connection)
    columns = [field.name for field in fields(Refused)]
    return dg.AssetCheckResult(
        passed=not books.refused.calls,
        severity=dg.AssetCheckSeverity.WARN,
        description=books.in_words() if books.refused.calls else None,
        metadata={
            "books": books.in_words(),
            "refused": books.refused.calls,
            "refused_usd": f"{books.refused.usd or Decimal(0):f}",
            "refused_without_estimate": books.refused_without_estimate,
            "unpriced": books.unpriced.calls,
            "failed": books.failed.calls,
            "assumed": books.assumed.calls,
            "by_reason": table([asdict(each) for each in reasons[:SHOWN_REASONS]], columns),
        },
    )


def _breach_check(kind: BreachKind, name: str, description: str) -> dg.AssetChecksDefinition:
    """A check that fails with the breaches of one kind: error where one of them is, else a warning."""

    @dg.asset_check(asset=WAREHOUSE, name=name, description=description)
    def check(ledger_home: LedgerHome) -> dg.AssetCheckResult:
        breaches = [breach for breach in find_breaches(ledger_home.home) if breach.kind == kind]
        return dg.AssetCheckResult(
            passed=not breaches,
            severity=_worst(breaches),
            description=listed([breach.title for breach in breaches]) or None,
            metadata={"breaches": table([_shown(breach) for breach in breaches], ["severity", "title", "detail"])},
        )

    return check


def _worst(breaches: list[Breach]) -> dg.AssetCheckSeverity:
    error = any(breach.severity is Severity.ERROR for breach in breaches)
    return dg.AssetCheckSeverity.ERROR if error else dg.AssetCheckSeverity.WARN


def _shown(breach: Breach) -> dict[str, Any]:
    return {"severity": breach.severity.value, "title": breach.title, "detail": breach.detail}


def _proof_table(proofs: list[CutProof]) -> dg.TableMetadataValue:
    """The ledger's own sums first, then each report's."""
    ledger = [{"relation": "ledger", **as_metadata(proofs[0].ledger), "proof": ""}] if proofs else []
    records = [
        {"relation": proof.cut, **as_metadata(proof.sums), "proof": "equal" if proof.holds else "NOT EQUAL"}
        for proof in proofs
    ]
    return table([*ledger, *records], ["relation", *MEASURES, "proof"])


PUBLISHED_CHECKS = [
    reports_sum_to_ledger,
    unchanged_days_read_as_before,
    every_sealed_day_is_published,
    calls_are_priced,
    money_rests_on_known_rates,
    no_call_is_refused,
    _breach_check(BreachKind.BUDGET, "budgets_are_kept", "No budget of budgets.toml is near its limit, or over it."),
    _breach_check(BreachKind.ANOMALY, "no_cost_is_unusual", "No recent day cost far more than such days do."),
    _breach_check(
        BreachKind.INVOICE, "invoices_agree", "What providers billed is what the ledger says, but for rounding."
    ),
]
