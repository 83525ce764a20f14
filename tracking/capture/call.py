"""One call on its way through a client, from before it is sent until its answer has come or broken off: one row."""

import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar, copy_context
from datetime import UTC, datetime
from typing import Any

from tracking.answers.fields import fields_of
from tracking.answers.response import LLMResponse
from tracking.capture.asked import Asked, asked
from tracking.capture.bodies import BodyReader, documents
from tracking.capture.recorder import Recorder
from tracking.errors import ArgumentError, CostTrackingError, ResponseError
from tracking.interrupts import apart_from_what_is_handled, raise_interrupt_behind
from tracking.providers import provider_at
from tracking.rows.prompt import WITHHELD

current_call: ContextVar["CapturedCall | None"] = ContextVar("llm_cost_captured_call", default=None)
"""The call whose boundary we are inside of: what is sent meanwhile is sent for it."""

Answers = Callable[[str | None, str | None], list[Any]]
"""Reads what was answered, given what is known of provider and model."""
RequestBody = Callable[[], bytes | Mapping[str, Any] | None]

COUNTS = frozenset({"usage", "usage_metadata", "meta", "usage_info"})
"""Where an SDK's objects tell what was used."""

UNFINISHED = ("queued", "in_progress")


class CapturedCall:
    """What is known of one call so far.

    `provider` is who sells, where the client tells; `sold_by` who does where neither address nor answer tell.
    `form` is what is asked, for a request whose body cannot be read again.
    """

    def __init__(
        self, recorder: Recorder, provider: str | None, sold_by: str | None, form: Mapping[str, Any] | None = None
    ) -> None:
        self.recorder = recorder
        self.body: BodyReader | None = None
        """What reads the answer's bytes, where it is still being read when the client's method returns."""
        self.response: Any = None
        """The HTTP response, where it was read when it came."""
        self.refused_with: int | None = None
        """The HTTP status, where it says that there is no answer."""
        self.error_type: str | None = None
        """What the provider calls that, where it is known before the client raises it."""
        self._provider = provider
        self._sold_by = sold_by
        self._context = copy_context()
        self._occurred_at = datetime.now(UTC)
        self._started = time.perf_counter_ns()
        self._first_token: int | None = None
        self._method = self._url = ""
        self._form = form
        self._request_body: RequestBody = dict
        self._done = False

    def sent(self, method: str, url: str, body: RequestBody) -> None:
        """Say what is sent, to which address without its query; of several attempts the last one counts."""
        self._method, self._url, self._request_body = method, url, body

    def first_token(self) -> None:
        if self._first_token is None:
            self._first_token = time.perf_counter_ns()

    def answered(self, answers: Answers) -> None:
        """Record what the answer says was used."""
        self._finish(lambda: self._record_answers(answers))

    def returned(self, result: object) -> None:
        """Record what the client's method has returned, unless its answer is still to be read."""
        if self.body is not None:
            return
        if self.refused_with:
            self._finish(lambda: self._record_failure(self.error_type or f"HTTP {self.refused_with}"))
        else:
            self.answered(_whatever_is_known(lambda: self._told(result)))

    def _told(self, result: object) -> list[Any]:
        """The client's own object where it tells what was used, which costs least to read; else the body it came in."""
        if COUNTS.isdisjoint(fields_of(result) or ()) and self.response is not None:
            return documents(self.response.content)
        return [result]

    def failed(self, error: BaseException) -> None:
        """Record a call that raised: what of its answer has come, or that it failed."""
        if self.body is not None:
            self.body.fail(error)
            self.answered(self.body.answers)
        else:
            self._finish(lambda: self._record_failure(type(error).__name__))

    def _finish(self, record: Callable[[], None]) -> None:
        if self._done or not self._method:  # nothing was sent
            return
        self._done = True
        self._took = (time.perf_counter_ns() - self._started) // 1_000_000
        with unharmed(self.recorder, f"{self._method} {self._url}"):
            self._context.copy().run(record)

    def _record_failure(self, error_type: str) -> None:
        request = self._asked()
        if request.is_paid:
            provider = self._seller() or self._sold_by or _seller_of(request.model) or self._host()
            self._record(LLMResponse.failed(provider=provider, model=request.model, error_type=error_type), request)

    def _record_answers(self, answers: Answers) -> None:
        request = self._asked()
        told = [fields_of(answer) or {} for answer in answers(None, None)] if self.body is None else []
        if self._method == "GET" or any(self._is_about(fields.get("id"), request) for fields in told):
            self._record_results(answers, request)
            return
        for fields in told:
            in_background = fields.get("background") is True and fields.get("status") in UNFINISHED
            if in_background and isinstance(begun := fields.get("id"), str):
                self.response = None
                self.recorder.begun.put(begun, self, len(self._request_body() or b""))
                return
        found = self._read(answers, request)
        if not found and request.is_paid:  # kept in quarantine, for it was paid for
            found = [{"model": request.model}]
        for response in found:
            self._record(response, request)

    def _is_about(self, identity: object, request: Asked) -> bool:
        """Whether this asks for an answer that was made before: to cancel it, or to change what is kept beside it."""
        return request.model is None and identity in self._url.split("/")

    def _record_results(self, answers: Answers, request: Asked) -> None:
        """Answers that were made in the background or in a batch, each when it is first fetched.

        Others that are fetched were recorded when they were made.
        """
        for answer in answers(None, None):
            fields = fields_of(answer) or {}
            identity, in_batch = fields.get("id"), fields.get("custom_id")
            in_background = fields.get("background") is True and fields.get("status") not in UNFINISHED
            if not in_background and in_batch is None:
                continue
            if not isinstance(identity, str):  # the next batch has the same names in it
                identity = f"{self._url} {in_batch}"
            begun = self.recorder.begun.take(identity)
            if begun is self.recorder.begun.TAKEN:
                continue
            call = begun if isinstance(begun, CapturedCall) else self
            call.record_fetched(self._read(_whatever_is_known(lambda one=answer: [one]), request), call is not self)

    def record_fetched(self, answers: list[Any], is_own: bool) -> None:
        """Record answers that were fetched later; `is_own` says that they are those of this call's own request."""
        request = self._asked()
        for answer in answers:
            self._context.copy().run(self._record, answer, request if is_own else request._replace(prompt=WITHHELD))

    def _read(self, answers: Answers, request: Asked) -> list[Any]:
        """The answers as they say it themselves, else as the request does.

        Bedrock's prices are those of the model asked for, and of its region; elsewhere an answer names the version.
        """
        provider = self._seller() or self._sold_by
        own = request.model if provider == "aws" else None
        found: list[Any] = []
        for of_answer in (True, False):
            sold_by = provider if of_answer else _seller_of(request.model) or self._host()
            for model in (own, request.model):
                try:
                    found = _responses(answers(sold_by, model), sold_by, model)
                except ResponseError:  # nothing that was used
                    return []
                except ArgumentError:  # whose it is cannot be told of the answer
                    break
                if request.model is None or all(getattr(response, "model", None) for response in found):
                    return found
        return found

    def _record(self, answer: Any, request: Asked) -> None:
        """One answer; one that is no `LLMResponse` is refused, and so kept."""
        arguments: dict[str, Any] = {
            "llm_response": answer,
            "prompt": request.prompt,
            "occurred_at": self._occurred_at,
            "latency_ms": self._took,
        }
        if self._first_token is not None:
            arguments["ttft_ms"] = (self._first_token - self._started) // 1_000_000
        if not isinstance(answer, LLMResponse):
            arguments |= {"provider": self._seller() or self._sold_by or self._host(), "model": request.model}
        self.recorder.record(arguments)

    def _asked(self) -> Asked:
        return asked(self._method, self._url.partition("://")[2], self._request_body() or self._form)

    def _seller(self) -> str | None:
        return self._provider or provider_at(self._url)

    def _host(self) -> str:
        return self._url.partition("://")[2].partition("/")[0].partition(":")[0] or "unknown"


def _whatever_is_known(answers: Callable[[], list[Any]]) -> Answers:
    def read(provider: str | None, model: str | None) -> list[Any]:
        return answers()

    return read


def _responses(answers: list[Any], provider: str | None, model: str | None) -> list[Any]:
    """Each answer read; one with counts that contradict each other as it is."""
    found: list[Any] = []
    for answer in answers:
        try:
            found.append(LLMResponse.from_provider(answer, provider, model))
        except ArgumentError:
            raise
        except ResponseError:  # nothing that was used
            continue
        except CostTrackingError:
            found.append(answer)
    return found


def _seller_of(model: str | None) -> str | None:
    with suppress(CostTrackingError):
        return LLMResponse.from_provider(
            {"model": model, "usage": {"prompt_tokens": 0, "completion_tokens": 0}}
        ).provider
    return None


@contextmanager
def unharmed(recorder: Recorder, what: str) -> Generator[None, None, None]:
    """Whatever goes wrong in here is ours, and counted; the application's call goes on. Interrupts go through."""
    with apart_from_what_is_handled():
        try:
            yield
        except Exception as error:
            raise_interrupt_behind(error)
            recorder.fell_short(what, error)
