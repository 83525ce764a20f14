"""Answers inside something else: a line of a batch's results, boto3's `invoke_model`, a stream."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from io import IOBase
from typing import Any, cast

from tracking.answers.fields import Fields, fields_of
from tracking.answers.shapes.bedrock import with_headers
from tracking.errors import ResponseError

BATCH: Mapping[str, str] = {"processing": "batch"}
NOTHING: Mapping[str, str] = {}
ORDERED = frozenset({"custom_id", "request", "key"})
"""Fields of a batch's line that say what was ordered."""


def unwrapped(outer: Fields) -> tuple[Fields, Mapping[str, str]]:
    """The answer itself and by what its wrapping prices it.

    Raises:
        ResponseError: it is still to be read from the network.
    """
    if (made := _batch_result(outer)) is not None:
        return made, BATCH
    if (message := fields_of(outer.get("_proto"))) is not None:  # xai-sdk's
        return message, NOTHING
    body = outer.get("body")
    if body is not None and ("contentType" in outer or "ResponseMetadata" in outer):
        inner = fields_of(cast(object, body)) if isinstance(body, Mapping) else None
        if inner is None:
            raise ResponseError(
                "the body of invoke_model is still to be read: give json.loads(response['body'].read())"
            )
        return with_headers(inner, outer)
    return outer, NOTHING


def _batch_result(line: Fields) -> Fields | None:
    """The answer in a line of a batch's results, in whatever way its provider writes them."""
    response = fields_of(line.get("response"))
    if response is not None:
        body = fields_of(response.get("body"))
        if body is not None:  # OpenAI's (Azure's, Groq's, Mistral's)
            return body
        of_gemini = "usageMetadata" in response or "usage_metadata" in response
        of_claude_at_vertex = "usage" in response and not ORDERED.isdisjoint(line)
        if of_gemini or of_claude_at_vertex:
            return response
    if "result" in line and "custom_id" in line:  # Anthropic's
        message = fields_of((fields_of(line["result"]) or {}).get("message"))
        if message is not None:
            return message
    return fields_of(line.get("modelOutput"))  # Bedrock's


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
