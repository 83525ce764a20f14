"""`CostCalculator`: the exact cost of one answer, with its receipt."""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from typing import TYPE_CHECKING

from tracking.catalogue import Price, family_of, find_price
from tracking.errors import UsageError
from tracking.extraction import CATALOGUE_UNIT
from tracking.record import PricingStatus, to_cost_usd, to_micro_usd
from tracking.response import LLMResponse
from tracking.usage import Quantity, Usage, as_quantity

if TYPE_CHECKING:
    import genai_prices
    from genai_prices.types import TieredPrices

PRICING_CONTEXT = Context(prec=28, rounding=ROUND_HALF_EVEN)
"""The context genai-prices computes in by default, whatever the calling application has set."""


@dataclass(frozen=True, slots=True)
class CostLine:
    """One line of the receipt: `quantity` units at `rate` USD per `per` units make `amount` USD."""

    unit: str
    quantity: Quantity
    rate: Decimal
    per: int
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Cost:
    """What one answer cost. `usd` is exact; `None` (never zero) when no price is known."""

    usd: Decimal | None
    lines: tuple[CostLine, ...]
    price: Price | None
    pricing_status: PricingStatus
    provider: str
    model: str | None
    at: datetime

    @property
    def cost_usd(self) -> Decimal | None:
        """`usd` as the ledger keeps it: rounded once, half-even, to 12 places."""
        return None if self.usd is None else to_cost_usd(self.usd)

    @property
    def micro_usd(self) -> int | None:
        """`cost_usd` in whole millionths of a USD, rounded half-even."""
        return None if self.cost_usd is None else to_micro_usd(self.cost_usd)

    @property
    def price_id(self) -> str | None:
        return None if self.price is None else self.price.price_id

    @property
    def llm(self) -> str | None:
        """The catalogue's canonical model id; the provider's own name where no catalogue knows it."""
        return self.model if self.price is None else self.price.llm

    @property
    def llm_family(self) -> str | None:
        return None if self.llm is None else family_of(self.llm)

    def explain(self) -> str:
        """The receipt, as text for a person."""
        head = f"{self.provider} {self.llm or 'unknown model'} at {self.at:%Y-%m-%d %H:%M:%S} UTC"
        if self.usd is None:
            return f"{head}\n  no price known: {self.pricing_status}"
        rows = [
            (line.unit, f"{line.quantity:,}", f"× ${line.rate:f} / {line.per:,}", f"${line.amount:f}")
            for line in self.lines
        ]
        widths = [max(len(row[column]) for row in rows) for column in range(4)] if rows else []
        body = [
            f"  {row[0]:<{widths[0]}}  {row[1]:>{widths[1]}}  {row[2]:<{widths[2]}}  {row[3]:>{widths[3]}}"
            for row in rows
        ]
        return "\n".join([head, *body, f"  total ${self.usd:f}", f"  price {self.price_id}"])


class CostCalculator:
    """Prices answers by the catalogue. Holds no state; safe to share between threads."""

    def cost(self, response: LLMResponse, *, at: datetime | None = None) -> Cost:
        """The exact cost of `response` at the price in force at `at` (default: when it was created, else now).

        Raises:
            UnknownModelError: no catalogue knows the model.
            UsageError: the counts contradict the model's price units.
        """
        instant = (at or response.created or datetime.now(UTC)).astimezone(UTC)
        price = find_price(response.provider, response.model, instant, response.price_context)
        usage = _catalogue_usage(response.usage)
        with localcontext(PRICING_CONTEXT):
            try:
                usd = price.model.calc_price(
                    usage,
                    price.provider,
                    genai_request_timestamp=instant,
                    price_context=price.context or None,
                ).total_price
            except ValueError as error:
                raise UsageError(str(error)) from error
            lines = _receipt(price, usage, response.usage, usd)
        return Cost(usd, lines, price, "priced", response.provider, response.model, instant)

    def unpriced(self, response: LLMResponse, *, at: datetime) -> Cost:
        """The cost of an answer no catalogue can price: not zero, unknown."""
        return Cost(None, (), None, "unpriced", response.provider, response.model, at.astimezone(UTC))


def _catalogue_usage(usage: Usage) -> "genai_prices.Usage":
    from genai_prices import Usage as CatalogueUsage

    counts: dict[str, Quantity] = {
        CATALOGUE_UNIT.get(name, name): count for name, count in usage.token_counts().items() if count is not None
    }
    return CatalogueUsage(**counts, **usage.other_units)


def _receipt(price: Price, usage: "genai_prices.Usage", counts: Usage, usd: Decimal) -> tuple[CostLine, ...]:
    """The lines that make up `usd`, in the catalogue's order; whatever they leave open is a line of its own."""
    from genai_prices.decompose import compute_leaf_values
    from genai_prices.types import calc_unit_price
    from genai_prices.units import _get_registry  # pyright: ignore[reportPrivateUsage]

    registry = _get_registry()
    priced = [(registry.unit_for_price_key(key), rate) for key, rate in vars(price.rates).items() if rate is not None]
    by_usage = {unit.usage_key: unit for unit, _ in priced if unit.usage_key != "requests"}
    leaves = compute_leaf_values(set(by_usage), usage, by_usage) | {"requests": 1}
    quantities = {name: as_quantity(name, leaf) for name, leaf in leaves.items()}
    total_input = counts.input_tokens or 0
    lines: list[CostLine] = []
    for unit, rate in priced:
        quantity = quantities[unit.usage_key]
        amount = calc_unit_price(rate, quantity, total_input, unit.per)
        if quantity:
            lines.append(CostLine(unit.usage_key, quantity, _rate_for(rate, total_input), unit.per, amount))
    rest = usd - sum((line.amount for line in lines), Decimal(0))
    if rest:
        lines.append(CostLine("minimum_charge", 1, rest, 1, rest))
    return tuple(lines)


def _rate_for(rate: "Decimal | TieredPrices", total_input: int) -> Decimal:
    """The one rate of the whole request: a tier is strictly above its start, on total input."""
    if isinstance(rate, Decimal):
        return rate
    return next((tier.price for tier in reversed(rate.tiers) if total_input > tier.start), rate.base)
