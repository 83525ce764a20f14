"""The texts of a row, checked at the door: what is written down can be read, searched for and erased for ever after."""

from typing import Any

from tracking.answers.response import LLMResponse
from tracking.errors import ArgumentError, ResponseError
from tracking.rows.options import CallOptions
from tracking.values import text_problem

OF_ANSWER = ("id", "service_tier", "region", "finish_reason", "error_type")
GIVEN = ("trace_id", "retry_of", "provider", "model")

USUALLY_AT_MOST = 1024


def check_texts(response: LLMResponse, trace_id: object, options: CallOptions) -> None:
    """Refuse a text with control characters, one that is not valid Unicode, or one far too long. No text is repeated.

    Raises:
        ResponseError: of the answer; the field and what is wrong with it are named.
        ArgumentError: of an argument, likewise.
    """
    texts: Any = (
        response.id,
        response.service_tier,
        response.region,
        response.finish_reason,
        response.error_type,
        trace_id,
        options.get("retry_of"),
        response.provider,
        response.model,
    )
    try:
        joined = "".join([text[: USUALLY_AT_MOST + 1] for text in texts if text])  # a copy of all could be long
    except TypeError:
        joined = "\n"
    if len(joined) <= USUALLY_AT_MOST and joined.isprintable():  # nearly always: one look at all of them
        return
    for name, text in zip((*OF_ANSWER, *GIVEN), texts, strict=True):
        if isinstance(text, str) and (problem := text_problem(text)):
            raise (
                ResponseError(f"{name} of the answer {problem}") if name in OF_ANSWER else ArgumentError(name, problem)
            )
