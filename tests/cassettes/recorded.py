"""Recorded exchanges with providers: VCR's cassettes, and Pydantic AI's of WebSockets and of xAI's protobufs."""

import base64
import gzip
import json
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import yaml

from tracking.providers import snapshot

Fields = dict[str, Any]

HOSTS = (
    (re.compile(r"bedrock-mantle\.|runtime\.sagemaker\."), "aws"),
    (re.compile(r"aiplatform\.googleapis\.com"), "google"),
    (re.compile(r":11434$|^ollama\.com"), "ollama"),
    (re.compile(r"gateway\.pydantic|localhost:8787"), "gateway"),
)
"""Whose a host is, where genai-prices does not say."""

MODEL_IN_URL = re.compile(r"/(?:models?|deployments|publishers/[^/]+/models)/([^:/?]+(?::\d+)?)")


@dataclass(frozen=True)
class Recorded:
    """One answer as its provider sent it: a body, or the chunks of a stream."""

    file: Path
    provider: str
    model: str | None
    body: object = None
    chunks: tuple[object, ...] | None = None


def recorded_answers(folder: Path) -> Iterator[Recorded]:
    """Every answer of every cassette below a folder; requests that are no calls of a model among them."""
    for file in sorted(folder.rglob("*.yaml")):
        if any("cassette" in part for part in file.parts):
            yield from _answers_of(file)


def _answers_of(file: Path) -> Iterator[Recorded]:
    cassette = yaml.load(file.read_bytes(), Loader=yaml.CSafeLoader)
    interactions = cassette.get("interactions") or [] if isinstance(cassette, dict) else []
    yield from _messages(file, [each for each in interactions if each.get("kind") == "message"])
    for interaction in interactions:
        if "request" in interaction:
            yield from _exchange(file, interaction["request"], interaction["response"])
        elif "response_sample" in interaction or "response_stream" in interaction:
            yield _of_xai(file, interaction)


def _exchange(file: Path, request: Fields, response: Fields) -> Iterator[Recorded]:
    url = urlsplit(request["uri"])
    asked = request.get("parsed_body") or _parsed(_bytes(request.get("body"))) or {}
    provider = provider_of_url(request["uri"])
    in_url = MODEL_IN_URL.search(unquote(url.path))
    model = asked.get("model") or asked.get("model_id") if isinstance(asked, dict) else None
    model = model or (in_url and in_url[1])
    headers = {name.lower(): values for name, values in (response.get("headers") or {}).items()}
    raw = response.get("parsed_body")
    content = raw if raw is not None else _decoded((response.get("body") or {}).get("string"), headers)
    if isinstance(content, bytes):
        kind = str(_first(headers.get("content-type")))
        if "eventstream" in kind or (chunks := _chunks(content)) is None:
            chunks = _event_stream(content) if "eventstream" in kind else None
        if chunks is not None:
            yield Recorded(file, provider, model, chunks=tuple(chunks))
            return
        content = _parsed(content)
    if isinstance(content, list) and all(isinstance(part, dict) for part in content):  # Gemini's without SSE
        yield Recorded(file, provider, model, chunks=tuple(content))
    elif isinstance(content, dict):
        counted = {name: _first(value) for name, value in headers.items() if name.startswith("x-amzn-bedrock-")}
        if counted and "/invoke" in url.path:
            content = {"body": content, "ResponseMetadata": {"HTTPHeaders": counted}}
        yield Recorded(file, provider, model, body=content)


def provider_of_url(url: str) -> str:
    """The catalogue's id of who is asked at an address, or the host itself."""
    try:
        return snapshot().find_provider(None, None, url).id
    except LookupError:
        host = urlsplit(url).netloc
        return next((provider for pattern, provider in HOSTS if pattern.search(host)), host)


def _messages(file: Path, messages: list[Fields]) -> Iterator[Recorded]:
    """What a WebSocket brought: each message that says a usage is an answer of its own."""
    sent = [each["data"] for each in messages if each["direction"] == "sent"]
    google = any("setup" in each for each in sent if isinstance(each, dict))
    model = next((m for each in sent if isinstance(each, dict) and (m := (each.get("setup") or {}).get("model"))), None)
    provider = "google" if google else next((p for p in ("azure", "xai") if p in file.parent.name), "openai")
    for message in messages:
        data = message.get("data")
        if message["direction"] == "received" and isinstance(data, dict) and says_usage(data):
            model = model or (data.get("response") or {}).get("model")
            yield Recorded(file, provider, model or "gpt-realtime", body=data)


def _of_xai(file: Path, interaction: Fields) -> Recorded:
    from xai_sdk.chat import Chunk, Response
    from xai_sdk.proto import chat_pb2

    if sample := interaction.get("response_sample"):
        whole = chat_pb2.GetChatCompletionResponse.FromString(sample["raw"])
        return Recorded(file, "x-ai", None, body=Response(whole, 0))
    parts = [chat_pb2.GetChatCompletionChunk.FromString(raw) for raw in interaction["response_stream"]["chunks_raw"]]
    so_far = Response(chat_pb2.GetChatCompletionResponse(), 0)
    return Recorded(file, "x-ai", None, chunks=tuple((so_far, Chunk(part, 0)) for part in parts))


def says_usage(content: object) -> bool:
    """Whether some field that is called after tokens or usage holds a number that is not zero."""
    if isinstance(content, Mapping):
        return any(
            (_is_counted(name) and type(value) in (int, float) and value > 0) or says_usage(value)
            for name, value in content.items()
        )
    return isinstance(content, list | tuple) and any(map(says_usage, content))


def _is_counted(name: object) -> bool:
    return bool(
        re.search(r"token(?!izer)(?!.*(limit|max|budget))|eval_count$", str(name), re.IGNORECASE)
    ) and not re.search(r"max|limit|budget|remaining|index|id$", str(name), re.IGNORECASE)


def _first(value: Any) -> Any:
    value = value[0] if isinstance(value, list) and value else value
    return value.decode() if isinstance(value, bytes) else value


def _bytes(body: object) -> bytes:
    if isinstance(body, dict):
        body = body.get("string")
    return body.encode() if isinstance(body, str) else body if isinstance(body, bytes) else b""


def _decoded(text: object, headers: Mapping[str, Any]) -> bytes:
    content = _bytes(text)
    if content[:2] == b"\x1f\x8b":
        return gzip.decompress(content)
    if "br" in str(_first(headers.get("content-encoding"))):
        try:
            import brotli

            return brotli.decompress(content)
        except Exception:  # recorded decoded, or no decoder here
            return content
    if "deflate" in str(_first(headers.get("content-encoding"))):
        try:
            return zlib.decompress(content)
        except zlib.error:
            return content
    return content


def _parsed(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return None


def _chunks(content: bytes) -> list[object] | None:
    """The chunks of server-sent events, or of lines of JSON; `None` where it is neither."""
    lines = content.decode(errors="replace").splitlines()
    if any(line.startswith("data:") for line in lines):
        data = (line.removeprefix("data:").strip() for line in lines if line.startswith("data:"))
        return [parsed for text in data if (parsed := _parsed(text.encode())) is not None]
    parsed = [_parsed(line.encode()) for line in lines if line.strip()]
    return parsed if len(parsed) > 1 and all(isinstance(each, dict) for each in parsed) else None


def _event_stream(content: bytes) -> Iterable[object]:
    """The events of AWS's binary framing, as boto3 hands them out."""
    from botocore.eventstream import EventStreamBuffer

    buffer = EventStreamBuffer()
    buffer.add_data(content)
    for event in buffer:
        payload, kind = event.payload, event.headers.get(":event-type")
        inner = _parsed(payload)
        if kind == "chunk":
            yield {"chunk": {"bytes": base64.b64decode(inner["bytes"])}}
        elif kind == "PayloadPart":  # SageMaker's
            yield {"PayloadPart": {"Bytes": payload}}
        else:
            yield {kind: inner}
