"""Attribution set once per request, right under threads and asyncio."""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any

_current: ContextVar[Mapping[str, Any]] = ContextVar("llm_cost_attribution", default=MappingProxyType({}))


@contextmanager
def attribution(
    *,
    user: object = None,
    trackable: object = None,
    request_type: object = None,
    trackable_parent: object = None,
    tenant: str | None = None,
    tags: Mapping[str, Any] | None = None,
    trace_id: str | None = None,
) -> Generator[None, None, None]:
    """Default arguments for every `record()` and `call()` inside the block; inner blocks add to outer ones."""
    given = {
        "user": user,
        "trackable": trackable,
        "request_type": request_type,
        "trackable_parent": trackable_parent,
        "tenant": tenant,
        "tags": tags,
        "trace_id": trace_id,
    }
    outer = _current.get()
    token = _current.set({**outer, **{name: value for name, value in given.items() if value is not None}})
    try:
        yield
    finally:
        _current.reset(token)


current_attribution: Callable[[], Mapping[str, Any]] = _current.get
"""What the `attribution()` blocks around here say, by argument."""
