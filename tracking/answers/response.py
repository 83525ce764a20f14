"""`LLMResponse`: one provider's answer, reduced to what its cost depends on."""

from collections.abc import AsyncIterable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from difflib import get_close_matches
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, Self, cast

from tracking.answers.estimates import tokens_of, with_estimated_input
from tracking.answers.extraction import extract, real_id
from tracking.answers.text import text_of
from tracking.answers.wrappers import stream_of
from tracking.assumptions import BEFORE_THERE_WERE_WORDS, Assumption
from tracking.errors import ArgumentError, CostTrackingError, ResponseError
from tracking.interrupts import raise_interrupt_behind
from tracking.providers import provider_named
from tracking.terms import terms_of_tier
from tracking.usage import Usage, as_quantity
from tracking.values import LONGEST_NAME, instant, plain_text, shown, text_problem

if TYPE_CHECKING:
    from tracking.answers.streams import StreamReader


def _no_text() -> str | None:
    """A plain default would be what stays in the class, where the text that is yet to be read stands."""
    return None


@dataclass(frozen=True, kw_only=True)
class LLMResponse:
    """One answer: who gave it, what it used, what it said.

    `provider` goes by the catalogue's id where it has one, whatever name was given. `usage` may be given as a mapping
    of the same names. `created` is an aware instant. `status` is "ok", "partial" (a stream that broke off) or "error"
    (a call that failed: mostly without usage, and so no cost). `estimated` says that counts are worked out from the
    text of a stream without final usage. `provider_cost` is what the provider itself says it cost, in USD.
    `price_context` says by what else the catalogue prices the model (`{"processing": "batch"}`); the service tier is
    part of it. `assumptions` says what of the answer itself is not plainly known (see `tracking.assumptions`).

    Raises:
        ArgumentError: provider blank, or `created` without a time zone.
        UsageError: counts that contradict each other.
    """

    provider: str
    model: str | None
    usage: Usage
    text: str | None = field(default_factory=_no_text, repr=False)
    id: str | None = None
    created: datetime | None = None
    service_tier: str | None = None
    region: str | None = None
    stream: bool | None = None
    status: Literal["ok", "error", "partial"] = "ok"
    finish_reason: str | None = None
    error_type: str | None = None
    provider_cost: Decimal | None = None
    estimated: bool = False
    price_context: Mapping[str, str] = field(default_factory=dict[str, str])
    assumptions: tuple[Assumption, ...] = ()

    def __post_init__(self) -> None:
        provider, model = _names(self.provider, self.model)
        object.__setattr__(self, "provider", provider_named(provider))
        object.__setattr__(self, "model", model)
        if isinstance(usage := cast(object, self.usage), Mapping):
            object.__setattr__(self, "usage", _usage_of(cast("Mapping[str, Any]", usage)))
        elif not isinstance(usage, Usage):
            raise ArgumentError("usage", f"is a {type(usage).__name__}, expected Usage or a mapping of its counts")
        if self.created is not None:
            object.__setattr__(self, "created", instant("created", self.created))
        for name in ("service_tier", "region", "finish_reason", "error_type"):
            if not isinstance(text := getattr(self, name), str | None):
                raise ArgumentError(name, f"is a {type(text).__name__}, expected a text")
        if not isinstance(terms := cast(object, self.price_context), Mapping):
            raise ArgumentError("price_context", f"is a {type(terms).__name__}, expected a mapping of texts")
        if self.provider_cost is not None:
            object.__setattr__(self, "provider_cost", Decimal(as_quantity("provider_cost", self.provider_cost)))
        object.__setattr__(self, "id", real_id(self.id))
        if self.estimated and not self.assumptions:
            object.__setattr__(self, "assumptions", BEFORE_THERE_WERE_WORDS)
        if self.service_tier:
            object.__setattr__(self, "price_context", {**terms_of_tier(self.service_tier), **self.price_context})

    @classmethod
    def from_provider(cls, obj: object, provider: str | None = None, model: str | None = None) -> Self:
        """An answer as its provider sent it: SDK object, decoded JSON body, or stream (which is read to its end).

        What other libraries make of an answer is taken too: LiteLLM's and LangChain's objects, Pydantic AI's usage,
        OpenTelemetry's span attributes. `provider` is inferred from class, shape and model, and wins where given;
        `model` overrides the answer's own (one of Bedrock or Cohere has none). The text is read when first asked for.

        Raises:
            ResponseError: not an answer, or an answer without usage.
            UsageError: a count is negative or contradicts another; both are named.
            ArgumentError: no provider is given, and none or several would fit.
        """
        if isinstance(obj, cls):
            return obj
        provider, model = _given(provider, model)
        if (stream := stream_of(obj)) is None:
            return cls._of(_extracted(obj, provider, model))
        if isinstance(watched := getattr(stream, "response", None), cls):
            return watched
        return cls.from_stream(stream, provider, model)

    @classmethod
    def from_stream(cls, chunks: Iterable[object], provider: str | None = None, model: str | None = None) -> Self:
        """The answer a stream of chunks or events makes, which is read to its end.

        The last usage counts. Where none came, status is "partial" and `estimated` is set: output tokens are then
        those the provider had said by then or one for every 4 characters seen, whichever is more. Errors go through.
        """
        reader = _stream_reader(provider, model)
        for chunk in chunks:
            reader.feed(chunk)
        reader.end()
        return cls._of(reader.read())

    @classmethod
    async def from_async_stream(
        cls, chunks: AsyncIterable[object], provider: str | None = None, model: str | None = None
    ) -> Self:
        """`from_stream` for an asynchronous stream."""
        reader = _stream_reader(provider, model)
        async for chunk in chunks:
            reader.feed(chunk)
        reader.end()
        return cls._of(reader.read())

    @classmethod
    def failed(cls, *, provider: str, model: str | None = None, error_type: str | None = None) -> Self:
        """A call that gave no answer: status "error", no usage and so no cost."""
        return cls(provider=provider, model=model, usage=Usage(), status="error", error_type=error_type)

    @classmethod
    def _of(cls, read: dict[str, Any]) -> Self:
        """What `extract` read: checked already, so that building it again field by field would be waste."""
        response = object.__new__(cls)
        response.__dict__.update(read)
        return response

    @property
    def terms(self) -> Mapping[str, str]:
        """By what besides its model the answer is priced: `price_context`, and the region it was served in."""
        return self.price_context if self.region is None else {**self.price_context, "region": self.region}

    def with_prompt(self, characters: int | None) -> Self:
        """The same answer; where it told no usage, its input is worked out from the length of what it was sent."""
        if not self.estimated or not characters or self.usage.input_tokens is not None:
            return self
        usage = replace(self.usage, input_tokens=tokens_of(characters))
        return self._of({**self.__dict__, "usage": usage, "assumptions": with_estimated_input(self.assumptions)})

    def terms_beside_tier(self) -> dict[str, str]:
        """What of `price_context` the service tier does not say itself."""
        said = terms_of_tier(self.service_tier)
        if self.price_context == said:
            return {}
        return {term: value for term, value in self.price_context.items() if (term, value) not in said.items()}

    def __getstate__(self) -> dict[str, Any]:
        """Without the provider's own object, which may not be copied or pickled."""
        self.text  # noqa: B018
        return dict(self.__dict__)


class _TextOfAnswer:
    """The text, read from the answer when it is first asked for: from then on it is an attribute of its own."""

    def __get__(self, response: LLMResponse | None, _: type[LLMResponse]) -> "str | _TextOfAnswer | None":
        if response is None:
            return self
        answer = response.__dict__.pop("answer", None)
        text = response.__dict__["text"] = None if answer is None else text_of(answer)
        return text


cast(Any, LLMResponse).text = _TextOfAnswer()  # `__getattr__` would slow every other attribute down


def _stream_reader(provider: str | None, model: str | None) -> "StreamReader":
    provider, model = _given(provider, model)
    from tracking.answers.streams import StreamReader

    return StreamReader(provider, model)


def _given(provider: str | None, model: str | None) -> tuple[str | None, str | None]:
    """Checked names of what was given."""
    if provider is None:
        return None, None if model is None else _names("unknown yet", model)[1]
    return _names(provider, model)


def _extracted(obj: object, provider: str | None, model: str | None) -> dict[str, Any]:
    try:
        return extract(obj, provider, model)
    except CostTrackingError:
        raise
    except Exception as error:  # an answer of the application's own class may fail in its own way
        raise_interrupt_behind(error)
        problem = f"an answer of type {type(obj).__name__} cannot be read: {type(error).__name__} was raised"
        raise ResponseError(problem) from error


def _names(provider: object, model: object) -> tuple[str, str | None]:
    return _checked_names(
        plain_text(provider) if isinstance(provider, str) else "",
        None if model is None else plain_text(model) if isinstance(model, str) else "",
    )


@lru_cache(maxsize=1024)
def _checked_names(provider: str, model: str | None) -> tuple[str, str | None]:
    if not provider.strip():
        raise ArgumentError("provider", "is missing or blank")
    if model is not None and not model.strip():
        raise ArgumentError("model", "is blank or not a text")
    for argument, text in (("provider", provider), ("model", model)):
        if text is not None and (problem := text_problem(text, LONGEST_NAME)):
            raise ArgumentError(argument, problem)
    return provider, model


def _usage_of(counts: Mapping[str, Any]) -> Usage:
    unknown = counts.keys() - Usage.__dataclass_fields__.keys()
    if unknown:
        near = get_close_matches(str(min(unknown, key=str)), Usage.__dataclass_fields__, n=1, cutoff=0.5)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ArgumentError("usage", f"has no count named {shown(min(unknown, key=str))}{hint}")
    return Usage(**counts)
