"""Which event a row is about, so that the same event recorded twice is one row."""

import hashlib
import os
import time
from uuid import UUID

from tracking.answers.extraction import real_id
from tracking.answers.response import LLMResponse
from tracking.rows.trackable import identity_text
from tracking.usage import Usage, counts_of


def _digest(*parts: str | None) -> str:
    """A hash no two different lists of parts share: each part carries its length, and absence is not blank."""
    joined = "".join(["-;" if part is None else f"{len(part)}:{part};" for part in parts])
    return hashlib.sha256(joined.encode(errors="surrogatepass")).hexdigest()[:32]


def event_key_of(response: LLMResponse, idempotency_key: str | None) -> str | None:
    """The billable event: the caller's key, else provider and response id; `None` where neither exists.

    Raises:
        ArgumentError: the key is blank, or neither text, a whole number nor a UUID.
    """
    if idempotency_key is not None and (key := real_id(identity_text("idempotency_key", idempotency_key))):
        return _digest("key", key)
    if response.id is not None:
        return _digest("response", response.provider, response.id)
    return None


def record_id_of(event_key: str | None, usage: Usage, other_units: str | None, status: str) -> str:
    """The row: event and usage together (providers do reuse ids), or a UUIDv7 where no event is known.

    `other_units` is the usage's own, as canonical JSON.
    """
    if event_key is None:
        return str(uuid7())
    # Numbers, fixed words and canonical JSON: no two usages make the same text.
    return _digest(event_key, ",".join(map(str, counts_of(usage))), other_units, status)


def uuid7() -> UUID:
    """A time-ordered UUID. Source: RFC 9562, section 5.7."""
    milliseconds = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10))
    value = (milliseconds & (1 << 48) - 1) << 80 | random
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return UUID(int=value)
