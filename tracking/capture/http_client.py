"""HTTP clients of the httpx family: what is sent through them for a call, and the bytes of the answer as they pass."""

from inspect import iscoroutinefunction
from typing import Any, cast

from tracking.capture.bodies import reader_for
from tracking.capture.call import CapturedCall, current_call, unharmed
from tracking.capture.passing import EncodedBody, PassingBody, watched_stream
from tracking.capture.patches import Patches

MARK = "_llm_cost_watched"


def watch_http_client(client: Any, patches: Patches) -> None:
    """Have a client's `send` tell the call that is in progress what is sent and answered.

    Twice is once; it is put back when the last of those that share it is no longer watched.
    """
    users = cast("_Users | None", client.__dict__.get(MARK))
    if users is None:
        users = _Users()
        users.patches.replace(client, MARK, users)
        send = client.send
        users.patches.replace(client, "send", _async_send(send) if iscoroutinefunction(send) else _sync_send(send))
    users.number += 1
    patches.later(users.leave)


class _Users:
    """Of an HTTP client: the watched clients that share it."""

    def __init__(self) -> None:
        self.number = 0
        self.patches = Patches()

    def leave(self) -> None:
        self.number -= 1
        if not self.number:
            self.patches.undo()


def _sync_send(send: Any) -> Any:
    def watched_send(request: Any, *given: Any, **options: Any) -> Any:
        if (call := current_call.get()) is None:
            return send(request, *given, **options)
        _tell_sent(call, request)
        response = send(request, *given, **options)
        _tell_answered(call, response)
        return response

    return watched_send


def _async_send(send: Any) -> Any:
    async def watched_send(request: Any, *given: Any, **options: Any) -> Any:
        if (call := current_call.get()) is None:
            return await send(request, *given, **options)
        _tell_sent(call, request)
        response = await send(request, *given, **options)
        _tell_answered(call, response)
        return response

    return watched_send


def _tell_sent(call: CapturedCall, request: Any) -> None:
    with unharmed(call.recorder, "requests"):
        url = request.url
        path = url.raw_path.decode("ascii").partition("?")[0]
        call.sent(request.method, f"{url.scheme}://{url.netloc.decode('ascii')}{path}", lambda: _content(request))


def _content(request: Any) -> bytes | None:
    """A request's body, where it is no file that is sent bit by bit."""
    try:
        return request.content
    except Exception as error:
        if type(error).__name__ != "RequestNotRead":
            raise
        return None


def _tell_answered(call: CapturedCall, response: Any) -> None:
    """An answer that is not read yet is read from here on as it passes."""
    with unharmed(call.recorder, "answers"):
        call.response = call.body = None
        call.refused_with = response.status_code if response.status_code >= 400 else None
        if call.refused_with:
            return
        if response.is_closed:
            call.response = response
        elif (reader := reader_for(response.headers.get("content-type", ""))) is not None:
            encoding = response.headers.get("content-encoding", "identity")
            reader = reader if encoding == "identity" else EncodedBody(reader, response)
            call.body = PassingBody(call, reader)
            response.stream = watched_stream(response, call.body)
