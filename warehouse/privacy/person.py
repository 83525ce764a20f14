"""Who is to be erased: in which columns, journal lines and refused calls they are named, and what stands there then."""

import json
import re
from dataclasses import dataclass

from warehouse.database import literal
from warehouse.ledger.overwrite import Fields
from warehouse.privacy.kept_lines import Entry, raw_text, with_raw_text, without_prompt
from warehouse.privacy.search import written_forms

FORGOTTEN = ("prompt_hmac", "prompt_prefix_hmac", "trace_id")
"""Columns that become NULL in rows that name the user: hashes of what they wrote, and the way into other systems."""

TRACKABLES = ("trackable", "trackable_parent")


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
        """A quarantine's entry without them: what the call cost stays."""
        text = raw_text(entry)
        if text is not None and (named := self._named_in_text()).search(text):
            entry = without_prompt(with_raw_text(entry, named.sub(r"\1null", text)))
        trackables = {f"{name}:{self.user_id}" for name in self.user_types}
        return {
            name: value
            for name, value in entry.items()
            if not (name == "user" and value == self.user_id) and not (name == "trackable" and value in trackables)
        }

    def _named_in_text(self) -> re.Pattern[str]:
        """In a line nobody could parse, a call's or a row's."""
        forms = "|".join(re.escape(form) for form in written_forms(self.user_id))
        return re.compile(rf'("user(?:_id)?"\s*:\s*)(?:"(?:{forms})"|(?:{forms})(?=[\s,}}]))')
