"""`LLMUsageRecord`: what one LLM call cost, as the ledger keeps it."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Annotated, Any, Literal, Self, cast

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from tracking.request_type import NAME
from tracking.trackable import TrackableRef
from tracking.usage import MAX_COUNT, TOKEN_COUNTS, check_subsets

COST_PLACES = Decimal("1e-12")
MICRO = Decimal("1e-6")
EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN)
"""Wide enough that quantizing a ledger amount never rounds by precision."""

PricingStatus = Literal["priced", "unpriced", "estimated", "provider_reported"]
ChargeClass = Literal["usage", "correction"]
Status = Literal["ok", "error", "partial"]


def to_cost_usd(usd: Decimal) -> Decimal:
    """USD as the ledger keeps it: rounded once, half-even, to 12 places."""
    return usd.quantize(COST_PLACES, context=EXACT)


def to_micro_usd(cost_usd: Decimal) -> int:
    """Millionths of a USD, rounded half-even."""
    return int(cost_usd.quantize(MICRO, context=EXACT).scaleb(6, context=EXACT))


def _as_json_text(value: object) -> object:
    """A mapping as canonical JSON; a text must be JSON already."""
    if isinstance(value, str):
        if not isinstance(json.loads(value), dict):
            raise ValueError("is not the JSON of a mapping")
        return value
    if not isinstance(value, Mapping):
        return value
    mapping = dict(cast(Mapping[str, object], value))
    try:
        return json.dumps(mapping, sort_keys=True, ensure_ascii=False, allow_nan=False)
    except (TypeError, RecursionError) as error:
        raise ValueError(str(error)) from None


JsonText = Annotated[str, BeforeValidator(_as_json_text)]
Identity = Annotated[str, Field(min_length=1)]
Count = Annotated[int, Field(strict=True, ge=-MAX_COUNT, le=MAX_COUNT)]
Sum = Annotated[int, Field(strict=True, ge=-2 * MAX_COUNT, le=2 * MAX_COUNT)]
Natural = Annotated[int, Field(strict=True, ge=0, le=MAX_COUNT)]

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
    cost_usd: Annotated[Decimal, Field(max_digits=18, decimal_places=12)] | None = None
    micro_usd: Sum | None = None
    pricing_status: PricingStatus
    price_id: str | None = None
    charge_class: ChargeClass = "usage"
    corrects_record_id: str | None = None
    corrects_pricing_status: PricingStatus | None = None
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
    provider_cost_usd: Annotated[Decimal, Field(max_digits=18, decimal_places=12)] | None = None

    _user: object = PrivateAttr(default=None)
    _trackable: object = PrivateAttr(default=None)
    _prompt: object = PrivateAttr(default=None)

    @field_validator("occurred_at", "recorded_at")
    @classmethod
    def _in_utc(cls, value: datetime) -> datetime:
        return value.astimezone(UTC)

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.charge_class == "usage":
            columns = self.__dict__  # on the record path: an attribute of a model costs three times as much
            for name in (*TOKEN_COUNTS, "cost_usd"):
                if (amount := columns[name]) is not None and amount < 0:
                    raise ValueError(f"{name} ({amount}) is negative")
            if self.corrects_record_id is not None:
                raise ValueError("corrects_record_id is given, but charge_class is 'usage'")
            check_subsets(columns)
        elif self.corrects_record_id is None:
            raise ValueError("charge_class is 'correction', but corrects_record_id is missing")
        known = [count for count in (self.input_tokens, self.output_tokens) if count is not None]
        total = sum(known) if known else None
        if self.token_count != total:
            raise ValueError(f"token_count ({self.token_count}) is not input_tokens + output_tokens ({total})")
        expected = None if self.cost_usd is None else to_micro_usd(self.cost_usd)
        if self.micro_usd != expected:
            raise ValueError(f"micro_usd ({self.micro_usd}) is not cost_usd in millionths ({expected})")
        if (self.cost_usd is None) != (self.pricing_status == "unpriced"):
            raise ValueError(f"cost_usd ({self.cost_usd}) contradicts pricing_status ({self.pricing_status})")
        if (self.trackable_parent_type is None) != (self.trackable_parent_id is None):
            raise ValueError("trackable_parent_type and trackable_parent_id belong together; one is missing")
        return self

    # Declared last, so that it is outermost and sees the errors of every other validator.
    @model_validator(mode="wrap")
    @classmethod
    def _hide_personal_input(cls, data: Any, handler: ValidatorFunctionWrapHandler) -> Self:
        try:
            return handler(data)
        except ValidationError as error:
            raise _without_personal_input(error) from None

    @property
    def dollars(self) -> Decimal | None:
        """`micro_usd` in USD: exact to a millionth, or `None` when unpriced."""
        return None if self.micro_usd is None else Decimal(self.micro_usd).scaleb(-6, context=EXACT)

    @property
    def user(self) -> object:
        """The user as given to `record()`; the id where the record was read back."""
        return self.user_id if self._user is None else self._user

    @property
    def trackable(self) -> object:
        """The business object as given to `record()`; its `TrackableRef` where the record was read back."""
        return TrackableRef(self.trackable_type, self.trackable_id) if self._trackable is None else self._trackable

    @property
    def prompt(self) -> object:
        """The prompt as given to `record()`, in this process only; `None` where the record was read back."""
        return self._prompt

    def attach(self, *, user: object, trackable: object, prompt: object) -> Self:
        """Remember the caller's own objects. They are neither validated, shown nor serialised."""
        self._user, self._trackable, self._prompt = user, trackable, prompt
        return self


def _without_personal_input(error: ValidationError) -> ValidationError:
    """The same error, with the refused value of every field outside `SHOWN_FIELDS` hidden."""
    details: list[InitErrorDetails] = []
    for line in error.errors(include_url=False):
        field = line["loc"][0] if line["loc"] else None
        shown = field in SHOWN_FIELDS and isinstance(line["input"], int | float | Decimal | datetime | str)
        value = line["input"] if shown else HIDDEN
        message = f"{line['msg']} (got {value!r})" if shown else line["msg"]
        kind = PydanticCustomError(cast(Any, line["type"]), cast(Any, message.replace("{", "{{").replace("}", "}}")))
        details.append(InitErrorDetails(type=kind, loc=line["loc"], input=value))
    return ValidationError.from_exception_data(error.title, details, hide_input=True)
