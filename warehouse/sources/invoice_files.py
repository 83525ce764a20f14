"""What providers bill, as they write it: OpenAI's costs API, Anthropic's cost report, and a CSV for everyone else.

OpenAI: https://platform.openai.com/docs/api-reference/usage/costs (USD as numbers, buckets in Unix seconds).
Anthropic: https://docs.claude.com/en/api/admin-api/usage-cost/get-cost-report (amounts in cents, as text).
Both bill UTC days.
"""

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Annotated, Any, cast

from pydantic import BaseModel, BeforeValidator, Field, ValidationError

from tracking.errors import LedgerError
from tracking.providers import known_provider
from warehouse.causes import first_problem

PLACES = Decimal("1e-12")
HALF_A_CENT = Decimal("0.005")
LARGEST = Decimal(10) ** 15
MOST_TOKENS = 10**18
"""More is no BIGINT."""
REQUIRED = ("provider", "from", "to", "amount", "currency")
OPTIONAL = ("model", "quantity")


@dataclass(frozen=True, slots=True)
class Amount:
    """USD, rounded half-even to 12 places, and how far the written number may be from the true one."""

    usd: Decimal
    tolerance: Decimal


@dataclass(frozen=True, slots=True)
class Line:
    """One charge for the UTC days from `first` up to but not including `end`, all of one month.

    `model` is None where the provider does not say, `tokens` where it bills no number of them.
    """

    number: int
    provider: str
    first: date
    end: date
    model: str | None
    tokens: int | None
    amount: Amount


@dataclass(frozen=True, slots=True)
class Invoice:
    """One file: its charges, and every span of days (first, end) it speaks for, without charges too."""

    file: str
    lines: list[Line]
    spans: list[tuple[str, date, date]]


def read_invoice(path: Path) -> Invoice:
    """Read one file of `invoices/`.

    Raises:
        LedgerError: not in its format, in another currency, or about days that are none; file and field are named.
    """
    try:
        return _read_csv(path) if path.suffix.lower() == ".csv" else _read_json(path)
    except UnicodeDecodeError as error:
        raise LedgerError(f"{path} is not UTF-8 (byte {error.start})") from None
    except OSError as error:
        raise LedgerError(f"{path} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise LedgerError(f"{path}: {first_problem(error)}") from None
    except ValueError as error:
        raise LedgerError(f"{path}: {error}") from None
    except ArithmeticError as error:
        raise LedgerError(f"{path}: a number or an instant in it is out of range: {error}") from None
    except RecursionError:
        raise LedgerError(f"{path} is nested too deeply to be an invoice") from None


def _amount(value: object, per_usd: int = 1) -> Amount:
    """An amount as it is written, in USD or, with `per_usd` 100, in cents."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise ValueError(f"amount ({value!r}) is not a number")
    try:
        number = Decimal(value)
    except ArithmeticError:
        raise ValueError(f"amount ({value!r}) is not a number") from None
    if not number.is_finite() or number.copy_abs() >= LARGEST:
        raise ValueError(f"amount ({value}) is not finite or too large")
    exponent = max(-20, min(20, cast(int, number.as_tuple().exponent)))  # beyond that it makes no difference here
    half_a_digit = Decimal(5).scaleb(exponent - 1)
    return Amount((number / per_usd).quantize(PLACES), min(half_a_digit / per_usd, HALF_A_CENT).quantize(PLACES))


def _usd(value: object) -> str:
    if isinstance(value, str) and value.strip().upper() == "USD":
        return "USD"
    raise ValueError(f"currency ({value!r}) is not USD: the ledger is in USD, and converts nothing")


def _seconds(value: object) -> date:
    if type(value) is not int:
        raise ValueError(f"({value!r}) is not in whole Unix seconds")
    try:
        return _midnight(datetime.fromtimestamp(value, UTC))
    except (OverflowError, OSError):
        raise ValueError(f"({value}) is out of range") from None


def _instant(value: object) -> date:
    try:
        at = datetime.fromisoformat(cast(str, value))
    except (TypeError, ValueError):
        raise ValueError(f"({value!r}) is not an RFC 3339 instant") from None
    if at.tzinfo is None:
        raise ValueError(f"({value!r}) names no time zone")
    try:
        return _midnight(at.astimezone(UTC))
    except OverflowError:
        raise ValueError(f"({value!r}) is out of range in UTC") from None


def _midnight(at: datetime) -> date:
    if at.time() != datetime.min.time():
        raise ValueError(f"({at.isoformat()}) is not the beginning of a UTC day; ask for buckets of one day")
    return at.date()


def _cents(value: object) -> Amount:
    return _amount(value, per_usd=100)


def _text(value: object) -> object:
    if isinstance(value, str) and not value.isascii() and any("\ud800" <= letter <= "\udfff" for letter in value):
        raise ValueError(f"({value!r}) holds half of a surrogate pair, which is no character")
    return value


Usd = Annotated[str, BeforeValidator(_usd)]
Text = Annotated[str, BeforeValidator(_text)]


class _OpenAIAmount(BaseModel, arbitrary_types_allowed=True):
    value: Annotated[Amount, BeforeValidator(_amount)]
    currency: Usd


class _OpenAIResult(BaseModel):
    amount: _OpenAIAmount
    line_item: Text | None = None
    quantity: Annotated[Decimal, Field(gt=-MOST_TOKENS, lt=MOST_TOKENS)] | None = None

    @property
    def model(self) -> str | None:
        """`gpt-4o-2024-08-06, input` is about the model; what names no kind of token is a charge of its own."""
        return None if self.line_item is None else self.line_item.rpartition(", ")[0] or self.line_item

    @property
    def tokens(self) -> int | None:
        kind = (self.line_item or "").rpartition(", ")[2]
        counts = self.quantity is not None and self.quantity == int(self.quantity)
        return int(cast(Decimal, self.quantity)) if counts and kind.endswith(("input", "output")) else None


class _OpenAIBucket(BaseModel):
    first: Annotated[date, BeforeValidator(_seconds), Field(alias="start_time")]
    end: Annotated[date, BeforeValidator(_seconds), Field(alias="end_time")]
    results: list[_OpenAIResult]


class _OpenAIPage(BaseModel):
    data: list[_OpenAIBucket]


class _AnthropicResult(BaseModel, arbitrary_types_allowed=True):
    amount: Annotated[Amount, BeforeValidator(_cents)]
    currency: Usd
    named_model: Annotated[Text | None, Field(alias="model")] = None
    description: Text | None = None
    tokens: None = None
    """A cost report counts none."""

    @property
    def model(self) -> str | None:
        return self.named_model or self.description


class _AnthropicBucket(BaseModel):
    first: Annotated[date, BeforeValidator(_instant), Field(alias="starting_at")]
    end: Annotated[date, BeforeValidator(_instant), Field(alias="ending_at")]
    results: list[_AnthropicResult]


class _AnthropicPage(BaseModel):
    data: list[_AnthropicBucket]


def _read_json(path: Path) -> Invoice:
    """One page, or a list of them."""
    content = json.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    invoice = Invoice(path.name, [], [])
    for page in cast("list[Any]", content if isinstance(content, list) else [content]):
        provider, read = _page(page)
        for bucket in read.data:
            _check_span(bucket.first, bucket.end - timedelta(days=1))
            invoice.spans.append((provider, bucket.first, bucket.end))
            for result in bucket.results:
                amount = result.amount.value if isinstance(result, _OpenAIResult) else result.amount
                number = len(invoice.lines) + 1
                invoice.lines.append(
                    Line(number, provider, bucket.first, bucket.end, result.model, result.tokens, amount)
                )
    return invoice


def _page(page: object) -> tuple[str, _OpenAIPage | _AnthropicPage]:
    data = cast("Mapping[str, object]", page).get("data") if isinstance(page, Mapping) else None
    if not isinstance(data, list):
        raise ValueError("data is missing: neither a page of OpenAI's costs API nor of Anthropic's cost report")
    buckets = cast("list[object]", data)
    if buckets and isinstance(buckets[0], Mapping) and "starting_at" in buckets[0]:
        return "anthropic", _AnthropicPage.model_validate(page)
    return "openai", _OpenAIPage.model_validate(page)


def _read_csv(path: Path) -> Invoice:
    invoice = Invoice(path.name, [], [])
    first_numbers: dict[tuple[tuple[str, str], ...], int] = {}
    for number, row in _rows(path):
        try:
            line = _csv_line(number, row)
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from None
        earlier = first_numbers.setdefault(tuple(sorted(row.items())), number)
        if earlier != number:
            raise ValueError(f"line {number} repeats line {earlier}")
        invoice.lines.append(line)
        invoice.spans.append((line.provider, line.first, line.end))
    return invoice


def _csv_line(number: int, row: Mapping[str, str]) -> Line:
    blank = [column for column in REQUIRED if not row[column]]
    if blank:
        raise ValueError(f"{blank[0]} is empty")
    _usd(row["currency"])
    first, last = (_csv_day(row, column) for column in ("from", "to"))
    if last == date.max:
        raise ValueError(f"to ({last}) is out of range")
    _check_span(first, last)
    tokens = row.get("quantity")
    if tokens and not (tokens.removeprefix("-").isdecimal() and len(tokens) <= 18):
        raise ValueError(f"quantity ({tokens}) is not a whole number of tokens")
    return Line(
        number,
        _provider(row["provider"]),
        first,
        last + timedelta(days=1),
        row.get("model") or None,
        int(tokens) if tokens else None,
        _amount(row["amount"]),
    )


@cache
def _provider(name: str) -> str:
    """The catalogue's id for a provider that the file writes in other letters (`OpenAI`); any other name as it is."""
    return name.lower() if known_provider(name) == name.lower() else name


def _csv_day(row: Mapping[str, str], column: str) -> date:
    try:
        return date.fromisoformat(row[column])
    except ValueError:
        raise ValueError(f"{column} ({row[column]}) is not a date like 2026-11-01") from None


def _check_span(first: date, last: date) -> None:
    """Both are included."""
    if first > last:
        raise ValueError(f"to ({last}) is before from ({first})")
    if (first.year, first.month) != (last.year, last.month):
        raise ValueError(f"from ({first}) to ({last}) is more than one month: it cannot be split exactly")


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    # -sig: spreadsheets put a byte order mark before the first column's name.
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, strict=True, restval="", restkey="")
        try:
            reader.fieldnames = [field.strip().lower() for field in reader.fieldnames or ()]
            missing = [column for column in REQUIRED if column not in reader.fieldnames]
            if missing:
                expected = ",".join((*REQUIRED, *OPTIONAL))
                raise ValueError(f"its first line names no column {missing[0]}; expected {expected}")
            for row in reader:
                if "" in row:
                    raise ValueError(f"line {reader.line_num} has more fields than the header")
                yield reader.line_num, {column: value.strip() for column, value in row.items()}
        except csv.Error as error:
            raise ValueError(f"line {reader.reader.line_num} is not valid CSV: {error}") from None
