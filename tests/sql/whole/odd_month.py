"""A month of the demo's school with some oddities added."""

import re
from datetime import UTC, datetime, timedelta

from ledgers import NOON, body, record, record_month, write_journal

from tracking import CostTracker
from tracking.home import Home
from warehouse.demo import play

INVOICE = "provider,from,to,amount,currency\nopenai,2026-09-01,2026-09-30,30.00,USD\n"
SUMMER_TIME_ENDS = datetime(2026, 10, 25, tzinfo=UTC)


def play_odd_month(home: Home) -> None:
    """A month of the school, and what is odd: a stream's partial answer, reused ids, clocks, bytes that are no line, a
    call dear beyond measure, an invoice."""
    play(home.root, calls=900)
    with CostTracker(home.root, on_unknown_model="record") as tracker:
        record_month(tracker)
        record(tracker, body(500, 10, id="stream"), status="partial", at=NOON)
        record(tracker, body(700, 10, id="reused"), user="one")
        record(tracker, body(600, 10, id="reused"), user="another")
        record(tracker, body(1, 1), at=datetime.now(UTC) + timedelta(minutes=5))
        for quarter in range(4 * 28):
            record(tracker, body(quarter + 1), at=SUMMER_TIME_ENDS + timedelta(minutes=15 * (quarter - 8)))
        record(tracker, body(9_000_000, 9), user="newcomer", at=datetime(2026, 9, 25, 10, tzinfo=UTC))
    (home.root / "invoices").mkdir()
    (home.root / "invoices" / "openai.csv").write_text(INVOICE)
    write_journal(home.root, b"no line at all\n")


def use_timezone(home: Home, timezone: str) -> None:
    text = home.ledger_toml.read_text()
    home.ledger_toml.write_text(re.sub(r"reporting_timezone = .*", f'reporting_timezone = "{timezone}"', text))
