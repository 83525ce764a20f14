"""`LLMResponse`: one provider's answer, reduced to what its cost depends on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Self, cast

from tracking.errors import ArgumentError, ResponseError
from tracking.extraction import (
    extract,
    finish_reason_of,
    instant_of,
    real_id,
    response_id_of,
    text_of,
)
from tracking.usage import Usage

PRICE_CONTEXT_FIELDS = ("service_tier", "speed")
"""Fields of an answer by which catalogues price the same model differently."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LLMResponse:
    """One answer: who gave it, what it used, what it said.

    `usage` may be given as a mapping of the same names. `created` is an aware instant. `status` is
    "ok", "partial" (a stream that broke off) or "error" (a call that failed: no usage, no cost).

    Raises:
        ArgumentError: provider blank, or `created` without a time zone.
        UsageError: counts that contradict each other.
    """

    provider: str
    model: str | None
    usage: Usage
    text: str | None = field(default=None, repr=False)
    id: str | None = None
    created: datetime | None = None
    service_tier: str | None = None
    region: str | None = None
    stream: bool | None = None
    status: Literal["ok", "error", "partial"] = "ok"
    finish_reason: str | None = None
    error_type: str | None = None
    price_context: Mapping[str, str] = field(default_factory=dict[str, str])

    def __post_init__(self) -> None:
        if not isinstance(cast(object, self.provider), str) or not self.provider.strip():
            raise ArgumentError("provider", "is missing or blank")
        if self.model is not None and not (isinstance(cast(object, self.model), str) and self.model.strip()):
            raise ArgumentError("model", "is blank or not a text")
        if isinstance(usage := cast(object, self.usage), Mapping):
            object.__setattr__(self, "usage", _usage_of(cast("Mapping[str, Any]", usage)))
        elif not isinstance(usage, Usage):
            raise ArgumentError("usage", f"is a {type(usage).__name__}, expected Usage or a mapping of its counts")
        if self.created is not None and self.created.tzinfo is None:
            raise ArgumentError("created", f"({self.created.isoformat()}) has no time zone")
        object.__setattr__(self, "id", real_id(self.id))

    @classmethod
    def from_provider(cls, obj: object, provider: str | None = None, model: str | None = None) -> Self:
        """An answer as its provider sent it: the decoded JSON body, or an SDK object that dumps to it.

        `provider` is inferred where the body allows it; `model` overrides the body's (a Bedrock answer has none).

        Raises:
            ResponseError: not an answer, or an answer without usage.
            UsageError: a count is negative or contradicts another; both are named.
            ArgumentError: the provider is unknown.
        """
        body = _body_of(obj)
        found = extract(body, provider)
        tier = _service_tier_of(body)
        context = {"service_tier": tier} if tier else {}
        usage = body.get("usage")
        if isinstance(usage, Mapping) and isinstance(speed := cast("Mapping[str, Any]", usage).get("speed"), str):
            context["speed"] = speed
        return cls(
            provider=found.provider,
            model=model or found.model,
            usage=found.usage,
            text=text_of(body),
            id=response_id_of(body),
            created=instant_of(body),
            service_tier=tier,
            finish_reason=finish_reason_of(body),
            price_context=context,
        )

    @classmethod
    def failed(cls, *, provider: str, model: str | None = None, error_type: str | None = None) -> Self:
        """A call that gave no answer: status "error", no usage and so no cost."""
        return cls(provider=provider, model=model, usage=Usage(), status="error", error_type=error_type)


def _usage_of(counts: Mapping[str, Any]) -> Usage:
    unknown = counts.keys() - Usage.__dataclass_fields__.keys()
    if unknown:
        raise ArgumentError("usage", f"has no count named {min(unknown)!r}")
    return Usage(**counts)


def _body_of(obj: object) -> Mapping[str, Any]:
    if isinstance(obj, Mapping):
        return cast("Mapping[str, Any]", obj)
    dump = getattr(obj, "model_dump", None)
    if callable(dump):
        return cast("Mapping[str, Any]", dump(mode="json", by_alias=True))
    raise ResponseError(f"an answer of type {type(obj).__name__} is neither a mapping nor an SDK object")


def _service_tier_of(body: Mapping[str, Any]) -> str | None:
    for holder in (body, body.get("usage"), body.get("usageMetadata")):
        if isinstance(holder, Mapping):
            fields = cast("Mapping[str, Any]", holder)
            tier = fields.get("service_tier") or fields.get("serviceTier")
            if isinstance(tier, str):
                return tier
    return None
