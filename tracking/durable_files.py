"""Files that are whole or absent, whatever happens: temporary name, fsync, rename, fsync of the directory.

Who may read them is decided here too, whatever the umask: a folder that a group shares (mode 2770) makes what is put
into it the group's; anything else is its owner's alone.
"""

import os
import secrets
import stat
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

PRIVATE_FILE = 0o600
PRIVATE_DIRECTORY = 0o700
SHARED_FILE = 0o660
SHARED_DIRECTORY = 0o2770
READ_BY_GROUP = 0o640


def is_shared(directory: Path) -> bool:
    """Whether a group shares `directory`: what is made there belongs to the group, which may read and write it."""
    return directory.stat().st_mode & SHARED_DIRECTORY == SHARED_DIRECTORY


def file_mode(directory: Path) -> int:
    """The mode of every file in `directory`."""
    return SHARED_FILE if is_shared(directory) else PRIVATE_FILE


def umask_of(directory: Path) -> int:
    """The umask under which libraries and other programs make files as `file_mode` has them."""
    return 0o007 if is_shared(directory) else 0o077


def set_mode(path: Path, mode: int | None = None) -> None:
    """Give a file its mode (default: that of its folder's files). Only the owner could, where it has it already."""
    mode = file_mode(path.parent) if mode is None else mode
    if stat.S_IMODE(path.stat().st_mode) != mode:
        path.chmod(mode)


def set_own_mode(path: Path) -> None:
    """Give a file its folder's mode where it is this user's; its owner does that for another's."""
    if path.stat().st_uid == os.geteuid():
        set_mode(path)


def create_file(path: Path, flags: int) -> int:
    """Open a new file, in its folder's mode from the first moment that it has this name; its descriptor."""
    mode = file_mode(path.parent)
    # Only a group's has to have its mode before anybody can see it.
    made = path if mode == PRIVATE_FILE else _beside(path)
    descriptor = os.open(made, os.O_RDWR | os.O_CREAT | os.O_EXCL | flags, mode)
    try:
        os.fchmod(descriptor, mode)
        if made != path:
            os.link(made, path)
    except BaseException:
        os.close(descriptor)
        raise
    finally:
        if made != path:
            made.unlink(missing_ok=True)
    return descriptor


def sync_directory(directory: Path) -> None:
    """Make the names in `directory` survive a power loss."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_directory(directory: Path, mode: int | None = None) -> None:
    """Make `directory` and what is missing above it, durably. One that is there is left as it is.

    Its mode is by default 2770 below a folder that a group shares, else 0700.
    """
    if directory.is_dir():
        return
    if not directory.parent.is_dir():
        make_directory(directory.parent, mode)
    add_directory(directory, mode)
    sync_directory(directory.parent)


def add_directory(directory: Path, mode: int | None = None) -> None:
    """Make one folder as `make_directory` does, below one that is there; the caller makes its name durable."""
    if directory.is_dir():
        return
    if mode is None:
        mode = SHARED_DIRECTORY if is_shared(directory.parent) else PRIVATE_DIRECTORY
    try:
        directory.mkdir(mode=PRIVATE_DIRECTORY)
    except FileExistsError:
        if not directory.is_dir():
            raise
    else:
        # What mkdir is told neither overrides the umask nor sets the group's bit.
        directory.chmod(mode)


def sync_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def replacing(path: Path) -> Generator[Path, None, None]:
    """Yield a temporary path beside `path`; on leaving without error it becomes `path`, durably."""
    temporary = _beside(path)
    try:
        yield temporary
        set_mode(temporary)
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


def _beside(path: Path) -> Path:
    """A name beside `path` that nobody else has, and no reader takes for a file of the ledger."""
    return path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")


def _write_new(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
    try:
        write_all(descriptor, content)
    finally:
        os.close(descriptor)


def replace_file(path: Path, content: bytes) -> None:
    """Put `content` at `path` atomically and durably."""
    with replacing(path) as temporary:
        _write_new(temporary, content)


def create_exclusively(path: Path, content: bytes, *, fixed: bool = False) -> bool:
    """Put `content` at `path` unless something is there already; say whether it was put there.

    Whoever comes second finds the first one's whole content, never a part of it. `fixed`: a group may read it, and not
    even the group writes to it.
    """
    temporary = _beside(path)
    try:
        _write_new(temporary, content)
        mode = file_mode(path.parent)
        set_mode(temporary, mode & READ_BY_GROUP if fixed else mode)
        sync_file(temporary)
        os.link(temporary, path)
    except FileExistsError:
        return False
    finally:
        temporary.unlink(missing_ok=True)
    sync_directory(path.parent)
    return True
