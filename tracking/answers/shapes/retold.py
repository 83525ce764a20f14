"""What other libraries retell of an answer: the provider's counts in terms of their own, each total with its parts."""

from collections.abc import Mapping
from typing import Any, cast

from tracking.answers.fields import text_in
from tracking.answers.inference import extractors_of, infer_provider
from tracking.answers.shapes.everyones import cached_apart
from tracking.answers.totals import Statement, reconciled
from tracking.assumptions import Assumption
from tracking.providers import provider_named
from tracking.terms import terms_of_tier
from tracking.usage import CATALOGUE_UNIT, TOKEN_COUNTS, Quantity, Usage, as_count, as_quantity, parts_fit


def retold(
    provider: str,
    model: str | None,
    counts: Mapping[str, Any],
    others: Mapping[str, Any],
    terms: Mapping[str, str] | None = None,
    **rest: Any,
) -> dict[str, Any]:
    """The fields of an `LLMResponse`; counts that are `None` were not said.

    Raises:
        UsageError: a count is not a non-negative number.
    """
    usage, assumptions = _usage(
        {name: as_count(name, value) for name, value in counts.items() if value is not None},
        {name: as_quantity(name, value) for name, value in others.items() if value is not None},
        model,
    )
    return {
        "provider": extractors_of(provider).provider,
        "model": model,
        "usage": usage,
        "assumptions": assumptions,
        "price_context": {**terms_of_tier(rest.get("service_tier")), **(terms or {})},
        "created": None,
        **rest,
    }


def provider_retold(name: object, model: str | None) -> str:
    """The provider a library names, known or not; where it names none, whose the model is.

    Raises:
        ArgumentError: it names none, and the model is sold by none or several.
    """
    named = text_in(name)
    return infer_provider({}, model) if named is None else provider_named(named)


def _usage(
    counts: Mapping[str, int], others: Mapping[str, Quantity], model: str | None
) -> tuple[Usage, tuple[Assumption, ...]]:
    """The counts by our columns' names; where a part exceeds its whole, as they are to be billed, and that is said."""
    if parts_fit(map(counts.get, TOKEN_COUNTS)) and not any(others.values()):
        return Usage(**cast(Any, counts), other_units=others), ()
    by_unit = {CATALOGUE_UNIT.get(name, name): count for name, count in counts.items()}
    fitted, assumptions = reconciled(by_unit | dict(others), Statement(cached_apart=cached_apart(model)))
    columns = {name: fitted.pop(CATALOGUE_UNIT.get(name, name), None) for name in TOKEN_COUNTS}
    return Usage(**cast(Any, columns), other_units=fitted), assumptions
