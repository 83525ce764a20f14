"""The queries that the documentation shows, as a reader would copy them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
QUERY = re.compile(
    r"^#+ (?P<heading>[^\n]+)|^```sql\n(?P<block>.*?)^```|^llm-cost sql \"(?P<argument>[^\"]+)\"",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class DocumentedQuery:
    """One query, named by its page and the heading it stands under."""

    name: str
    sql: str


def documented_queries() -> list[DocumentedQuery]:
    """Every SQL block and every argument of `llm-cost sql` in README and docs/."""
    return [query for page in (ROOT / "README.md", *sorted(DOCS.glob("*.md"))) for query in _queries(page)]


def _queries(page: Path) -> Iterator[DocumentedQuery]:
    heading = ""
    for found in QUERY.finditer(page.read_text(encoding="utf-8")):
        heading = found["heading"] or heading
        if sql := found["block"] or found["argument"]:
            yield DocumentedQuery(f"{page.name}: {heading}", sql)
