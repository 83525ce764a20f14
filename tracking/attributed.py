"""`@attributed(…)`: the attribution of every call of a function, by the names of its arguments."""

from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from functools import wraps
from inspect import Parameter, isasyncgenfunction, iscoroutinefunction, isgeneratorfunction, signature
from typing import Any, ParamSpec, TypeVar, cast

from tracking.attribution import attribution
from tracking.errors import ArgumentError

Given = ParamSpec("Given")
Made = TypeVar("Made")

OBJECTS = ("user", "trackable", "trackable_parent")
"""What is always an argument's; another word, such as `request_type`, may be the same for every call."""


def attributed(
    *,
    user: str | None = None,
    trackable: str | None = None,
    request_type: object = None,
    trackable_parent: str | None = None,
    tenant: str | None = None,
    trace_id: str | None = None,
) -> Callable[[Callable[Given, Made]], Callable[Given, Made]]:
    """`attribution()` around every call of a function: `@attributed(user="teacher", request_type="generate_rubric")`.

    Each is the name of one of the function's arguments, or leads further from one (`user="request.user"`);
    `request_type`, `tenant` and `trace_id` that name none are said as they stand. Coroutines and generators of both
    kinds are taken: a generator's attribution holds while it runs, not in the loop around it.

    Raises:
        ArgumentError: a user or trackable that names no argument of the function.
    """
    given = {
        "user": user,
        "trackable": trackable,
        "request_type": request_type,
        "trackable_parent": trackable_parent,
        "tenant": tenant,
        "trace_id": trace_id,
    }
    names = {word: name for word, name in given.items() if name is not None}

    def decorate(function: Callable[Given, Made]) -> Callable[Given, Made]:
        return cast("Callable[Given, Made]", _around(function, _reader(function, names)))

    return decorate


Reader = Callable[[tuple[Any, ...], dict[str, Any]], dict[str, Any]]
"""What `attribution()` is given for a call with these arguments."""


def _reader(function: Callable[..., Any], names: Mapping[str, object]) -> Reader:
    told = signature(function)
    arguments = {
        name: argument
        for name, argument in told.parameters.items()
        if argument.kind not in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
    }
    paths: dict[str, list[str]] = {}
    constants: dict[str, Any] = {}
    for word, name in names.items():
        path = name.split(".") if isinstance(name, str) else [""]
        if path[0] in arguments:
            paths[word] = path
        elif word in OBJECTS:
            known = ", ".join(arguments) or "none"
            raise ArgumentError(word, f"({name!r}) is no argument of {function.__qualname__}, which has {known}")
        else:
            constants[word] = name

    def read(given: tuple[Any, ...], options: dict[str, Any]) -> dict[str, Any]:
        bound = told.bind(*given, **options)
        bound.apply_defaults()
        said = dict(constants)
        for word, (first, *rest) in paths.items():
            value = bound.arguments[first]
            for name in rest:
                value = getattr(value, name)
            said[word] = value
        return said

    return read


def _around(function: Any, read: Reader) -> Callable[..., Any]:
    """`function` with the attribution that `read` makes of its arguments around each step of it."""
    if isasyncgenfunction(function):

        @wraps(function)
        async def generate_async(*given: Any, **options: Any) -> AsyncGenerator[Any, Any]:
            said = read(given, options)
            made: Any = function(*given, **options)
            step, value = made.asend, cast(Any, None)
            try:
                while True:
                    with attribution(**said):
                        produced = await step(value)
                    try:
                        step, value = made.asend, (yield produced)
                    except GeneratorExit:
                        raise
                    except BaseException as error:  # an interrupt too: it is the generator's own to meet
                        step, value = made.athrow, error
            except StopAsyncIteration:
                return
            finally:
                with attribution(**said):
                    await made.aclose()

        return generate_async
    if isgeneratorfunction(function):

        @wraps(function)
        def generate(*given: Any, **options: Any) -> Generator[Any, Any, Any]:
            said = read(given, options)
            made: Any = function(*given, **options)
            step, value = made.send, cast(Any, None)
            try:
                while True:
                    with attribution(**said):
                        produced = step(value)
                    try:
                        step, value = made.send, (yield produced)
                    except GeneratorExit:
                        raise
                    except BaseException as error:  # an interrupt too: it is the generator's own to meet
                        step, value = made.throw, error
            except StopIteration as end:
                return end.value
            finally:
                with attribution(**said):
                    made.close()

        return generate
    if iscoroutinefunction(function):

        @wraps(function)
        async def run_async(*given: Any, **options: Any) -> Any:
            with attribution(**read(given, options)):
                return await function(*given, **options)

        return run_async

    @wraps(function)
    def run(*given: Any, **options: Any) -> Any:
        with attribution(**read(given, options)):
            return function(*given, **options)

    return run
