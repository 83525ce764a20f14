"""Files in invoices/: what providers write is read exactly, and what cannot be compared is refused by name."""

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tracking import LedgerError
from warehouse.sources.invoices import load_invoices

NOV_1, DAY = 1793491200, 86400
HEADER = "provider,from,to,amount,currency,model,quantity"


def openai_bucket(start: int, *results: dict[str, Any]) -> dict[str, Any]:
    return {"object": "bucket", "start_time": start, "end_time": start + DAY, "results": list(results)}


def openai_result(value: Any = 0.06, currency: str = "usd", **fields: Any) -> dict[str, Any]:
    return {"object": "organization.costs.result", "amount": {"value": value, "currency": currency}} | fields


def anthropic_page(*results: dict[str, Any], start: str = "2026-11-01T00:00:00Z") -> dict[str, Any]:
    bucket = {"starting_at": start, "ending_at": "2026-11-02T00:00:00Z", "results": list(results)}
    return {"data": [bucket], "has_more": False, "next_page": None}


def put(folder: Path, name: str, content: object) -> Path:
    folder.mkdir(exist_ok=True)
    text = content if isinstance(content, str) else json.dumps(content)
    (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_openai_costs_are_usd_by_line_item_with_their_tokens(tmp_path: Path) -> None:
    lines = [
        openai_result(0.1308043834033071, line_item="gpt-4o-2024-08-06, cached input", quantity=52321.0),
        openai_result(2, line_item="web search tool calls", quantity=80),
        openai_result("0.06", line_item=None),
    ]
    page = {"object": "page", "data": [openai_bucket(NOV_1, *lines), openai_bucket(NOV_1 + DAY)], "has_more": False}
    (invoice,) = load_invoices(put(tmp_path, "openai.json", page))
    assert [(line.model, line.tokens, line.amount.usd) for line in invoice.lines] == [
        ("gpt-4o-2024-08-06", 52321, Decimal("0.130804383403")),
        ("web search tool calls", None, Decimal(2)),
        (None, None, Decimal("0.06")),
    ]
    # A day without charges is billed too: the ledger is compared with nothing there.
    assert [first for _, first, _ in invoice.spans] == [date(2026, 11, 1), date(2026, 11, 2)]


def test_anthropic_amounts_are_cents(tmp_path: Path) -> None:
    """The provider's own example: "123.45" in USD is 1.2345 dollars."""
    result = {"amount": "123.45", "currency": "USD", "model": "claude-sonnet-5", "token_type": "output_tokens"}
    (invoice,) = load_invoices(put(tmp_path, "anthropic.json", anthropic_page(result)))
    (line,) = invoice.lines
    assert (line.provider, line.model, line.amount.usd) == ("anthropic", "claude-sonnet-5", Decimal("1.2345"))
    assert line.amount.tolerance == Decimal("0.00005")


def test_a_csv_is_read_to_the_last_digit_with_a_byte_order_mark_and_a_credit(tmp_path: Path) -> None:
    november = "mistral, 2026-11-01 ,2026-11-30"
    text = f"\ufeff{HEADER}\n{november},12345.678901234567,usd,,\n{november},-5,USD,,7\n"
    (invoice,) = load_invoices(put(tmp_path, "mistral.CSV", text))
    assert [line.amount.usd for line in invoice.lines] == [Decimal("12345.678901234567"), Decimal(-5)]
    assert [line.tokens for line in invoice.lines] == [None, 7]
    assert invoice.lines[1].amount.tolerance == Decimal("0.005")


@pytest.mark.parametrize("nothing", ["0e9999999999", "1e-9999999999", "1e-999999"])
def test_an_amount_of_nothing_is_nothing_however_it_is_written(nothing: str, tmp_path: Path) -> None:
    (invoice,) = load_invoices(put(tmp_path, "m.csv", f"{HEADER}\nx,2026-11-01,2026-11-30,{nothing},USD,,\n"))
    assert invoice.lines[0].amount.usd == 0


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        (
            "o.json",
            {"data": [openai_bucket(NOV_1, openai_result(1, "eur"))]},
            r"o\.json: data\.0\.results\.0\.amount\.currency: currency \('eur'\) is not USD",
        ),
        ("o.json", {"data": [openai_bucket(NOV_1 + 3600)]}, r"data\.0\.start_time: .* not the beginning of a UTC day"),
        ("o.json", {"data": [openai_bucket(NOV_1), openai_bucket(NOV_1)]}, "two buckets of openai overlap"),
        ("o.json", {"data": [openai_bucket(NOV_1, {"object": "x"})]}, r"data\.0\.results\.0\.amount: Field required"),
        ("o.json", {"rows": []}, "data is missing"),
        ("o.json", {"data": [openai_bucket(10**40)]}, r"data\.0\.start_time: \(10+\) is out of range"),
        (
            "o.json",
            {"data": [openai_bucket(NOV_1, openai_result(1) | {"quantity": 10**300})]},
            r"data\.0\.results\.0\.quantity: Input should be less than",
        ),
        (
            "a.json",
            anthropic_page(start="9999-12-31T23:59:59-14:00"),
            r"data\.0\.starting_at: \('9999-.*'\) is out of range in UTC",
        ),
        ("o.json", "{", r"o\.json: Expecting"),
        ("o.json", "[" * 100_000, r"o\.json is nested too deeply"),
        (
            "a.json",
            anthropic_page({"amount": "x", "currency": "USD"}),
            r"results\.0\.amount: amount \('x'\) is not a num",
        ),
        ("a.json", anthropic_page(start="2026-11-01T00:00:00"), r"data\.0\.starting_at: .* names no time zone"),
        ("c.csv", "provider,from,to,amount\n", r"c\.csv: its first line names no column currency"),
        ("c.csv", '"provider"x,from,to,amount,currency\n', r"c\.csv: line 1 is not valid CSV"),
        ("c.csv", f"{HEADER}\nx,2026-11-01,2026-11-30,1,EUR,,\n", r"line 2: currency \('EUR'\) is not USD"),
        ("c.csv", f"{HEADER}\nx,2026-11-15,2026-12-15,1,USD,,\n", "line 2: from .* is more than one month"),
        ("c.csv", f"{HEADER}\nx,2026-11-02,2026-11-01,1,USD,,\n", r"line 2: to \(2026-11-01\) is before from"),
        ("c.csv", f"{HEADER}\nx,1.11.2026,2026-11-30,1,USD,,\n", r"line 2: from \(1\.11\.2026\) is not a date"),
        ("c.csv", f"{HEADER}\n,2026-11-01,2026-11-30,1,USD,,\n", "line 2: provider is empty"),
        ("c.csv", f"{HEADER}\nx,2026-11-01,2026-11-30,1e400,USD,,\n", r"line 2: amount \(1e400\) is not finite or too"),
        (
            "c.csv",
            f"{HEADER}\nx,2026-11-01,2026-11-30,1,USD,,1.5\n",
            r"line 2: quantity \(1\.5\) is not a whole number",
        ),
        ("c.csv", f"{HEADER}\nx,2026-11-01,2026-11-30,1,USD,,1,2\n", "line 2 has more fields"),
        ("c.csv", f"{HEADER}\n" + "x,2026-11-01,2026-11-30,1,USD,m,\n" * 2, "line 3 repeats line 2"),
        (
            "c.csv",
            f"{HEADER}\nx,2026-11-01,2026-11-30,1,USD,m,\nx,2026-11-30,2026-11-30,1,USD,m,\n",
            "days of x m overlap",
        ),
        ("c.csv", b"\xff\xfe".decode("latin-1") + HEADER, "names no column provider"),
    ],
)
def test_what_cannot_be_compared_is_refused_with_file_and_field(
    tmp_path: Path, name: str, content: object, problem: str
) -> None:
    with pytest.raises(LedgerError, match=problem):
        load_invoices(put(tmp_path, name, content))


def test_two_files_that_bill_the_same_day_of_a_provider_are_refused_by_name(tmp_path: Path) -> None:
    put(tmp_path, "a.json", {"data": [openai_bucket(NOV_1), openai_bucket(NOV_1 + DAY)]})
    put(tmp_path, "b.csv", f"{HEADER}\nopenai,2026-11-03,2026-11-30,1,USD,,\n")
    assert len(load_invoices(tmp_path)) == 2
    put(tmp_path, "b.csv", f"{HEADER}\nopenai,2026-11-02,2026-11-30,1,USD,,\n")
    with pytest.raises(LedgerError, match=r"a\.json and b\.csv overlap: both bill 2026-11-02 of openai"):
        load_invoices(tmp_path)


def test_a_provider_goes_by_the_catalogues_name_in_whatever_letters_the_file_writes_it(tmp_path: Path) -> None:
    """Under another name nothing of the ledger was compared with what it billed."""
    names = ["OpenAI", "openai-gateway", "School-Own"]
    rows = [f"{name},2026-11-01,2026-11-30,1.50,USD,,{number}" for number, name in enumerate(names)]
    (invoice,) = load_invoices(put(tmp_path, "invoice.csv", "\n".join([HEADER, *rows])))
    assert [line.provider for line in invoice.lines] == ["openai", "openai-gateway", "School-Own"]


def test_other_files_and_no_folder_are_no_invoices(tmp_path: Path) -> None:
    put(tmp_path, "november.pdf", "%PDF")
    put(tmp_path, ".hidden.csv", "nothing")
    assert load_invoices(tmp_path) == load_invoices(tmp_path / "none") == []
