"""What recorded answers of OpenRouter say they cost is found wherever it lies, and compared with what we make of it."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.cassettes.stated_costs import compared, report, stated_costs


def answer(identity: str, cost: float, model: str = "openai/gpt-5-mini", **usage: Any) -> dict[str, Any]:
    counts = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100, "cost": cost}
    return {"id": identity, "model": model, "created": 1763640000, "choices": [], "usage": counts | usage}


def test_answers_are_found_in_cassettes_and_streams_once_each_and_compared(tmp_path: Path) -> None:
    right, dear, unknown = answer("gen-1", 0.00045), answer("gen-2", 0.001), answer("gen-3", 0.002, "nobody/none")
    own_key = answer("gen-4", 0.1, is_byok=True)
    string = json.dumps(json.dumps(right))
    (tmp_path / "ruby.yml").write_text(f"http_interactions:\n- response:\n    body:\n      string: {string}\n")
    (tmp_path / "python.yaml").write_text(json.dumps({"interactions": [{"response": {"parsed_body": dear}}]}))
    events = "".join(f"data: {json.dumps(each)}\n\n" for each in (right, unknown, own_key))
    (tmp_path / "stream.sse").write_text(f"{events}data: [DONE]\n")
    rows = {str(row.stated.body["id"]): row for row in map(compared, stated_costs([tmp_path]))}
    assert {identity: row.difference for identity, row in rows.items()} == {
        "gen-1": 0,
        "gen-2": Decimal("0.00055"),
        "gen-3": Decimal("0.002"),
    }
    assert report(list(rows.values())).splitlines()[-1].endswith("of 2 models: 73.91 %")
