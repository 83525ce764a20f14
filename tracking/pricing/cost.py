"""`Cost`: what one answer cost, and the receipt that says why."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from tracking.assumptions import Assumption, in_words
from tracking.money import EXACT, PricingStatus, to_cost_usd, to_micro_usd
from tracking.pricing.price import Price
from tracking.pricing.rate_card import CostLine
from tracking.pricing.sources.catalogue import family_of
from tracking.usage import Quantity


def in_dollars(usd: Decimal) -> str:
    """An amount as a person reads it: every digit that says something, and no zeros after them."""
    return f"${EXACT.normalize(usd):f}"


class Cost(NamedTuple):  # a frozen dataclass takes three times as long to make, 1 µs of every record()
    """What one answer cost. `usd` is exact; `None` (never zero) when no price is known."""

    usd: Decimal | None
    """What counts: the price's amount, or the provider's own where `pricing_status` is "provider_reported"."""
    price: Price | None
    counts: Mapping[str, Quantity]
    pricing_status: PricingStatus
    provider: str
    model: str | None
    at: datetime
    provider_usd: Decimal | None = None
    """What the provider itself said it cost."""
    known_llm: str | None = None
    """The catalogue's id of the model of a call that failed, and so has no price that tells it."""
    assumptions: tuple[Assumption, ...] = ()
    """What `usd` rests on besides known counts and rates."""

    @property
    def lines(self) -> tuple[CostLine, ...]:
        """The receipt: what `usd` is the sum of."""
        return () if self.price is None else self.price.card.lines(self.counts)

    @property
    def priced_usd(self) -> Decimal | None:
        """What it costs by the price: what `lines` add up to."""
        return None if self.price is None else self.price.card.usd(self.counts)

    @property
    def difference_usd(self) -> Decimal | None:
        """The provider's own amount less the price's; `None` where one of them is not known."""
        if self.provider_usd is None or (priced := self.priced_usd) is None:
            return None
        return EXACT.subtract(self.provider_usd, priced)

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
        return (self.known_llm or self.model) if self.price is None else self.price.llm

    @property
    def llm_family(self) -> str | None:
        return None if self.llm is None else family_of(self.llm)

    def explain(self) -> str:
        """The receipt, as text for a person."""
        head = f"{self.provider} {self.llm or 'unknown model'} at {self.at:%Y-%m-%d %H:%M:%S} UTC"
        if self.usd is None:
            return "\n".join([f"{head}\n  no price known: {self.pricing_status}", *self._assumed()])
        rows = [
            (line.unit, f"{line.quantity:,}", f"× {in_dollars(line.rate)} / {line.per:,}", in_dollars(line.amount))
            for line in self.lines
        ]
        widths = [max(len(row[column]) for row in rows) for column in range(4)] if rows else []
        body = [
            f"  {row[0]:<{widths[0]}}  {row[1]:>{widths[1]}}  {row[2]:<{widths[2]}}  {row[3]:>{widths[3]}}"
            for row in rows
        ]
        return "\n".join([head, *body, *self._totals(), *self._assumed()])

    def _totals(self) -> list[str]:
        totals: list[str] = []
        if (priced := self.priced_usd) is not None:
            totals += [f"  total {in_dollars(priced)}", f"  price {self.price_id}"]
        if self.provider_usd is not None:
            counted = ", which counts" if self.pricing_status == "provider_reported" else ""
            apart = "" if (apart_by := self.difference_usd) is None else f", a difference of {in_dollars(apart_by)}"
            totals.append(f"  the provider says {in_dollars(self.provider_usd)}{apart}{counted}")
        return totals

    def _assumed(self) -> list[str]:
        return [f"  assumed: {in_words(each)}" for each in self.assumptions]
