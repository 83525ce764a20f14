"""Reading usage out of a provider's answer, by the extractors of genai-prices.

An extractor is a table of paths (root, mappings, model path). Where several of a provider's fit, the one
marked `default` is what the provider bills by; else the one that reads the most counts is the right one,
because a less specific one reads the same totals and misses the parts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from tracking.catalogue import find_provider, provider_of_model
from tracking.errors import ArgumentError, ResponseError
from tracking.usage import Quantity, Usage, as_quantity

if TYPE_CHECKING:
    from genai_prices.types import Provider, UsageExtractor

CATALOGUE_UNIT = {"reasoning_tokens": "output_reasoning_tokens"}
"""Our column names where the catalogue's unit is named otherwise."""

COLUMN = {unit: column for column, unit in CATALOGUE_UNIT.items()}


@dataclass(frozen=True, slots=True)
class Extraction:
    """What an answer says of itself."""

    provider: str
    model: str | None
    usage: Usage


def extract(body: Mapping[str, Any], provider: str | None) -> Extraction:
    """Usage and model of one answer.

    Raises:
        ResponseError: no usage in it, or not in a shape this provider sends.
        UsageError: a count is not a non-negative number; its path and value are named.
        ArgumentError: the provider is unknown, or not given and not to be told from the answer.
    """
    known = find_provider(provider) if provider else _infer_provider(body)
    if known is None:
        raise ArgumentError("provider", f"{provider!r} is not in the catalogue")
    extractors = known.extractors or _chat_extractors()
    for extractor in extractors:
        _check_counts(extractor, body)
    found: list[tuple[UsageExtractor, str | None, dict[str, Quantity]]] = []
    problems: list[str] = []
    for extractor in extractors:
        try:
            model, usage = extractor.extract(body)
        except ValueError as error:
            problems.append(str(error))
        else:
            found.append((extractor, model, _reported(usage)))
    if not found:
        raise ResponseError(f"no usage in this answer of provider {known.id!r}: {'; '.join(dict.fromkeys(problems))}")
    _, model, counts = max(found, key=lambda hit: (hit[0].api_flavor == "default", len(hit[2])))
    named = {COLUMN.get(unit, unit): quantity for unit, quantity in counts.items()}
    columns = {name: named.pop(name) for name in tuple(named) if name in Usage.__dataclass_fields__}
    return Extraction(known.id, model or None, Usage(**cast(Any, columns), other_units=named))


def _reported(usage: object) -> dict[str, Quantity]:
    """The counts an extractor read, by the catalogue's unit names."""
    return {unit: as_quantity(unit, value) for unit, value in vars(usage).items() if not unit.startswith("_")}


def _chat_extractors() -> list["UsageExtractor"]:
    """For providers with no extractor of their own: their interface is OpenAI's chat completions."""
    openai = cast("Provider", find_provider("openai"))
    return [extractor for extractor in openai.extractors or [] if extractor.api_flavor in ("chat", "embeddings")]


def _infer_provider(body: Mapping[str, Any]) -> "Provider":
    usage = body.get("usage")
    if "usageMetadata" in body:
        inferred = find_provider("google")
    elif isinstance(usage, Mapping) and "inputTokens" in usage:
        inferred = find_provider("aws")
    elif body.get("type") == "message" and isinstance(usage, Mapping) and "input_tokens" in usage:
        inferred = find_provider("anthropic")
    else:
        inferred = provider_of_model(body.get("model"))
    if inferred is None:
        raise ArgumentError("provider", "is not given and cannot be told from the answer")
    return inferred


def _check_counts(extractor: "UsageExtractor", body: Mapping[str, Any]) -> None:
    """Refuse a count that genai-prices would skip silently (a text) or refuse without its value."""
    root = _steps(extractor.root)
    for mapping in extractor.mappings:
        path = [*root, *_steps(mapping.path)]
        value = _at(body, path)
        if value is not None:
            as_quantity(".".join(str(step) for step in path if isinstance(step, str)), value)


def _steps(path: Any) -> list[Any]:
    return [path] if isinstance(path, str) else list(path)


def _at(value: Any, path: Sequence[Any]) -> Any:
    for step in path:
        if isinstance(step, str):
            value = cast("Mapping[str, Any]", value).get(step) if isinstance(value, Mapping) else None
        else:
            value = step.extract(value) if isinstance(value, Sequence) and not isinstance(value, str) else None
        if value is None:
            return None
    return value


def instant_of(body: Mapping[str, Any]) -> datetime | None:
    """When the provider says it made the answer: epoch seconds or ISO 8601 with an offset; else `None`."""
    for field in ("created", "created_at", "createTime"):
        value = body.get(field)
        if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
            try:
                return datetime.fromtimestamp(value, UTC)
            except (OverflowError, OSError, ValueError):
                continue
        if isinstance(value, str):
            try:
                instant = datetime.fromisoformat(value)
            except ValueError:
                continue
            if instant.tzinfo is not None:
                return instant.astimezone(UTC)
    return None


def response_id_of(body: Mapping[str, Any]) -> str | None:
    for field in ("id", "responseId", "response_id"):
        if real := real_id(body.get(field)):
            return real
    inner = body.get("response")
    return response_id_of(cast("Mapping[str, Any]", inner)) if isinstance(inner, Mapping) else None


def real_id(value: object) -> str | None:
    """`value` where it is an id; null, blank and "None" are no ids (litellm#39749)."""
    if not isinstance(value, str) or value.strip().lower() in ("", "none", "null"):
        return None
    return value


def finish_reason_of(body: Mapping[str, Any]) -> str | None:
    for field in ("stop_reason", "stopReason", "finish_reason", "status"):
        if isinstance(reason := body.get(field), str):
            return reason
    for choice in (*_listed(body.get("choices")), *_listed(body.get("candidates"))):
        reason = _inside(choice, "finish_reason") or _inside(choice, "finishReason")
        if isinstance(reason, str):
            return reason
    return None


def text_of(body: Mapping[str, Any]) -> str | None:
    """The answer's text, where it has one in a shape known here."""
    if isinstance(text := body.get("output_text"), str):
        return text
    contents: list[Any] = [body.get("content")]
    contents += [_inside(choice, "message", "content") for choice in _listed(body.get("choices"))]
    contents += [_inside(candidate, "content", "parts") for candidate in _listed(body.get("candidates"))]
    contents += [_inside(item, "content") for item in _listed(body.get("output"))]
    contents += [_inside(body, "output", "message", "content"), _inside(body, "message", "content")]
    parts = [text for content in contents for text in _texts(content)]
    return "".join(parts) if parts else None


def _listed(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []


def _inside(value: Any, *names: str) -> Any:
    for name in names:
        value = cast("Mapping[str, Any]", value).get(name) if isinstance(value, Mapping) else None
    return value


def _texts(content: Any) -> list[str]:
    if isinstance(content, str):
        return [content]
    blocks = [block for block in _listed(content) if not _inside(block, "thought")]
    return [text for block in blocks if isinstance(text := _inside(block, "text"), str)]
