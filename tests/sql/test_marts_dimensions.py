"""Names from the home's CSV files, and what models cost since when, before dbt reads either."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking import CostCalculator, LedgerError, LLMResponse, Usage
from tracking.home import Home
from tracking.pricing.sources.overrides import PriceOverrides
from warehouse.sources.names import UnusableName, create_names, read_names
from warehouse.sources.price_history import create_price_history

OWN_PRICES = """
[[price]]
provider = "openai"
model = "school-own-grader"
from = 2026-09-01
rates = {input_mtok = "0.40", output_mtok = "1.60"}

[[discount]]
provider = "openai"
model = "gpt-4o"
from = 2026-10-01
to = 2026-10-31
percent = 12.5

[[fee]]
provider = "openai"
model = "gpt-4o-mini"
usd_per_request = "0.0001"
"""


@pytest.fixture
def opened(home: Path) -> Home:
    opened = Home(home)
    opened.open()
    return opened


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute("create schema ledger")
        yield connection


def write(home: Home, stem: str, content: str | bytes) -> Path:
    home.dimensions.mkdir(exist_ok=True)
    path = home.dimensions / f"{stem}.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_a_home_without_names_has_none(opened: Home, connection: duckdb.DuckDBPyConnection) -> None:
    create_names(connection, opened)
    for table in ("users", "assignments", "unusable_names"):
        assert connection.execute(f"select * from ledger.{table}").fetchall() == []


def test_lines_that_name_nobody_are_listed_and_the_others_count(
    opened: Home, connection: duckdb.DuckDBPyConnection
) -> None:
    write(
        opened,
        "users",
        "\ufeffName, USER_ID ,tenant,class\r\n"
        'Ada,1,a,"7, b"\r\n'
        "Bo,2\r\n"
        "\r\n"
        ",3,a,7\r\n"
        "Cy,,a,7\r\n"
        "Ada of all,1,,7\r\n"
        "Ada again, 1 ,a,8\r\n"
        "Di,4,a,7,more\r\n"
        '"Robert\'); drop table users; -- 🎓",5,,\r\n',
    )
    write(opened, "assignments", "assignment_id,name\n1,Essay\n")
    create_names(connection, opened)
    assert set(connection.execute("select user_id, tenant, name from ledger.users").fetchall()) == {
        ("1", "a", "Ada again"),
        ("1", None, "Ada of all"),
        ("5", None, "Robert'); drop table users; -- 🎓"),
    }
    assert connection.execute("select * from ledger.assignments").fetchall() == [("1", None, "Essay")]
    assert connection.execute("select line, reason from ledger.unusable_names order by all").fetchall() == [
        (2, "named again in line 8, which counts"),
        (3, "fewer fields than the header has"),
        (5, "name is empty"),
        (6, "user_id is empty"),
        (9, "more fields than the header has"),
    ]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "names no column user_id; expected user_id,name"),
        (b"user_id;name\n1;Ada\n", "names no column user_id"),
        (b"user_id\n1\n", "names no column name"),
        (b"user_id,name\n1,\xff\n", r"is not UTF-8 \(byte 15\)"),
        (b'user_id,name\n1,"Ada"x\n', "is not valid CSV"),
    ],
)
def test_a_file_that_is_no_list_of_names_is_one_clear_error(
    opened: Home, connection: duckdb.DuckDBPyConnection, content: bytes, complaint: str
) -> None:
    write(opened, "users", content)
    with pytest.raises(LedgerError, match=rf"users\.csv:? .*{complaint}"):
        create_names(connection, opened)


@given(
    st.lists(st.tuples(st.sampled_from("12 "), st.sampled_from(["", "a", " b"]), st.sampled_from(["", "Ada", "Bo"])))
)
def test_nobody_has_two_names_and_every_line_is_a_name_or_listed(
    tmp_path_factory: pytest.TempPathFactory, lines: list[tuple[str, str, str]]
) -> None:
    path = tmp_path_factory.mktemp("names") / "users.csv"
    path.write_text("user_id,tenant,name\n" + "".join(",".join(line) + "\n" for line in lines))
    names, unusable = read_names(path, "user_id")
    assert len(names) + len(unusable) == len(lines)
    last = {(i.strip(), t.strip() or None): n for i, t, n in lines if i.strip() and n.strip()}
    assert names == last
    assert all(isinstance(line, UnusableName) and line.reason for line in unusable)


def history(connection: duckdb.DuckDBPyConnection, provider: str, llm: str) -> list[dict[str, Any]]:
    result = connection.execute(
        "select * from ledger.models where provider = ? and llm = ? order by valid_from", [provider, llm]
    )
    names = [column[0] for column in result.description or []]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def test_a_models_prices_follow_one_another_and_are_those_that_calls_are_billed_by(
    opened: Home, connection: duckdb.DuckDBPyConnection
) -> None:
    opened.prices_toml.write_text(OWN_PRICES)
    create_price_history(connection, opened)
    calculator = CostCalculator(PriceOverrides.load(opened.prices_toml))
    for provider, llm in (("openai", "gpt-4o"), ("openai", "gpt-4o-mini"), ("anthropic", "claude-sonnet-4-6")):
        prices = history(connection, provider, llm)
        assert prices
        assert prices[-1]["valid_to"] is None
        assert [price["valid_to"] for price in prices[:-1]] == [price["valid_from"] for price in prices[1:]]
        for price in prices:
            usage = Usage(input_tokens=1000, output_tokens=500)
            cost = calculator.cost(LLMResponse(provider=provider, model=llm, usage=usage), at=price["valid_from"])
            per_token = price["input_usd_per_million"] * 1000 + price["output_usd_per_million"] * 500
            assert cost.cost_usd == per_token / 1_000_000 + (price["usd_per_request"] or 0)
            assert cost.price_id == price["price_id"]


def test_own_prices_and_discounts_are_dated_in_the_history(opened: Home, connection: duckdb.DuckDBPyConnection) -> None:
    opened.prices_toml.write_text(OWN_PRICES)
    create_price_history(connection, opened)
    (own,) = history(connection, "openai", "school-own-grader")
    assert (own["valid_from"], own["valid_to"]) == (datetime(2026, 9, 1, tzinfo=UTC), None)
    assert (own["input_usd_per_million"], own["llm_family"], own["context_window"]) == (Decimal("0.4"), "school", None)
    *_, before, discounted, after = history(connection, "openai", "gpt-4o")
    assert discounted["valid_from"] == datetime(2026, 10, 1, tzinfo=UTC)
    assert discounted["input_usd_per_million"] == before["input_usd_per_million"] * Decimal("0.875")
    assert after["price_id"] == before["price_id"]
    doubled = (
        "select count(*) from (select 1 from ledger.models group by provider, llm, valid_from having count(*) > 1)"
    )
    assert connection.execute(doubled).fetchone() == (0,)


def test_the_history_is_made_anew_only_when_a_price_changed(
    opened: Home, connection: duckdb.DuckDBPyConnection
) -> None:
    create_price_history(connection, opened)
    connection.execute("update ledger.models set context_window = 1")
    create_price_history(connection, opened)
    assert connection.execute("select distinct context_window from ledger.models").fetchall() == [(1,)]
    opened.prices_toml.write_text(OWN_PRICES)
    create_price_history(connection, opened)
    assert history(connection, "openai", "school-own-grader")
    opened.prices_toml.unlink()
    create_price_history(connection, opened)
    assert not history(connection, "openai", "school-own-grader")
