"""What is known of every shape: its tables, the marks of whose an answer is, and who states what a call cost."""

from collections.abc import Callable, Mapping
from decimal import Decimal

from tracking.answers.fields import Fields
from tracking.answers.shapes import anthropic, bedrock, cohere, gemini, openai, openrouter, other_hosts, xai
from tracking.answers.shapes.tables import Marks
from tracking.usage import Quantity

TABLES = (
    *openai.TABLES,
    anthropic.MESSAGES,
    *gemini.TABLES,
    *bedrock.TABLES,
    *cohere.TABLES,
    *xai.TABLES,
    *openrouter.TABLES,
    *other_hosts.TABLES,
)
"""Read of any provider's answer, beside what genai-prices has for the provider: the shape is the answer's own. Where
several read as much of an answer, the first is taken."""

MARKS: tuple[Marks, ...] = (
    gemini.MARKS,
    *other_hosts.MARKS,
    openai.MARKS,
    *anthropic.MARKS,
    bedrock.MARKS,
    cohere.MARKS,
    openrouter.MARKS,
    xai.MARKS,
)

REPORTED_COSTS: Mapping[str, Callable[[Fields], Decimal | Quantity | None]] = {
    "openrouter": openrouter.reported_cost,
    "perplexity": openrouter.perplexitys_cost,
    "x-ai": xai.reported_cost,
}
"""How each provider that states what a call cost says so, in USD."""

CACHED_APART = (("gemini", ("audio",)), ("realtime", openai.CACHED_APART), ("gpt-image", ("image",)))
"""The kinds of tokens whose cached ones are billed apart, by what a model's name holds, whoever answers how."""


def cached_apart(model: str | None) -> tuple[str, ...]:
    """The kinds of tokens of which it matters, for a model, how many are cached."""
    return next((kinds for name, kinds in CACHED_APART if model and name in model), ())
