"""The last source of prices: the map inside an installed LiteLLM, whose data file is read and whose code is not.

The file is `model_prices_and_context_window_backup.json`, 1.3 MB; it is found by the distribution's metadata and read
once, by `CostTracker()` or for the first model that is otherwise unknown. It has no dates: what it says is taken as
known from the day of its release.
"""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal, localcontext
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any, cast

from tracking.assumptions import Assumption, assumption
from tracking.errors import LedgerError
from tracking.money import EXACT, MILLION
from tracking.pricing.sources.compiled_rates import GivenRate, card_of_rates
from tracking.pricing.sources.listing import ListPrice
from tracking.pricing.sources.model_names import names_of
from tracking.providers import provider_named
from tracking.terms import implied_by

SOURCE = "litellm"
FILE = "litellm/model_prices_and_context_window_backup.json"

RELEASED: Sequence[tuple[tuple[int, ...], date]] = (
    ((1, 82, 6), date(2026, 3, 22)),
    ((1, 83, 4), date(2026, 4, 9)),
    ((1, 83, 14), date(2026, 4, 26)),
)
"""Days by which versions were out, https://anaconda.org/conda-forge/litellm/files, read 2026-11-26. An earlier version
was out by then too; of a later one it is only known that it was out when it was installed."""

THOUSAND = Decimal(1000)
PER_RATE = {
    "input_cost_per_token": ("input_mtok", MILLION),
    "output_cost_per_token": ("output_mtok", MILLION),
    "cache_read_input_token_cost": ("cache_read_mtok", MILLION),
    "cache_creation_input_token_cost": ("cache_write_mtok", MILLION),
    "cache_creation_input_token_cost_above_1hr": ("cache_write_1h_mtok", MILLION),
    "input_cost_per_audio_token": ("input_audio_mtok", MILLION),
    "output_cost_per_audio_token": ("output_audio_mtok", MILLION),
    "cache_read_input_audio_token_cost": ("cache_audio_read_mtok", MILLION),
    "input_cost_per_image_token": ("input_image_mtok", MILLION),
    "output_cost_per_image_token": ("output_image_mtok", MILLION),
    "cache_read_input_image_token_cost": ("cache_image_read_mtok", MILLION),
    "output_cost_per_reasoning_token": ("output_reasoning_mtok", MILLION),
    "input_cost_per_character": ("input_mchars", MILLION),
    "ocr_cost_per_page": ("input_document_kpages", THOUSAND),
    "file_search_cost_per_1k_calls": ("storage_searches_kcount", Decimal(1)),
    "input_cost_per_request": ("requests_kcount", THOUSAND),
}
"""The map's fields that are USD for one unit, the catalogue's rate for it, and how many units that is for."""

BY_MODE = {
    "audio_transcription": {"input_cost_per_second": ("audio_hours", Decimal(3600))},
    "rerank": {"input_cost_per_query": ("rerank_searches_kcount", THOUSAND)},
}
PLAIN = ("input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok", "cache_write_1h_mtok")
TIERED = re.compile(r"(?P<field>.+)_above_(?P<thousands>\d+)k_tokens$")
TERMS: Mapping[str, tuple[str, str]] = {
    "batches": ("processing", "batch"),
    "flex": ("service_tier", "flex"),
    "priority": ("service_tier", "priority"),
}
"""What the end of a field's name stands for."""


class MapListing:
    """One model of the map."""

    source = SOURCE
    change_times: Sequence[time] = ()

    def __init__(self, llm: str, version: str, known_from: date, entry: Mapping[str, Any]) -> None:
        self.llm = llm
        self.version = version
        self._known_from = known_from
        self.change_dates: Sequence[date] = (known_from,)
        self._rates = _rates(entry, "")
        self._on_terms = {term: rates for end, term in TERMS.items() if (rates := _rates(entry, f"_{end}"))}

    @property
    def has_prices(self) -> bool:
        """Whether it says what the model costs: what costs nothing at all is one whose price nobody entered."""
        return any(_is_positive(rate) for rate in self._rates.values()) or self.llm.endswith(":free")

    def at(self, at: datetime, terms: Mapping[str, str]) -> ListPrice:
        rates, met, of_terms = dict(self._rates), set[tuple[str, str]](), set[str]()
        for (term, value), more in self._on_terms.items():
            if terms.get(term) == value or implied_by("service_tier", terms.get("service_tier", "")).get(term) == value:
                rates |= more
                met.add((term, value))
                of_terms |= more.keys()
        return ListPrice(rates, frozenset(met), dict(met), frozenset(of_terms), self._undated(at))

    def later(self, term: Mapping[str, str], terms: Mapping[str, str], at: datetime) -> None:
        """It has no dates."""

    def _undated(self, at: datetime) -> list[Assumption]:
        if at.date() >= self._known_from:
            return []
        return [assumption("undated_price", f"{SOURCE} {self.version}")]


def mapped_model(provider: str, model: str) -> MapListing | None:
    """A provider's model in the map of the LiteLLM installed, or `None`."""
    known = _models()
    for name in names_of(provider, model):
        listing = known.get((provider, name.lower()))
        if listing is not None:
            version, known_from = _release()
            found = MapListing(listing[0], version, known_from, listing[1])
            if found.has_prices:
                return found
    return None


def load() -> None:
    """Read the map now, if LiteLLM is installed.

    Raises:
        LedgerError: it cannot be read.
    """
    if _models():
        _release()


@cache
def _path() -> Path | None:
    try:
        return Path(str(distribution(SOURCE).locate_file(FILE)))
    except PackageNotFoundError:
        return None


@cache
def version() -> str | None:
    """The version of the LiteLLM installed, or `None`."""
    return None if _path() is None else distribution(SOURCE).version


@cache
def _release() -> tuple[str, date]:
    """The version installed, and the day by which it was out."""
    version = distribution(SOURCE).version
    numbers = tuple(int(number) for number in re.findall(r"\d+", version)[:3])
    for later, day in RELEASED:
        if numbers <= later:
            return version, day
    path = _path()
    installed = path.stat().st_mtime if path is not None else 0.0
    return version, datetime.fromtimestamp(installed, UTC).date()


Entries = Mapping[tuple[str, str], tuple[str, Mapping[str, Any]]]


@cache
def _models() -> Entries:
    path = _path()
    return {} if path is None or not path.exists() else entries_in(path)


def entries_in(path: Path) -> Entries:
    """A map's entries by provider and each name a model may go by; the name the map lists it by comes first.

    Raises:
        LedgerError: the file cannot be read.
    """
    try:
        content: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except (OSError, ValueError) as error:
        raise LedgerError(f"{path} cannot be read: {error}") from error
    exact: dict[tuple[str, str], tuple[str, Mapping[str, Any]]] = {}
    shorter: dict[tuple[str, str], tuple[str, Mapping[str, Any]]] = {}
    for key, entry in content.items():
        seller = entry.get("litellm_provider")
        if not isinstance(seller, str) or key == "sample_spec" or "commitment" in key:
            continue
        provider = provider_named(seller)
        first, *rest = names_of(provider, key)
        bare = rest[-1] if rest else first
        exact.setdefault((provider, first.lower()), (bare, entry))
        for name in rest:
            shorter.setdefault((provider, name.lower()), (bare, entry))
    return shorter | exact


def standard_rates(entry: Mapping[str, Any]) -> dict[str, GivenRate]:
    """The rates of an entry by their names, without those on a term."""
    return _rates(entry, "")


def _rates(entry: Mapping[str, Any], end: str) -> dict[str, GivenRate]:
    """The rates whose fields end so, in the catalogue's terms; of ones that do not go together, the plain ones."""
    fields = PER_RATE | BY_MODE.get(entry.get("mode", ""), {})
    base: dict[str, Decimal] = {}
    above: dict[str, list[tuple[int, Decimal]]] = {}
    with localcontext(EXACT):
        for name, value in entry.items():
            if not name.endswith(end) or not isinstance(value, Decimal | int) or isinstance(value, bool):
                continue
            field = name.removesuffix(end) if end else name
            tiered = TIERED.match(field)
            known = fields.get(tiered["field"] if tiered else field)
            if known is None or value < 0:
                continue
            rate, per = known
            if tiered:
                above.setdefault(rate, []).append((int(tiered["thousands"]) * 1000, value * per))
            else:
                base[rate] = value * per
    rates: dict[str, GivenRate] = {
        rate: (usd, tuple(sorted(above[rate]))) if rate in above else usd for rate, usd in base.items()
    }
    return rates | (_searches(entry) if not end else {}) if _go_together(rates) else _plain(rates)


def _searches(entry: Mapping[str, Any]) -> dict[str, GivenRate]:
    """What a web search costs, where it is one price whatever the context's size."""
    costs = entry.get("search_context_cost_per_query")
    each = set(cast("dict[str, Decimal]", costs).values()) if isinstance(costs, dict) else set[Decimal]()
    with localcontext(EXACT):
        return {"web_searches_kcount": Decimal(each.pop()) * THOUSAND} if len(each) == 1 else {}


def _go_together(rates: Mapping[str, GivenRate]) -> bool:
    try:
        card_of_rates("*", "*", rates)
    except ValueError:
        return False
    return True


def _plain(rates: Mapping[str, GivenRate]) -> dict[str, GivenRate]:
    plain = {rate: rates[rate] for rate in PLAIN if rate in rates}
    return plain if _go_together(plain) else {}


def _is_positive(rate: GivenRate) -> bool:
    return (rate if isinstance(rate, Decimal) else rate[0]) > 0
