"""Kinds of work an application pays a model for."""

import enum
import re
from collections.abc import Collection
from difflib import get_close_matches
from typing import ClassVar

from tracking.errors import ArgumentError

NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


def check_name(name: object) -> str:
    """`name` where it can be a request type's name, else ValueError."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        shown = repr(name) if isinstance(name, str) and len(name) <= 64 else f"a {type(name).__name__}"
        raise ValueError(f"request type {shown} does not match ^{NAME.pattern}$")
    return name


class RequestType(str):
    """A registered request type; it is its name. `RequestType.register("summarise_feedback")` adds one."""

    GENERATE_RUBRIC: ClassVar["RequestType"]
    GRADE_STUDENT_WORK: ClassVar["RequestType"]
    UNATTRIBUTED: ClassVar["RequestType"]
    """Of a captured call that nobody said what it was for."""
    _registered: ClassVar[dict[str, "RequestType"]] = {}

    @classmethod
    def register(cls, name: str) -> "RequestType":
        """Make `name` known to this process; registering it again changes nothing.

        Raises:
            ArgumentError: the name does not match `^[a-z][a-z0-9_]{0,63}$`.
        """
        try:
            check_name(name)
        except ValueError as error:
            raise ArgumentError("request_type", str(error)) from None
        return cls._registered.setdefault(name, cls(name))

    @classmethod
    def names(cls) -> tuple[str, ...]:
        return tuple(cls._registered)

    @classmethod
    def of(cls, value: object, also: Collection[str] = ()) -> str:
        """The name of `value`: a registered name, one of `also`, or a member of the application's own enum.

        Raises:
            ArgumentError: unknown, or not a name at all (such a text is not repeated in the message).
        """
        declared = isinstance(value, enum.Enum)
        name = value.value if declared else value
        if not isinstance(name, str):
            raise ArgumentError("request_type", f"is a {type(name).__name__}, expected a registered name")
        if name in cls._registered:
            return str(name)
        if not NAME.fullmatch(name):
            raise ArgumentError("request_type", f"({len(name)} characters) does not match ^{NAME.pattern}$")
        if declared or name in also:
            return str(name)
        known = sorted({*cls._registered, *also})
        nearest = get_close_matches(name, known, n=1)
        hint = f"did you mean {nearest[0]!r}? " if nearest else ""
        raise ArgumentError(
            "request_type",
            f"{name!r} is not registered; {hint}known: {', '.join(known)}; add it with RequestType.register({name!r})",
        )


RequestType.GENERATE_RUBRIC = RequestType.register("generate_rubric")
RequestType.GRADE_STUDENT_WORK = RequestType.register("grade_student_work")
RequestType.UNATTRIBUTED = RequestType.register("unattributed")
