"""The targets: a door each, and what is promised of it for any bytes."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

Check = Callable[[bytes], None]


@dataclass(frozen=True, slots=True)
class Target:
    """A door: where its check is made, how its inputs are changed, and its share of the time."""

    made_by: str
    mutation: str
    share: int

    def check(self, folder: Path) -> Check:
        """The check, with a folder of its own to work in."""
        module, _, name = self.made_by.partition(":")
        return getattr(import_module(f"tests.fuzz.targets.{module}"), name)(folder)


TARGETS = {
    "answers": Target("answers:Answers", "tree", 6),
    "import_lines": Target("imports:ImportLines", "lines", 5),
    "import_tables": Target("imports:ImportTables", "text", 4),
    "journal_lines": Target("journals:JournalLines", "lines", 5),
    "ledger_toml": Target("toml_files:LedgerToml", "text", 2),
    "prices_toml": Target("toml_files:PricesToml", "text", 4),
    "budgets_toml": Target("toml_files:BudgetsToml", "text", 3),
    "alerts_toml": Target("toml_files:AlertsToml", "text", 2),
    "invoices_csv": Target("bills:InvoicesCsv", "text", 2),
    "invoices_json": Target("bills:InvoicesJson", "tree", 2),
    "names_csv": Target("bills:NamesCsv", "text", 1),
}
