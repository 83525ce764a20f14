"""`CostCalculator`: the exact cost of answers, of counts, and of whole frames of them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

from tracking.answers.response import LLMResponse
from tracking.errors import ArgumentError, UnknownModelError, UsageError
from tracking.money import PricingStatus
from tracking.pricing.cost import Cost
from tracking.pricing.price import Price
from tracking.pricing.sources.catalogue import find_price, provider_id_of
from tracking.pricing.sources.overrides import PriceOverrides
from tracking.providers import provider_named
from tracking.usage import TOKEN_COUNTS, Quantity, Usage, catalogue_counts, check_unit
from tracking.values import instant as checked_instant

if TYPE_CHECKING:
    from tracking.pricing.cost_frame import FrameT


WhoseWord = Literal["catalogue", "provider"]
CostSource = WhoseWord | Mapping[str, WhoseWord]
"""Whose amount counts where a provider states its own: one word for all providers, or one for each."""

STATED_COST_COUNTS: Mapping[str, WhoseWord] = {"openrouter": "provider", "x-ai": "provider"}
"""Who states with each answer the exact amount that it bills: https://openrouter.ai/docs/use-cases/usage-accounting and
https://docs.x.ai/docs/guides/cost-tracking. What a tracker goes by unless it is told otherwise."""


class CostCalculator:
    """Prices answers by the catalogue, and by a home's own prices where it has any. Safe to share between threads."""

    def __init__(self, overrides: PriceOverrides | None = None, *, cost_source: CostSource = "catalogue") -> None:
        """`cost_source` says which amount counts where a provider states its own: "catalogue" or "provider", or a
        mapping from providers to these words; a provider it does not name is as in `STATED_COST_COUNTS`.
        """
        self._overrides = overrides or PriceOverrides()
        self._cost_source = _by_provider(cost_source)

    def cost(self, response: LLMResponse, *, at: datetime | None = None, tenant: str | None = None) -> Cost:
        """The exact cost of `response` at the price in force at `at` (default: when it was created, else now).

        `tenant` is whose call it was: a price of one's own may be for one tenant only.

        Raises:
            UnknownModelError: no catalogue knows the model.
            UsageError: the counts contradict the model's price units.
            ArgumentError: `at` has no time zone, or is before 1970 or after 2261.
        """
        instant = at or response.created or datetime.now(UTC)
        if type(instant) is not datetime or instant.tzinfo is not UTC:
            instant = checked_instant("at", instant)
        provider, model, reported = response.provider, response.model, response.provider_cost
        provider_counts = reported is not None and self._provider_counts(provider)
        counts = catalogue_counts(response.usage)
        assumptions = response.assumptions
        try:
            price = self._price(provider, model, instant, response.terms, tenant)
            usd = price.card.usd(counts)
        except (UnknownModelError, UsageError):
            if not provider_counts:
                raise
            price, usd = None, None
        if price is None or provider_counts:
            status: PricingStatus = "provider_reported"
            return Cost(reported, price, counts, status, provider, model, instant, reported, assumptions=assumptions)
        if by_price := price.assumed(counts):
            assumptions = (*assumptions, *by_price)
        status = "estimated" if assumptions else "priced"
        return Cost(usd, price, counts, status, provider, model, instant, reported, assumptions=assumptions)

    def _provider_counts(self, provider: str) -> bool:
        source = self._cost_source
        return (source if isinstance(source, str) else source.get(provider)) == "provider"

    def _price(
        self, provider: str, model: str | None, at: datetime, context: Mapping[str, str], tenant: str | None = None
    ) -> Price:
        if self._overrides.is_empty:
            return find_price(provider, model, at, context)
        asked = context if tenant is None else {**context, "tenant": tenant}
        return self._overrides.apply(provider, model, at, asked, lambda: find_price(provider, model, at, context))

    def cost_of(
        self,
        *,
        model: str,
        provider: str | None = None,
        at: datetime | None = None,
        service_tier: str | None = None,
        price_context: Mapping[str, str] | None = None,
        **counts: Quantity,
    ) -> Cost:
        """The exact cost of counts by name (`input_tokens=1200, web_searches=2`), without an answer.

        The provider is the one whose naming the model follows, unless it is given.

        Raises:
            UnknownModelError, UsageError, ArgumentError: as `cost()`.
        """
        columns = {name: counts.pop(name) for name in TOKEN_COUNTS if name in counts}
        for name in counts:
            check_unit(name, TOKEN_COUNTS)
        response = LLMResponse(
            provider=provider or provider_id_of(model),
            model=model,
            usage=Usage(**cast(Any, columns), other_units=counts),
            service_tier=service_tier,
            price_context=price_context or {},
        )
        return self.cost(response, at=at)

    def cost_frame(
        self,
        frame: "FrameT",
        *,
        model: str | None = None,
        provider: str | None = None,
        service_tier: str | None = None,
        discount_percent: Decimal | int | str | None = None,
        suffix: str = "",
    ) -> "FrameT":
        """A Polars frame of usage with the exact cost of every row: the same rows in the same order, more columns.

        Reads the ledger's columns (`provider`, `model`, `occurred_at`, counts, `other_units`, `service_tier`,
        `price_context`, `region`, and of `price_assumptions` what the answer itself left open); one that the frame
        lacks counts as NULL, and a NULL `occurred_at` as now. Adds `cost_usd` (DECIMAL(18,12), equal to `cost()`'s),
        `micro_usd`, `pricing_status`, `price_assumptions`, `price_id`, `llm`, `llm_family` and `unpriced_reason`. As
        with `with_columns`, columns of those names are replaced; `suffix="_what_if"` keeps what was recorded beside
        them.

        `model`, `provider` and `service_tier` price every row as if they had answered (a model alone: at the provider
        whose naming it follows); `discount_percent` takes that much off the price that then applies.

        A row that has no price, or counts that contradict each other, has no cost (NULL, never 0), is "unpriced", and
        says why. So is a correction: it carries differences, and a tier is chosen by the whole request.

        A LazyFrame stays lazy: `scan_parquet(…)` to `sink_parquet(…)` needs memory for a few batches only.

        Raises:
            ArgumentError: a column is missing or of the wrong type, or the discount is no exact percentage.
            UnknownModelError: no catalogue knows the `model` given.
            ModuleNotFoundError: Polars is not installed.
        """
        from tracking.pricing.what_if import WhatIf, discount_percent_of

        try:
            from tracking.pricing.cost_frame import cost_frame
        except ModuleNotFoundError as error:
            if error.name != "polars":
                raise
            message = 'cost_frame() needs Polars: pip install "llm-cost-ledger[warehouse]"'
            raise ModuleNotFoundError(message, name="polars") from error

        what_if = WhatIf(provider, model, service_tier, discount_percent_of(discount_percent))
        return cost_frame(frame, self._overrides, what_if, suffix)

    def failed(self, response: LLMResponse, *, at: datetime) -> Cost:
        """The cost of a call that failed: not zero, unknown. Its model goes by the catalogue's name, if it has one."""
        cost = self.unpriced(response, at=at)
        try:
            return cost._replace(known_llm=self._price(cost.provider, cost.model, cost.at, response.terms).llm)
        except UnknownModelError:
            return cost

    def unpriced(self, response: LLMResponse, *, at: datetime) -> Cost:
        """The cost of an answer no catalogue can price: not zero, unknown."""
        instant, assumed, told = at.astimezone(UTC), response.assumptions, response.provider_cost
        return Cost(None, None, {}, "unpriced", response.provider, response.model, instant, told, assumptions=assumed)


def _by_provider(source: CostSource) -> CostSource:
    """A mapping by the providers' ids, over what applies without it.

    Raises:
        ArgumentError: a word that is none.
    """
    words = [source] if isinstance(source, str) else [*source.values()]
    if wrong := [word for word in words if word not in get_args(WhoseWord)]:
        raise ArgumentError("cost_source", f"{wrong[0]!r} is neither 'catalogue' nor 'provider'")
    if isinstance(source, str):
        return source
    return {**STATED_COST_COUNTS, **{provider_named(name): word for name, word in source.items()}}
