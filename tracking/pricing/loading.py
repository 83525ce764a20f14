"""What recording needs is imported and read before the first record, not by it.

A child that is forked amid an import in another thread inherits the import's lock, held for ever; and who has run out
of file descriptors can import nothing. So everything is loaded by `CostTracker()`, and a fork waits for that.
"""

import contextlib
import os
import threading
from importlib import import_module

from tracking.errors import LedgerError
from tracking.pricing.sources import price_map, supplement_files
from tracking.pricing.sources.listing import source_version

MODULES = ("genai_prices.data_snapshot", "genai_prices.validation", "tracking.settings")
"""Those that `import tracking` leaves out, to stay cheap."""

_loading = threading.RLock()
os.register_at_fork(before=_loading.acquire, after_in_parent=_loading.release, after_in_child=_loading.release)


def load() -> None:
    """Import every module, and read every source of prices, that recording may need: some 0.2 s, once in a process."""
    with _loading:
        for module in MODULES:
            import_module(module)
        source_version()
        supplement_files.load()
        with contextlib.suppress(LedgerError):  # told by the first call that would need it
            price_map.load()
