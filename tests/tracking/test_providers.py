"""One provider, however people and their libraries name it."""

import pytest
from genai_prices.data_snapshot import get_snapshot

from tracking import LLMResponse
from tracking.providers import known_provider, provider_named

NAMES = {
    "openai": "OpenAI openai openai.chat openai.responses gateway/openai text-completion-openai aiohttp_openai",
    "anthropic": "Anthropic claude anthropic.messages anthropic_text gateway/anthropic",
    "azure": "Azure azure_openai azure-openai AzureOpenAI azure-openai.chat azure_ai azure_text az.ai.openai "
    "az.ai.inference azure.ai.openai azure.ai.inference azure_openai_responses",
    "google": "Google gemini google-gla google_genai google-genai google_vertexai google.generative-ai gcp.gemini "
    "gcp.gen_ai gcp.vertex_ai vertex_ai vertexai vertex_ai_beta vertex_ai-anthropic google_anthropic_vertex",
    "aws": "AWS bedrock aws.bedrock amazon-bedrock amazon_bedrock bedrock_converse bedrock_mantle bedrock-mantle "
    "anthropic_bedrock sagemaker sagemaker_chat",
    "x-ai": "xai x_ai x.ai X-AI grok xai.chat",
    "together": "together together_ai together-ai TogetherAI together.ai",
    "fireworks": "Fireworks fireworks_ai fireworks-ai fireworks.ai",
    "mistral": "Mistral mistral_ai mistralai mistral.chat codestral text-completion-codestral",
    "groq": "Groq groq.chat gateway/groq",
    "cohere": "Cohere cohere_chat cohere.chat",
    "deepseek": "DeepSeek deepseek.chat deepseek-ai",
    "moonshotai": "moonshot MoonshotAI moonshot-ai kimi",
    "perplexity": "Perplexity perplexity_ai pplx",
    "openrouter": "OpenRouter openrouter.chat openrouter/openai",
    "zai": "z.ai z-ai zai",
    "zhipuai": "zhipu zhipu_ai ZhipuAI",
    "voyageai": "voyage voyage-ai",
    "github-copilot": "github_copilot copilot",
    "huggingface_together": "huggingface/together huggingface_together",
    "huggingface_fireworks-ai": "huggingface_fireworks-ai",
}


@pytest.mark.parametrize(("provider", "names"), NAMES.items())
def test_the_names_people_use_are_one_provider(provider: str, names: str) -> None:
    assert {known_provider(name) for name in names.split()} == {provider}


@pytest.mark.parametrize(
    "name", ["X AI", "Together AI", "Azure OpenAI", " AWS Bedrock ", "Microsoft Azure", "Voyage AI"]
)
def test_names_of_several_words(name: str) -> None:
    assert known_provider(name) in {"x-ai", "together", "azure", "aws", "voyageai"}


def test_every_provider_of_the_catalogue_is_itself_by_its_id_and_by_its_name() -> None:
    for provider in get_snapshot().providers:
        assert known_provider(provider.id) == provider.id
        assert known_provider(provider.name.upper()) == provider.id


@pytest.mark.parametrize(
    "name",
    ["ollama", "vllm", "hosted_vllm", "huggingface", "openai_like", "custom_openai", "openai-compatible", "Acme"],
)
def test_hosts_that_no_catalogue_knows_keep_their_name(name: str) -> None:
    assert known_provider(name) is None
    assert provider_named(f" {name} ") == name.lower()


def test_an_answer_built_by_hand_goes_by_the_catalogues_id() -> None:
    assert LLMResponse(provider="vertex_ai", model="gemini-2.5-pro", usage={"input_tokens": 1}).provider == "google"
    assert LLMResponse(provider="Acme", model="m", usage={"input_tokens": 1}).provider == "acme"
