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
    fields: dict[str, Any] = {}
    for match in ATTRIBUTION.finditer(text):
        with suppress(ValueError):
            fields.setdefault(match["name"], json.loads(match["value"]))
    counts: dict[str, Any] = {}
    for match in COUNT.finditer(text):
        counts.setdefault(match["name"], int(match["value"]))
    return fields | ({"response": {"usage": counts}} if counts else {})


def without_raw(entry: dict[str, Any]) -> dict[str, Any]:
    """An entry of an earlier version, which kept some lines as they came, as this one would have made it."""
    if not isinstance(text := entry.get("raw"), str):
        return entry
    fields = salvaged(text)
    arguments = {name: fields.get(name) for name in ("user", "request_type")}
    with suppress(ArgumentError):
        arguments["trackable"] = TrackableRef.parse(str(fields["trackable"])) if "trackable" in fields else None
    options = {name: fields.get(name) for name in ("tenant", "provider", "model")}
    attribution = attribution_part(arguments, cast(CallOptions, options))
    own_fields = {name: value for name, value in entry.items() if name != "raw"}
    salvaged_fields = {
        name: value for name, value in attribution.items() if value is not None and own_fields.get(name) is None
    }
    return own_fields | salvaged_fields | {"answer": own_fields.get("answer") or answer_part(fields.get("response"))}
