"""A line of a journal: eight hex digits of CRC-32 over what follows the space, a space, one JSON object, a newline."""

import json
from typing import TYPE_CHECKING
from zlib import crc32

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
        LedgerError: as `LLMUsageRecord.to_json` does.
    """
    columns = record.to_json()
    return columns if prompt is None else columns[:-1] + b',"prompt":' + json.dumps(prompt).encode() + b"}"


def record_line(record: "LLMUsageRecord", prompt: str | None) -> bytes:
    """The journal line of one record."""
    return encode_line(record_json(record, prompt))
