"""The files of settings in a home: malformed they are one `LedgerError`, else whatever reads them can use all of it."""

import os
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb

from tests.fuzz.promises import SECRET, require, require_documented
from tracking import CostCalculator, LedgerError, LLMResponse, UnknownModelError, Usage
from tracking.home import Home
from tracking.money import to_cost_usd
from tracking.pricing.sources.overrides import PriceOverrides
from tracking.rows.request_type import RequestType
from warehouse.alerts.notifiers import notifier_for
from warehouse.alerts.settings import AlertSettings
from warehouse.privacy.retain import retain
from warehouse.sources.budgets import create_budgets, load_budgets
from warehouse.sources.ledger import create_sources

VARIABLES = ("ALERTS_SECRET", "ALERTS_URL", "SMTP_PASSWORD")
AT = (datetime(2025, 1, 1, tzinfo=UTC), datetime(2026, 11, 2, 9, 30, tzinfo=UTC), datetime(2999, 1, 1, tzinfo=UTC))
CALLS = tuple(
    LLMResponse(
        provider=provider,
        model=model,
        usage=Usage(input_tokens=300_000, cache_read_tokens=1000, output_tokens=77, other_units={"web_searches": 2}),
        service_tier=tier,
    )
    for provider, model in (("openai", "gpt-4o"), ("openai", "ft:school-grader-v1"), ("anthropic", "claude-sonnet-4-5"))
    for tier in (None, "batch")
)


class _TomlFile:
    """One file of a home, given to its reader as it comes."""

    file = ""

    def __init__(self, folder: Path) -> None:
        self.home = Home(folder / "home")
        self.home.open()

    def __call__(self, data: bytes) -> None:
        path = self.home.root / self.file
        path.write_bytes(data)
        try:
            self.read()
        except Exception as error:
            require_documented(error, (LedgerError,))
            require(self.file in str(error), f"the file is not named: {error}")

    def read(self) -> None:
        raise NotImplementedError


class LedgerToml(_TomlFile):
    """What is accepted can be used: the engine knows the zone, retention can count the days back."""

    file = "ledger.toml"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._connection = duckdb.connect()

    def read(self) -> None:
        settings = self.home.settings()
        for name in settings.request_types:
            require(RequestType.of(name, settings.request_types) == name, f"{name} is not taken")
        require(settings.reports.given() is not None, "no settings of reports")
        create_sources(self._connection, self.home)
        zone = settings.reporting_timezone
        self._connection.execute("select timestamptz '2026-11-02 10:00:00+00' at time zone ?", [zone]).fetchall()
        retain(self.home, settings.retention, today=date(2026, 11, 2), dry_run=True)


class PricesToml(_TomlFile):
    """What is accepted prices calls exactly, or says that it does not know the model."""

    file = "prices.toml"

    def read(self) -> None:
        calculator = CostCalculator(PriceOverrides.load(self.home.prices_toml))
        for call in CALLS:
            for at in AT:
                try:
                    cost = calculator.cost(call, at=at, tenant="school-a")
                except UnknownModelError:
                    continue
                require(cost.cost_usd is None or type(cost.cost_usd) is Decimal, f"{cost.cost_usd!r} is no amount")
                if cost.cost_usd is not None:
                    require(cost.cost_usd == to_cost_usd(cost.cost_usd) >= 0, f"{cost.cost_usd} is not of 12 places")
                require(cost.explain(), "no receipt")


class BudgetsToml(_TomlFile):
    """What is accepted becomes a table, limit for limit."""

    file = "budgets.toml"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._connection = duckdb.connect()

    def read(self) -> None:
        budgets = load_budgets(self.home.budgets_toml)
        self._connection.execute("create schema if not exists ledger")
        create_budgets(self._connection, self.home)
        rows = self._connection.execute("select name, limit_usd from ledger.budgets order by entry_number").fetchall()
        require(rows == [(it.name, it.limit_usd) for it in budgets], f"{rows} is not what the file says")


class AlertsToml(_TomlFile):
    """What is accepted makes notifiers, without a word of what may be secret."""

    file = "alerts.toml"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        os.environ |= dict.fromkeys(VARIABLES, f"https://hooks.example/{SECRET}")

    def read(self) -> None:
        settings = AlertSettings.load(self.home)
        for recipient in settings.notify:
            try:
                notifier_for(recipient)
            except LedgerError as error:
                # It is about a variable of the environment, which need not be known here.
                require_documented(error, (LedgerError,))
