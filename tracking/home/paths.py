"""Where everything lies in the ledger's home."""

import hashlib
import os
from pathlib import Path

from tracking.book_settings import LEDGER_TOML, BookSettings, parse_book_settings
from tracking.durable_files import PRIVATE_DIRECTORY, add_directory, create_exclusively, make_directory, sync_directory
from tracking.errors import LedgerError
from tracking.home.mounts import refuse_hidden_locks


class Home:
    """Paths under one `LLM_COST_HOME`. Touches the disk only in `open()` and `settings()`."""

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = Path(root).expanduser().absolute()
        self.ledger_toml = self.root / "ledger.toml"
        self.journal = self.root / "journal"
        self.usage = self.root / "usage"
        self.prompts = self.root / "prompts"
        self.quarantine = self.root / "quarantine"
        self.prices = self.root / "prices"
        self.keys = self.root / "keys"
        self.locks = self.root / "locks"
        self.ids = self.root / "ids"
        self.dimensions = self.root / "dimensions"
        self.users_csv = self.dimensions / "users.csv"
        self.assignments_csv = self.dimensions / "assignments.csv"
        self.invoices = self.root / "invoices"
        self.prices_toml = self.root / "prices.toml"
        self.budgets_toml = self.root / "budgets.toml"
        self.alerts_toml = self.root / "alerts.toml"
        self.alerts_sent = self.root / "alerts_sent.json"
        self.lost = self.root / "lost.jsonl"
        self.demo_marker = self.root / "demo.txt"
        self.manifest = self.root / "manifest.sqlite"
        self.warehouse_database = self.root / "warehouse.duckdb"
        self.dbt = self.root / "dbt"
        self.workplace = _workplace(self.root)
        self.build_database = self.workplace / "build.duckdb"
        self.dagster = self.workplace / "dagster"

    def __repr__(self) -> str:
        return f"Home({str(self.root)!r})"

    def journals(self) -> list[Path]:
        """Every journal there is now, by name.

        Raises:
            LedgerError: the home is closed to this user.
        """
        try:
            return sorted(self.journal.glob("*.log"))
        except OSError as error:
            raise LedgerError(f"home {self.root} cannot be read: {error.strerror or error}") from error

    def open(self) -> BookSettings:
        """Create what is missing, and return the books' settings.

        A new home is its owner's alone (mode 0700); what is made in one follows the home's own mode.

        Raises:
            LedgerError: the home cannot be written, is from a newer version, or lies where locks may not be seen.
        """
        try:
            make_directory(self.root, PRIVATE_DIRECTORY)
            if self.ledger_toml.exists():
                settings = self.settings()
            else:
                create_exclusively(self.ledger_toml, LEDGER_TOML.encode())
                settings = self.settings()
            for directory in (
                self.journal,
                self.usage,
                self.prompts,
                self.quarantine,
                self.prices,
                self.keys,
                self.locks,
                self.dbt,
            ):
                add_directory(directory)
            self.require_locks(settings)
            # Whoever made them: a journal's line is only as durable as the folder it is in.
            sync_directory(self.root)
        except OSError as error:
            raise LedgerError(f"home {self.root} cannot be used: {error.strerror or error}") from error
        if not os.access(self.journal, os.W_OK | os.X_OK):
            raise LedgerError(f"home {self.root} is not writable")
        return settings

    def require_locks(self, settings: BookSettings) -> None:
        """Raise `LedgerError` where the home lies on a file system whose locks not everybody may see."""
        if not settings.locks_are_shared:
            refuse_hidden_locks(self.ledger_toml, self.journal, self.locks)

    def settings(self) -> BookSettings:
        """Read `ledger.toml`; `LedgerError` where it is absent, malformed or newer than this code."""
        try:
            text = self.ledger_toml.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise LedgerError(f"home {self.root} holds no ledger (ledger.toml is missing)") from None
        except OSError as error:
            raise LedgerError(f"{self.ledger_toml} cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise LedgerError(f"{self.ledger_toml} is not valid TOML: {error}") from error
        return parse_book_settings(self.ledger_toml, text)


def is_mistaken(path: Path) -> bool:
    """Whether tools look elsewhere for a database at this path, which has a `?` or `#`.

    Both DuckDB and Dagster take what follows a `?` for options: DuckDB's write-ahead log gets a name in another folder,
    all of Dagster's databases become one file there. dbt's adapter cuts a path off at a `#` too.
    """
    return bool({"?", "#"} & set(str(path)))


def _workplace(root: Path) -> Path:
    """Where tools keep their own databases: in the home; among the user's state where they would mistake its path."""
    if not is_mistaken(root):
        return root
    state = Path(os.environ.get("XDG_STATE_HOME") or "~/.local/state").expanduser()
    return state / "llm-cost-ledger" / hashlib.sha256(os.fsencode(root)).hexdigest()[:16]
