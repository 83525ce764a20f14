"""Methods of a package's classes, replaced for those of its objects that are watched.

On the class and not on the object, for a copy of an object would else call its original's. That is done once and stays:
objects that are not watched have the method as it was.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from tracking.capture.boundary import Begin, bounded

BEGIN = "_llm_cost_begin"
"""On a watched object: what makes its calls."""

_replaced: set[tuple[type, str]] = set()


def replace_once(kind: type, name: str, replacement: Callable[[Any], Any]) -> None:
    """Give the class from which `kind` has a method another one, made of the one it has; a second time changes nothing.

    Raises:
        StopIteration: it has none.
    """
    owner = next(each for each in kind.__mro__ if name in vars(each))
    if (owner, name) not in _replaced:
        _replaced.add((owner, name))
        method = vars(owner)[name]
        setattr(owner, name, wraps(method)(replacement(method)))


def bounded_where_watched(method: Any, watched: Callable[[Any], Any] = lambda of: of) -> Any:
    """`method`, bounded for what is watched; `watched` gives what has `BEGIN` of the object it is called on."""

    def begin(given: tuple[Any, ...], options: dict[str, Any]) -> Any:
        make: Begin | None = getattr(watched(given[0]), BEGIN, None)
        return None if make is None else make(given, options)

    return bounded(method, begin)
