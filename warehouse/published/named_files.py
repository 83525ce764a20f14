"""Files that somebody names on the command line: whole or not at all, readable by their owner alone."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from tracking.durable_files import PRIVATE_FILE, replacing
from tracking.errors import LedgerError


def refuse_existing(path: Path) -> None:
    """Raise `LedgerError` where something is there already."""
    if path.exists():
        raise LedgerError(f"{path} exists; --force overwrites it")


@contextmanager
def writing(path: Path) -> Generator[Path, None, None]:
    """Yield an empty file beside `path`, mode 0600; on leaving without error it becomes `path`.

    Raises:
        LedgerError: it cannot be written.
    """
    try:
        with replacing(path) as temporary:
            # Nobody else may read it, not even while it is being written.
            temporary.touch(PRIVATE_FILE, exist_ok=False)
            yield temporary
    except OSError as error:
        raise LedgerError(f"{path} cannot be written: {error.strerror}") from error
