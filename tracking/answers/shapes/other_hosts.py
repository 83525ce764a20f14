"""Interfaces of hosts that copy nobody's: Ollama, Replicate, watsonx, Aleph Alpha; and whose SDKs are whose.

Sources: https://github.com/ollama/ollama/blob/main/docs/api.md, https://replicate.com/docs/reference/http,
https://cloud.ibm.com/apidocs/watsonx-ai#text-generation, https://docs.aleph-alpha.com/api/complete,
https://docs.perplexity.ai/guides/pricing.
"""

from dataclasses import replace

from tracking.answers.shapes.openai import CHAT
from tracking.answers.shapes.tables import Marks, Table, counted, needed, place

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
    ),
    Table(
        "aleph alpha",
        (),
        (needed("input_tokens", "num_tokens_prompt_total"), needed("output_tokens", "num_tokens_generated")),
    ),
    PERPLEXITY,
    Table(
        "voyage embeddings",
        place("usage"),
        (needed("input_tokens", "total_tokens"),),
        only_of=frozenset({"voyageai"}),
    ),
)
