"""The thread that syncs a journal in the background, for as long as somebody holds its writer."""

import logging
import threading
import weakref
from typing import Protocol

from tracking.errors import LedgerError

LONGEST_RETRY_SECONDS = 30.0

logger = logging.getLogger("llm_cost_ledger")


class Synced(Protocol):
    """A writer with a background sync."""

    def flush(self) -> None: ...

    def is_synced_by_another(self, syncer: threading.Thread) -> bool: ...


def syncer_of(writer: Synced, wake: threading.Event, seconds: float) -> threading.Thread:
    """A thread, still to be started, that flushes `writer` every so many seconds until `wake` is set."""
    return threading.Thread(
        target=_sync_until_gone, args=(weakref.ref(writer), wake, seconds), name="llm-cost-journal-sync", daemon=True
    )


def _sync_until_gone(reference: "weakref.ref[Synced]", wake: threading.Event, seconds: float) -> None:
    pause = seconds
    while not wake.wait(pause):
        writer = reference()
        if writer is None:
            return
        try:
            writer.flush()
        except LedgerError as error:
            if pause == seconds:
                logger.error("%s; it is tried again, until then a power loss may take what was recorded", error)
            pause = min(2 * pause, LONGEST_RETRY_SECONDS)
        else:
            pause = seconds
        if writer.is_synced_by_another(threading.current_thread()):
            return
        del writer
