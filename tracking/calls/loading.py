"""What recording needs is imported, read and done once before the first record, not by it.

A child that is forked amid an import in another thread inherits the import's lock, held for ever; and who has run out
of file descriptors can import nothing. So everything is loaded by `CostTracker()`, and a fork waits for that.

Libraries have such locks too, of their own, around what they make at its first use: pydantic waits for Python under
one (`pyo3::sync::PyOnceLock`), OpenSSL looks up a hash under another. A child was left waiting in 1 of some 100 forks
amid another thread's first record. So a row is made, and one refused, before there is any to record.
"""

import contextlib
import hmac
import json
import os
import threading
from datetime import UTC, datetime
from functools import cache
from importlib import import_module

from pydantic import ValidationError

from tracking.answers.response import LLMResponse
from tracking.errors import LedgerError
from tracking.journal.lines import record_line
from tracking.journal.quarantine import refusal
from tracking.pricing.calculator import CostCalculator
from tracking.pricing.sources import price_map, supplement_files
from tracking.pricing.sources.listing import source_version
from tracking.rows.build import attribution_of, build_record
from tracking.rows.prompt import PromptTrace
from tracking.rows.record import LLMUsageRecord
from tracking.usage import Usage

MODULES = ("genai_prices.data_snapshot", "genai_prices.validation", "tracking.settings")
"""Those that `import tracking` leaves out, to stay cheap."""

_loading = threading.RLock()
os.register_at_fork(before=_loading.acquire, after_in_parent=_loading.release, after_in_child=_loading.release)


def load() -> None:
    """Import every module, read every source of prices, do what recording will do: some 0.2 s, once in a process."""
    with _loading:
        for module in MODULES:
            import_module(module)
        source_version()
        supplement_files.load()
        with contextlib.suppress(LedgerError):  # told by the first call that would need it
            price_map.load()
        _rehearse()


@cache
def _rehearse() -> None:
    """Make a row, and refuse one, as they are recorded and kept; nothing of it reaches the disk."""
    at = datetime.now(UTC)
    response = LLMResponse(
        provider="openai", model="gpt-4o", usage=Usage(input_tokens=1, output_tokens=1), id="rehearsed"
    )
    traced = hmac.digest(bytes(32), b"", "sha256").hex()
    attribution = attribution_of("1", ("Assignment", 1), {"tags": {"a": 1}}) | {"request_type": "generate_rubric"}
    cost = CostCalculator().unpriced(response, at=at)
    record = build_record(response, cost, PromptTrace("", 0, traced, traced), attribution, at, {})
    record_line(record, "")
    try:
        LLMUsageRecord.model_validate(record.__dict__ | {"cost_usd": "none", "user_id": "", "attempt": -1})
    except ValidationError as error:
        json.dumps(refusal(error, {}, attribution))
