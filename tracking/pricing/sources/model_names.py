"""What a model is called without what people and gateways put around its name: folders, providers, ARNs, versions."""

import re
from collections.abc import Iterator

from tracking.providers import find_provider

FOLDERS = re.compile(r"^(?:projects/[^/]+/locations/[^/]+/)?(?:publishers/([^/]+)/)?(?:models|endpoints)/(?=.)")
"""Google's own: https://ai.google.dev/api/models and https://cloud.google.com/vertex-ai/docs/reference/rest. Models of
others are also listed by their maker: `deepseek-ai/deepseek-v3.1-maas`."""

ARN = re.compile(r"^arn:aws[\w-]*:bedrock:[^:]*:[^:]*:(?:foundation-model|inference-profile)/(?=.)", re.IGNORECASE)
"""Those of Bedrock that say which model it is; an application's profile, or provisioned capacity, does not.
https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonbedrock.html"""

VERSION = re.compile(r"@(?:(?:default|latest)$|(?=\d))")
"""Vertex AI's: `claude-sonnet-4-5@20250929`, `gemini-2.0-flash@001`, `claude-opus-4-6@default`."""

MOST_PARTS = 4
"""A name has few parts before it; one with more is not taken apart."""


def names_of(provider: str, model: str) -> Iterator[str]:
    """The names a provider's model may go by, the given one first, then each without what stood before or after it."""
    seen: set[str] = set()
    for bare in _without_folders(provider, model.strip()):
        for name in (bare, *_without_version(bare)):
            if name and name not in seen:
                seen.add(name)
                yield name


def bare_name(provider: str, model: str) -> str:
    """A model's name without what says no more than whose it is."""
    *_, bare = _without_folders(provider, model.strip())
    return bare


def _without_folders(provider: str, model: str) -> Iterator[str]:
    yield model
    if (folders := FOLDERS.match(model)) is not None and folders[1]:
        yield f"{folders[1]}/{model[folders.end() :]}"
    for _ in range(MOST_PARTS):
        shorter = ARN.sub("", FOLDERS.sub("", model, count=1), count=1)
        before, slash, rest = shorter.partition("/")
        if shorter == model and slash and _says_nothing_new(provider, before):
            shorter = rest
        if shorter == model:
            return
        model = shorter
        yield model


def _says_nothing_new(provider: str, before: str) -> bool:
    """Whether what stands before a slash is the provider itself, or a maker whose models it sells."""
    if before.lower().startswith("arn:"):
        return False
    named, sold_by = find_provider(before), find_provider(provider)
    if named is None:
        return before.lower() == provider
    return named is sold_by or (sold_by is not None and named.id in (sold_by.fallback_model_providers or ()))


def _without_version(model: str) -> Iterator[str]:
    if (match := VERSION.search(model)) is not None:
        rest = model[match.end() :]
        yield f"{model[: match.start()]}-{rest}" if rest else model[: match.start()]
        yield model[: match.start()]
