"""`CostTracker`: one call in, one exact row in the ledger out."""

import logging
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, Unpack, cast

from tracking.answers.response import LLMResponse
from tracking.attribution import current_attribution
from tracking.calls.given import REQUIRED, GivenCall, check_names, given_call, told
from tracking.calls.loading import load
from tracking.calls.lost import LostCalls
from tracking.calls.many import ManyCalls
from tracking.calls.process_wide import on_class_too
from tracking.calls.refused import RefusedCalls
from tracking.calls.tracked import TrackedCall
from tracking.capture.everything import Watching
from tracking.capture.recorder import Recorder
from tracking.capture.watch import Client, watch
from tracking.errors import ArgumentError, LedgerError, UnknownModelError
from tracking.home import Home
from tracking.interrupts import apart_from_what_is_handled, interrupt_behind, raise_interrupt_behind
from tracking.journal.quarantine import Quarantine
from tracking.journal.writer import Durability, JournalWriter, record_line
from tracking.pricing.calculator import CostCalculator, CostSource
from tracking.pricing.cost import Cost
from tracking.pricing.price_files import PriceFiles
from tracking.pricing.sources.overrides import PriceOverrides
from tracking.rows.build import attribution_of, build_record, instant_of_call, read_argument
from tracking.rows.options import CallOptions
from tracking.rows.prompt import PromptKeeper, PromptPolicy
from tracking.rows.record import LLMUsageRecord
from tracking.rows.request_type import RequestType

logger = logging.getLogger("llm_cost_ledger")


@cache
def default_tracker() -> "CostTracker":
    """The process-wide tracker behind `tracking.record()`, configured by `LLM_COST_*` alone."""
    return CostTracker()


class CostTracker:
    """Records what LLM calls cost, in the ledger under one home.

    Thread-safe, asyncio-safe and fork-safe; `record()` never waits for another process. Settings not given here
    come from `LLM_COST_*` variables (see `ProcessSettings`). `max_prompt_bytes` is how much of a prompt is stored
    (default: 1 MiB); its hash and length are the whole's. `redact` is applied to every prompt before anything
    touches the disk. `quarantine` is where refused calls are kept (default: `quarantine/` in the home).
    `unattributed` is what becomes of a watched client's call that nobody said whose it is (default: "record").

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
        unattributed: Literal["record", "refuse"] | None = None,
        cost_source: CostSource | None = None,
        durability: Durability | None = None,
        prompt_policy: PromptPolicy | None = None,
        max_prompt_bytes: int | None = None,
        redact: Callable[[str], str] | None = None,
        quarantine: Quarantine | None = None,
    ) -> None:
        load()
        from tracking.settings import ProcessSettings

        given: dict[str, Any] = {
            "home": None if home is None else Path(home),
            "on_unknown_model": on_unknown_model,
            "on_error": on_error,
            "unattributed": unattributed,
            "cost_source": cost_source,
            "durability": durability,
            "prompt_policy": prompt_policy,
            "max_prompt_bytes": max_prompt_bytes,
        }
        settings = ProcessSettings(**{name: value for name, value in given.items() if value is not None})
        self.home = Home(settings.home)
        self.errors = 0
        """Calls refused so far under `on_error="log"`."""
        self._request_types = self.home.open().request_types
        self._on_unknown_model = settings.on_unknown_model
        self._on_error = settings.on_error
        self._calculator = CostCalculator(PriceOverrides.load(self.home.prices_toml), cost_source=settings.cost_source)
        self._journal = JournalWriter(self.home.journal, settings.durability)
        self._prompts = PromptKeeper(self.home.keys, settings.prompt_policy, redact, settings.max_prompt_bytes)
        self._lost = LostCalls(self.home.lost)
        self._refused = RefusedCalls(quarantine or Quarantine(self.home.quarantine), self._calculator, self._lost)
        self._price_files = PriceFiles(self.home.prices)
        self._files_seen = 0
        self.captured = Recorder(self._record_captured, settings.unattributed)
        """The calls of watched clients: how many were of nobody, could not be read, or wait for the disk."""

    @on_class_too(default_tracker)
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

        `CostTracker.record()`, of the class itself, is that of the process-wide tracker.

        `llm_response` is an `LLMResponse`, or what `LLMResponse.from_provider` takes. `trackable` and `user` are
        objects with an id, or ids (`("Assignment", 42)`). See `CallOptions` for the rest.
        Under `on_error="log"` a refused call is logged, kept in quarantine and counted, and `None` is returned.

        Raises:
            ArgumentError: a required argument is missing, `None` or blank, or one is unusable.
            ResponseError, UsageError: the answer has no usage, or counts that contradict each other.
            UnknownModelError: no catalogue knows the model (`on_unknown_model="record"` writes it unpriced).
            pydantic.ValidationError: the row would not be valid.
            LedgerError: the disk refused it.

        Whatever a signal's handler raises meanwhile (a time limit, Ctrl-C) goes through, under `on_error="log"` too.
        The row is then whole in the journal, or what is known of the call is kept in quarantine, never both; recorded
        again under its response's id or its `idempotency_key` it counts once.
        """
        call = GivenCall(
            {
                "llm_response": llm_response,
                "trackable": trackable,
                "user": user,
                "request_type": request_type,
                "prompt": prompt,
            },
            options,
        )
        return self._append(call, self._on_error == "raise")

    def _append(self, call: GivenCall, must_raise: bool, hold: Callable[[], bool] | None = None) -> LLMUsageRecord:
        """The row of a call, appended; one that the disk refuses is kept as a refused call, unless `hold` takes it."""
        if sys.exc_info()[1] is None:
            return self._append_apart(call, must_raise, hold)
        with apart_from_what_is_handled():
            return self._append_apart(call, must_raise, hold)

    def _append_apart(self, call: GivenCall, must_raise: bool, hold: Callable[[], bool] | None) -> LLMUsageRecord:
        line = b""
        try:
            record, line = self._row(call)
            self._journal.append(line)
            if self._journal.files_made != self._files_seen:
                self._begin_journal()
            return record
        except BaseException as error:
            interrupt = interrupt_behind(error)
            kept = line and self._journal.place_of(line)
            if hold is not None and not kept and interrupt is None and isinstance(error, LedgerError) and hold():
                return cast(Any, None)
            kept = kept or self._refused.keep(interrupt or error, call)
            if interrupt is not None:
                raise interrupt from None
            if must_raise:
                raise
            self.report_unrecorded(error, kept)
            return cast(Any, None)

    def _record_captured(self, arguments: dict[str, Any], hold: Callable[[], bool]) -> LLMUsageRecord:
        return self._append(given_call(arguments), False, hold)

    @on_class_too(default_tracker)
    def watch(self, client: Client, *, provider: str | None = None) -> Client:
        """Have every call of a provider's client recorded, once and only once; the same client comes back.

        Whose a call is, `tracking.attribution(…)` says around it; calls of nobody follow `unattributed`. What goes
        wrong here is logged and counted (see `captured`) and never breaks the call. `provider` says who sells where
        the client's address does not tell. See docs/capture.md for the kinds of clients.

        Raises:
            ArgumentError: no client of a known kind.
        """
        return watch(client, self.captured, provider)

    @on_class_too(default_tracker)
    def watch_everything(self) -> Watching:
        """Watch every client made from now on, of packages imported now or later, until the handle's `undo()`."""
        return Watching(self.captured)

    def record_many(self, calls: Iterable[Mapping[str, Any]]) -> list[LLMUsageRecord]:
        """Append the rows of many calls, each a mapping of `record()`'s arguments, in one write for every 8 MiB.

        A refused call is kept in quarantine and does not keep the others from being recorded; under `on_error="log"`
        its place in the list returned holds `None`. Once this returns, the rows survive the death of the process; one
        that dies before may leave the first of them.

        Raises:
            RefusedCallsError: some were refused, by themselves or by the disk; it holds the rows of the others.
        """
        many = ManyCalls(self._journal.append_many, self._refused.keep, self._journal.place_of)
        try:
            for given in calls:
                call = given_call(given)
                try:
                    row = self._row(call)
                except BaseException as error:
                    if (interrupt := interrupt_behind(error)) is not None:
                        self._refused.keep(interrupt, call)
                        raise interrupt from None
                    many.refuse(error, call)
                else:
                    many.add(*row, call)
        finally:  # what an iterable had given before it broke was paid for
            many.write()
        if many.refusals:
            if self._on_error == "raise":
                raise many.refused()
            for refusal in many.refusals.values():
                self.report_unrecorded(refusal.error, refusal.kept)
        return cast(Any, many.records)

    def call(self, **arguments: Any) -> TrackedCall:
        """A `with` block around one call: `with tracker.call(user=…, …) as call: call.response = client.create(…)`.

        Takes what `record()` takes except `llm_response`; `provider` and `model` also name a failed call's.

        Raises:
            ArgumentError: an argument `record()` does not take, before the call is made.
        """
        check_names(arguments.keys() - {*REQUIRED[1:]})
        return TrackedCall(self.record, self.report_unrecorded, arguments)

    @property
    def lost(self) -> int:
        """Calls so far of which neither a row nor what is known of them could be written."""
        return self._lost.count

    def report_unrecorded(self, error: BaseException, kept: object = "quarantine") -> None:
        """Log and count a call that could not be recorded, and where what is known of it was kept."""
        self.errors += 1
        reason = told(error)
        logger.error("LLM call not recorded, kept in %s: %s: %s", kept, type(reason).__name__, reason)

    def flush(self) -> None:
        """Make every row recorded so far survive a power loss."""
        self.captured.record_held()
        self._lost.tell()
        self._journal.flush()

    def close(self) -> None:
        """Flush, and let go of the journal; recording again opens a new one."""
        self.captured.record_held(last=True)
        self._lost.tell()
        self._journal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _row(self, call: GivenCall) -> tuple[LLMUsageRecord, bytes]:
        """The row of a call, and its journal line."""
        arguments, options = call.arguments, call.options
        if around := current_attribution():
            arguments |= {name: around.get(name) for name in REQUIRED if arguments[name] is None}
        for name in REQUIRED:
            value = arguments[name]
            if value is None or (type(value) is str and not value.strip()):
                raise ArgumentError(name, "is missing or blank")
        check_names(options.keys())
        response = arguments["llm_response"]
        if not isinstance(response, LLMResponse):
            response = LLMResponse.from_provider(response, options.get("provider"), options.get("model"))
        call.response = response
        user, trackable = arguments["user"], arguments["trackable"]
        occurred_at = instant_of_call(options.get("occurred_at"))
        attribution = attribution_of(user, trackable, options)
        prompt = self._prompts.trace(arguments["prompt"])
        response = response.with_prompt(prompt.chars)
        cost = self._cost(response, occurred_at, attribution["tenant"])
        attribution["request_type"] = read_argument("request_type", arguments["request_type"], self._request_type)
        record = build_record(response, cost, prompt, attribution, occurred_at, options)
        if cost.price is not None:
            self._price_files.keep(cost.price)
        record.attach(user=user, trackable=trackable, prompt=arguments["prompt"])
        return record, record_line(record, prompt.text)

    def _begin_journal(self) -> None:
        """With a new journal: the home may have been deleted and made anew, and prices have to lie beside rows."""
        made = self._journal.files_made
        if self._files_seen:
            self._prompts.forget_key()
            try:
                self._price_files.keep_again()
            except LedgerError as error:  # the row is recorded; the next one tries again
                raise_interrupt_behind(error)
                return
        self._files_seen = made

    def _request_type(self, value: object, _: str) -> str:
        return RequestType.of(value, self._request_types)

    def _cost(self, response: LLMResponse, at: datetime, tenant: str | None) -> Cost:
        if response.status == "error" and response.usage.token_count is None:
            return self._calculator.failed(response, at=at)
        try:
            return self._calculator.cost(response, at=at, tenant=tenant)
        except UnknownModelError:
            if self._on_unknown_model == "raise":
                raise
            return self._calculator.unpriced(response, at=at)
