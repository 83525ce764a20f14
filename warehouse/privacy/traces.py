"""What a person wrote, by which it could still be known whose rows are theirs: the texts, and every hash of them.

What others wrote as well, such as a prompt that all of a class are given, is no trace of one of them.
"""

import hashlib
import mmap
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Self, cast

import numpy as np
import polars as pl

from tracking.home import Home
from warehouse.database import connect, parquet_files, quoted
from warehouse.ledger.manifest import Segment
from warehouse.ledger.rewrite import usage_relation
from warehouse.privacy.person import Person
from warehouse.privacy.search import Search, written_forms

HASHES = ("prompt_hmac", "prompt_prefix_hmac")
DIGEST = re.compile(rb"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
LONG_TEXT = 24
"""Bytes. A shorter text may stand anywhere by chance: it is looked for only where prompts stand."""
START = 8
"""Bytes by which the places are told where a text may begin."""


class Traces(Search):
    """Looks for prompts, whole, and for their hashes, keyed or not."""

    def __init__(self, person: Person, texts: Iterable[str], hashes: Iterable[str]) -> None:
        self._person = person
        self.texts = set(texts)
        self.hashes = set(hashes)
        self._prepare()

    @classmethod
    def of(cls, home: Home, segments: Sequence[Segment], person: Person) -> Self:
        """What the rows that name a person in these segments hold of them, as long as they do."""
        if not segments:
            return cls(person, (), ())
        rows = f"(select * from {usage_relation(home, segments)} where {person.condition()})"
        with_prompts = [home.prompts / segment.file for segment in segments if segment.prompts]
        hashes = {value for name in HASHES for value in _distinct(f"select {name} from {rows}")}
        prompts = f"select prompt from {parquet_files(with_prompts)} where record_id in (select record_id from {rows})"
        return cls(person, _distinct(prompts) if with_prompts else (), hashes)

    def leave_out_what_others_wrote(self, home: Home, segments: Sequence[Segment]) -> None:
        """Call it once the person's own rows hold nothing of it any more; `segments` are all that are live."""
        with_rows = [segment for segment in segments if segment.row_count]
        with_prompts = [home.prompts / segment.file for segment in segments if segment.prompts]
        for name in HASHES if self.hashes and with_rows else ():
            self.hashes -= _distinct(f"select {name} from {usage_relation(home, with_rows)}", self.hashes)
        if self.texts and with_prompts:
            self.texts -= _distinct(f"select prompt from {parquet_files(with_prompts)}", self.texts)
        self._prepare()

    def _prepare(self) -> None:
        plain = {hashlib.sha256(text.encode()).hexdigest() for text in self.texts}
        self._digests = {digest.encode() for digest in self.hashes | plain}
        long = [text for text in self.texts if len(text.encode()) >= LONG_TEXT]
        self._everywhere = sorted(self.hashes | plain | set(long))
        self._in_prompts = sorted(self.texts)
        self._forms: dict[int, list[bytes]] = {}
        for form in (form.encode() for text in long for form in written_forms(text)):
            self._forms.setdefault(int.from_bytes(form[:START], "little"), []).append(form)
        self._starts = np.array(sorted(self._forms), np.uint64)

    def _wanted(self, column: str) -> list[str]:
        return sorted({*self._everywhere, *self._in_prompts}) if column == "prompt" else self._everywhere

    def _stands_in_column(self, name: str) -> pl.Expr:
        return pl.col(name).is_in(self._wanted(name))

    def _sql(self, column: str) -> tuple[str, list[Any]]:
        return f"{quoted(column)}::varchar in (select unnest(?::varchar[]))", [self._wanted(column)]

    def _of_line(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        # A row that waits to be sealed is another's, or names this one: then it is the id that is found.
        is_others = "user_id" in fields and not self._person.is_named_in(fields)
        return {} if is_others else fields

    def _stands_in(self, value: object, name: str) -> bool:
        if isinstance(value, bytes):
            return bool(self._in_bytes(value))
        return any(text in self._wanted(name) or self._in_bytes(text.encode()) for text in _texts(value))

    def _in_bytes(self, content: bytes | mmap.mmap, *, is_file: bool = False) -> int:
        digests = sum(found[0] in self._digests for found in DIGEST.finditer(content))
        return digests + sum(
            content[place : place + len(form)] == form
            for place, start in self._places(content)
            for form in self._forms[start]
        )

    def _places(self, content: bytes | mmap.mmap) -> Iterator[tuple[int, int]]:
        """Where a text may begin, and with what."""
        if not self._starts.size:
            return
        for shift in range(START):
            count = (len(content) - shift) // START
            if count <= 0:
                return
            words = np.frombuffer(content, "<u8", count, shift)
            found = np.flatnonzero(np.isin(words, self._starts))
            starts: list[int] = words[found].tolist()
            del words  # a file cannot be unmapped as long as something looks at it
            yield from ((place * START + shift, start) for place, start in zip(found.tolist(), starts, strict=True))


def _distinct(query: str, among: Iterable[str] | None = None) -> set[str]:
    """The texts of a query's one column, or those of them that are `among` others."""
    with connect() as connection:
        condition = "is not null" if among is None else "in (select unnest(?::varchar[]))"
        found = connection.execute(
            f"select distinct one from ({query}) as of_query (one) where one {condition}",
            [] if among is None else [list(among)],
        )
        return {text for (text,) in found.fetchall()}


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in cast("dict[str, object]", value).values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in cast("list[object]", value):
            yield from _texts(inner)
