"""Interfaces of hosts that copy nobody's: Ollama, Replicate, watsonx, Aleph Alpha; and whose SDKs are whose.

Sources: https://github.com/ollama/ollama/blob/main/docs/api.md, https://replicate.com/docs/reference/http,
https://cloud.ibm.com/apidocs/watsonx-ai#text-generation, https://docs.aleph-alpha.com/api/complete,
https://docs.perplexity.ai/guides/pricing.
"""

from collections.abc import Mapping
from dataclasses import replace

from tracking.answers.fields import Fields, inside, listed, text_in
from tracking.answers.shapes.openai import CHAT
from tracking.answers.shapes.tables import Conditions, Marks, Table, conditions_of, counted, needed, place
from tracking.usage import Quantity

MARKS = (
    Marks(provider="groq", packages=("groq",), fields=("x_groq",)),
    Marks(provider="cerebras", packages=("cerebras",), fields=("time_info",)),
    Marks(provider="fireworks", packages=("fireworks",)),
    Marks(provider="azure", packages=("mistralai.azure",)),
    Marks(provider="google", packages=("mistralai.gcp",)),
    Marks(provider="mistral", packages=("mistralai",)),
    Marks(provider="together", packages=("together",)),
    Marks(provider="voyageai", packages=("voyageai",)),
)
"""OpenAI's SDK speaks to any that copies its interface, so it tells nothing."""

NOTHING: Mapping[str, Quantity] = {}


def search_context(answer: Fields) -> Conditions:
    """How much context Perplexity's search gathered, by which it charges for the request."""
    size = text_in(inside(answer, "usage", "search_context_size"))
    return conditions_of(text_in(answer.get("service_tier")), search_context=size and size.lower())


def zais_searches(answer: Fields, model: str | None) -> Mapping[str, Quantity]:
    """An answer that lists what it found searched once: https://docs.z.ai/guides/tools/web-search."""
    return {"web_searches": 1} if answer.get("web_search") else NOTHING


def moonshots_searches(answer: Fields, model: str | None) -> Mapping[str, Quantity]:
    """Its own search is asked for like a tool of the caller's: https://platform.kimi.ai/docs/pricing/tools."""
    choices = listed(answer.get("choices"))
    calls = (call for choice in choices for call in listed(inside(choice, "message", "tool_calls")))
    searches = sum(inside(call, "function", "name") == "$web_search" for call in calls)
    return {"web_searches": searches} if searches else NOTHING


_REASONING = "reasoning_tokens | completion_tokens_details.reasoning_tokens"
PERPLEXITY = replace(
    CHAT,
    name="perplexity",
    counts=(
        *(count for count in CHAT.counts if count.unit != "output_reasoning_tokens"),
        counted("output_tokens", _REASONING),
        counted("output_reasoning_tokens", _REASONING),
    ),
    total=(),
    only_of=frozenset({"perplexity"}),
    conditions=search_context,
)
"""Its reasoning stands beside the completion, as its citations do, and the total leaves both out: it is no check."""

TABLES = (
    Table("ollama", (), (counted("input_tokens", "prompt_eval_count"), needed("output_tokens", "eval_count"))),
    Table("ollama embeddings", (), (needed("input_tokens", "prompt_eval_count"),)),
    Table(
        "replicate",
        place("metrics"),
        (needed("input_tokens", "input_token_count"), needed("output_tokens", "output_token_count")),
    ),
    Table(
        "watsonx",
        place("results[input_token_count=*]"),
        (needed("input_tokens", "input_token_count"), needed("output_tokens", "generated_token_count")),
        model=("model_id",),
    ),
    Table(
        "aleph alpha",
        (),
        (needed("input_tokens", "num_tokens_prompt_total"), needed("output_tokens", "num_tokens_generated")),
    ),
    PERPLEXITY,
    replace(CHAT, name="z.ai", only_of=frozenset({"zai", "zhipuai"}), more=zais_searches),
    replace(CHAT, name="moonshot", only_of=frozenset({"moonshotai"}), more=moonshots_searches),
    Table(
        "voyage embeddings",
        place("usage"),
        (needed("input_tokens", "total_tokens"),),
        only_of=frozenset({"voyageai"}),
    ),
    Table(
        "voyage pictures",
        place("usage"),
        (needed("input_tokens", "text_tokens"), needed("input_pixels", "image_pixels")),
        only_of=frozenset({"voyageai"}),
    ),
    Table("groq transcription", (), (needed("audio_seconds", "duration"),), only_of=frozenset({"groq"})),
)
