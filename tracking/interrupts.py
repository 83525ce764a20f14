"""Interrupts: exceptions that a signal's handler raised, or another thread, wherever the program happened to be.

A soft time limit, a timeout, Ctrl-C. Such an exception says nothing of the code it went through, whatever its class:
`TimeoutError` is an `OSError`, but the disk is well. So it is no refusal of a call, and always reaches the caller.
"""

import sys
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from inspect import CO_VARARGS
from types import FrameType, TracebackType

from pydantic import ValidationError

OURS = __name__.partition(".")[0]
RAISED_BY_OURS = {OURS, "builtins", "decimal", "json", "pydantic", "pydantic_core"}
"""Where the classes of exceptions come from that our own frames raise, or what they call in C."""


class _Handled(threading.local):
    """What the application was handling when it came to us, by thread."""

    error: BaseException | None = None


_handled = _Handled()


@contextmanager
def apart_from_what_is_handled() -> Generator[None, None, None]:
    """What is being handled already is no interrupt of what happens in here: a stream is closed while its loop is left.

    Python makes it the context of everything that is raised meanwhile, of a mere failed look-up too.
    """
    before, _handled.error = _handled.error, sys.exc_info()[1]
    try:
        yield
    finally:
        _handled.error = before


def interrupt_behind(error: BaseException) -> BaseException | None:
    """The interrupt that `error` is, or was made of on its way; `None` where it speaks for itself."""
    return next((each for each in _history(error) if _is_interrupt(each)), None)


def raise_interrupt_behind(error: BaseException) -> None:
    """For whoever is about to swallow `error`: an interrupt goes on."""
    if (interrupt := interrupt_behind(error)) is not None:
        raise interrupt


def _history(error: BaseException | None) -> Iterator[BaseException]:
    """An exception, and those that were being handled when it was raised, in turn."""
    seen: set[int] = set()
    while error is not None and error is not _handled.error and id(error) not in seen:
        seen.add(id(error))
        yield error
        if isinstance(error, ValidationError):  # pydantic takes a validator's ValueError or AssertionError for its own
            for details in error.errors(include_url=False, include_input=False):
                if isinstance(cause := details.get("ctx", {}).get("error"), Exception):
                    yield cause
        error = error.__context__


def _is_interrupt(error: BaseException) -> bool:
    if not isinstance(error, Exception):
        return True
    innermost = None
    for frame in _frames(error.__traceback__):
        if _is_handler(frame):
            return True
        innermost = frame
    return innermost is not None and _is_ours(innermost) and not _may_raise_itself(error)


def _frames(traceback: TracebackType | None) -> Iterator[FrameType]:
    while traceback is not None:
        yield traceback.tb_frame
        traceback = traceback.tb_next


def _is_handler(frame: FrameType) -> bool:
    """A signal's handler is called with the very frame it interrupted."""
    interrupted = frame.f_back
    return interrupted is not None and any(value is interrupted for value in _arguments(frame))


def _arguments(frame: FrameType) -> Iterator[object]:
    code, values = frame.f_code, frame.f_locals
    named = code.co_argcount + code.co_kwonlyargcount
    for name in code.co_varnames[:named]:
        yield values.get(name)
    if code.co_flags & CO_VARARGS:
        yield from values.get(code.co_varnames[named], ())


def _is_ours(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__")).partition(".")[0] == OURS


def _may_raise_itself(error: Exception) -> bool:
    """Whether a frame of ours may have raised it, or C code it called; else another thread made it appear there."""
    if isinstance(error, OSError):
        return error.errno is not None
    return type(error).__module__.partition(".")[0] in RAISED_BY_OURS
