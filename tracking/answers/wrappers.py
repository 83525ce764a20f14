"""Answers inside something else: a line of a batch's results, boto3's `invoke_model`, a stream."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from io import IOBase
from typing import Any, cast

from tracking.answers.fields import Fields, fields_of
from tracking.errors import ResponseError

BATCH: Mapping[str, str] = {"processing": "batch"}
NOTHING: Mapping[str, str] = {}


def unwrapped(outer: Fields) -> tuple[Fields, Mapping[str, str]]:
    """The answer itself and by what its wrapping prices it.

    Raises:
        ResponseError: it is still to be read from the network.
    """
    response = fields_of(outer.get("response"))
    if response is not None:
        body = fields_of(response.get("body"))
        if body is not None:  # a line of OpenAI's (Azure's, Groq's, Mistral's) batch output
            return body, BATCH
        if "usageMetadata" in response or "usage_metadata" in response:  # of Gemini's
            return response, BATCH
    if "result" in outer and "custom_id" in outer:  # of Anthropic's
        message = fields_of((fields_of(outer["result"]) or {}).get("message"))
        if message is not None:
            return message, BATCH
    body = outer.get("body")
    if body is not None and ("contentType" in outer or "ResponseMetadata" in outer):
        inner = fields_of(cast(object, body)) if isinstance(body, Mapping) else None
        if inner is None:
            raise ResponseError(
                "the body of invoke_model is still to be read: give json.loads(response['body'].read())"
            )
        return inner, NOTHING
    return outer, NOTHING


def stream_of(source: Any) -> Iterable[object] | None:
    """The chunks still to be read, where `source` is an iterator, an SDK's stream, or what boto3 returns around one.

    Raises:
        ResponseError: it is an asynchronous stream.
    """
    kind = source.__class__
    if not issubclass(kind, dict):
        return source if _is_stream(kind) else None
    for name in ("stream", "body"):
        if name in source and _is_stream(source[name].__class__):
            return source[name]
    return None


@lru_cache(maxsize=1024)
def _is_stream(kind: type[object]) -> bool:
    if issubclass(kind, IOBase) or kind.__module__ == "botocore.response":
        return False
    if hasattr(kind, "__next__") or kind.__module__ == "botocore.eventstream":
        return True
    if hasattr(kind, "__anext__"):
        raise ResponseError(f"{kind.__name__} is an asynchronous stream: use LLMResponse.from_async_stream")
    return False
