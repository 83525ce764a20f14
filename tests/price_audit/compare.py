"""Which rates of others differ from ours, and which of the differences our own facts explain."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from tracking.pricing.sources.catalogue import catalogued_model, every_model
from tracking.pricing.sources.compiled_rates import GivenRate, unit_of_rate
from tracking.pricing.sources.listing import CatalogueListing
from tracking.pricing.sources.model_names import names_of
from tracking.pricing.sources.price_map import entries_in, standard_rates
from tracking.pricing.sources.supplement_files import facts_about
from tracking.providers import find_provider

Model = tuple[str, str]
TOLERANCE = Decimal("0.01")


@dataclass(frozen=True)
class Others:
    """What one other source says its models cost: undated rates, or the catalogue's at any instant."""

    name: str
    models: Mapping[Model, Mapping[str, GivenRate] | CatalogueListing]

    @classmethod
    def read(cls, name: str, path: Path) -> "Others":
        """A map in LiteLLM's form, each of its entries once."""
        models: dict[Model, Mapping[str, GivenRate]] = {}
        seen: set[int] = set()
        for (provider, model), (_, entry) in entries_in(path).items():
            rates = {rate: usd for rate, usd in standard_rates(entry).items() if _base(usd) > 0}
            if rates and id(entry) not in seen:
                seen.add(id(entry))
                models[provider, model] = rates
        return cls(name, models)

    @classmethod
    def genai_prices(cls) -> "Others":
        listed: dict[Model, CatalogueListing] = {}
        for provider, model in every_model():
            sold_by = find_provider(provider)
            found = None if sold_by is None else next(each for each in sold_by.models if each.id == model)
            if sold_by is not None and found is not None:
                listed[provider, model] = CatalogueListing(sold_by, found)
        return cls("genai-prices", listed)

    def rates(self, model: Model, at: datetime) -> Mapping[str, GivenRate]:
        said = self.models[model]
        return said.at(at, {}).rates if isinstance(said, CatalogueListing) else said


@dataclass(frozen=True)
class Difference:
    """One rate of which another source says something else than we do."""

    source: str
    model: Model
    rate: str
    ours: Decimal
    theirs: Decimal
    why: str | None
    """Who is right, as the supplement says."""


@dataclass
class Audit:
    known: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """By provider: how many models each source knows, and by whom we price them."""
    equal: Counter[tuple[datetime, str]] = field(default_factory=Counter)
    differences: dict[datetime, list[Difference]] = field(default_factory=dict)


def audit(others: Iterable[Others], instants: Sequence[datetime]) -> Audit:
    """Every model of every source, at every instant; what we know of it is counted at the last one."""
    found = Audit()
    counted: set[Model] = set()
    for source in others:
        for model in source.models:
            found.known[model[0]][source.name] += 1
            if model not in counted:
                counted.add(model)
                found.known[model[0]][f"by {_priced_by(model, instants[-1])}"] += 1
        for at in instants:
            for model in source.models:
                found.differences.setdefault(at, []).extend(_differences(source, model, at, found.equal))
    return found


def _priced_by(model: Model, at: datetime) -> str:
    known = catalogued_model(*model)
    return "none" if known is None else known.price(at, {}).source.partition("+")[0]


def _differences(source: Others, model: Model, at: datetime, equal: Counter[tuple[datetime, str]]) -> list[Difference]:
    known = catalogued_model(*model)
    if known is None or (price := known.price(at, {})).source == source.name:
        return []
    ours = {rate.unit: rate.base for rate in price.card.rates}
    differing: list[Difference] = []
    for rate, given in source.rates(model, at).items():
        mine, theirs = ours.get(unit_of_rate(rate)), _base(given)
        if mine is None:
            continue
        if abs(mine - theirs) <= mine * TOLERANCE:
            equal[at, source.name] += 1
        else:
            differing.append(Difference(source.name, model, rate, mine, theirs, _explained(source.name, model, at)))
    return differing


def _explained(source: str, model: Model, at: datetime) -> str | None:
    """What the supplement says of a model that another source has otherwise."""
    provider, name = model
    known = catalogued_model(provider, name)
    names = {each.lower() for each in names_of(provider, name)} | ({known.llm.lower()} if known else set())
    for fact in facts_about(provider):
        of_price = fact.kind in ("price", "resold") and fact.holds(at)
        if (of_price or source in fact.than) and fact.is_about(names):
            return fact.why or fact.source
    return None


def _base(rate: GivenRate) -> Decimal:
    return rate if isinstance(rate, Decimal) else rate[0]


def report(found: Audit) -> str:
    lines = ["models by provider: known to each source, and by whom we price them", ""]
    for provider, counts in sorted(found.known.items(), key=lambda each: -sum(each[1].values())):
        lines.append(f"{provider:<28} " + "  ".join(f"{name} {n}" for name, n in sorted(counts.items())))
    total = Counter[str]()
    for counts in found.known.values():
        total.update(counts)
    lines += ["", f"{'all':<28} " + "  ".join(f"{name} {n}" for name, n in sorted(total.items())), ""]
    for at, differences in found.differences.items():
        for source in sorted({name for name in total if not name.startswith("by ")}):
            its_own = [each for each in differences if each.source == source]
            explained = sum(each.why is not None for each in its_own)
            lines.append(
                f"{at:%Y-%m-%d} {source:<13} rates equal {found.equal[at, source]:>5}, "
                f"differing {len(its_own):>4}, of these explained {explained}"
            )
    last = max(found.differences)
    lines += [
        "",
        f"{last:%Y-%m-%d}: each that differs by more than {TOLERANCE:.0%}; those explained by their reasons",
        "",
    ]
    reasons = Counter((each.model[0], each.source, each.why) for each in found.differences[last] if each.why)
    lines += [f"{n:>4} {provider} than {source}: {why}" for (provider, source, why), n in sorted(reasons.items())]
    lines += [
        f"     {each.model[0]}/{each.model[1]} {each.rate}: ours {each.ours:f}, {each.source} {each.theirs:f}"
        for each in sorted(found.differences[last], key=lambda each: (each.model, each.rate, each.source))
        if each.why is None
    ]
    return "\n".join(lines)
