"""Prompts are personal data: turned to text once, hashed with the home's own key, kept apart from the money."""

import hmac
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

from tracking.durable_files import create_exclusively
from tracking.errors import ArgumentError, LedgerError
from tracking.interrupts import raise_interrupt_behind
from tracking.values import plain_text

PromptPolicy = Literal["store", "hash", "drop"]

WITHHELD = object()
"""In place of a prompt: the call had one, but whoever records it was not given it. All its columns are NULL."""

KEY_FILE = "prompt.key"
PREFIX_CHARS = 4096
"""Providers cache prefixes from 1,024 tokens on, some 4,096 characters; a shorter prompt has no prefix hash."""


def prompt_text(prompt: object) -> str:
    """A prompt as text: text as it is, a list of chat messages as canonical JSON.

    Raises:
        ArgumentError: blank, or not to be turned to text. The prompt itself is never part of an error.
    """
    text = plain_text(prompt) if isinstance(prompt, str) else _json_text(prompt)
    if not text.strip():
        raise ArgumentError("prompt", "is blank")
    # A lone surrogate cannot be written as UTF-8; the paid call still has to be recorded.
    return text if text.isascii() else text.encode(errors="replace").decode()


def _json_text(prompt: object) -> str:
    try:
        text = _canonical_json(prompt)
    except Exception as error:  # an object of the application's own may fail in its own way
        raise_interrupt_behind(error)
        raise ArgumentError("prompt", f"cannot be turned to text ({type(error).__name__})") from None
    return "" if text in ("[]", "{}", "null") else text


def _plain(value: object) -> object:
    dump = getattr(value, "model_dump", None)
    if callable(dump):
        return dump(mode="json")
    if isinstance(value, bytes | bytearray | memoryview):
        return f"<{len(cast(bytes, value))} bytes>"
    return cast(Any, vars(value)) if hasattr(value, "__dict__") else str(value)


_canonical_json = json.JSONEncoder(sort_keys=True, ensure_ascii=False, default=_plain).encode


def _cut(text: str, most_bytes: int) -> str:
    """As much of a text as fits into so many bytes of UTF-8."""
    if len(text) * 4 <= most_bytes:
        return text
    return text.encode()[:most_bytes].decode(errors="ignore")


class PromptTrace(NamedTuple):
    """What of a prompt goes to disk. Length in characters and hashes (HMAC-SHA-256, hex) are the whole prompt's."""

    text: str | None
    chars: int | None
    hmac: str | None
    prefix_hmac: str | None


class PromptKeeper:
    """Applies one prompt policy with the key of one home."""

    def __init__(self, keys: Path, policy: PromptPolicy, redact: Callable[[str], str] | None, most_bytes: int) -> None:
        self._key_file = keys / KEY_FILE
        self._policy = policy
        self._redact = redact
        self._most_bytes = most_bytes
        self._key: bytes | None = None

    def trace(self, prompt: object) -> PromptTrace:
        if prompt is WITHHELD:
            return PromptTrace(None, None, None, None)
        text = prompt_text(prompt)
        if self._redact is not None:
            text = self._redact(text)
        if self._policy == "drop":
            return PromptTrace(None, len(text), None, None)
        return PromptTrace(
            text=_cut(text, self._most_bytes) if self._policy == "store" else None,
            chars=len(text),
            hmac=self._hash(text),
            prefix_hmac=self._hash(text[:PREFIX_CHARS]) if len(text) >= PREFIX_CHARS else None,
        )

    def forget_key(self) -> None:
        """Read the key anew before the next prompt."""
        self._key = None

    def _hash(self, text: str) -> str:
        key = self._key
        if key is None:
            try:
                create_exclusively(self._key_file, os.urandom(32), fixed=True)
                key = self._key = self._key_file.read_bytes()
            except OSError as error:
                raise LedgerError(f"key {self._key_file} cannot be used: {error.strerror}") from error
        return hmac.digest(key, text.encode(), "sha256").hex()
