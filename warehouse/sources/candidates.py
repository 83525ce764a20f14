"""The models that calls are priced on anew: those of the ledger, and for each the next cheaper one of its family."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

import duckdb

from tracking import CostCalculator
from tracking.errors import CostTrackingError

MOST_MODELS = 12
"""Of the ledger's models, how many are candidates, those with the most calls first. With a sibling each, twice that."""

LEAST_CONTEXT = 100_000
"""Tokens: a sibling with a smaller context window is a model of another age."""

REPEATING = ("_text_", "_5m_")
"""Parts of the names of counts that say again, of text and of what is cached by default, what the token counts say."""


@dataclass(frozen=True, slots=True, order=True)
class Candidate:
    """A model by its provider, its canonical id, and a name that the provider gives it."""

    provider: str
    llm: str
    model: str
    context_window: int | None
    """Tokens; `None` where the catalogue does not say."""


@dataclass(frozen=True, slots=True)
class _Listed:
    candidate: Candidate
    family: str | None
    input_rate: Decimal
    output_rate: Decimal
    caches: bool

    def could_follow(self, current: "_Listed") -> bool:
        """Whether it is a cheaper model of the same family that takes prompts as long and caches them as well."""
        return (
            (self.candidate.provider, self.family) == (current.candidate.provider, current.family)
            and self.input_rate <= current.input_rate
            and self.output_rate < current.output_rate
            and (self.candidate.context_window or 0) >= LEAST_CONTEXT
            and self.caches >= current.caches
        )


def candidates(
    connection: duckdb.DuckDBPyConnection, calls: Mapping[tuple[str, str, str], int], calculator: CostCalculator
) -> list[Candidate]:
    """The candidates for a ledger with so many `calls` of each (provider, llm, model), by what `ledger.models` says."""
    models = _listed(connection)
    totals: dict[tuple[str, str], int] = {}
    names: dict[tuple[str, str], str] = {}
    for (provider, llm, model), count in sorted(calls.items()):
        totals[provider, llm] = totals.get((provider, llm), 0) + count
        names[provider, llm] = model
    by_model: dict[tuple[str, str], Candidate] = {}
    for provider, llm in sorted(totals, key=lambda model: (-totals[model], model))[:MOST_MODELS]:
        current = models.get((provider, llm))
        window = None if current is None else current.candidate.context_window
        candidate = Candidate(provider, llm, names[provider, llm], window)
        if _writes_text(candidate, calculator):
            by_model[provider, llm] = candidate
        sibling = None if current is None else _next_cheaper(current, models.values(), calculator)
        if sibling is not None:
            by_model.setdefault((sibling.provider, sibling.llm), sibling)
    return sorted(by_model.values())


def _next_cheaper(current: _Listed, models: Iterable[_Listed], calculator: CostCalculator) -> Candidate | None:
    """The dearest of those that are cheaper: the smallest step down."""
    steps = [
        (each.output_rate, each.input_rate, each.candidate.llm, each.candidate)
        for each in models
        if each.could_follow(current)
    ]
    descending = (candidate for *_, candidate in sorted(steps, reverse=True))
    return next((candidate for candidate in descending if _writes_text(candidate, calculator)), None)


def _writes_text(candidate: Candidate, calculator: CostCalculator) -> bool:
    """Whether a price list finds the model by this name, which not all are, and sells nothing but text under it."""
    try:
        price = calculator.cost_of(provider=candidate.provider, model=candidate.model).price
    except CostTrackingError:
        return False
    if price is None or price.llm != candidate.llm:
        return False
    units = {rate.unit for rate in price.card.rates}
    outputs = {unit for unit in units if unit.startswith("output")}
    return outputs == {"output_tokens"} and not any(repeats(unit) for unit in units)


def repeats(unit: str) -> bool:
    """Whether a count only says again what the token counts say, to a model that has no rate for it."""
    return any(part in unit for part in REPEATING)


def _listed(connection: duckdb.DuckDBPyConnection) -> dict[tuple[str, str], _Listed]:
    """What each model costs at the end of its price history."""
    rows = connection.execute(
        """
        select
            provider, llm, context_window, llm_family,
            input_usd_per_million, output_usd_per_million, cache_read_usd_per_million is not null
        from ledger.models
        where valid_to is null and input_usd_per_million > 0 and output_usd_per_million > 0
        """
    ).fetchall()
    return {
        (provider, llm): _Listed(Candidate(provider, llm, llm, window), family, input_rate, output_rate, caches)
        for provider, llm, window, family, input_rate, output_rate, caches in rows
    }
