"""What can be told of a call by a line that is no JSON, or cut off: by names and shapes, never as it came."""

import json
import re
from contextlib import suppress
from typing import Any, cast

from tracking import ArgumentError, TrackableRef
from tracking.journal.kept_parts import answer_part, attribution_part
from tracking.rows.options import CallOptions

ATTRIBUTION = re.compile(
    r'"(?P<name>user|trackable|request_type|provider|model|occurred_at|tenant)"\s*:\s*'
    r'(?P<value>"(?:[^"\\\s]|\\[^\s]){1,256}"|-?[0-9]{1,30}(?=[\s,}\]]))'
)
"""In a line that is no JSON. A text with a space in it may be anybody's words."""
COUNT = re.compile(r'"(?P<name>[A-Za-z_]*[Tt]oken[A-Za-z_]{0,40})"\s*:\s*(?P<value>[0-9]{1,15})(?=[\s,}\]])')


def salvaged(text: str) -> dict[str, Any]:
    """What it says of whose call it was, and what that used."""
    said: dict[str, Any] = {}
    for found in ATTRIBUTION.finditer(text):
        with suppress(ValueError):
            said.setdefault(found["name"], json.loads(found["value"]))
    counts: dict[str, Any] = {}
    for found in COUNT.finditer(text):
        counts.setdefault(found["name"], int(found["value"]))
    return said | ({"response": {"usage": counts}} if counts else {})


def without_raw(entry: dict[str, Any]) -> dict[str, Any]:
    """An entry of an earlier version, which kept some lines as they came, as this one would have made it."""
    if not isinstance(text := entry.get("raw"), str):
        return entry
    said = salvaged(text)
    arguments = {name: said.get(name) for name in ("user", "request_type")}
    with suppress(ArgumentError):
        arguments["trackable"] = TrackableRef.parse(str(said["trackable"])) if "trackable" in said else None
    options = {name: said.get(name) for name in ("tenant", "provider", "model")}
    given = attribution_part(arguments, cast(CallOptions, options))
    kept = {name: value for name, value in entry.items() if name != "raw"}
    known = {name: value for name, value in given.items() if value is not None and kept.get(name) is None}
    return kept | known | {"answer": kept.get("answer") or answer_part(said.get("response"))}
