"""The export of FOCUS as its page documents it, and the columns that FOCUS 1.2 asks for."""

from pathlib import Path

import duckdb

from tracking.home import Home

MANDATORY = {
    "BilledCost",
    "BillingAccountId",
    "BillingAccountName",
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "ContractedCost",
    "EffectiveCost",
    "InvoiceIssuerName",
    "ListCost",
    "PricingQuantity",
    "PricingUnit",
    "ProviderName",
    "PublisherName",
    "ServiceCategory",
    "ServiceName",
}
"""Columns of FOCUS 1.2 whose feature level is Mandatory."""
MAY_BE_NULL = {"BillingAccountName", "ChargeClass", "ChargeDescription", "PricingQuantity", "PricingUnit"}
EXPORT = "copy (select * from focus_cost_and_usage) to '{}' (header, timestampformat '%Y-%m-%dT%H:%M:%SZ')"


def exported(home: Path, folder: Path) -> Path:
    """As documented: in a DuckDB shell, since the readers' door opens no files."""
    file = folder / "focus.csv"
    with duckdb.connect(Home(home).warehouse_database, read_only=True) as shell:
        shell.execute(EXPORT.format(file))
    return file
