"""What a process pays once: imports, and the first price."""

import os
from importlib.util import find_spec

from tests.benchmarks.timing import best_of_processes, table

IMPORTS = ("pydantic", "tracking", "genai_prices", "litellm")
FIRST_PRICE = """
from tracking import CostCalculator, LLMResponse, Usage
CostCalculator().cost(LLMResponse(provider="openai", model="gpt-5-mini", usage=Usage(input_tokens=1)))
"""
# What pydantic leaves to be imported lazily is imported by the first model anyone defines.
FIRST_MODEL = "from pydantic import BaseModel, Field, field_validator\nclass Model(BaseModel): x: int"


def run() -> None:
    rows: list[tuple[str, str, str]] = []
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # or else it looks for a newer one on the network
    bare = _seconds(FIRST_MODEL)
    for name, code in [
        ("pydantic and one model", FIRST_MODEL),
        *((f"import {each}", f"import {each}") for each in IMPORTS),
    ]:
        if name == "import litellm" and find_spec("litellm") is None:
            rows.append((name, "not installed", ""))
            continue
        seconds = bare if code == FIRST_MODEL else _seconds(code)
        rows.append((name, f"{seconds * 1e3:,.0f}", f"{(seconds - bare) * 1e3:+,.0f}"))
    first_price = _seconds(FIRST_PRICE)
    rows.append(("import tracking, first price", f"{first_price * 1e3:,.0f}", f"{(first_price - bare) * 1e3:+,.0f}"))
    table("a fresh process, best of 5", ("", "ms", "beyond pydantic"), rows)


def _seconds(code: str) -> float:
    return best_of_processes(
        f"import time; started = time.perf_counter()\n{code}\nprint(time.perf_counter() - started)"
    )
