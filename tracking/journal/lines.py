"""A line of a journal: eight hex digits of CRC-32 over what follows the space, a space, one JSON object, a newline."""

import json
from typing import TYPE_CHECKING
from zlib import crc32

from tracking.errors import LedgerError
from tracking.money import plain_text

if TYPE_CHECKING:
    from tracking.rows.record import LLMUsageRecord


def encode_line(content: bytes) -> bytes:
    """One journal line around a JSON object that holds no raw newline."""
    return b"%08x %s\n" % (crc32(content), content)


def decode_line(line: bytes) -> bytes | None:
    """The JSON of one line without its newline, or `None` where the checksum does not match."""
    if len(line) < 9 or line[8:9] != b" ":
        return None
    content = line[9:]
    try:
        expected = int(line[:8], 16)
    except ValueError:
        return None
    return content if crc32(content) == expected else None


def record_json(record: "LLMUsageRecord", prompt: str | None) -> bytes:
    """The JSON of one record's known columns and, beside them, the prompt's text.

    Raises:
        LedgerError: it would not be read back as that record, which is then better refused than acknowledged.
    """
    columns = record.to_json()
    cost = record.cost_usd
    if not (
        columns.startswith(b'{"')
        and columns.endswith(b"}")
        and b"\n" not in columns
        and (cost is None or b'"cost_usd":"%b"' % plain_text(cost).encode() in columns)
    ):
        raise LedgerError(f"the JSON of record {record.record_id} does not hold what the record does")
    return columns if prompt is None else columns[:-1] + b',"prompt":' + json.dumps(prompt).encode() + b"}"


def record_line(record: "LLMUsageRecord", prompt: str | None) -> bytes:
    """The journal line of one record."""
    return encode_line(record_json(record, prompt))
