"""Which of a home's own prices applies: by the model's every name, the most exact entry, on the call's terms."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tracking import CostCalculator, CostTracker, LedgerError, LLMResponse, UnknownModelError
from tracking.pricing.sources.overrides import PriceOverrides

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
DOCS = Path(__file__).parents[3] / "docs" / "prices.md"


def calculator(tmp_path: Path, content: str) -> CostCalculator:
    file = tmp_path / "prices.toml"
    file.write_text(content, encoding="utf-8")
    return CostCalculator(PriceOverrides.load(file))


def usd(priced: CostCalculator, model: str, provider: str = "openai", **fields: Any) -> Decimal:
    return cost(priced, model, provider, **fields).usd


def cost(priced: CostCalculator, model: str, provider: str = "openai", **fields: Any) -> Any:
    tenant = fields.pop("tenant", None)
    usage = {"input_tokens": 1000, "output_tokens": 100}
    answer = {"provider": provider, "model": model, "usage": usage} | fields
    return priced.cost(LLMResponse(**answer), at=AT, tenant=tenant)


def price_of(model: str, input_mtok: object, provider: str = "openai", **fields: str) -> str:
    more = "".join(f'{name} = "{value}"\n' for name, value in fields.items())
    rates = f"{{ input_mtok = {input_mtok}, output_mtok = 0 }}"
    return f'[[price]]\nprovider = "{provider}"\nmodel = "{model}"\n{more}rates = {rates}\n'


def test_the_example_of_the_docs_applies_to_what_the_provider_answers(tmp_path: Path) -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    priced, plain = calculator(tmp_path, example), CostCalculator()
    dated = "gpt-5-mini-2025-08-07"
    assert usd(priced, dated) == usd(plain, dated) + Decimal("0.001")
    assert usd(priced, "claude-sonnet-4-5-20250929", "anthropic") == usd(
        plain, "claude-sonnet-4-5-20250929", "anthropic"
    ) * Decimal("0.875")
    assert usd(priced, "ft:school-grader-v1") == Decimal("0.00080") + Decimal("0.00024")
    assert usd(priced, "ft:gpt-4.1-2025-04-14:acme::x") == Decimal("0.003") + Decimal("0.0012")


@pytest.mark.parametrize("model", ["gpt-5-mini", "gpt-5-mini-2025-08-07", "openai/gpt-5-mini", "GPT-5-mini"])
def test_an_own_price_applies_to_every_name_of_its_model(tmp_path: Path, model: str) -> None:
    assert usd(calculator(tmp_path, price_of("gpt-5-mini", 7)), model) == Decimal("0.007")


def test_an_own_price_of_a_model_is_not_one_of_others_whose_names_begin_so(tmp_path: Path) -> None:
    priced = calculator(tmp_path, price_of("gpt-5", 9))
    for other in ("gpt-5-mini", "gpt-5.4", "gpt-5-nano-2025-08-07"):
        assert usd(priced, other) == usd(CostCalculator(), other)


def test_the_answers_own_name_goes_before_the_canonical_one_that_before_a_pattern(tmp_path: Path) -> None:
    entries = {
        "gpt-5-mini-2025-08-07": price_of("gpt-5-mini-2025-08-07", 1),
        "gpt-5-mini": price_of("gpt-5-mini", 2),
        "gpt-5-m*": price_of("gpt-5-m*", 3),
        "gpt-*": price_of("gpt-*", 4),
    }
    while entries:
        priced = calculator(tmp_path, "".join(reversed(entries.values())))
        assert usd(priced, "gpt-5-mini-2025-08-07") == Decimal(5 - len(entries)) / 1000
        entries.pop(next(iter(entries)))


def test_an_own_price_keeps_the_factor_of_a_batch_unless_it_says_its_own(tmp_path: Path) -> None:
    batch = {"service_tier": "batch"}
    kept = cost(calculator(tmp_path, price_of("gpt-5-mini", 8)), "gpt-5-mini", **batch)
    assert (kept.usd, kept.pricing_status) == (Decimal("0.004"), "priced")
    said = calculator(tmp_path, price_of("gpt-5-mini", 8) + price_of("gpt-5-mini", 5, service_tier="batch"))
    assert usd(said, "gpt-5-mini", **batch) == Decimal("0.005")
    assert usd(said, "gpt-5-mini") == Decimal("0.008")
    assert usd(said, "gpt-5-mini", price_context={"processing": "batch"}) == Decimal("0.005")


def test_an_own_host_says_what_it_does_not_know_of_its_tiers(tmp_path: Path) -> None:
    priced = calculator(tmp_path, price_of("llama3.2", 1, provider="vllm"))
    assert cost(priced, "llama3.2", "vllm").pricing_status == "priced"
    assert list(cost(priced, "llama3.2", "vllm", service_tier="turbo").assumptions) == [
        {"standard_rate_for": "service_tier=turbo"}
    ]


def test_an_own_price_has_tiers_for_the_whole_request(tmp_path: Path) -> None:
    tiered = '{ base = "1", tiers = [{ start = 2000, price = "10" }] }'
    priced = calculator(tmp_path, price_of("gpt-5-mini", tiered))
    for tokens, expected in ((2000, "0.002"), (2001, "0.02001")):
        assert usd(priced, "gpt-5-mini", usage={"input_tokens": tokens}) == Decimal(expected)


def test_a_surcharge_is_a_discount_below_zero(tmp_path: Path) -> None:
    priced = calculator(tmp_path, '[[discount]]\nprovider = "azure"\nregion = "swedencentral"\npercent = -10\n')
    assert usd(priced, "gpt-5-mini", "azure", region="swedencentral") == usd(
        CostCalculator(), "gpt-5-mini", "azure"
    ) * Decimal("1.1")
    assert usd(priced, "gpt-5-mini", "azure") == usd(CostCalculator(), "gpt-5-mini", "azure")


def test_a_price_for_one_tenant_is_one_for_no_other(tmp_path: Path, home: Path) -> None:
    content = price_of("gpt-5-mini", 3) + price_of("gpt-5-mini", 1, tenant="school-7")
    priced = calculator(tmp_path, content)
    assert usd(priced, "gpt-5-mini", tenant="school-7") == Decimal("0.001")
    assert usd(priced, "gpt-5-mini", tenant="school-8") == usd(priced, "gpt-5-mini") == Decimal("0.003")
    home.mkdir(mode=0o700)
    (home / "prices.toml").write_text(content, encoding="utf-8")
    with CostTracker(home) as tracker:
        record = tracker.record(
            llm_response=LLMResponse(provider="openai", model="gpt-5-mini", usage={"input_tokens": 1000}),
            trackable=("Assignment", 1),
            user=1,
            request_type="generate_rubric",
            prompt="p",
            tenant="school-7",
            occurred_at=AT,
        )
    assert record.cost_usd == Decimal("0.001")


@pytest.mark.parametrize("name", ["azure_openai", "Azure", "azure-openai"])
def test_a_provider_goes_by_any_name_people_use_for_it(tmp_path: Path, name: str) -> None:
    priced = calculator(tmp_path, f'[[discount]]\nprovider = "{name}"\npercent = 50\n')
    assert usd(priced, "gpt-5-mini", "azure") * 2 == usd(CostCalculator(), "gpt-5-mini", "azure")


@pytest.mark.parametrize("host", ["ollama", "vllm", "my-openai", "llm.school.example", "llama-cpp"])
def test_a_host_of_ones_own_may_have_any_name(tmp_path: Path, host: str) -> None:
    assert usd(calculator(tmp_path, price_of("llama3.2", 1, provider=host)), "llama3.2", host) == Decimal("0.001")


def test_a_fee_on_an_own_model_is_no_fee_on_an_unknown_one(tmp_path: Path) -> None:
    fee = '[[fee]]\nprovider = "openai"\nmodel = "ft:school-*"\nusd_per_request = "0.01"\n'
    assert usd(calculator(tmp_path, price_of("ft:school-1", 1) + fee), "ft:school-1") == Decimal("0.011")


@pytest.mark.parametrize("when", ['region = "eu"', 'tenant = "a"\nregion = "eu"'])
def test_entries_on_the_same_terms_contend_and_one_on_more_of_them_goes_first(tmp_path: Path, when: str) -> None:
    both = f'[[fee]]\nprovider = "openai"\n{when}\nusd_per_request = 1\n'
    with pytest.raises(LedgerError, match=r"\[\[fee\]\] number 1 and \[\[fee\]\] number 2 overlap"):
        calculator(tmp_path, both + both)
    priced = calculator(tmp_path, both + '[[fee]]\nprovider = "openai"\nusd_per_request = 2\n')
    plain = usd(CostCalculator(), "gpt-5-mini")
    assert usd(priced, "gpt-5-mini", region="eu", tenant="a") - usd(CostCalculator(), "gpt-5-mini", region="eu") == 1
    assert usd(priced, "gpt-5-mini") - plain == 2


@pytest.mark.parametrize("provider", ["huggingface", "no-such-host"])
def test_a_host_without_a_price_is_unknown(provider: str) -> None:
    with pytest.raises(UnknownModelError):
        cost(CostCalculator(), "llama3.2", provider)


def test_a_model_with_its_provider_before_it_is_that_model_here_too(tmp_path: Path) -> None:
    entry = '[[discount]]\nprovider = "openai"\nmodel = "{}"\npercent = "50"\n'
    path = tmp_path / "prices.toml"
    path.write_text(entry.format("openai/gpt-5-mini"))
    answer = LLMResponse(provider="openai", model="gpt-5-mini", usage={"input_tokens": 1000, "output_tokens": 100})
    halved = CostCalculator(PriceOverrides.load(path)).cost(answer).usd
    assert halved * 2 == CostCalculator().cost(answer).usd
    path.write_text(entry.format("openai/gpt-5-mini") + entry.format("gpt-5-mini"))
    with pytest.raises(LedgerError, match=r"number 1.*number 2"):
        PriceOverrides.load(path)
