"""boto3's client of `bedrock-runtime`: botocore tells before and after each call, its retries within."""

from collections.abc import Iterator
from typing import Any

from tracking.capture.bodies import Chunks, WholeBody
from tracking.capture.call import CapturedCall, unharmed
from tracking.capture.passing import PassingBody
from tracking.capture.patches import Patches
from tracking.capture.recorder import Recorder
from tracking.errors import ArgumentError

CALL = "llm_cost_call"
"""In a request's context: its call."""

SERVICE = "bedrock-runtime"


def watch_client(client: Any, recorder: Recorder, patches: Patches, provider: str | None) -> None:
    """Record the calls of a client.

    Raises:
        ArgumentError: the client is of another service of AWS.
    """
    if (service := client.meta.service_model.service_name) != SERVICE:
        raise ArgumentError("client", f"is one of AWS's {service}; of AWS, bedrock-runtime is watched")

    def before(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        with unharmed(recorder, "requests"):
            call = context[CALL] = CapturedCall(recorder, provider or "aws", None)
            call.sent(params["method"], params["url"].partition("?")[0], lambda: params.get("body"))

    def after(http_response: Any, parsed: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        with unharmed(recorder, "answers"):
            if (call := context.pop(CALL, None)) is not None:
                _answered(call, http_response.status_code, parsed)

    def failed(exception: BaseException, context: dict[str, Any], **_: Any) -> None:
        if (call := context.pop(CALL, None)) is not None:
            call.failed(exception)

    events: Any = client.meta.events
    for name, handler in (("before-call", before), ("after-call", after), ("after-call-error", failed)):
        event = f"{name}.{SERVICE}"
        events.register(event, handler)
        patches.later(lambda event=event, handler=handler: events.unregister(event, handler))


def _answered(call: CapturedCall, status: int, parsed: dict[str, Any]) -> None:
    if status >= 300:
        call.refused_with = status
        call.error_type = parsed.get("Error", {}).get("Code")
        call.returned(None)
        return
    stream, body = parsed.get("stream"), parsed.get("body")
    if stream is None and hasattr(body, "_event_generator"):  # invoke_model_with_response_stream
        stream = body
    if stream is not None:
        call.body = PassingBody(call, Chunks())
        _pass_events(stream, call.body)
    elif body is not None:
        call.body = PassingBody(call, InvokedBody(parsed))
        body._raw_stream = PassingRaw(body._raw_stream, call.body)  # noqa: SLF001
    else:
        call.answered(lambda provider, model: [parsed])


def _pass_events(stream: Any, body: PassingBody) -> None:
    """Read a stream's events as it parses them, which is where those that tell of an error are raised."""
    parse, close = stream._parse_event, stream.close  # noqa: SLF001

    def parsed(event: Any) -> Any:
        try:
            made = parse(event)
        except BaseException as error:
            body.fail(error)
            body.close()
            raise
        if made:
            body.feed(made)
        return made

    def closed() -> None:
        try:
            close()
        finally:
            body.close()

    stream._event_generator = PassingEvents(stream._event_generator, body)  # noqa: SLF001
    stream._parse_event, stream.close = parsed, closed  # noqa: SLF001


class PassingEvents:
    """What a stream takes its events from, passed through."""

    def __init__(self, events: Iterator[Any], body: PassingBody) -> None:
        self._events = events
        self._body = body

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        try:
            return next(self._events)
        except StopIteration:
            self._body.end()
            raise
        except BaseException as error:
            self._body.fail(error)
            self._body.close()
            raise

    def __getattr__(self, name: str) -> Any:
        return getattr(self._events, name)

    def __del__(self) -> None:
        self._body.close()


class InvokedBody(WholeBody):
    """The body of `invoke_model`, whose counts may stand in its headers."""

    def __init__(self, parsed: dict[str, Any]) -> None:
        super().__init__()
        self._metadata = parsed.get("ResponseMetadata")

    def answers(self, provider: str | None, model: str | None) -> list[Any]:
        made = super().answers(provider, model)
        return [{"body": each, "ResponseMetadata": self._metadata} for each in made]


class PassingRaw:
    """What a streaming body reads from, passed through."""

    def __init__(self, raw: Any, body: PassingBody) -> None:
        self._raw = raw
        self._body = body

    def read(self, amount: int | None = None, *given: Any, **options: Any) -> bytes:
        data: bytes = self._raw.read(amount, *given, **options)
        self._came(data, amount is None)
        return data

    def readinto(self, buffer: Any) -> int:
        count: int = self._raw.readinto(buffer)
        self._came(bytes(memoryview(buffer)[:count]), False)
        return count

    def readlines(self) -> list[bytes]:
        lines: list[bytes] = self._raw.readlines()
        self._came(b"".join(lines), True)
        return lines

    def close(self) -> None:
        self._raw.close()
        self._body.close()

    def __iter__(self) -> Iterator[bytes]:
        for data in self._raw:
            self._came(data, False)
            yield data
        self._body.end()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)

    def __del__(self) -> None:
        self._body.close()

    def _came(self, data: bytes, is_all: bool) -> None:
        if data:
            self._body.feed(data)
        if is_all or not data:
            self._body.end()
