"""Bedrock's interfaces: Converse, and InvokeModel with the bodies of each maker's models.

Sources: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_TokenUsage.html,
https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters.html; bodies recorded by traceloop/openllmetry
and open-telemetry/opentelemetry-python-contrib.
"""

from collections.abc import Mapping
from typing import Any

from tracking.answers.fields import Fields, fields_of, inside, text_in
from tracking.answers.shapes.tables import Conditions, Marks, Table, conditions_of, counted, needed, place

MARKS = Marks(provider="aws", usage_fields=("inputTokens",))

METRICS = "amazon-bedrock-invocationMetrics"
"""What the last chunk of an InvokeModel stream counts, whoever made the model."""

METRICS_OF_HEADERS = {
    "x-amzn-bedrock-input-token-count": "inputTokenCount",
    "x-amzn-bedrock-output-token-count": "outputTokenCount",
    "x-amzn-bedrock-cache-read-input-token-count": "cacheReadInputTokenCount",
    "x-amzn-bedrock-cache-write-input-token-count": "cacheWriteInputTokenCount",
}
"""The same counts of an InvokeModel answer that is no stream."""

TIER_HEADER = "x-amzn-bedrock-service-tier"
LATENCY_HEADER = "x-amzn-bedrock-performanceconfig-latency"


def with_headers(body: Fields, outer: Fields) -> tuple[Fields, Mapping[str, str]]:
    """An InvokeModel body together with what boto3 says beside it (counts, service tier, id), and its terms."""
    headers = fields_of(inside(outer, "ResponseMetadata", "HTTPHeaders")) or {}
    beside: dict[str, Any] = {}
    counts = {
        name: int(value)
        for header, name in METRICS_OF_HEADERS.items()
        if isinstance(value := headers.get(header), str) and value.isdecimal()
    }
    if counts:
        beside[METRICS] = counts
    if tier := text_in(outer.get("serviceTier")) or text_in(headers.get(TIER_HEADER)):
        beside["service_tier"] = tier
    if "ResponseMetadata" in outer:
        beside["ResponseMetadata"] = outer["ResponseMetadata"]
    latency = text_in(outer.get("performanceConfigLatency")) or text_in(headers.get(LATENCY_HEADER))
    return {**body, **beside} if beside else body, conditions_of(None, latency=latency).terms


def conditions(answer: Fields) -> Conditions:
    """Converse's service tier, `{"type": "priority"}`, and its latency."""
    told = answer.get("serviceTier")
    tier = text_in(told) or text_in(inside(told, "type"))
    return conditions_of(tier, latency=text_in(inside(answer, "performanceConfig", "latency")))


_CONVERSE = (
    needed("input_tokens", "inputTokens"),
    counted("input_tokens", "cacheReadInputTokens | cacheReadInputTokenCount"),
    counted("input_tokens", "cacheWriteInputTokens | cacheWriteInputTokenCount"),
    counted("cache_read_tokens", "cacheReadInputTokens | cacheReadInputTokenCount"),
    counted("cache_write_tokens", "cacheWriteInputTokens | cacheWriteInputTokenCount"),
    counted("cache_write_5m_tokens", "cacheDetails[ttl=5m].inputTokens"),
    counted("cache_write_1h_tokens", "cacheDetails[ttl=1h].inputTokens"),
    counted("output_tokens", "outputTokens"),
)
TABLES = (
    Table("converse", place("usage"), _CONVERSE, total=place("totalTokens"), conditions=conditions),
    Table(
        "llama invoke",
        (),
        (needed("input_tokens", "prompt_token_count"), needed("output_tokens", "generation_token_count")),
    ),
    Table(
        "titan invoke",
        (),
        (
            needed("input_tokens", "inputTextTokenCount"),
            counted("output_tokens", "results[tokenCount=*].tokenCount | totalOutputTextTokenCount"),
        ),
    ),
    Table(
        "invocation metrics",
        place(METRICS),
        (
            needed("input_tokens", "inputTokenCount"),
            counted("input_tokens", "cacheReadInputTokenCount"),
            counted("input_tokens", "cacheWriteInputTokenCount"),
            counted("cache_read_tokens", "cacheReadInputTokenCount"),
            counted("cache_write_tokens", "cacheWriteInputTokenCount"),
            counted("output_tokens", "outputTokenCount"),
        ),
    ),
)
