"""The page `llm-cost report` writes: each cut sums to the total, unknown is not zero, a user's text is no markup."""

import stat
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledgers import NOON, body, llm_cost, record, record_month

from tracking import CostTracker
from tracking.errors import ArgumentError, LedgerError
from tracking.home import Home
from warehouse.building.build import build
from warehouse.html_report import words
from warehouse.html_report.chart import HIGHEST, column_chart, round_above
from warehouse.html_report.figures import LISTED, SAVINGS, Figures, Period, read_figures
from warehouse.html_report.page import rendered, write_report
from warehouse.published.read import open_warehouse

if TYPE_CHECKING:
    from playwright.sync_api import Browser

MARKUP = "<script>alert('x')</script>&\"'"
CANARY = "canary-5e1f"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """More users than are listed, one of them named by markup, calls without a price, and a prompt to be looked for."""
    home = Home(tmp_path_factory.mktemp("report") / "home")
    with CostTracker(home.root, on_unknown_model="record") as tracker:
        record_month(tracker)
        for number in range(LISTED + 5):
            record(tracker, body(number * 1000, 10), user=f"user-{number}", prompt=f"{CANARY} {number}")
        record(tracker, body(10**6), user=MARKUP, assignment="</td><b>", at=NOON + timedelta(days=2))
        record(tracker, body(10**6), user="teacher-1")
        record(tracker, body(10**6), user="teacher-1", tenant="school-b")
    home.dimensions.mkdir()
    (home.dimensions / "users.csv").write_text("user_id,name\nuser-16,Ann <Example>\nteacher-1,Bob\n")
    build(home)
    return home


@pytest.fixture
def warehouse(home: Home) -> Iterator[duckdb.DuckDBPyConnection]:
    with open_warehouse(home) as connection:
        yield connection


class Page(HTMLParser):
    """The words of a page, its elements, and whether every one of them is closed."""

    VOID = ("meta", "line", "rect", "br")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.elements: set[str] = set()
        self.addresses: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("href", "src")]
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(self.words)


@pytest.mark.parametrize(("first", "last"), [(None, None), (date(2026, 11, 3), None), (None, date(2026, 11, 2))])
def test_every_cut_sums_to_the_total_of_the_period(
    warehouse: duckdb.DuckDBPyConnection, first: date | None, last: date | None
) -> None:
    figures = read_figures(warehouse, first, last)
    day = "(occurred_at at time zone 'UTC')::date"
    recorded = warehouse.execute(
        f"""
        select count(*), sum(token_count)::bigint, sum(cost_usd)
        from ledger.usage
        where {day} between $first and $last
        """,
        {"first": figures.period.first, "last": figures.period.last},
    ).fetchall()[0]
    total = figures.total
    assert (total["requests"], total["token_count"], total["cost_usd"]) == recorded
    for cut in figures.cuts:
        rows = [*cut.rows, *([cut.others] if cut.others else [])]
        for measure in ("requests", "token_count", "failed_requests", "unpriced_requests"):
            assert sum(row[measure] for row in rows) == total[measure], cut.title
        assert sum(row["cost_usd"] or 0 for row in rows) == total["cost_usd"], cut.title
    assert sum(row["cost_usd"] or 0 for row in figures.course) == total["cost_usd"]


def test_the_dearest_are_listed_and_the_others_are_counted(warehouse: duckdb.DuckDBPyConnection) -> None:
    users = next(cut for cut in read_figures(warehouse, None, None).cuts if cut.of == "user")
    costs = [row["cost_usd"] for row in users.rows]
    assert costs == sorted(costs, reverse=True)
    everybody = warehouse.execute("select count(distinct (user_id, tenant)) from ledger.usage").fetchall()[0][0]
    assert users.others is not None
    assert (len(users.rows), users.others["things"]) == (LISTED, everybody - LISTED)


def test_names_stand_for_ids_with_and_without_a_tenant(warehouse: duckdb.DuckDBPyConnection) -> None:
    figures = read_figures(warehouse, None, None)
    users = {(row["name"], row["beside"]) for cut in figures.cuts if cut.of == "user" for row in cut.rows}
    assert users >= {("Bob", "teacher-1"), ("Bob", "teacher-1, school-b"), ("Ann <Example>", "user-16"), (MARKUP, None)}
    assert "teacher-1" not in {name for name, _ in users}


def test_the_page_is_closed_html_without_anything_from_outside(home: Home, tmp_path: Path) -> None:
    write_report(home, file := tmp_path / "page.html")
    page = Page(file.read_text("utf-8"))
    assert page.elements.isdisjoint({"script", "img", "link", "iframe", "object"})
    assert all(address.startswith("#") for address in page.addresses)
    assert "http:" not in page.text
    assert MARKUP in page.text
    assert CANARY not in file.read_text("utf-8")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.slow
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_a_browser_shows_the_page_without_a_complaint(
    home: Home, tmp_path: Path, artifacts: Path, browser: "Browser", width: int, scheme: Literal["light", "dark"]
) -> None:
    write_report(home, file := tmp_path / "page.html")
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    requested: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    page.goto(file.as_uri())
    page.screenshot(path=artifacts / f"report-{width}-{scheme}.png", full_page=True)
    assert complaints == []
    assert requested == [file.as_uri()]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("svg rect").count() == page.locator("svg rect title").count() > 0
    assert page.get_by_text("sums to the ledger, to the last digit").is_visible()
    assert page.get_by_role("heading", name="Users").is_visible()
    assert page.evaluate("getComputedStyle(document.querySelector('.bar i')).backgroundColor") != "rgba(0, 0, 0, 0)"


def test_what_has_no_price_is_unknown_and_not_zero(warehouse: duckdb.DuckDBPyConnection) -> None:
    figures = read_figures(warehouse, None, None)
    unpriced = next(row for cut in figures.cuts for row in cut.rows if row["cost_usd"] is None)
    assert unpriced["name"] == "openai / school-own-grader"
    page = rendered(figures, "UTC")
    row = page[page.index("openai / school-own-grader</td>") :].partition("</tr>")[0]
    assert '<span title="no price known">–</span>' in row
    assert "$0" not in row


def test_a_report_that_does_not_sum_is_told_at_the_top(warehouse: duckdb.DuckDBPyConnection) -> None:
    figures = read_figures(warehouse, None, None)
    assert "sums to the ledger, to the last digit" in rendered(figures, "UTC")
    figures.proofs[0].sums["cost_usd"] += Decimal("1e-12")
    page = rendered(figures, "UTC")
    assert "does not sum to the ledger" in page
    assert "to the last digit" not in page


def test_the_period_before_has_as_many_days(warehouse: duckdb.DuckDBPyConnection) -> None:
    assert Period(date(2026, 11, 8), date(2026, 11, 14)).before == Period(date(2026, 11, 1), date(2026, 11, 7))
    figures = read_figures(warehouse, date(2026, 11, 3), date(2026, 11, 3))
    first_day = read_figures(warehouse, date(2026, 11, 2), date(2026, 11, 2))
    assert figures.before == first_day.total
    assert first_day.before is None


def test_days_without_calls_are_columns_too(warehouse: duckdb.DuckDBPyConnection) -> None:
    def starts(figures: Figures) -> list[date]:
        return [row["start"] for row in figures.course]

    whole = read_figures(warehouse, None, None)
    assert starts(whole) == [whole.period.first + timedelta(days=day) for day in range(whole.period.days)]
    assert read_figures(warehouse, date(2026, 1, 1), None).period.step == "week"
    assert read_figures(warehouse, date(2020, 1, 1), None).period.step == "month"


def test_a_period_without_calls_is_a_page_that_says_so(home: Home, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    figures = write_report(home, page, date(2031, 1, 1))
    assert (figures.period.days, figures.total["requests"]) == (1, 0)
    said = page.read_text()
    assert "2031-01-01 to 2031-01-01" in said
    assert "No call was recorded in this period." in said
    assert "sums to the ledger, to the last digit" in said


def test_a_period_turned_round_is_refused(home: Home, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match=r"--to \(2026-11-01\) is before --from \(2026-11-02\)"):
        write_report(home, tmp_path / "page.html", date(2026, 11, 2), date(2026, 11, 1))
    assert not list(tmp_path.iterdir())


def test_an_empty_ledger_is_told(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.open()
    with pytest.raises(LedgerError, match="no published warehouse yet"):
        write_report(home, tmp_path / "page.html")


def test_a_warehouse_of_another_version_is_told(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.open()
    with duckdb.connect(home.warehouse_database) as connection:
        connection.execute("create table cost_per_day as select date '2026-11-02' as reporting_date")
    with pytest.raises(LedgerError, match="of another version; `llm-cost build` renews it"):
        write_report(home, tmp_path / "page.html", date(2026, 11, 2), date(2026, 11, 2))


def test_the_command_writes_one_file_and_overwrites_none(home: Home, tmp_path: Path) -> None:
    file = tmp_path / "november.html"
    done = llm_cost("report", str(file), "--from", "2026-11-02", "--home", str(home.root))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"Wrote {file}: 2026-11-02 to ")
    written = file.read_bytes()
    refused = llm_cost("report", str(file), "--home", str(home.root))
    assert (refused.returncode, refused.stderr) == (2, f"llm-cost: {file} exists; --force overwrites it\n")
    assert file.read_bytes() == written
    missing = llm_cost("report", str(tmp_path / "nowhere" / "page.html"), "--home", str(home.root))
    assert missing.returncode == 2
    assert "cannot be written: No such file or directory" in missing.stderr
    assert llm_cost("report", str(file), "--force", "--home", str(home.root)).returncode == 0


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (Decimal("120.759887809"), "$120.76"),
        (Decimal("-0.5221"), "-$0.522"),
        (Decimal("0.00000123"), "$0.00000123"),
        (Decimal(0), "$0.00"),
        (None, "–"),
        (Decimal("1234567.891"), "$1,234,567.89"),
    ],
)
def test_amounts_as_a_person_reads_them(value: Decimal | None, shown: str) -> None:
    assert words.usd(value) == shown


@given(st.integers(1, 10**15))
def test_a_short_count_is_within_half_a_percent(value: int) -> None:
    digits, _, unit = words.short_count(value).partition(" ")
    scale = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9}[unit]
    assert abs(float(digits) * scale / value - 1) <= 0.005


@given(st.lists(st.decimals(0, 10**9, places=6), min_size=1, max_size=120))
def test_columns_stand_in_the_drawing_side_by_side_and_as_high_as_their_share(values: list[Decimal]) -> None:
    chart = column_chart([(str(place), value) for place, value in enumerate(values)])
    top = round_above(max(values))
    assert max(values) <= top
    for column, after in zip(chart.columns, [*chart.columns[1:], None], strict=True):
        assert column.x >= chart.left
        assert column.x + column.width <= (after.x if after else chart.width) + 0.02
        assert column.y >= 0
        assert column.height == pytest.approx(float(column.value / top) * HIGHEST, abs=0.02)
    assert [tick.value for tick in chart.ticks] == [top * share / 4 for share in range(5)]


def test_savings_are_led_by_what_is_sure() -> None:
    """A third of a dollar for sure goes before one that is possible."""
    rows = [("low", 1.0), ("high", 0.3), ("medium", 0.55), ("high", 0.2)]
    with duckdb.connect() as connection:
        connection.execute(
            "create table saving_opportunities as select date '2026-11-01' as reporting_month, confidence,"
            " counted_saving_usd, '' as opportunity, '' as provider, '' as llm, '' as request_type"
            f" from (values {', '.join(map(str, rows))}) as rows(confidence, counted_saving_usd)"
        )
        month = {"first": date(2026, 11, 1), "last": date(2026, 11, 30)}
        ranked = connection.execute(f"select confidence, counted_saving_usd from ({SAVINGS})", month).fetchall()
    assert [(sure, float(usd)) for sure, usd in ranked] == [rows[1], rows[2], rows[0], rows[3]]
