"""What an amount rests on besides known counts and rates: fixed words, each with what it concerns.

An answer or a price that leaves nothing open has none. Each is a mapping of one word, e.g.
`{"standard_rate_for": "service_tier=flex"}`; the ledger keeps them as a JSON list in `price_assumptions`.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

Assumption = Mapping[str, Any]

WORDS: Final = {
    "tokens_from_text": "a count the provider did not give was estimated from the text (input, output)",
    "totals_disagree": "the parts of the answer's usage contradict its own total: both values",
    "standard_rate_for": "a term of the answer has no rate of its own known; the standard rate was taken",
    "unpriced_unit": "a unit the answer counts has no rate known; it adds nothing",
    "rate_before_its_start": "the only rate known came into force later, on that day",
    "other_sellers_price": "the price is that of another seller of the model",
    "undated_price": "the price has no dates: whether it was in force at that instant is not known",
}
"""Every word there is, and what it says."""


def assumption(word: str, concerns: Any) -> Assumption:
    """One assumption; the word must be one of `WORDS`."""
    if word not in WORDS:
        raise KeyError(word)
    return {word: concerns}


def assumptions_json(assumptions: Iterable[Assumption]) -> str | None:
    """As the ledger keeps them: a canonical JSON list without repetitions, `None` where nothing was assumed."""
    texts = dict.fromkeys(json.dumps(dict(each), sort_keys=True, ensure_ascii=False) for each in assumptions)
    return "[" + ", ".join(texts) + "]" if texts else None
