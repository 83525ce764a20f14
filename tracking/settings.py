"""Settings of a process that records or reads: environment variables with the prefix `LLM_COST_`."""

from pathlib import Path
from typing import Literal

from pydantic import PositiveInt
from pydantic_settings import BaseSettings, SettingsConfigDict

from tracking.journal.writer import Durability
from tracking.pricing.calculator import STATED_COST_COUNTS, CostSource
from tracking.rows.prompt import PromptPolicy

DEFAULT_HOME = Path("llm-cost-data")


class ProcessSettings(BaseSettings):
    """`LLM_COST_HOME`, `LLM_COST_DURABILITY` and so on; an empty one is unset."""

    model_config = SettingsConfigDict(env_prefix="LLM_COST_", env_ignore_empty=True, frozen=True)

    home: Path = DEFAULT_HOME
    durability: Durability = "interval"
    prompt_policy: PromptPolicy = "store"
    max_prompt_bytes: PositiveInt = 1024 * 1024
    """How much of a prompt's text is stored, in bytes of UTF-8."""
    cost_source: CostSource = STATED_COST_COUNTS
    """A word for all providers, or a mapping: `LLM_COST_COST_SOURCE='{"openrouter": "catalogue"}'`."""
    on_unknown_model: Literal["raise", "record"] = "raise"
    on_error: Literal["raise", "log"] = "raise"
    unattributed: Literal["record", "refuse"] = "record"
    """What becomes of a captured call that nobody said whose it is."""
