"""A watched stream gives each chunk as it is, when it is asked for, and keeps nothing of what it says."""

from collections.abc import Iterator
from typing import Any

import pytest
from streamed import CHAT_CHUNKS, CHAT_USAGE, chat_chunk

import tracking
from tracking import ResponseError, Usage


def test_response_may_be_asked_for_at_any_time_and_grows() -> None:
    stream = tracking.watch_stream(iter(CHAT_CHUNKS))
    with pytest.raises(ResponseError, match="no chunk"):
        _ = stream.response
    next(stream)
    assert stream.response.usage == Usage(output_tokens=2)
    for _ in stream:
        pass
    assert stream.response.usage == CHAT_USAGE


def test_nothing_of_the_text_is_kept_and_chunks_are_not_changed() -> None:
    secret = "canary-7f3"
    chunks = [chat_chunk(secret), *CHAT_CHUNKS]
    before = repr(chunks)
    stream = tracking.watch_stream(iter(chunks))
    list(stream)
    assert repr(chunks) == before
    assert secret not in repr(vars(stream._reader))
    assert stream.response.text is None


def test_a_chunk_is_taken_only_when_the_caller_asks() -> None:
    taken: list[int] = []

    def chunks() -> Iterator[dict[str, Any]]:
        for number, chunk in enumerate(CHAT_CHUNKS):
            taken.append(number)
            yield chunk

    stream = tracking.watch_stream(chunks())
    next(stream)
    assert taken == [0]


@pytest.mark.parametrize("chunk", [5, "text", None, object()])
def test_unreadable_chunks_pass_through_and_are_named_at_the_end(chunk: object) -> None:
    stream = tracking.watch_stream(iter([chunk]), provider="openai")
    assert list(stream) == [chunk]
    with pytest.raises(ResponseError, match=type(chunk).__name__):
        _ = stream.response


def test_the_stream_of_a_provider_that_no_catalogue_knows_is_read_like_any_other() -> None:
    stream = tracking.watch_stream(iter(CHAT_CHUNKS), provider="Acme")
    assert len(list(stream)) == len(CHAT_CHUNKS)
    assert (stream.response.provider, stream.response.usage, stream.response.status) == ("acme", CHAT_USAGE, "ok")
