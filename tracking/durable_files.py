"""Files that are whole or absent, whatever happens: temporary name, fsync, rename, fsync of the directory."""

import os
import secrets
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

PRIVATE_FILE = 0o600


def sync_directory(directory: Path) -> None:
    """Make the names in `directory` survive a power loss."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_directory(directory: Path) -> None:
    """Make `directory` (mode 0700) and what is missing above it, durably. One that is there is left as it is."""
    if directory.is_dir():
        return
    if not directory.parent.is_dir():
        make_directory(directory.parent)
    directory.mkdir(mode=0o700, exist_ok=True)
    sync_directory(directory.parent)


def sync_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def replacing(path: Path) -> Generator[Path, None, None]:
    """Yield a temporary path beside `path`; on leaving without error it becomes `path`, durably."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        yield temporary
        temporary.chmod(PRIVATE_FILE)
        sync_file(temporary)
        temporary.replace(path)
        sync_directory(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def write_all(descriptor: int, content: bytes) -> None:
    """Write every byte, however the kernel splits it."""
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


def _write_private(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
    try:
        write_all(descriptor, content)
    finally:
        os.close(descriptor)


def replace_file(path: Path, content: bytes) -> None:
    """Put `content` at `path` (mode 0600) atomically and durably."""
    with replacing(path) as temporary:
        _write_private(temporary, content)


def create_exclusively(path: Path, content: bytes) -> bool:
    """Put `content` at `path` unless something is there already; say whether it was put there.

    Whoever comes second finds the first one's whole content, never a part of it.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        _write_private(temporary, content)
        sync_file(temporary)
        os.link(temporary, path)
    except FileExistsError:
        return False
    finally:
        temporary.unlink(missing_ok=True)
    sync_directory(path.parent)
    return True
