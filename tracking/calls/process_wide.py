"""A method of a tracker that its class has too: there it is the method of the process-wide tracker."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, cast

Given = ParamSpec("Given")
Made = TypeVar("Made")


class OnClassToo(Generic[Given, Made]):
    """`tracker.record(…)` is of that tracker, `CostTracker.record(…)` of the process's, made when first called."""

    def __init__(self, method: Callable[Concatenate[Any, Given], Made], of_process: Callable[[], object]) -> None:
        self._method = method
        self.__doc__ = method.__doc__

        @wraps(method)
        def on_class(*given: Any, **options: Any) -> Made:
            if not (given and isinstance(given[0], self._owner)):
                given = (of_process(), *given)
            return cast(Any, method)(*given, **options)

        self._on_class = cast("Callable[Given, Made]", on_class)

    def __set_name__(self, owner: type, name: str) -> None:
        self._owner = owner

    def __get__(self, tracker: object, owner: object = None) -> Callable[Given, Made]:
        return self._on_class if tracker is None else self._method.__get__(tracker)


def on_class_too(
    of_process: Callable[[], object],
) -> Callable[[Callable[Concatenate[Any, Given], Made]], OnClassToo[Given, Made]]:
    """Makes a method also one of the class; `of_process` gives the process-wide instance."""
    return lambda method: OnClassToo(method, of_process)
