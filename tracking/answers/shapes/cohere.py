"""Cohere's chat of versions 1 and 2, embeddings and reranking: billed by `billed_units`, not by `tokens`.

Source: https://docs.cohere.com/reference/chat, https://docs.cohere.com/reference/rerank.
"""

from tracking.answers.shapes.tables import Marks, Table, counted, needed, place

MARKS = Marks(provider="cohere", packages=("cohere",), usage_fields=("billed_units",))

_BILLED = (needed("input_tokens", "input_tokens"), needed("output_tokens", "output_tokens"))
TABLES = (
    Table("cohere chat", place("usage.billed_units"), _BILLED),
    Table("cohere chat of version 1", place("meta.billed_units"), _BILLED),
    Table(
        "cohere embeddings",
        place("meta.billed_units"),
        (needed("input_tokens", "input_tokens"), counted("input_images", "images")),
    ),
    Table("cohere embeddings of pictures", place("meta.billed_units"), (needed("input_images", "images"),)),
    Table("rerank", place("meta.billed_units"), (needed("rerank_searches", "search_units"),)),
)
