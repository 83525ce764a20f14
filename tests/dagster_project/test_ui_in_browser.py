"""The command `ui` as a person uses it: look at the graph, click once, read the results."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tracking.home import Home
from warehouse.published.read import open_warehouse
from warehouse.sealing.seal import seal

GROUPS = ("inputs", "ledger", "staging", "intermediate", "marts_cost", "marts_quality", "marts_usage", "published")
SECONDS = 1000
START_SECONDS = 300
RUN_SECONDS = 900

pytestmark = pytest.mark.slow


@pytest.fixture
def home(make_home: Callable[[str, int], Home]) -> Home:
    home = make_home("browsed", 60)
    # What is sealed is known to Dagster from the start, so that one click is enough.
    seal(home)
    return home


@pytest.fixture
def url(home: Home, empty_directory: Path) -> Iterator[str]:
    """The address of a running `llm-cost ui`; the whole process group ends with the test."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    log = home.root / "ui.log"
    command = [sys.executable, "-m", "warehouse", "ui", "--home", str(home.root), "--port", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, cwd=empty_directory, start_new_session=True)
    try:
        wait_until(lambda: answers(f"http://127.0.0.1:{port}/server_info"), START_SECONDS, log)
        assert f"http://127.0.0.1:{port}" in log.read_text()
        yield f"http://127.0.0.1:{port}"
    finally:
        end_group(process)


@pytest.fixture
def page(browser: Browser) -> Page:
    page = browser.new_page(viewport={"width": 2400, "height": 1200})
    page.set_default_timeout(120 * SECONDS)
    expect.set_options(timeout=120 * SECONDS)
    return page


def test_a_person_refreshes_looks_and_rebuilds_three_days(url: str, home: Home, page: Page, artifacts: Path) -> None:
    requested: set[str] = set()
    page.on("request", lambda request: requested.add(request.url))

    open_graph(page, url)
    page.screenshot(path=artifacts / "dagster-1-before.png")
    open_job(page, url, "refresh")
    page.get_by_role("button", name="Materialize all").first.click()
    expect(page.get_by_text("Launched run")).to_be_visible()
    run = wait_until(lambda: finished_run(url, "refresh"), RUN_SECONDS, home.root / "ui.log")
    assert run["status"] == "SUCCESS"

    page.goto(f"{url}/runs/{run['runId']}")
    expect(page.get_by_text("Success", exact=True).first).to_be_visible()
    expect(page.get_by_text("RUN_SUCCESS").first).to_be_visible()
    page.screenshot(path=artifacts / "dagster-2-run.png")

    open_graph(page, url)
    page.screenshot(path=artifacts / "dagster-3-asset-graph.png")

    page.goto(f"{url}/assets/published_warehouse?view=checks")
    expect(page.get_by_text("reports_sum_to_ledger").first).to_be_visible()
    page.get_by_text("reports_sum_to_ledger").first.click()
    expect(page.get_by_text("equal", exact=True).first).to_be_visible()
    page.screenshot(path=artifacts / "dagster-4-proof.png")

    page.goto(f"{url}/assets/cost_per_day")
    expect(page.get_by_text("What each day cost", exact=False).first).to_be_visible()
    expect(page.get_by_text("follows_the_ledger").first).to_be_visible()
    page.screenshot(path=artifacts / "dagster-5-asset.png")
    page.goto(f"{url}/assets/published_warehouse")
    chart = page.locator("img[src^='data:image/svg+xml;base64']").first
    chart.scroll_into_view_if_needed()
    assert chart.evaluate("image => image.naturalWidth") > 100, "the chart is drawn, not a broken image"
    page.screenshot(path=artifacts / "dagster-5-asset-chart.png")
    page.goto(f"{url}/assets/cost_per_user?view=events")
    expect(page.get_by_text("cost_usd", exact=True).first).to_be_visible()
    page.screenshot(path=artifacts / "dagster-6-asset-events.png")

    rebuild(page, url, "[2026-11-03...2026-11-05]", artifacts)
    run = wait_until(lambda: finished_run(url, "rebuild_days"), RUN_SECONDS, home.root / "ui.log")
    assert run["status"] == "SUCCESS"
    page.goto(f"{url}/assets/ledger/usage?view=partitions")
    expect(page.get_by_text("2026-11-05").first).to_be_visible()
    page.screenshot(path=artifacts / "dagster-9-days.png")

    # Every seventh call has no price, and verification is for a job of its own.
    assert sorted(failed_checks(url)) == ["calls_are_priced", "ledger_verifies"]
    with open_warehouse(home) as connection:
        assert connection.execute("select count(*) from fct_usage").fetchall() == [(60,)]
    assert {address for address in requested if not address.startswith((url, "data:", "blob:"))} == set()


def open_job(page: Page, url: str, job: str) -> None:
    page.goto(f"{url}/locations/dagster_project.definitions/jobs/{job}")
    expect(page.get_by_role("button", name="Materialize all").first).to_be_enabled()


def rebuild(page: Page, url: str, days: str, artifacts: Path) -> None:
    """Choose days in the job's dialog, and launch what must be one run."""
    open_job(page, url, "rebuild_days")
    page.get_by_role("button", name="Materialize all").first.click()
    chosen = page.get_by_placeholder("No matching partitions").first
    chosen.fill(days)
    chosen.press("Tab")
    expect(page.get_by_text("3 partitions").first).to_be_visible()
    page.screenshot(path=artifacts / "dagster-7-rebuild.png")
    page.get_by_role("button", name="Launch backfill").click()
    expect(page.get_by_text("Latest run:").first).to_be_visible()
    page.screenshot(path=artifacts / "dagster-8-backfill.png")


def open_graph(page: Page, url: str) -> None:
    """The graph of all assets by group, which is how it opens."""
    page.goto(f"{url}/asset-groups")
    for group in GROUPS:
        expect(page.get_by_text(group, exact=True).last).to_be_visible()
    expect(page.get_by_text("fetching statuses")).to_have_count(0)


def finished_run(url: str, job: str) -> dict[str, Any] | None:
    """The only run of the job, once it has ended."""
    query = f'{{ runsOrError(filter: {{pipelineName: "{job}"}}) {{ ... on Runs {{ results {{ runId status }} }} }} }}'
    runs = ask(url, query)["runsOrError"]["results"]
    assert len(runs) <= 1, runs
    return runs[0] if runs and runs[0]["status"] in {"SUCCESS", "FAILURE", "CANCELED"} else None


def failed_checks(url: str) -> list[str]:
    """Checks whose latest evaluation is missing or did not pass."""
    query = """
        { assetNodes {
            assetChecksOrError { ... on AssetChecks { checks { name executionForLatestMaterialization { status } } } }
        } }
    """
    checks = [check for node in ask(url, query)["assetNodes"] for check in node["assetChecksOrError"].get("checks", [])]
    assert len(checks) > 50
    return [
        check["name"]
        for check in checks
        if (check["executionForLatestMaterialization"] or {}).get("status") != "SUCCEEDED"
    ]


def ask(url: str, query: str) -> dict[str, Any]:
    request = urllib.request.Request(
        f"{url}/graphql", json.dumps({"query": query}).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.load(response)["data"]


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return response.status == 200
    except OSError:
        return False


def wait_until(condition: Callable[[], Any], seconds: float, log: Path) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.5)
    raise AssertionError(f"not within {seconds} s:\n{log.read_text()[-4000:]}")


def end_group(process: "subprocess.Popen[bytes]") -> None:
    os.killpg(process.pid, signal.SIGINT)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=20)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
