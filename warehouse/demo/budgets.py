"""What the school may spend: a `budgets.toml` for the demo's home."""

from tracking.durable_files import create_exclusively
from tracking.home import Home

BUDGETS_TOML = """\
# Who may spend what; `llm-cost budget` shows how it stands. See docs/budgets.md.
[[budget]]
name = "The whole school"
scope = "all"
period = "month"
limit_usd = 150
warn = [50, 80, 95]

[[budget]]
name = "Lakeside College"
scope = "tenant"
value = "lakeside-college"
period = "week"
limit_usd = 10

[[budget]]
name = "Rubrics"
scope = "request_type"
value = "generate_rubric"
period = "month"
limit_usd = "9.50"

[[budget]]
name = "Busiest teacher"
scope = "user"
value = "teacher-02"
period = "month"
limit_usd = 11

[[budget]]
name = "History, autumn term"
scope = "tag"
value = "subject=history"
period = "term"
from = 2026-09-01
to = 2026-12-19
limit_usd = 60
"""


def write_budgets(home: Home) -> None:
    """Write the file, unless the home has one."""
    create_exclusively(home.budgets_toml, BUDGETS_TOML.encode())
