"""What may be kept of a refused call: what it used, whose it was and why it was refused; never what was said.

Everything is taken by its name and its shape: numbers, ids and single words. A text is kept only where a name says that
it is no person's words, and only as long as an id is; so it is the same wherever in a call the prompt was put.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from math import isfinite
from typing import Any, cast

from pydantic import ValidationError

from tracking.answers.fields import fields_of, text_in
from tracking.answers.response import LLMResponse
from tracking.answers.wrappers import stream_of
from tracking.errors import CostTrackingError
from tracking.rows.options import CallOptions
from tracking.rows.request_type import RequestType
from tracking.rows.trackable import TrackableRef, identity_text, user_id_of
from tracking.values import whole_number

USAGE = ("usage", "usageMetadata", "usage_metadata", "usage_info", "token_usage", "meta", "metrics")
"""The parts of a provider's answer that hold its counts."""
FACTS = (
    *("id", "responseId", "response_id", "generation_id", "type", "status"),
    *("created", "created_at", "createTime", "create_time"),
    *("provider", "model", "modelVersion", "model_version", "service_tier", "serviceTier"),
)
"""What else of an answer its price depends on, and what it is known by."""
TOLD = frozenset({*FACTS, "request_type", "occurred_at", "attempt"})
"""Fields of an answer or a call whose refused value a reason may repeat, where it is one word."""
WORDS = frozenset(
    {"modality", "type", "service_tier", "serviceTier", "speed", "trafficType", "traffic_type", "inference_geo"}
)
"""Fields within usage that hold a word of a fixed list."""

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]{0,63}")
WORD = re.compile(r"[A-Za-z0-9_.:-]{1,40}")
NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?")
TOKEN = re.compile(r"[\x21-\x7e]{1,256}")
"""An id, an instant or a model: one word."""
LONGEST_ID = 256
LONGEST_TAG = 64
MOST_PARTS = 64
DEEPEST = 6
MOST = 10**15

QUOTED = re.compile(r"""(?<!\w)(?:'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")(?!\w)""")
PLAIN = re.compile(r"[\w.:/@+-]{0,64}")


def answer_part(answer: object, provider: str | None = None, model: str | None = None) -> dict[str, Any] | None:
    """What an answer used and what it is known by, as plain JSON; `None` where it says nothing of that.

    `provider` and `model` are what was given beside it. Whatever is wrong with the answer, nothing is raised.
    """
    try:
        if isinstance(answer, LLMResponse):
            return response_part(answer)
        fields = fields_of(answer) or {}
        usage = {name: part for name in USAGE if (part := _counts(fields.get(name))) is not None}
        facts = {name: fact for name in FACTS if (fact := _fact(fields.get(name))) is not None}
        if usage or not fields:
            return facts | usage or None
        return _elsewhere(answer, provider, model) or facts or None
    except Exception:  # an object of the application's own may fail in its own way
        return None


def _elsewhere(answer: object, provider: str | None, model: str | None) -> dict[str, Any] | None:
    """Of an answer within something else, or as another library has it."""
    try:
        return None if stream_of(answer) else response_part(LLMResponse.from_provider(answer, provider, model))
    except CostTrackingError:
        return None


def attribution_part(arguments: Mapping[str, object], options: CallOptions) -> dict[str, Any]:
    """What was given of whose call it was, when it was made and what for, as far as it is usable; `None` elsewhere."""
    part: dict[str, Any] = {}
    for name, read in _ALWAYS.items():
        part[name] = _read(read, arguments.get(name))
    for name, read in _WHERE_GIVEN.items():
        value = _read(read, options.get(name))
        if value is not None:
            part[name] = value
    occurred_at = cast(object, options.get("occurred_at"))
    part["occurred_at"] = str(occurred_at) if isinstance(occurred_at, datetime) else None
    return part


def reason_part(error: BaseException, said: object = None) -> str:
    """Why a call was refused, in one line without anything of what was `said`: the answer, or all of a line."""
    if isinstance(error, ValidationError):
        reason = "; ".join(f"{'.'.join(map(str, line['loc']))}: {line['msg']}" for line in error.errors())
    else:
        reason = " ".join(str(error).split())
    spoken = _texts(said)

    def shown(match: re.Match[str]) -> str:
        quoted = match[0][1:-1]
        # A long one may have been cut off.
        is_spoken = quoted in spoken or (len(quoted) > 20 and any(text.startswith(quoted) for text in spoken))
        return match[0] if PLAIN.fullmatch(quoted) and not is_spoken else "'…'"

    return QUOTED.sub(shown, reason)


def response_part(response: LLMResponse) -> dict[str, Any]:
    """An answer that was read: all its price depends on and what it is known by. `kept_response` makes it anew."""
    counts = {name: count for name, count in response.usage.token_counts().items() if count is not None}
    usage = counts | {name: str(value) for name, value in response.usage.other_units.items()}
    part = {"provider": _word(response.provider), "model": _word(response.model), "id": _token(response.id)}
    more = {
        "created": None if response.created is None else response.created.isoformat(),
        "service_tier": _token(response.service_tier),
        "region": _token(response.region),
        "stream": response.stream,
        "status": None if response.status == "ok" else response.status,
        "finish_reason": _token(response.finish_reason),
        "error_type": _token(response.error_type),
        "provider_cost": None if response.provider_cost is None else f"{response.provider_cost:f}",
        "estimated": response.estimated or None,
        "price_context": {term: _token(value) for term, value in response.price_context.items()} or None,
        "assumptions": [{word: _concern(value) for word, value in each.items()} for each in response.assumptions]
        or None,
    }
    return part | {"usage": usage} | {name: value for name, value in more.items() if value is not None}


def _counts(value: object, name: str = "", depth: int = 0) -> Any:
    """The numbers of a usage by their names, whatever stands between them; `None` where there are none."""
    if (number := _number(value)) is not None:
        return number
    if (text := text_in(value)) is not None:
        return text if NUMBER.fullmatch(text) or (name in WORDS and WORD.fullmatch(text)) else None
    if depth == DEEPEST:
        return None
    if isinstance(value, list | tuple):
        items = [_counts(item, depth=depth + 1) for item in cast("list[object]", value)[:MOST_PARTS] if fields_of(item)]
        return [item for item in items if item is not None] or None
    parts = {
        key: part
        for key, inner in list((fields_of(value) or {}).items())[:MOST_PARTS]
        if NAME.fullmatch(str(key)) and (part := _counts(inner, key, depth + 1)) is not None
    }
    return parts or None


def _number(value: object) -> int | float | str | None:
    if isinstance(value, bool):
        return value
    if (whole := whole_number(value)) is not None:
        return whole if abs(whole) < MOST else None
    if isinstance(value, float):
        return value if isfinite(value) and abs(value) < MOST else None
    if isinstance(value, Decimal):
        return f"{value:f}" if value.is_finite() and -30 < value.adjusted() < 15 and len(str(value)) < 60 else None
    return None


def _fact(value: object) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return number if (number := _number(value)) is not None else _token(text_in(value))


def _token(text: str | None) -> str | None:
    return text if text is not None and TOKEN.fullmatch(text) else None


def _concern(value: object) -> Any:
    """What an assumption is about: a number, a word, or some of them by name."""
    return known if (known := _fact(value)) is not None else _counts(value)


def _word(text: str | None) -> str | None:
    """The name of a provider or of a model, which somebody may have called by several words."""
    return text if text is not None and len(text) <= LONGEST_TAG and text.isprintable() else _token(text)


def _identity(value: object) -> str | None:
    text = None if value is None else identity_text("", value)
    return text if text is not None and len(text) <= LONGEST_ID and text.isprintable() else None


def _tags(value: object) -> dict[str, Any] | None:
    tags: dict[str, Any] = {}
    for name, tag in list((fields_of(value) or {}).items())[:MOST_PARTS]:
        if isinstance(tag, str) and len(tag) <= LONGEST_TAG and tag.isprintable():
            tags[str(name)[:LONGEST_TAG]] = tag
        elif (number := _number(tag)) is not None:
            tags[str(name)[:LONGEST_TAG]] = number
    return tags or None


def _reference(value: object) -> str | None:
    return None if value is None else _identity(str(TrackableRef.of(value)))


_ALWAYS: dict[str, Callable[[Any], Any]] = {
    "user": lambda value: None if value is None else _identity(user_id_of(value)),
    "trackable": _reference,
    "request_type": lambda value: None if value is None else RequestType.of(value, (str(value),)),
}
_WHERE_GIVEN: dict[str, Callable[[Any], Any]] = {
    "trackable_parent": _reference,
    "tenant": _identity,
    "tags": _tags,
    "trace_id": _token,
    "provider": _word,
    "model": _word,
    "status": _token,
    "attempt": _number,
    "retry_of": _token,
    "latency_ms": _number,
    "ttft_ms": _number,
    "idempotency_key": _identity,
}


def _read(read: Callable[[Any], Any], value: object) -> Any:
    try:
        return read(value)
    except Exception:  # an application's own object may fail in its own way
        return None


def _texts(value: object, depth: int = 0) -> set[str]:
    """Every text within plain JSON, but those of fields whose value may be told."""
    if isinstance(value, str):
        return {value}
    inner: list[object] = []
    if isinstance(value, dict):
        inner = [item for name, item in cast("dict[str, object]", value).items() if name not in TOLD]
    elif isinstance(value, list):
        inner = cast("list[object]", value)
    return {text for item in inner for text in _texts(item, depth + 1)} if depth < 4 * DEEPEST else set()
