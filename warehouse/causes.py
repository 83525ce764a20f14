"""What is behind an error of a library that speaks of what it was doing: a disk without room, a file in other hands."""

import errno
import re

from pydantic import ValidationError

NO_SPACE = re.compile(r"No space left on device|os error 28|Disk quota exceeded|disk is full", re.IGNORECASE)
HOLDER = re.compile(r"Conflicting lock is held in (.*?\(PID \d+\))")


def is_full_disk(error: BaseException | str) -> bool:
    """Whether there was no room left to write to."""
    return (isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)) or bool(
        NO_SPACE.search(str(error))
    )


def is_held(error: BaseException) -> bool:
    """Whether another process has the database open."""
    return "Could not set lock on file" in str(error)


def in_one_line(error: BaseException | str) -> str:
    """What an error says, its cause first."""
    said = str(error).strip().splitlines()
    first = said[0] if said else type(error).__name__
    if is_full_disk(error):
        return f"no space is left on the disk ({first})"
    if isinstance(error, BaseException) and is_held(error):
        holder = HOLDER.search(str(error))
        return f"another process has it open{f': {holder[1]}' if holder else ''}; close it there"
    return first


def first_problem(error: ValidationError) -> str:
    """What is wrong with a file of the user's, in one line: the first field and why."""
    first = error.errors()[0]
    field = ".".join(map(str, first["loc"]))
    return f"{field}: {first['msg']}".removeprefix(": ").replace("Value error, ", "", 1)
