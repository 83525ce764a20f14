"""Around the one method of a client that every call goes through: there a call begins, and there it has failed."""

from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from inspect import iscoroutinefunction
from typing import Any

from tracking.capture.call import CapturedCall, current_call

Begin = Callable[[tuple[Any, ...], dict[str, Any]], CapturedCall | None]
"""Makes a call of a method's arguments; `None` where it is none."""


def bounded(method: Any, begin: Begin) -> Any:
    """`method`, its calls recorded as `begin` makes them of its arguments; within another call it is a part of that."""
    if iscoroutinefunction(method):

        async def watched_async(*given: Any, **options: Any) -> Any:
            if (call := begun(begin, given, options)) is None:
                return await method(*given, **options)
            with inside(call):
                result = await method(*given, **options)
            call.returned(result)
            return result

        return watched_async

    def watched(*given: Any, **options: Any) -> Any:
        if (call := begun(begin, given, options)) is None:
            return method(*given, **options)
        with inside(call):
            result = method(*given, **options)
        call.returned(result)
        return result

    return watched


def bounded_manager(method: Any, begin: Begin) -> Any:
    """`bounded` for a method that gives a context manager around the answer: the call ends with it at the latest."""

    @contextmanager
    def watched(*given: Any, **options: Any) -> Generator[Any, None, None]:
        call = begun(begin, given, options)
        manager = method(*given, **options)
        with ExitStack() as stack:
            if call is None:
                yield stack.enter_context(manager)
                return
            with inside(call):
                answer = stack.enter_context(manager)
            stack.callback(call.returned, None)
            yield answer

    return watched


def bounded_async_manager(method: Any, begin: Begin) -> Any:
    """`bounded_manager` for an asynchronous one."""

    @asynccontextmanager
    async def watched(*given: Any, **options: Any) -> AsyncGenerator[Any, None]:
        call = begun(begin, given, options)
        manager = method(*given, **options)
        async with AsyncExitStack() as stack:
            if call is None:
                yield await stack.enter_async_context(manager)
                return
            with inside(call):
                answer = await stack.enter_async_context(manager)
            stack.callback(call.returned, None)
            yield answer

    return watched


def begun(begin: Begin, given: tuple[Any, ...], options: dict[str, Any]) -> CapturedCall | None:
    return None if current_call.get() is not None else begin(given, options)


@contextmanager
def inside(call: CapturedCall) -> Generator[None, None, None]:
    token = current_call.set(call)
    try:
        yield
    except BaseException as error:
        call.failed(error)
        raise
    finally:
        current_call.reset(token)
