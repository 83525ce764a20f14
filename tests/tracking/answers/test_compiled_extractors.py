"""The compiled extractors read what genai-prices' own read, on every provider, whatever is left out or out of shape."""

from decimal import Decimal
from typing import Any

import pytest
from genai_prices.data_snapshot import get_snapshot
from hypothesis import given, settings
from hypothesis import strategies as st
from provider_answers import catalogue_counts

from tracking import LLMResponse, ResponseError, UsageError
from tracking.answers.totals import Statement, reconciled

PROVIDERS = [provider for provider in get_snapshot().providers if provider.extractors]
WHOLES = st.integers(10**6, 10**7)
PARTS = st.one_of(st.none(), st.integers(0, 5), st.integers(0, 10**4), st.floats(0, 99).map(lambda x: round(x, 2)))


def put(body: dict[str, Any], path: list[Any], value: Any) -> None:
    """Place a value at a path of names and array matches, making what is missing on the way."""
    here: Any = body
    for step, following in zip(path, [*path[1:], None], strict=True):
        empty: Any = value if following is None else {} if isinstance(following, str) else []
        if isinstance(step, str):
            here = here.setdefault(step, empty) if following is not None else here.__setitem__(step, empty)
        else:
            item = next((item for item in here if item[step.field] == step.match.equals), None)
            if item is None:
                item = {step.field: step.match.equals}
                here.append(item)
            here = item


def steps(path: Any) -> list[Any]:
    return [path] if isinstance(path, str) else list(path)


@st.composite
def answers(draw: st.DrawFn) -> tuple[Any, dict[str, Any]]:
    """A provider, and an answer with counts at some places of one of its extractors."""
    provider = draw(st.sampled_from(PROVIDERS))
    chosen = draw(st.sampled_from(provider.extractors))
    body: dict[str, Any] = {}
    for mapping in chosen.mappings:
        if mapping.required or draw(st.booleans()):
            put(body, [*steps(chosen.root), *steps(mapping.path)], draw(WHOLES if mapping.required else PARTS))
    put(body, steps(chosen.model_path), draw(st.none() | st.sampled_from(["m", ""])))
    return provider, body


def plainly(provider: Any, body: dict[str, Any]) -> tuple[str | None, dict[str, Any]] | None:
    """The rule of `tracking/answers/extractors.py` in the plainest form, on genai-prices' own extraction."""

    def places(extractor: Any) -> frozenset[str]:
        found = set()
        for mapping in extractor.mappings:
            here: Any = body
            for step in [*steps(extractor.root), *steps(mapping.path)]:
                if isinstance(step, str):
                    here = here.get(step) if isinstance(here, dict) else None
                else:
                    here = step.extract(here) if isinstance(here, list) else None
            if here is not None:
                found.add(str([*steps(extractor.root), *steps(mapping.path)]))
        return frozenset(found)

    readings = []
    for extractor in provider.extractors:
        try:
            readings.append((extractor.api_flavor == "default", places(extractor), *extractor.extract(body)))
        except ValueError:
            continue
    if not readings:
        return None
    billed = next((found for default, found, *_ in readings if default), frozenset())
    _, _, model, usage = max((r for r in readings if r[1] >= billed), key=lambda r: (len(r[1]), r[0]))
    return model or None, {
        unit: Decimal(repr(count)) if isinstance(count, float) else count for unit, count in vars(usage).items()
    }


def contradicts_itself(counts: dict[str, Any]) -> bool:
    fitted, assumptions = reconciled(counts, Statement(cached_apart=("audio", "image")))
    return bool(assumptions) or fitted != counts


@settings(max_examples=1500)
@given(answers())
def test_compiled_extraction_is_genai_prices_extraction(drawn: tuple[Any, dict[str, Any]]) -> None:
    provider, body = drawn
    expected = plainly(provider, body)
    try:
        response = LLMResponse.from_provider(body, provider.id)
    except ResponseError:
        assert expected is None
    except UsageError:
        pass  # a count that is not whole: genai-prices takes it
    else:
        if expected is not None and not contradicts_itself(expected[1]):  # else only a table of ours reads it
            assert (response.model, catalogue_counts(response.usage)) == expected


def test_every_extractor_of_the_catalogue_is_compiled() -> None:
    for provider in get_snapshot().providers:
        for extractor in provider.extractors or ():
            body: dict[str, Any] = {}
            for mapping in extractor.mappings:
                put(body, [*steps(extractor.root), *steps(mapping.path)], 0)
            assert LLMResponse.from_provider(body, provider.id, "m").usage.token_count in (0, None)


@pytest.mark.parametrize("junk", [None, 5, "x", [], [1], [None], {}, True, 1.5, -1, 2**63, float("nan")])
def test_junk_in_any_place_is_read_or_refused_but_never_breaks(junk: object) -> None:
    for provider in PROVIDERS:
        for extractor in provider.extractors:
            for mapping in extractor.mappings:
                for length in range(1, len(steps(mapping.path)) + 1):
                    body: dict[str, Any] = {}
                    path = [*steps(extractor.root), *steps(mapping.path)[:length]]
                    if isinstance(path[-1], str):
                        put(body, path, junk)
                        try:
                            LLMResponse.from_provider(body, provider.id)
                        except (ResponseError, UsageError):
                            continue
