"""Who is to be erased: in which columns, journal lines and refused calls they are named, and what stands there then."""

import json
import re
from dataclasses import dataclass
from typing import cast

from warehouse.database import literal
from warehouse.ledger.overwrite import Fields
from warehouse.ledger.unreadable_lines import without_raw
from warehouse.privacy.kept_lines import Entry, damaged_text, with_damaged_text, without_prompt
from warehouse.privacy.search import written_forms

FORGOTTEN = ("prompt_hmac", "prompt_prefix_hmac", "trace_id")
"""Columns that become NULL in rows that name the user: hashes of what they wrote, and the way into other systems."""

TRACKABLES = ("trackable", "trackable_parent")

NAMING_IN_ENTRY = ("user", *TRACKABLES, "tenant", "tags")
HASHED_IN_ENTRY = ("sha256", "idempotency_key", "trace_id")
HASHED_IN_TEXT = re.compile(r'("(?:prompt_hmac|prompt_prefix_hmac|trace_id)"\s*:\s*)"(?:[^"\\]|\\.)*"')


@dataclass(frozen=True, slots=True)
class Person:
    """One user by their id.

    Ids of trackables of `user_types` are ids of users too. With `everywhere` the same id in any trackable, as a tenant
    or as a whole text in tags means them as well: right for a UUID or an address, wrong for a number.
    """

    user_id: str
    user_types: tuple[str, ...] = ("User",)
    everywhere: bool = False

    def condition(self) -> str:
        """SQL: a row names them."""
        return " or ".join(f"coalesce({when}, false)" for when, _ in self._mentions("").values())

    def replaced_columns(self, pseudonym: str) -> dict[str, str]:
        """SQL in place of each column that may name them or what they wrote."""
        mentions = self._mentions(pseudonym).items()
        return {name: f"case when {when} then {then} else {name} end" for name, (when, then) in mentions} | {
            name: f"case when {self.condition()} then null else {name} end" for name in FORGOTTEN
        }

    def _mentions(self, pseudonym: str) -> dict[str, tuple[str, str]]:
        """By column: when it names them, and what stands there instead."""
        user, instead = literal(self.user_id), literal(pseudonym)
        types = ", ".join(literal(name) for name in self.user_types)
        mentions = {"user_id": (f"user_id = {user}", instead)}
        for kind in TRACKABLES:
            of_type = "" if self.everywhere else f" and {kind}_type in ({types})"
            mentions[f"{kind}_id"] = (f"{kind}_id = {user}{of_type}", instead)
        if self.everywhere:
            quoted, quoted_instead = literal(self._quoted()), literal(json.dumps(pseudonym))
            mentions["tenant"] = (f"tenant = {user}", instead)
            mentions["tags"] = (f"contains(tags, {quoted})", f"replace(tags, {quoted}, {quoted_instead})")
        return mentions

    def _quoted(self) -> str:
        """The id as a whole text within the JSON of tags."""
        return json.dumps(self.user_id, ensure_ascii=False)

    def is_named_in(self, fields: Fields) -> bool:
        """Whether the row of a journal line names them."""
        if fields.get("user_id") == self.user_id:
            return True
        if self.everywhere and (fields.get("tenant") == self.user_id or self._quoted() in (fields.get("tags") or "")):
            return True
        return any(
            fields.get(f"{kind}_id") == self.user_id
            and (self.everywhere or fields.get(f"{kind}_type") in self.user_types)
            for kind in TRACKABLES
        )

    def erased_from(self, entry: Entry) -> Entry:
        """A quarantine's entry without them, and without a hash of what they wrote: what the call cost stays."""
        entry = without_raw(entry)
        text = damaged_text(entry)
        if text is not None and (named := self._named_in_text(text)).search(text):
            nameless = HASHED_IN_TEXT.sub(r"\1null", named.sub(r"\1null", text))
            return without_prompt({**with_damaged_text(entry, nameless), "sha256": None})
        named_by = {name for name in NAMING_IN_ENTRY if self._is_meant_by(name, entry.get(name))}
        if not named_by:
            return entry
        hashes = {name: None for name in HASHED_IN_ENTRY if name in entry}
        return {name: value for name, value in entry.items() if name not in named_by} | hashes

    def _is_meant_by(self, name: str, value: object) -> bool:
        if name == "user":
            return value == self.user_id
        if name in TRACKABLES:
            kind, _, identity = str(value).partition(":")
            return identity == self.user_id and (self.everywhere or kind in self.user_types)
        if name == "tags":
            return self.everywhere and isinstance(value, dict) and self.user_id in cast(Entry, value).values()
        return self.everywhere and value == self.user_id

    def _named_in_text(self, text: str) -> re.Pattern[str]:
        """In a line nobody could parse, a call's or a row's."""
        forms = "|".join(re.escape(form) for form in written_forms(self.user_id))
        trackables = "|".join(
            f"{kind}_id"
            for kind in TRACKABLES
            if self.everywhere or any(f'"{kind}_type":{json.dumps(name)}' in text for name in self.user_types)
        )
        others = f"|{trackables}" if trackables else ""
        others += "|tenant" if self.everywhere else ""
        return re.compile(rf'("(?:user(?:_id)?{others})"\s*:\s*)(?:"(?:{forms})"|(?:{forms})(?=[\s,}}]))')
