"""`LLMUsageRecord`: what one LLM call cost, as the ledger keeps it."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Any, Literal, Self, cast

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    ValidationError,
    ValidatorFunctionWrapHandler,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError, SchemaSerializer, core_schema

from tracking.assumptions import assumptions_from_json
from tracking.errors import LedgerError
from tracking.interrupts import raise_interrupt_behind
from tracking.money import EXACT, PricingStatus, as_cost_usd, plain_digits, to_micro_usd
from tracking.rows.request_type import NAME
from tracking.rows.trackable import TrackableRef
from tracking.usage import MAX_COUNT, TOKEN_COUNTS, check_subsets, total_tokens
from tracking.values import characters_in, whole_number
from tracking.values import shown as as_shown

ChargeClass = Literal["usage", "correction"]
Status = Literal["ok", "error", "partial"]


LONGEST_JSON = 65_536
"""Characters of tags at most, as JSON."""

NOT_UNICODE = re.compile(r"[\ud800-\udfff]")


@lru_cache(maxsize=1024)
def _is_json_of_mapping(text: str) -> bool:
    return isinstance(json.loads(text), dict)


def _as_json_text(value: object) -> object:
    """A mapping as canonical JSON; a text must be JSON already."""
    if isinstance(value, str):
        if not _is_json_of_mapping(value):
            raise ValueError("is not the JSON of a mapping")
        return value
    if not isinstance(value, Mapping):
        return value
    try:
        mapping = dict(cast(Mapping[object, object], value))
        longest = characters_in(mapping)
        text = "" if longest > LONGEST_JSON else _canonical_json(mapping)
    except Exception as error:  # a mapping or a value of the application's own may fail in its own way
        raise_interrupt_behind(error)
        words = f": {error}" if isinstance(error, TypeError | ValueError) else ""
        raise ValueError(f"cannot be turned to JSON ({type(error).__name__}{words})") from None
    if max(longest, len(text)) > LONGEST_JSON:
        raise ValueError(f"is {max(longest, len(text)):,} characters long as JSON, more than {LONGEST_JSON:,}")
    if not text.isprintable() and (found := NOT_UNICODE.search(text)):
        raise ValueError(f"holds a character that is not valid Unicode (U+{ord(found[0]):04X})")
    if "\\u0000" in text:
        raise ValueError("holds a control character (U+0000)")
    return text


def _as_plain(value: object) -> object:
    """A number of another library's, where JSON has none."""
    if (whole := whole_number(value)) is not None:
        return whole
    raise TypeError(f"a {type(value).__name__} is none of JSON's values")


_canonical_json = json.JSONEncoder(sort_keys=True, ensure_ascii=False, allow_nan=False, default=_as_plain).encode

JsonText = Annotated[str, BeforeValidator(_as_json_text)]


@lru_cache(maxsize=1024)
def _is_json_of_assumptions(text: str) -> str:
    assumptions_from_json(text)
    return text


AssumptionsJson = Annotated[str, AfterValidator(_is_json_of_assumptions)]
CostUsd = Annotated[
    Decimal,
    PlainValidator(as_cost_usd),
    # pydantic's own writes 0E-12, and warns of having made a text of it.
    PlainSerializer(plain_digits, return_type=str, when_used="json-unless-none"),
]
Identity = Annotated[str, Field(min_length=1)]
Count = Annotated[int, Field(strict=True, ge=-MAX_COUNT, le=MAX_COUNT)]
Sum = Annotated[int, Field(strict=True, ge=-2 * MAX_COUNT, le=2 * MAX_COUNT)]
Natural = Annotated[int, Field(strict=True, ge=0, le=MAX_COUNT)]

AMOUNTS = (*TOKEN_COUNTS, "cost_usd")
"""What a call used and cost: never negative, but where a correction lowers it."""

MONEY = ("cost_usd", "provider_cost_usd")

HIDDEN = "<hidden>"
SHOWN_FIELDS = frozenset(TOKEN_COUNTS) | {
    "token_count",
    "cost_usd",
    "provider_cost_usd",
    "micro_usd",
    "occurred_at",
    "recorded_at",
    "attempt",
    "latency_ms",
    "ttft_ms",
    "pricing_status",
    "charge_class",
    "status",
    "stream",
}
"""Fields whose refused value an error may repeat: numbers, instants and fixed words, never a person's text."""


class LLMUsageRecord(BaseModel):
    """One row of the ledger: one call, or the correction of one.

    Money is exact: `cost_usd` is DECIMAL(18,12) USD, `micro_usd` whole millionths of it, `None` when unpriced.
    Instants are UTC with microseconds. Counts that the provider did not give are `None`, never 0.
    A correction carries deltas, which may be negative. Errors hide the value of every field that could hold
    a person's text.
    """

    __slots__ = ("_caller",)
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    event_key: str | None = None
    record_id: Identity
    occurred_at: AwareDatetime
    recorded_at: AwareDatetime
    user_id: Identity
    trackable_type: Identity
    trackable_id: Identity
    trackable_parent_type: Identity | None = None
    trackable_parent_id: Identity | None = None
    request_type: Annotated[str, Field(pattern=f"^{NAME.pattern}$")]
    llm: str | None = None
    llm_family: str | None = None
    provider: Identity
    model: str | None = None
    input_tokens: Count | None = None
    cache_read_tokens: Count | None = None
    cache_write_tokens: Count | None = None
    cache_write_1h_tokens: Count | None = None
    output_tokens: Count | None = None
    reasoning_tokens: Count | None = None
    other_units: JsonText | None = None
    token_count: Sum | None = None
    cost_usd: CostUsd | None = None
    micro_usd: Sum | None = None
    pricing_status: PricingStatus
    price_id: str | None = None
    charge_class: ChargeClass = "usage"
    corrects_record_id: str | None = None
    corrects_pricing_status: PricingStatus | Literal["failed"] | None = None
    service_tier: str | None = None
    region: str | None = None
    stream: bool | None = None
    status: Status = "ok"
    finish_reason: str | None = None
    error_type: str | None = None
    attempt: Natural | None = None
    retry_of: str | None = None
    latency_ms: Natural | None = None
    ttft_ms: Natural | None = None
    provider_response_id: str | None = None
    trace_id: str | None = None
    tenant: Identity | None = None
    tags: JsonText | None = None
    prompt_chars: Natural | None = None
    prompt_hmac: str | None = None
    prompt_prefix_hmac: str | None = None
    provider_cost_usd: CostUsd | None = None
    price_context: JsonText | None = None
    price_assumptions: AssumptionsJson | None = None

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        # On the record path: an attribute of a model costs three times as much.
        columns = cast("dict[str, Any]", self.__dict__)
        for name in ("occurred_at", "recorded_at"):
            if columns[name].tzinfo is not UTC:
                columns[name] = _in_utc(name, columns[name])
        _check_class(columns)
        _check_sums(columns)
        if (columns["trackable_parent_type"] is None) != (columns["trackable_parent_id"] is None):
            raise ValueError("trackable_parent_type and trackable_parent_id belong together; one is missing")
        return self

    # Declared last, so that it is outermost and sees the errors of every other validator.
    @model_validator(mode="wrap")
    @classmethod
    def _hide_personal_input(cls, data: Any, handler: ValidatorFunctionWrapHandler) -> Self:
        try:
            return handler(data)
        except ValidationError as error:
            raise_interrupt_behind(error)
            raise _without_personal_input(error) from None

    @property
    def dollars(self) -> Decimal | None:
        """`cost_usd`, with no more digits than it needs beyond the sixth; `None` when unpriced."""
        if self.cost_usd is None or self.micro_usd is None:
            return None
        rounded = Decimal(self.micro_usd).scaleb(-6, context=EXACT)
        return rounded if rounded == self.cost_usd else self.cost_usd.normalize(EXACT)

    @property
    def user(self) -> object:
        """The user as given to `record()`; the id where the record was read back."""
        return self.user_id if (caller := self._caller_objects()) is None else caller[0]

    @property
    def trackable(self) -> object:
        """The business object as given to `record()`; its `TrackableRef` where the record was read back."""
        if (caller := self._caller_objects()) is None:
            return TrackableRef(self.trackable_type, self.trackable_id)
        return caller[1]

    @property
    def prompt(self) -> object:
        """The prompt as given to `record()`, in this process only; `None` where the record was read back."""
        return None if (caller := self._caller_objects()) is None else caller[2]

    def to_json(self) -> bytes:
        """The known columns as JSON; money as text, so that it stays exact.

        Raises:
            LedgerError: it would not be read back as this record, which is then better refused than acknowledged.
        """
        columns = dict(self.__dict__)
        for name in MONEY:
            if columns[name] is not None:
                columns[name] = plain_digits(columns[name])
        text, cost_usd = _COLUMNS.to_json(columns, exclude_none=True), columns["cost_usd"]
        if not (
            text.startswith(b'{"')
            and text.endswith(b"}")
            and b"\n" not in text
            and (cost_usd is None or b'"cost_usd":"%b"' % cost_usd.encode() in text)
        ):
            raise LedgerError(f"the JSON of record {self.record_id} does not hold what the record does")
        return text

    def attach(self, *, user: object, trackable: object, prompt: object) -> Self:
        """Remember the caller's own objects. They are neither validated, shown, serialised nor copied."""
        object.__setattr__(self, "_caller", (user, trackable, prompt))
        return self

    def _caller_objects(self) -> tuple[object, object, object] | None:
        return getattr(self, "_caller", None)


_COLUMN = core_schema.typed_dict_field(core_schema.any_schema(), required=False)
_COLUMNS = SchemaSerializer(core_schema.typed_dict_schema(dict.fromkeys(LLMUsageRecord.model_fields, _COLUMN)))
"""Columns by their values' own types: a third less work than by the model's fields."""


def _in_utc(name: str, instant: datetime) -> datetime:
    try:
        return instant.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{name} ({instant.isoformat()}) is out of range in UTC") from None


def _check_class(columns: Mapping[str, Any]) -> None:
    """A usage row holds amounts of its own; a correction says which row it is about, and holds differences."""
    if columns["charge_class"] == "correction":
        if columns["corrects_record_id"] is None:
            raise ValueError("charge_class is 'correction', but corrects_record_id is missing")
        return
    if columns["corrects_record_id"] is not None:
        raise ValueError("corrects_record_id is given, but charge_class is 'usage'")
    for name in AMOUNTS:
        if (amount := columns[name]) is not None and amount < 0:
            raise ValueError(f"{name} ({amount}) is negative")
    check_subsets(columns)


def _check_sums(columns: Mapping[str, Any]) -> None:
    """What is worked out from other columns agrees with them."""
    total = total_tokens(columns["input_tokens"], columns["output_tokens"])
    if columns["token_count"] != total:
        raise ValueError(f"token_count ({columns['token_count']}) is not input_tokens + output_tokens ({total})")
    cost_usd = columns["cost_usd"]
    expected = None if cost_usd is None else to_micro_usd(cost_usd)
    if columns["micro_usd"] != expected:
        raise ValueError(f"micro_usd ({columns['micro_usd']}) is not cost_usd in millionths ({expected})")
    if (cost_usd is None) != (columns["pricing_status"] == "unpriced"):
        raise ValueError(f"cost_usd ({cost_usd}) contradicts pricing_status ({columns['pricing_status']})")
    if columns["price_assumptions"] is not None and columns["pricing_status"] == "priced":
        raise ValueError(f"price_assumptions ({columns['price_assumptions']}) contradict pricing_status (priced)")


def _without_personal_input(error: ValidationError) -> ValidationError:
    """The same error, with the refused value of every field outside `SHOWN_FIELDS` hidden."""
    details: list[InitErrorDetails] = []
    for line in error.errors(include_url=False):
        field = line["loc"][0] if line["loc"] else None
        shown = field in SHOWN_FIELDS and isinstance(line["input"], int | float | Decimal | datetime | str)
        value = line["input"] if shown else HIDDEN
        message = f"{line['msg']} (got {as_shown(value)})" if shown else line["msg"]
        kind = PydanticCustomError(cast(Any, line["type"]), cast(Any, message.replace("{", "{{").replace("}", "}}")))
        details.append(InitErrorDetails(type=kind, loc=line["loc"], input=value))
    return ValidationError.from_exception_data(error.title, details, hide_input=True)
