"""`import tracking` costs an application next to nothing."""

import subprocess
import sys
from pathlib import Path

import pytest
from journals import JournalReader, run

import tracking

HEAVY = ("duckdb", "polars", "dbt", "dagster", "genai_prices", "pydantic_settings", "pyarrow", "asyncio", "sqlite3")


def modules_after(code: str) -> set[str]:
    printed = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"], capture_output=True, text=True, check=True
    )
    return set(printed.stdout.split())


def test_importing_loads_nothing_heavy() -> None:
    loaded = modules_after("import tracking")
    assert "tracking.tracker" in loaded
    assert not loaded.intersection(HEAVY)


def test_nothing_of_the_warehouse_is_loaded_even_by_recording() -> None:
    code = """
import tempfile
from tracking import CostTracker
with CostTracker(tempfile.mkdtemp()) as tracker:
    tracker.record(llm_response={"model": "gpt-4o", "usage": {"prompt_tokens": 1, "completion_tokens": 1}},
                   trackable=("A", 1), user=1, request_type="generate_rubric", prompt="p")
"""
    loaded = modules_after(code)
    assert "genai_prices" in loaded
    assert not loaded.intersection({"duckdb", "polars", "dbt", "dagster", "pyarrow", "warehouse", "dagster_project"})


def test_every_public_name_is_there_and_documented() -> None:
    for name in tracking.__all__:
        assert getattr(tracking, name).__doc__, name
    assert sorted(tracking.__all__) == list(tracking.__all__)


NOTHING_IMPORTED = """
import sys
sys.path[:0] = [{tests!r}]
import provider_answers, sdk_objects
from decimal import Decimal
from pathlib import Path
import tracking
from tracking import CostTracker, CostTrackingError, LLMResponse
home = Path({home!r})
home.mkdir()
(home / "prices.toml").write_text('[[price]]\\nprovider = "own"\\nmodel = "mine"\\nrates = {{ input_mtok = "1" }}\\n'
                                  '[[discount]]\\nprovider = "openai"\\npercent = "10"\\n')
answers = [value for name, value in vars(provider_answers).items() if name.isupper()]
for name, value in list(vars(sdk_objects).items()):
    if callable(value) and getattr(value, "__module__", "") == "sdk_objects" and not value.__code__.co_argcount:
        try:
            answers.append(value())
        except ImportError:
            pass
chunks = [{{"model": "gpt-4o", "choices": [{{"delta": {{"content": "four"}}}}]}},
          {{"model": "gpt-4o", "choices": [], "usage": {{"prompt_tokens": 1, "completion_tokens": 1}}}}]
counted = {{"usage": {{"prompt_tokens": 1, "completion_tokens": 1}}}}
answers += [None, object(), "text", {{}}, {{"model": "gpt-4o", "usage": {{"prompt_tokens": -1}}}}]
answers += [iter(chunks), iter(chunks[:1]), counted | {{"model": "no-such-model"}},
            counted | {{"model": "gpt-4o", "created_at": "2026-01-01T00:00:00Z"}},
            LLMResponse.failed(provider="openai", model="gpt-4o", error_type="Timeout")]
prompt = [{{"role": "user", "content": "é"}}]
given = {{"user": 1, "trackable": ("A", 1), "request_type": "generate_rubric", "prompt": prompt}}
kinds = [{{}}, {{"provider": "openai"}}, {{"provider": "own", "model": "mine"}},
         {{"provider": "nobody", "model": "unknown"}}, {{"request_type": "never_registered"}},
         {{"provider": "deepseek", "model": "deepseek-chat", "tags": {{"a": 1}}}},
         {{"provider": "openai", "model": "o3", "status": "partial", "latency_ms": 5}},
         {{"occurred_at": 3, "tenant": "t"}}]
trackers = [CostTracker(home, durability="always"),
            CostTracker(home, on_unknown_model="record", on_error="log")]
before = set(sys.modules)
refused = recorded = 0
for tracker in trackers:
    for answer in answers:
        for kind in kinds:
            try:
                recorded += tracker.record(llm_response=answer, **given | kind) is not None
            except (CostTrackingError, ValueError):
                refused += 1
    many = [given | {{"llm_response": provider_answers.CHAT}}, given]
    try:
        tracker.record_many(many)
    except CostTrackingError:
        refused += 1
    for response in (provider_answers.CHAT, None):
        with tracker.call(**given, provider="openai", model="gpt-4o") as call:
            call.response = response or tracking.watch_stream(iter(chunks), "openai")
            call.first_token()
            for chunk in call.response if response is None else ():
                pass
    try:
        with tracker.call(**given, provider="openai", model="gpt-4o"):
            raise TimeoutError
    except TimeoutError:
        pass
    tracker.flush()
    tracker.close()
new = sorted(set(sys.modules) - before)
print(recorded, refused, *new, sep="\\n")
"""


def test_no_call_of_any_kind_imports_anything(tmp_path: Path) -> None:
    """A child forked amid an import inherits its lock, held for ever; and imports need file descriptors."""
    printed = run(NOTHING_IMPORTED, home=str(tmp_path / "home"))
    assert printed.returncode == 0, printed.stderr[-2000:]
    recorded, refused, *imported = printed.stdout.split()
    assert int(recorded) > 100
    assert int(refused) > 100
    assert imported == []


FORK_AMID_LOADING = """
import os, sys, threading, time
sys.path.insert(0, {tests!r})
from provider_answers import CHAT
import tracking
os.environ["LLM_COST_HOME"] = {home!r}
given = {{"user": 1, "trackable": ("A", 1), "request_type": "generate_rubric", "prompt": "p"}}
loading = threading.Event()
class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "genai_prices.data":
            loading.set()
            time.sleep(0.3)
sys.meta_path.insert(0, Watch())
first = threading.Thread(target=tracking.record, kwargs={{"llm_response": CHAT | {{"id": "parent"}}, **given}})
first.start()
loading.wait()
child = os.fork()
if child == 0:
    tracking.record(llm_response=CHAT | {{"id": "child"}}, **given)
    tracking.default_tracker().close()
    os._exit(0)
first.join()
tracking.default_tracker().close()
deadline = time.monotonic() + 300
while not (ended := os.waitpid(child, os.WNOHANG))[0] and time.monotonic() < deadline:
    time.sleep(0.01)
if not ended[0]:
    os.kill(child, 9)
    sys.exit("the child hangs")
sys.exit(os.waitstatus_to_exitcode(ended[1]))
"""


def test_a_child_forked_amid_another_threads_first_record_records_too(
    home: Path, journal_records: JournalReader
) -> None:
    done = run(FORK_AMID_LOADING, home=str(home))
    assert done.returncode == 0, done.stderr
    assert sorted(row["provider_response_id"] for row in journal_records(home)) == ["child", "parent"]


NO_DESCRIPTORS = """
import os, resource, sys
sys.path.insert(0, {tests!r})
from journals import record
from tracking import CostTracker, LedgerError
tracker = CostTracker({home!r}, durability={durability!r})
recorded = [record(tracker, number).record_id for number in range({before})]
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, os.listdir("/proc/self/fd"))), hard))
for number in range(3, 6):
    try:
        recorded.append(record(tracker, number, tenant=str(number)).record_id)
    except LedgerError as error:
        assert "Too many open files" in str(error), error
        print(error, file=sys.stderr)
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
recorded += [record(tracker, number).record_id for number in range(6, 9)]
tracker.close()
print(*recorded)
"""


@pytest.mark.parametrize("before", [0, 2])
@pytest.mark.parametrize("durability", ["process", "interval", "always"])
def test_without_file_descriptors_a_record_says_so_and_with_them_recording_goes_on(
    home: Path, journal_records: JournalReader, durability: str, before: int
) -> None:
    done = run(NO_DESCRIPTORS, home=str(home), durability=durability, before=str(before))
    assert done.returncode == 0, done.stderr
    written = [row["record_id"] for row in journal_records(home)]
    assert sorted(written) == sorted(done.stdout.split())
    assert len(written) >= before + 3
