"""What an amount rests on besides known counts and rates: fixed words, each with what it concerns.

An answer or a price that leaves nothing open has none. Each is a mapping of one word, e.g.
`{"standard_rate_for": "service_tier=flex"}`; the ledger keeps them as a JSON list in `price_assumptions`.
"""

import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Final, cast

Assumption = Mapping[str, Any]

WORDS: Final = {
    "tokens_from_text": "a count the provider did not give was estimated from the text (input, output)",
    "totals_disagree": "the parts of the answer's usage contradict its own total: both values",
    "split_assumed": "the answer does not say of which kind these tokens were; they were divided as the others are",
    "standard_rate_for": "a term of the answer has no rate of its own known; the standard rate was taken",
    "factor_for": "the rate on a term is the standard one times a factor published for it, not for this very model",
    "unpriced_unit": "a unit the answer counts has no rate known; it adds nothing",
    "rate_before_its_start": "the only rate known came into force later, on that day",
    "other_sellers_price": "the price is that of another seller of the model",
    "undated_price": "the price has no dates: whether it was in force at that instant is not known",
}
"""Every word there is, and what it says."""

OF_A_PRICE: Final = frozenset(
    {
        "standard_rate_for",
        "factor_for",
        "unpriced_unit",
        "rate_before_its_start",
        "other_sellers_price",
        "undated_price",
    }
)
"""The words that a price says; every other one is the answer's own, and stays when it is priced again."""

BEFORE_THERE_WERE_WORDS: Final = ({"tokens_from_text": "output"},)
"""What an estimated row without words rests on: such rows were streams that had told no usage."""


def assumption(word: str, concerns: Any) -> Assumption:
    """One assumption; the word must be one of `WORDS`."""
    if word not in WORDS:
        raise KeyError(word)
    return {word: concerns}


def assumptions_json(assumptions: Iterable[Assumption]) -> str | None:
    """As the ledger keeps them: a canonical JSON list without repetitions, `None` where nothing was assumed."""
    texts = dict.fromkeys(json.dumps(dict(each), sort_keys=True, ensure_ascii=False) for each in assumptions)
    return "[" + ", ".join(texts) + "]" if texts else None


@lru_cache(maxsize=4096)
def assumptions_from_json(text: str | None) -> tuple[Assumption, ...]:
    """What the ledger's column `price_assumptions` holds.

    Raises:
        ValueError: not the JSON of a list of mappings.
    """
    listed: object = [] if text is None else json.loads(text)
    if not isinstance(listed, list) or not all(isinstance(each, dict) for each in cast("list[object]", listed)):
        raise ValueError("is not the JSON of a list of mappings")
    return tuple(cast("list[Assumption]", listed))


def assumed_by_answer(price_assumptions: str | None, pricing_status: str | None) -> tuple[Assumption, ...]:
    """What of a ledger row's assumptions its answer made, whatever it is priced by."""
    if price_assumptions is None:
        return BEFORE_THERE_WERE_WORDS if pricing_status == "estimated" else ()
    return tuple(each for each in assumptions_from_json(price_assumptions) if OF_A_PRICE.isdisjoint(each))


def in_words(assumed: Assumption) -> str:
    """One assumption as a person reads it."""
    return "; ".join(f"{word} {_shown(concerns)}: {WORDS.get(word, word)}" for word, concerns in assumed.items())


def _shown(concerns: Any) -> str:
    return concerns if isinstance(concerns, str) else json.dumps(concerns, ensure_ascii=False)
