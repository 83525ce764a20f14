"""Gemini's answers, of Google's own interface and of Vertex AI, and those of its live interface.

Sources: https://ai.google.dev/api/generate-content#UsageMetadata, https://ai.google.dev/api/live#usagemetadata,
https://ai.google.dev/gemini-api/docs/google-search (billing).
"""

import re
from collections.abc import Iterator, Mapping

from tracking.answers.fields import Fields, fields_of, inside, listed, text_in
from tracking.answers.shapes.tables import Conditions, Count, Marks, Table, conditions_of, counted, needed, place
from tracking.usage import Quantity, as_quantity

MARKS = Marks(
    provider="google",
    packages=(
        "google.genai",
        "google.generativeai",
        "google.cloud.aiplatform",
        "google.ai.generativelanguage",
        "vertexai",
    ),
    fields=("usageMetadata", "usage_metadata"),
)

TRAFFIC = {
    "ON_DEMAND": "on_demand",
    "ON_DEMAND_FLEX": "flex",
    "ON_DEMAND_PRIORITY": "priority",
    "PROVISIONED_THROUGHPUT": "provisioned_throughput",
}
"""Vertex AI's traffic types by the names of service tiers; an unspecified one is none."""

BY_QUERY_SINCE = 3
"""Since this generation each search query is billed; before, each prompt that was grounded."""

KINDS = {"text": ("TEXT",), "audio": ("AUDIO",), "image": ("IMAGE", "DOCUMENT"), "video": ("VIDEO",)}
"""Of which modality each kind of token is; documents are read as pictures."""


def searches(answer: Fields, model: str | None) -> Mapping[str, Quantity]:
    """The searches an answer is grounded on: each unique query, or before Gemini 3 one a grounded prompt."""
    if (candidates := answer.get("candidates")) is None:
        return {}
    queries: set[str] = set()
    on_web = on_maps = False
    for candidate in listed(candidates):
        fields = fields_of(candidate) or {}
        if not (metadata := fields.get("groundingMetadata") or fields.get("grounding_metadata")):
            continue
        found = inside(metadata, "webSearchQueries") or inside(metadata, "web_search_queries")
        queries |= {query for query in listed(found) if isinstance(query, str) and query.strip()}
        for chunk in listed(inside(metadata, "groundingChunks") or inside(metadata, "grounding_chunks")):
            on_web |= bool(inside(chunk, "web"))
            on_maps |= bool(inside(chunk, "maps"))
    units: dict[str, Quantity] = {}
    if queries or on_web:
        units["web_searches"] = len(queries) or 1 if _generation(model) >= BY_QUERY_SINCE else 1
    if on_maps:
        units["maps_searches"] = 1
    return units


def kept_grounding(candidate: Fields) -> Fields | None:
    """Of a candidate of a stream, what its searches are counted by: its queries as hashes, never their words."""
    metadata = fields_of(candidate.get("groundingMetadata") or candidate.get("grounding_metadata"))
    if not metadata:
        return None
    queries = listed(metadata.get("webSearchQueries") or metadata.get("web_search_queries"))
    chunks = listed(metadata.get("groundingChunks") or metadata.get("grounding_chunks"))
    kinds = {kind for chunk in chunks for kind in ("web", "maps") if inside(chunk, kind)}
    return {
        "groundingMetadata": {
            "webSearchQueries": [f"{hash(query):x}" for query in queries if isinstance(query, str) and query.strip()],
            "groundingChunks": [{kind: True} for kind in kinds],
        }
    }


def conditions(answer: Fields) -> Conditions:
    """The service tier, which Vertex AI names as a kind of traffic."""
    usage = fields_of(answer.get("usageMetadata") or answer.get("usage_metadata")) or {}
    tier = text_in(usage.get("serviceTier") or usage.get("service_tier"))
    traffic = text_in(usage.get("trafficType") or usage.get("traffic_type"))
    return conditions_of(tier or TRAFFIC.get(traffic or ""))


def _generation(model: str | None) -> int:
    """`gemini-2.5-flash` is of the second; a name without a number is of the newest."""
    number = re.search(r"(?:^|-)(\d+)(?:\.\d+)?(?:-|$)", model or "")
    return int(number[1]) if number else BY_QUERY_SINCE


def embedded(answer: Fields, model: str | None) -> Mapping[str, Quantity]:
    """The tokens of each text that Vertex AI embedded."""
    tokens = (inside(each, "embeddings", "statistics", "token_count") for each in listed(answer.get("predictions")))
    return {"input_tokens": sum(as_quantity("predictions.embeddings.statistics.token_count", n) for n in tokens if n)}


def interactions_searches(answer: Fields, model: str | None) -> Mapping[str, Quantity]:
    """The searches of an interaction: the queries of the calls among its steps, which were its outputs before."""
    steps = [*listed(answer.get("steps")), *listed(answer.get("outputs"))]
    calls = [step for step in steps if inside(step, "type") == "google_search_call"]
    queries = {query for call in calls for query in listed(inside(call, "arguments", "queries")) if query}
    units: dict[str, Quantity] = {}
    if calls:
        units["web_searches"] = len(queries) or len(calls) if _generation(model) >= BY_QUERY_SINCE else 1
    if any(inside(step, "type") == "google_maps_call" for step in steps):
        units["maps_searches"] = 1
    return units


def _by_kind(units: Mapping[str, str], count: str = "tokenCount") -> Iterator[Count]:
    """A count for each modality, of each list of details: `units` are named by the kind of token."""
    for unit, details in units.items():
        for kind, modalities in KINDS.items():
            for modality in modalities:
                yield counted(
                    unit.format(kind),
                    " | ".join(f"{name}[modality={modality}].{count}" for name in details.split(" | ")),
                )


TABLES = (
    Table(
        "gemini",
        place("usageMetadata"),
        (
            counted("input_tokens", "promptTokenCount"),
            counted("input_tokens", "toolUsePromptTokenCount"),
            counted("input_tool_tokens", "toolUsePromptTokenCount"),
            counted("cache_read_tokens", "cachedContentTokenCount"),
            counted("output_tokens", "candidatesTokenCount | responseTokenCount"),
            counted("output_tokens", "thoughtsTokenCount"),
            counted("output_reasoning_tokens", "thoughtsTokenCount"),
            *_by_kind(
                {
                    "cache_{}_read_tokens": "cacheTokensDetails",
                    "input_{}_tokens": "promptTokensDetails",
                    "output_{}_tokens": "candidatesTokensDetails | responseTokensDetails",
                }
            ),
            *_by_kind({"input_{}_tokens": "toolUsePromptTokensDetails"}),
            *_by_kind({"input_{}_tool_tokens": "toolUsePromptTokensDetails"}),
        ),
        total=place("totalTokenCount"),
        model=("modelVersion",),
        cached_apart=("audio",),
        hides_output=True,
        conditions=conditions,
        more=searches,
    ),
    Table(
        "interaction",
        place("usage"),
        (
            needed("input_tokens", "total_input_tokens"),
            counted("input_tokens", "total_tool_use_tokens"),
            counted("input_tool_tokens", "total_tool_use_tokens"),
            counted("cache_read_tokens", "total_cached_tokens"),
            needed("output_tokens", "total_output_tokens"),
            counted("output_tokens", "total_thought_tokens"),
            counted("output_reasoning_tokens", "total_thought_tokens"),
            *_by_kind(
                {
                    "cache_{}_read_tokens": "cached_tokens_by_modality",
                    "input_{}_tokens": "input_tokens_by_modality",
                    "output_{}_tokens": "output_tokens_by_modality",
                },
                "tokens",
            ),
        ),
        total=place("total_tokens"),
        cached_apart=("audio",),
        more=interactions_searches,
    ),
    Table(
        "vertex predict",
        place("metadata"),
        (needed("input_characters", "billableCharacterCount"),),
        more=embedded,
    ),
)
