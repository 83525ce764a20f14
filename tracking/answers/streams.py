"""Usage out of a stream: what its chunks say, the last word counting, and an estimate where the last word never came.

Only names, counts and the number of characters are kept of a stream, never its text.
"""

import json
from collections.abc import Mapping
from typing import Any, cast

from tracking.answers.estimates import from_text, tokens_of
from tracking.answers.extraction import extract, finish_reason_of, instant_of, provider_of_chunk, response_id_of
from tracking.answers.fields import Fields, fields_of, inside, listed, text_in
from tracking.answers.inference import extractors_of, infer_provider
from tracking.answers.shapes.gemini import kept_grounding
from tracking.answers.shapes.openai import hosted_tools, kept_item
from tracking.answers.stream_counts import StreamCounts
from tracking.answers.stream_text import characters_in, characters_made
from tracking.errors import ResponseError, UsageError
from tracking.interrupts import raise_interrupt_behind
from tracking.terms import terms_of_tier
from tracking.usage import Usage

_FINAL_EVENTS = ("response.completed", "response.incomplete", "response.failed", "response.done")
_NAMES = frozenset(
    (
        *("id", "model", "created", "service_tier", "system_fingerprint", "provider", "prompt_filter_results"),
        *("modelVersion", "model_version", "responseId", "response_id", "createTime", "create_time"),
        *("x_groq", "ResponseMetadata"),
    )
)
"""What is kept of a chunk besides its usage."""

_CONVERSE_EVENTS = frozenset(
    ("messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop")
)
_GEMINI_USAGE = ("usageMetadata", "usage_metadata")


class StreamReader:
    """Takes a stream's chunks as they come (`feed`) and says at any time what they make (`read`).

    `feed` never raises: a chunk that cannot be read must not break a stream that has been paid for. An interrupt amid
    it goes through; its chunk is then taken anew before the next one, or before `read` answers.
    """

    def __init__(self, provider: str | None = None, model: str | None = None) -> None:
        self.provider = provider
        self.model = model
        self.error_type: str | None = None
        self._names: dict[str, Any] = {}
        self._counts = StreamCounts()
        self._source: object = None
        self._class_provider: str | None = None
        self._finish: str | None = None
        self._final = False
        self._counted_last = False
        """Whether the last chunk held counts: a stream that says them once does so at its end."""
        self._ended = False
        self._has_chunks = False
        self._taking: tuple[object, int, Mapping[str, Any]] | None = None
        """The chunk being taken, and what stood before it of all that is added up."""
        self._readable = False
        self._unreadable = ""
        self.characters = 0
        """How much text has come."""

    def feed(self, chunk: object) -> None:
        """Take what matters of one chunk or event."""
        if self._taking is not None:
            self._finish_taking()
        self._has_chunks, self._taking = True, (chunk, self.characters, self._counts.body)
        self._finish_taking()

    def _finish_taking(self) -> None:
        if self._taking is None:
            return
        chunk, self.characters, self._counts.body = self._taking
        try:
            self._take(chunk)
        except Exception as error:  # whatever an SDK's object does
            raise_interrupt_behind(error)
            self._unreadable = type(chunk).__name__
        else:
            self._readable = True
        self._taking = None

    def end(self) -> None:
        """Say that the stream came to its own end."""
        self._ended = True

    def fail(self, error: BaseException) -> None:
        """Say what the stream broke off with."""
        self.error_type = type(error).__name__

    def read(self) -> dict[str, Any]:
        """The fields of an `LLMResponse` for what has come so far.

        Raises:
            ResponseError: nothing has come.
            UsageError, ArgumentError: as `extract` does.
        """
        self._finish_taking()
        if not self._has_chunks:
            raise ResponseError("no usage in this stream: it held no chunk")
        if not self._readable:
            raise ResponseError(f"no usage in this stream: a chunk of type {self._unreadable} cannot be read")
        if self._counts and (self._final or (self._ended and (self._finish is not None or self._counted_last))):
            try:
                return self._whole()
            except ResponseError:
                pass  # a usage that does not say enough is no final one
        return self._partial()

    def _whole(self) -> dict[str, Any]:
        fields = self._extract(self._source if self._source is not None else self._body())
        if fields.get("assumptions") and self._counts.merged:  # a last snapshot may lack what an earlier one said
            merged = self._extract(self._body() | self._counts.merged)
            fields = fields if merged["assumptions"] else merged
        fields.pop("answer", None)
        failed = fields["finish_reason"] == "failed"
        return fields | {
            "text": None,
            "stream": True,
            "finish_reason": self._finish or fields["finish_reason"],
            "status": "error" if failed else "ok",
            "error_type": "failed" if failed else None,
        }

    def _partial(self) -> dict[str, Any]:
        estimate = tokens_of(self.characters)
        body = self._body()
        try:
            fields = self._extract(body)
        except (ResponseError, UsageError):
            provider = self.provider or self._class_provider or infer_provider(body, self.model)
            fields = _names_in(body, provider, self.model)
        usage: Usage = fields["usage"]
        counts = usage.token_counts() | {"output_tokens": max(usage.output_tokens or 0, estimate)}
        fields.pop("answer", None)
        return fields | {
            "text": None,
            "stream": True,
            "usage": Usage(**cast(Any, counts), other_units=usage.other_units),
            "status": "partial",
            "estimated": True,
            "assumptions": (*fields.get("assumptions", ()), from_text("output")),
            "finish_reason": self._finish,
            "error_type": self.error_type,
        }

    def _extract(self, source: object) -> dict[str, Any]:
        return extract(source, self.provider or self._class_provider, self.model)

    def _body(self) -> dict[str, Any]:
        """What was kept, in the shape of an answer that is no stream."""
        return {**self._names, **(self._counts.body or {"usage": {}})}

    def _take(self, chunk: object) -> None:
        if isinstance(chunk, tuple):  # xai-sdk's: the answer so far, and what is new of it
            chunk = cast("tuple[object, ...]", chunk)[-1]
        fields = fields_of(chunk)
        if fields is None:
            raise ResponseError(f"a chunk of type {type(chunk).__name__} is neither a mapping nor an SDK object")
        if type(chunk) is not dict and self._class_provider is None:
            self._class_provider = provider_of_chunk(chunk)
        if (message := fields_of(fields.get("_proto"))) is not None:  # xai-sdk's
            fields = message
        data = fields_of(fields.get("data"))
        if data is not None and ("choices" in data or "usage" in data):  # Mistral's events
            fields = data
        event = fields.get("type")
        self._counted_last = False
        if "choices" in fields or "response_metadata" in fields:
            self._take_chunk(fields)
        elif "chunk" in fields and isinstance(payload := inside(fields["chunk"], "bytes"), bytes):  # InvokeModel's
            self._class_provider = "aws"  # whoever made the model, Bedrock sells it
            self._take(json.loads(payload))
        elif isinstance(event, str):
            self._take_event(event, fields)
        elif not _CONVERSE_EVENTS.isdisjoint(fields) or inside(fields, "metadata", "usage") is not None:
            self._take_converse(fields)
        elif isinstance(event := fields.get("event_type"), str):
            self._take_first_cohere(event, fields)
        else:
            self._take_chunk(fields)
        counted, final = self._counts.keep_top(fields)
        self._counted_last |= counted
        self._final |= final

    def _take_event(self, event: str, fields: Fields) -> None:
        """OpenAI's responses and realtime events, Anthropic's, Cohere's."""
        if event in _FINAL_EVENTS:
            inner = fields_of(fields.get("response")) or {}
            self._keep_names(inner)
            self._keep_usage(inner.get("usage"))
            self._finish = text_in(inner.get("status")) or self._finish
            self._source = fields if event == "response.done" else inner
            self._final = inner.get("usage") is not None
        elif (inner := fields_of(fields.get("response"))) is not None:  # response.created, response.in_progress
            self._keep_names(inner)
        elif event == "response.output_item.done":
            self._names.setdefault("output", []).append(kept_item(fields.get("item")))
        elif event == "message_start":
            message = fields_of(fields.get("message")) or {}
            self._names["type"] = "message"
            self._keep_names(message)
            self._keep_usage(message.get("usage"))
        elif event == "message_delta":
            self._keep_usage(fields.get("usage"))
            self._finish = text_in(inside(fields, "delta", "stop_reason")) or self._finish
            self._final = self._finish is not None
        elif event == "message-end":
            self._keep_usage(inside(fields, "delta", "usage"))
            self._finish = text_in(inside(fields, "delta", "finish_reason"))
            self._final = True
        elif event == "message-start":
            self._keep_names(fields)
        elif fields.get("usage") is not None:  # transcript.text.done, image_generation.completed
            self._keep_names(fields)
            self._keep_usage(fields["usage"])
            self._final = True
        elif event != "text":  # Anthropic's helper repeats each text delta under this name
            self.characters += characters_in(fields.get("delta"))

    def _take_first_cohere(self, event: str, fields: Fields) -> None:
        """The events of Cohere's chat of version 1, and of Gemini's interactions."""
        if event.startswith(("interaction.", "step.", "content.")):
            if (inner := fields_of(fields.get("interaction"))) is not None:
                self._keep_names(inner)
                self._finish = text_in(inner.get("status")) or self._finish
                if self._keep_usage(inner.get("usage")):
                    self._source = inner
            self.characters += characters_in(fields.get("delta"))
        elif event != "stream-end":
            self.characters += characters_in(fields.get("text"))
        else:
            inner = fields_of(fields.get("response")) or {}
            self._keep_names(inner)
            self._finish = text_in(fields.get("finish_reason"))
            self._final = self._counts.keep("meta", inner.get("meta"))

    def _take_converse(self, fields: Fields) -> None:
        """Bedrock's `converse_stream`."""
        self._class_provider = "aws"
        self.characters += characters_in(inside(fields, "contentBlockDelta", "delta"))
        self._finish = text_in(inside(fields, "messageStop", "stopReason")) or self._finish
        metadata = fields_of(fields.get("metadata"))
        if metadata is not None:
            self._keep_usage(metadata.get("usage"))
            for name in ("serviceTier", "performanceConfig"):
                if (said := metadata.get(name)) is not None:
                    self._names[name] = said
            self._final = True

    def _take_chunk(self, fields: Fields) -> None:
        """Chunks of chat completions, of Gemini, of LangChain, and bodies of other makers' models."""
        self._keep_names(fields)
        if (metadata := fields_of(fields.get("response_metadata"))) is not None:
            self._take_langchain(fields, metadata)
            return
        self._finish = finish_reason_of(fields) or self._finish
        live = fields.get("serverContent") or fields.get("server_content")
        if live is not None and (inside(live, "turnComplete") or inside(live, "turn_complete")):
            self._finish = "turn_complete"
        for choice in listed(fields.get("choices")):
            choice_fields = fields_of(choice) or {}
            self.characters += characters_in(choice_fields.get("delta"))
            self._keep_usage(choice_fields.get("usage"))  # Moonshot's
        for candidate in listed(fields.get("candidates")):
            candidate_fields = fields_of(candidate) or {}
            self.characters += sum(map(characters_in, listed(inside(candidate_fields, "content", "parts"))))
            if (grounding := kept_grounding(candidate_fields)) is not None:
                self._names.setdefault("candidates", []).append(grounding)
        self.characters += characters_made(fields)
        if (usage := fields.get("usage")) is not None:
            self._counted_last |= self._keep_usage(usage)
        if (groqs := fields.get("x_groq")) is not None:
            self._counted_last |= self._keep_usage(inside(groqs, "usage"))
        for name in _GEMINI_USAGE:
            if (usage := fields.get(name)) is not None and self._counts.replace(name, usage):
                self._final = self._finish is not None

    def _take_langchain(self, fields: Fields, metadata: Fields) -> None:
        self._names["response_metadata"] = {**self._names.get("response_metadata", {}), **metadata}
        self._finish = text_in(metadata.get("finish_reason") or metadata.get("stop_reason")) or self._finish
        self.characters += characters_in({"content": fields.get("content")})
        self._counts.add("usage_metadata", fields.get("usage_metadata"))

    def _keep_names(self, fields: Fields) -> None:
        for name, value in fields.items():
            if name in _NAMES and value is not None and not (name in ("id", "model") and not value):
                self._names[name] = value

    def _keep_usage(self, usage: object) -> bool:
        """One that comes after the finish is final."""
        if not self._counts.keep("usage", usage):
            return False
        self._final = self._finish is not None
        return True


def _names_in(body: Fields, provider: str, model: str | None) -> dict[str, Any]:
    """What an answer without readable counts still says of itself.

    Raises:
        ArgumentError: the provider is unknown.
    """
    named = body.get("model") or body.get("modelVersion") or body.get("model_version")
    return {
        "provider": extractors_of(provider).provider,
        "model": model or text_in(named),
        "usage": Usage(other_units=hosted_tools(body, None)),
        "id": response_id_of(body),
        "created": instant_of(body),
        "service_tier": (tier := text_in(body.get("service_tier"))),
        "price_context": terms_of_tier(tier),
    }
