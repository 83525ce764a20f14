"""`prices.toml`: own models, discounts and fees, exact, dated, refused where they are unclear."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from tracking import CostCalculator, CostTracker, LedgerError, UnknownModelError
from tracking.pricing.sources.overrides import PriceOverrides

MAY = datetime(2026, 5, 1, tzinfo=UTC)

OWN_MODEL = """
[[price]]
provider = "openai"
model = "ft:school-grader-v1"
from = 2026-05-01
to = 2026-05-31
[price.rates]
input_mtok = "0.80"
cache_read_mtok = 0.08
output_mtok = 2.40
requests_kcount = "1"
"""

TIERS_OUT_OF_ORDER = """
[[price]]
provider = "x"
model = "y"
[price.rates]
input_mtok = { base = 1, tiers = [{ start = 5, price = 2 }, { start = 5, price = 3 }] }
"""


def calculator(tmp_path: Path, content: str) -> CostCalculator:
    file = tmp_path / "prices.toml"
    file.write_text(content, encoding="utf-8")
    return CostCalculator(PriceOverrides.load(file))


def test_without_a_file_the_catalogue_applies(tmp_path: Path) -> None:
    overrides = PriceOverrides.load(tmp_path / "prices.toml")
    counts = {"model": "gpt-5-mini", "at": MAY, "input_tokens": 1200, "output_tokens": 300}
    assert (
        CostCalculator(overrides).cost_of(**counts).usd == CostCalculator().cost_of(**counts).usd == Decimal("0.0009")
    )


def test_an_own_model_is_priced_by_its_rates_and_a_fee_per_request(tmp_path: Path) -> None:
    cost = calculator(tmp_path, OWN_MODEL).cost_of(
        provider="openai",
        model="ft:school-grader-v1",
        at=MAY,
        input_tokens=1000,
        cache_read_tokens=400,
        output_tokens=100,
    )
    assert cost.usd == Decimal("0.00048") + Decimal("0.000032") + Decimal("0.00024") + Decimal("0.001")
    assert cost.pricing_status == "priced"
    assert cost.price_id.startswith("prices.toml-1.openai.ft_school-grader-v1.")
    assert [line.unit for line in cost.lines] == ["input_tokens", "cache_read_tokens", "output_tokens", "requests"]


@pytest.mark.parametrize("at", [MAY - timedelta(microseconds=1), datetime(2026, 6, 1, tzinfo=UTC)])
def test_outside_its_dates_an_entry_says_nothing(tmp_path: Path, at: datetime) -> None:
    with pytest.raises(UnknownModelError):
        calculator(tmp_path, OWN_MODEL).cost_of(provider="openai", model="ft:school-grader-v1", at=at, input_tokens=1)


def test_a_discount_is_exact_and_the_one_on_the_model_goes_before_the_providers(tmp_path: Path) -> None:
    discounts = """
    [[discount]]
    provider = "openai"
    percent = 10
    [[discount]]
    provider = "openai"
    model = "gpt-5-mini"
    percent = "33.333"
    """
    priced = calculator(tmp_path, discounts)
    counts = {"provider": "openai", "at": MAY, "input_tokens": 1200, "cache_read_tokens": 800, "output_tokens": 300}
    full = CostCalculator()
    for model, left in (("gpt-5-mini", "0.66667"), ("gpt-5", "0.9")):
        cost = priced.cost_of(model=model, **counts)
        assert cost.usd == full.cost_of(model=model, **counts).usd * Decimal(left)
        assert re.match(r"genai-prices(\+supplement)?\+prices\.toml-", cost.price_id)


def test_discount_and_fee_apply_to_every_tier_and_to_own_models(tmp_path: Path) -> None:
    content = f"""{OWN_MODEL}
    [[discount]]
    provider = "openai"
    percent = 50
    [[fee]]
    provider = "openai"
    usd_per_request = "0.01"
    """
    priced = calculator(tmp_path, content)
    own = priced.cost_of(provider="openai", model="ft:school-grader-v1", at=MAY, input_tokens=1_000_000)
    assert own.usd == Decimal("0.40") + Decimal("0.0005") + Decimal("0.01")
    for input_tokens in (272_000, 272_001, 1_000_000):
        counts = {"provider": "openai", "model": "gpt-5.6-terra", "at": MAY, "input_tokens": input_tokens}
        assert priced.cost_of(**counts).usd == CostCalculator().cost_of(**counts).usd / 2 + Decimal("0.01")


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("[[price]\n", "not valid TOML"),
        ("[[prices]]\n", "prices"),
        ('[price]\nprovider = "openai"\n', "[[price]]"),
        ('[[discount]]\nmodel = "gpt-5"\npercent = 5\n', "provider"),
        ('[[discount]]\nprovider = "openai"\n', "percent is missing"),
        ('[[discount]]\nprovider = "openai"\npercent = -1001\n', "percent (-1001)"),
        ('[[discount]]\nprovider = "openai"\npercent = 100.5\n', "percent (100.5)"),
        ('[[discount]]\nprovider = "openai"\npercent = nan\n', "percent"),
        ('[[discount]]\nprovider = "openai"\npercent = true\n', "percent (True)"),
        ('[[discount]]\nprovider = "openai"\npercent = "a lot"\n', "percent ('a lot')"),
        ('[[discount]]\nprovider = "openai"\npercent = 5\nuntil = 2026-01-01\n', "until"),
        ('[[fee]]\nprovider = "openai"\nusd_per_request = 0.12345678901234567890123456789\n', "28 digits"),
        ('[[fee]]\nprovider = "openai"\nusd_per_request = "1e999999"\n', "usd_per_request (1e999999) is not between"),
        ('[[fee]]\nprovider = "openai"\nusd_per_request = "1e9999999999"\n', "is not between 1e-28 and 1e12"),
        ('[[fee]]\nprovider = "openai"\nusd_per_request = "1e-999999"\n', "is not between 1e-28 and 1e12"),
        (
            '[[discount]]\nprovider = "openai"\npercent = 5\nfrom = 0001-01-01T00:00:00+14:00\n',
            "from (0001-01-01 00:00:00+14:00) is out of range in UTC",
        ),
        ('[[fee]]\nprovider = "openai"\nusd_per_request = 1\nfrom = 2026-02-01\nto = 2026-01-01\n', "2026-02-01"),
        ('[[fee]]\nprovider = "openai"\nusd_per_request = 1\nfrom = 2026-02-01T00:00:00\n', "time zone"),
        ('[[price]]\nprovider = "x"\nmodel = "y"\nrates = {}\n', "rates"),
        ('[[price]]\nprovider = "x"\nmodel = "y"\nrates = {input = 1}\n', "input"),
        ('[[price]]\nprovider = "x"\nmodel = "y"\nrates = {cache_read_mtok = 1}\n', "input_tokens"),
        ('[[price]]\nprovider = "x"\nrates = {input_mtok = 1}\n', "model"),
        ('[[price]]\nprovider = "x"\nmodel = "y"\nrates = {input_mtok = {base = 1}}\n', "rates.input_mtok"),
        (TIERS_OUT_OF_ORDER, "start (5)"),
        ('[[discount]]\nprovider = "antropic"\npercent = 5\n', "'anthropic'"),
        ('[[fee]]\nprovider = "openai"\nmodel = "gpt-5-mimi"\nusd_per_request = 1\n', "openai/gpt-5-mini"),
        ('[[fee]]\nprovider = "openai"\nmodel = "gtp-*"\nusd_per_request = 1\n', "gtp-*"),
        ('[[fee]]\nprovider = "openai"\nservice_tier = 5\nusd_per_request = 1\n', "service_tier (5)"),
    ],
)
def test_what_is_malformed_is_refused_naming_entry_field_and_value(tmp_path: Path, content: str, named: str) -> None:
    with pytest.raises(LedgerError) as refused:
        calculator(tmp_path, content)
    assert "prices.toml" in str(refused.value)
    assert named in str(refused.value)
    assert "\n" not in str(refused.value).strip()


def test_two_entries_that_overlap_are_refused_with_both_named(tmp_path: Path) -> None:
    one = '[[discount]]\nprovider = "openai"\npercent = 5\nto = 2026-02-01\n'
    adjoining = '[[discount]]\nprovider = "openai"\npercent = 6\nfrom = 2026-02-02\n'
    calculator(tmp_path, one + adjoining)
    with pytest.raises(LedgerError, match=r"\[\[discount\]\] number 1 and \[\[discount\]\] number 2 overlap"):
        calculator(tmp_path, one + adjoining.replace("02-02", "02-01"))


def test_the_tracker_uses_the_homes_prices_and_keeps_them(home: Path) -> None:
    home.mkdir(mode=0o700)
    (home / "prices.toml").write_text(OWN_MODEL, encoding="utf-8")
    body = {"model": "ft:school-grader-v1", "usage": {"prompt_tokens": 1000, "completion_tokens": 100}}
    with CostTracker(home) as tracker:
        record = tracker.record(
            llm_response=body,
            provider="openai",
            trackable=("Assignment", 1),
            user=1,
            request_type="generate_rubric",
            prompt="p",
            occurred_at=MAY,
        )
    assert record.cost_usd == Decimal("0.00204")
    assert (home / "prices" / f"{record.price_id}.json").exists()


def test_a_malformed_file_stops_the_tracker_before_it_records(home: Path) -> None:
    home.mkdir(mode=0o700)
    (home / "prices.toml").write_text("[[fee]]\n", encoding="utf-8")
    with pytest.raises(LedgerError, match="provider"):
        CostTracker(home)
