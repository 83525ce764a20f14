"""`CostTracker`: one call in, one exact row in the ledger out."""

import json
import logging
import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, Unpack, cast

from pydantic import ValidationError

from tracking.attribution import attributed
from tracking.calculator import Cost, CostCalculator
from tracking.call import TrackedCall
from tracking.durable_files import create_exclusively
from tracking.errors import ArgumentError, CostTrackingError, LedgerError, UnknownModelError
from tracking.home import Home
from tracking.identity import event_key_of, record_id_of
from tracking.journal import Durability, JournalWriter, encode_line
from tracking.options import CallOptions
from tracking.prompt import PromptKeeper, PromptPolicy, PromptTrace
from tracking.quarantine import Quarantine
from tracking.record import LLMUsageRecord
from tracking.request_type import RequestType
from tracking.response import LLMResponse
from tracking.trackable import TrackableRef, identity_text, user_id_of

REQUIRED = ("llm_response", "trackable", "user", "request_type", "prompt")

logger = logging.getLogger("llm_cost_ledger")


class CostTracker:
    """Records what LLM calls cost, in the ledger under one home.

    Thread-safe, asyncio-safe and fork-safe; `record()` never waits for another process. Settings not given here
    come from `LLM_COST_*` variables (see `ProcessSettings`). `redact` is applied to every prompt before anything
    touches the disk. `quarantine` is where refused calls are kept (default: `quarantine/` in the home).

    Raises:
        LedgerError: the home cannot be written or is from a newer version.
    """

    UnknownModelError: ClassVar = UnknownModelError

    def __init__(
        self,
        home: str | os.PathLike[str] | None = None,
        *,
        on_unknown_model: Literal["raise", "record"] | None = None,
        on_error: Literal["raise", "log"] | None = None,
        durability: Durability | None = None,
        prompt_policy: PromptPolicy | None = None,
        redact: Callable[[str], str] | None = None,
        quarantine: Quarantine | None = None,
    ) -> None:
        from tracking.settings import ProcessSettings

        given: dict[str, Any] = {
            "home": None if home is None else Path(home),
            "on_unknown_model": on_unknown_model,
            "on_error": on_error,
            "durability": durability,
            "prompt_policy": prompt_policy,
        }
        settings = ProcessSettings(**{name: value for name, value in given.items() if value is not None})
        self.home = Home(settings.home)
        self.errors = 0
        """Calls refused so far under `on_error="log"`."""
        self._request_types = self.home.open().request_types
        self._on_unknown_model = settings.on_unknown_model
        self._on_error = settings.on_error
        self._calculator = CostCalculator()
        self._journal = JournalWriter(self.home.journal, settings.durability)
        self._prompts = PromptKeeper(self.home.keys, settings.prompt_policy, redact)
        self._quarantine = quarantine or Quarantine(self.home.quarantine)
        self._kept_prices: set[str] = set()

    def record(
        self,
        *,
        llm_response: object = None,
        trackable: object = None,
        user: object = None,
        request_type: object = None,
        prompt: object = None,
        **options: Unpack[CallOptions],
    ) -> LLMUsageRecord:
        """Append the row of one call and return it; once this returns, the row survives the death of the process.

        `llm_response` is an `LLMResponse`, or what `LLMResponse.from_provider` takes. `trackable` and `user` are
        objects with an id, or ids (`("Assignment", 42)`). See `CallOptions` for the rest.
        Under `on_error="log"` a refused call is logged, kept in quarantine and counted, and `None` is returned.

        Raises:
            ArgumentError: a required argument is missing, `None` or blank, or one is unusable.
            ResponseError, UsageError: the answer has no usage, or counts that contradict each other.
            UnknownModelError: no catalogue knows the model (`on_unknown_model="record"` writes it unpriced).
            pydantic.ValidationError: the row would not be valid.
            LedgerError: the disk refused it.
        """
        arguments = {
            "llm_response": llm_response,
            "trackable": attributed("trackable") if trackable is None else trackable,
            "user": attributed("user") if user is None else user,
            "request_type": attributed("request_type") if request_type is None else request_type,
            "prompt": prompt,
        }
        try:
            return self._record(arguments, options)
        except (CostTrackingError, ValidationError) as error:
            return self._refuse(error, arguments, options)

    def call(self, **arguments: Any) -> TrackedCall:
        """A `with` block around one call: `with tracker.call(user=…, …) as call: call.response = client.create(…)`.

        Takes what `record()` takes except `llm_response`, and `provider` and `model` to name a failed call's.
        """
        return TrackedCall(self, arguments)

    def report_unrecorded(self, error: Exception, kept: object = "no file") -> None:
        """Log and count a call that could not be recorded, and where what is known of it was kept."""
        self.errors += 1
        logger.error("LLM call not recorded, kept in %s: %s: %s", kept, type(error).__name__, error)

    def flush(self) -> None:
        """Make every row recorded so far survive a power loss."""
        self._journal.flush()

    def close(self) -> None:
        """Flush, and let go of the journal; recording again opens a new one."""
        self._journal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _record(self, arguments: dict[str, object], options: CallOptions) -> LLMUsageRecord:
        for name in REQUIRED:
            value = arguments[name]
            if value is None or (isinstance(value, str) and not value.strip()):
                raise ArgumentError(name, "is missing or blank")
        answer = arguments["llm_response"]
        response = answer if isinstance(answer, LLMResponse) else LLMResponse.from_provider(answer)
        user, trackable = arguments["user"], arguments["trackable"]
        occurred_at = _instant(options.get("occurred_at"))
        cost = self._cost(response, occurred_at)
        prompt = self._prompts.trace(arguments["prompt"])
        request_type = RequestType.of(arguments["request_type"], self._request_types)
        attribution = _attribution(user, trackable, options) | {"request_type": request_type}
        record = _row(response, cost, prompt, attribution, occurred_at, options)
        self._keep_price(cost)
        content = record.model_dump_json().encode()[:-1] + b',"prompt":' + json.dumps(prompt.text).encode() + b"}"
        self._journal.append(encode_line(content))
        return record.attach(user=user, trackable=trackable, prompt=arguments["prompt"])

    def _cost(self, response: LLMResponse, at: datetime) -> Cost:
        if response.status == "error" and response.usage.token_count is None:
            return self._calculator.unpriced(response, at=at)
        try:
            return self._calculator.cost(response, at=at)
        except UnknownModelError:
            if self._on_unknown_model == "raise":
                raise
            return self._calculator.unpriced(response, at=at)

    def _keep_price(self, cost: Cost) -> None:
        """Copy each price ever used once, so that every row can be recomputed for ever."""
        if cost.price is None or cost.price_id in self._kept_prices:
            return
        price_id = cast(str, cost.price_id)
        path = self.home.prices / f"{price_id}.json"
        try:
            create_exclusively(path, json.dumps(cost.price.entry(), indent=1, sort_keys=True).encode() + b"\n")
        except OSError as error:
            raise LedgerError(f"price {path} cannot be written: {error.strerror}") from error
        self._kept_prices.add(price_id)

    def _refuse(self, error: Exception, arguments: dict[str, object], options: CallOptions) -> Any:
        try:
            kept = self._quarantine.keep(error, arguments["llm_response"], _known(arguments, options))
        except OSError as failure:
            kept = f"nowhere ({failure.strerror})"
        if self._on_error == "raise":
            raise error
        self.report_unrecorded(error, kept)
        return None


def _instant(value: datetime | None) -> datetime:
    if value is None:
        return datetime.now(UTC)
    if not isinstance(cast(object, value), datetime):
        raise ArgumentError("occurred_at", f"is a {type(value).__name__}, expected a datetime with a time zone")
    if value.tzinfo is None:
        raise ArgumentError("occurred_at", f"({value.isoformat()}) has no time zone")
    return value.astimezone(UTC)


def _attribution(user: object, trackable: object, options: CallOptions) -> dict[str, Any]:
    reference = TrackableRef.of(trackable)
    parent = options.get("trackable_parent") or attributed("trackable_parent")
    parent_reference = None if parent is None else TrackableRef.of(parent, "trackable_parent")
    tenant = options.get("tenant") or attributed("tenant")
    return {
        "user_id": user_id_of(user),
        "trackable_type": reference.type,
        "trackable_id": reference.id,
        "trackable_parent_type": None if parent_reference is None else parent_reference.type,
        "trackable_parent_id": None if parent_reference is None else parent_reference.id,
        "tenant": None if tenant is None else identity_text("tenant", tenant),
        "tags": options.get("tags") or attributed("tags"),
        "trace_id": options.get("trace_id") or attributed("trace_id"),
    }


def _row(
    response: LLMResponse,
    cost: Cost,
    prompt: PromptTrace,
    attribution: Mapping[str, Any],
    occurred_at: datetime,
    options: CallOptions,
) -> LLMUsageRecord:
    event_key = event_key_of(response, options.get("idempotency_key"))
    counts: dict[str, Any] = {**response.usage.token_counts()}
    return LLMUsageRecord(
        event_key=event_key,
        record_id=record_id_of(event_key, response),
        occurred_at=occurred_at,
        recorded_at=datetime.now(UTC),
        **attribution,
        llm=cost.llm,
        llm_family=cost.llm_family,
        provider=response.provider,
        model=response.model,
        **counts,
        other_units=response.usage.other_units_json(),
        token_count=response.usage.token_count,
        cost_usd=cost.cost_usd,
        micro_usd=cost.micro_usd,
        pricing_status=cost.pricing_status,
        price_id=cost.price_id,
        service_tier=response.service_tier,
        region=response.region,
        stream=response.stream,
        status=options.get("status") or response.status,
        finish_reason=response.finish_reason,
        error_type=response.error_type,
        attempt=options.get("attempt"),
        retry_of=options.get("retry_of"),
        latency_ms=options.get("latency_ms"),
        ttft_ms=options.get("ttft_ms"),
        provider_response_id=response.id,
        prompt_chars=prompt.chars,
        prompt_hmac=prompt.hmac,
        prompt_prefix_hmac=prompt.prefix_hmac,
    )


def _known(arguments: Mapping[str, object], options: CallOptions) -> dict[str, str | None]:
    """What of a refused call's attribution is usable, so that it can still be told whose it was."""
    known: dict[str, str | None] = {}
    readers: dict[str, Callable[[object], str]] = {
        "user": user_id_of,
        "trackable": lambda value: str(TrackableRef.of(value)),
        "request_type": lambda value: RequestType.of(value, (str(value),)),
    }
    for name, read in readers.items():
        try:
            known[name] = read(arguments[name])
        except (ArgumentError, ValueError):
            known[name] = None
    occurred_at = options.get("occurred_at")
    known["occurred_at"] = str(occurred_at) if isinstance(cast(object, occurred_at), datetime) else None
    return known
