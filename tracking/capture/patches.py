"""Attributes of other libraries' objects, replaced and put back."""

from collections.abc import Callable
from typing import Any

ABSENT = object()


class Patches:
    """What was replaced by whom, undone in turn."""

    def __init__(self) -> None:
        self._undo: list[Callable[[], None]] = []

    def replace(self, owner: Any, name: str, value: object) -> None:
        """Give an object or a class an attribute of ours; one it only inherited is inherited again afterwards."""
        before = _own(owner, name)
        setattr(owner, name, value)

        def undo() -> None:
            if _own(owner, name) is not value:  # somebody else's by now: theirs calls ours
                return
            if before is ABSENT:
                delattr(owner, name)
            else:
                setattr(owner, name, before)

        self._undo.append(undo)

    def later(self, undo: Callable[[], None]) -> None:
        self._undo.append(undo)

    def undo(self) -> None:
        while self._undo:
            self._undo.pop()()


def _own(owner: object, name: str) -> object:
    return vars(owner).get(name, ABSENT)
