"""The answer of a refused call: read where it can be, made anew from what was kept, and estimated."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, cast

from tracking.answers.response import LLMResponse
from tracking.answers.wrappers import stream_of
from tracking.errors import ArgumentError
from tracking.interrupts import raise_interrupt_behind
from tracking.pricing.calculator import CostCalculator
from tracking.rows.prompt import prompt_text
from tracking.usage import TOKEN_COUNTS, Usage


def read_response(answer: object, provider: str | None = None, model: str | None = None) -> LLMResponse | None:
    """The answer as it would have been recorded; `None` where it cannot be read, or is a stream not yet read."""
    try:
        if answer is None or (stream_of(answer) is not None and not _is_watched(answer)):
            return None
        return LLMResponse.from_provider(answer, provider, model)
    except Exception as error:  # an object of the application's own may fail in its own way
        raise_interrupt_behind(error)
        return None


def _is_watched(answer: object) -> bool:
    return isinstance(getattr(stream_of(answer), "response", None), LLMResponse)


def with_prompt(response: LLMResponse, prompt: object) -> LLMResponse:
    """The same answer; where it told no usage, its input is worked out from the prompt, if that can be read."""
    if not response.estimated:
        return response
    try:
        return response.with_prompt(len(prompt_text(prompt)))
    except ArgumentError:
        return response


def response_of_part(part: Mapping[str, Any]) -> LLMResponse:
    """The answer that `response_part` was made of, but for what was said.

    Raises:
        ArgumentError, UsageError, KeyError, TypeError, ValueError, ArithmeticError: it is no such part.
    """
    usage = cast("Mapping[str, Any]", part["usage"])
    created = part.get("created")
    return LLMResponse(
        provider=part["provider"],
        model=part.get("model"),
        usage=Usage(
            **{name: usage[name] for name in TOKEN_COUNTS if name in usage},
            other_units={name: Decimal(value) for name, value in usage.items() if name not in TOKEN_COUNTS},
        ),
        id=part.get("id"),
        created=None if created is None else datetime.fromisoformat(created),
        **{name: part.get(name) for name in ("service_tier", "region", "stream", "finish_reason", "error_type")},
        status=part.get("status") or "ok",
        provider_cost=None if (stated := part.get("provider_cost")) is None else Decimal(stated),
        estimated=bool(part.get("estimated")),
        price_context=part.get("price_context") or {},
        assumptions=tuple(part.get("assumptions") or ()),
    )


def estimated_usd(
    calculator: CostCalculator, response: LLMResponse | None, at: datetime, tenant: str | None
) -> Decimal | None:
    """What a refused call cost by its own counts, exact USD to 12 places; `None` where that cannot be known.

    A call that failed and used nothing cost nothing.
    """
    if response is None:
        return None
    if response.status == "error" and response.usage == Usage():
        return Decimal(0)
    try:
        return calculator.cost(response, at=at, tenant=tenant).cost_usd
    except Exception as error:  # no price is known, or the counts are none that a price can be put on
        raise_interrupt_behind(error)
        return None
