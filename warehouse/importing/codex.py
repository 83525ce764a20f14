"""Session logs of Codex: `~/.codex/sessions/<year>/<month>/<day>/rollout-<time>-<session>.jsonl`.

After each answer stands what the session used so far (`total_token_usage`) and what that answer used. The same event is
written again whenever limits are shown anew; and a session that was forked begins with a copy of its parent's events,
with new times. So an answer is known by the session it was first given in and all totals up to it.
"""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from tracking import CostTrackingError, LLMResponse, Usage
from warehouse.importing.calls import BadLineError, SourceCall
from warehouse.importing.json_lines import JsonLine, first_object, json_lines, object_in

COUNTS = {
    "input_tokens": "input_tokens",
    "cached_input_tokens": "cache_read_tokens",
    "cache_write_input_tokens": "cache_write_tokens",
    "output_tokens": "output_tokens",
    "reasoning_output_tokens": "reasoning_tokens",
}
"""Codex's names and ours; what is cached is part of the input, reasoning of the output."""
ROLLOUTS = "rollout-*.jsonl"

Counts = dict[str, int]


class CodexSessions:
    """Each rise of the totals is one call."""

    def __init__(self) -> None:
        self._parents: dict[Path, dict[str, Path]] = {}

    @staticmethod
    def reads(file: Path) -> bool:
        first = first_object(file)
        return first.get("type") == "session_meta" and isinstance(first.get("payload"), dict)

    def check(self, file: Path) -> None:
        """A session may go on: what is cut off at its end is no call yet."""

    def calls(self, file: Path) -> Iterator[SourceCall]:
        session = _Session(self._root(file))
        for line in json_lines(file):
            try:
                entry = line.fields()
            except BadLineError as fault:
                if line.is_whole:
                    yield SourceCall(line.number, line.content, line.size, {}, fault)
                continue
            call = session.read(entry, line)
            if call is not None:
                yield call

    def _root(self, file: Path) -> str:
        """The session that it, or what it was forked from, was first; known as far as the parents' files are there."""
        seen: set[str] = set()
        while True:
            session, parent = _ancestry(file)
            if parent is None or parent in seen:
                return session
            seen.add(parent)
            there = self._beside(file).get(parent)
            if there is None:
                return parent
            file = there

    def _beside(self, file: Path) -> Mapping[str, Path]:
        """The sessions of the same folder of sessions, by their ids, which end their files' names."""
        folder = next((above for above in file.parents if above.name == "sessions"), file.parent)
        if folder not in self._parents:
            self._parents[folder] = {path.stem[-36:]: path for path in sorted(folder.rglob(ROLLOUTS))}
        return self._parents[folder]


class _Session:
    """What the lines so far said."""

    def __init__(self, root: str) -> None:
        self._history = hashlib.sha256(root.encode())
        self._totals: Counts = {}
        self._id: str | None = None
        self._about: dict[str, Any] = {"provider": "openai"}

    def read(self, entry: Mapping[str, Any], line: JsonLine) -> SourceCall | None:
        payload = object_in(entry.get("payload"))
        if entry.get("type") == "session_meta" and self._id is None:
            self._id = str(payload.get("id"))
            self._about["provider"] = payload.get("model_provider") or "openai"
            self._about["cwd"] = payload.get("cwd")
        elif entry.get("type") == "turn_context":
            self._about |= {name: payload[name] for name in ("model", "cwd") if payload.get(name)}
        elif payload.get("type") == "token_count" and (info := object_in(payload.get("info"))):
            return self._call(info, entry.get("timestamp"), line)
        return None

    def _call(self, info: Mapping[str, Any], at: object, line: JsonLine) -> SourceCall | None:
        totals, last = _counts(info.get("total_token_usage")), _counts(info.get("last_token_usage"))
        if totals == self._totals:
            return None
        rise = {name: count - self._totals.get(name, 0) for name, count in totals.items()}
        counts = rise if not last or min(rise.values(), default=0) >= 0 else last
        self._totals = totals
        self._history.update(repr(sorted(totals.items())).encode())
        fields: dict[str, Any] = {
            "occurred_at": at,
            "trace_id": self._id,
            "trackable": {"type": "Project", "id": self._about["cwd"]} if self._about.get("cwd") else None,
        }
        fault = None
        try:
            fields["response"] = LLMResponse(
                provider=self._about["provider"],
                model=self._about.get("model"),
                usage=Usage(**cast("dict[str, Any]", {COUNTS[name]: count for name, count in counts.items()})),
            )
        except CostTrackingError as error:
            fault = error
        event = f"codex:{self._history.hexdigest()}"
        return SourceCall(line.number, line.content, line.size, fields, fault, event)


def _ancestry(file: Path) -> tuple[str, str | None]:
    """The id of a file's session, and of the one it was forked from.

    Where the parent's own first lines are copied, its last one is the oldest.
    """
    metas: list[Mapping[str, Any]] = []
    for line in json_lines(file):
        try:
            entry = line.fields()
        except BadLineError:
            break
        if entry.get("type") != "session_meta":
            break
        metas.append(object_in(entry.get("payload")))
    ids = [str(meta.get("id")) for meta in metas] or [file.stem[-36:]]
    parent = metas[-1].get("forked_from_id") if metas else None
    if isinstance(parent, str):
        return ids[0], parent
    return ids[0], ids[-1] if len(ids) > 1 else None


def _counts(value: object) -> Counts:
    return {name: count for name, count in object_in(value).items() if name in COUNTS and type(count) is int}
