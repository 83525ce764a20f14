"""Around the one method of a client that every call goes through: there a call begins, and there it has failed."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from inspect import iscoroutinefunction
from typing import Any

from tracking.capture.call import CapturedCall, current_call

Begin = Callable[[tuple[Any, ...], dict[str, Any]], CapturedCall]


def bounded(method: Any, begin: Begin) -> Any:
    """`method`, its calls recorded as `begin` makes them of its arguments; within another call it is a part of that."""
    if iscoroutinefunction(method):

        async def watched_async(*given: Any, **options: Any) -> Any:
            if (call := _begun(begin, given, options)) is None:
                return await method(*given, **options)
            with _current(call):
                result = await method(*given, **options)
            call.returned(result)
            return result

        return watched_async

    def watched(*given: Any, **options: Any) -> Any:
        if (call := _begun(begin, given, options)) is None:
            return method(*given, **options)
        with _current(call):
            result = method(*given, **options)
        call.returned(result)
        return result

    return watched


def _begun(begin: Begin, given: tuple[Any, ...], options: dict[str, Any]) -> CapturedCall | None:
    return None if current_call.get() is not None else begin(given, options)


@contextmanager
def _current(call: CapturedCall) -> Generator[None, None, None]:
    token = current_call.set(call)
    try:
        yield
    except BaseException as error:
        call.failed(error)
        raise
    finally:
        current_call.reset(token)
