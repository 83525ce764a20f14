"""A home that a group shares: its members record, build, read and maintain; to everybody else it is closed."""

import grp
import os
import stat
from pathlib import Path

from tracking.durable_files import READ_BY_GROUP, SHARED_DIRECTORY, SHARED_FILE, is_shared
from tracking.errors import ArgumentError, LedgerError
from tracking.home.paths import Home
from tracking.rows.prompt import KEY_FILE


def share(home: Home, group: str | None = None) -> None:
    """Make a home and all that is in it a group's: folders 2770, files 0660, the key of prompts 0640.

    Files made from then on follow the folder they are made in, whoever makes them. `group` is a name or a number, by
    default this process's group.

    Raises:
        ArgumentError: there is no such group.
        LedgerError: the home belongs to somebody else, who is not in the group, or its path cannot be shared.
    """
    if home.workplace != home.root:
        raise LedgerError(
            f"home {home.root} cannot be shared: it has a ? or # in its path, so some of it rests elsewhere"
        )
    number = _number_of(group)
    try:
        # The folder first: what somebody makes in it meanwhile is the group's already.
        for path in (home.root, *sorted(home.root.rglob("*"))):
            _give(path, number, READ_BY_GROUP if path == home.keys / KEY_FILE else SHARED_FILE)
    except OSError as error:
        raise LedgerError(
            f"home {home.root} can only be shared by its owner, in the group: {error.filename}: {error.strerror}"
        ) from error


def group_of(home: Home) -> str | None:
    """The name of the group that shares a home, its number where it has no name; `None` where none does."""
    if not is_shared(home.root):
        return None
    number = home.root.stat().st_gid
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)


def _number_of(group: str | None) -> int:
    if group is None:
        return os.getegid()
    if group.isascii() and group.isdecimal():
        return int(group)
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        raise ArgumentError("--group", f"({group!r}) is no group of this machine") from None


def _give(path: Path, group: int, file_mode: int) -> None:
    status = path.lstat()
    if stat.S_ISLNK(status.st_mode):
        return
    if status.st_gid != group:
        os.chown(path, -1, group)
    mode = SHARED_DIRECTORY if stat.S_ISDIR(status.st_mode) else file_mode
    if stat.S_IMODE(path.stat().st_mode) != mode:
        path.chmod(mode)
    # The kernel takes the group's bit from who is not in the group, and says nothing.
    if stat.S_IMODE(path.stat().st_mode) != mode:
        raise PermissionError(1, "not a member of the group", str(path))
