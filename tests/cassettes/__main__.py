"""`python -m tests.cassettes FOLDER…`: reads every answer other projects recorded, and says what became of it.

Prints what was read, what was refused by reason though it says its usage, what of a stream was estimated though it
says its usage, which totals disagree, and what differs from what the tests beside the cassettes assert.
"""

import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path

from tests.cassettes.asserted import asserted_by_tests
from tests.cassettes.recorded import Recorded, recorded_answers, says_usage
from tracking import CostTrackingError, LLMResponse

Findings = dict[str, list[str]]


def read(recorded: Recorded) -> LLMResponse:
    if recorded.chunks is not None:
        return LLMResponse.from_stream(iter(recorded.chunks), recorded.provider, recorded.model)
    return LLMResponse.from_provider(recorded.body, recorded.provider, recorded.model)


def has_usage(recorded: Recorded) -> bool:
    if recorded.provider == "x-ai" and recorded.model is None:
        return True
    content = recorded.body if recorded.chunks is None else [_opened(chunk) for chunk in recorded.chunks]
    return says_usage(content)


def _opened(chunk: object) -> object:
    """A chunk with the JSON that it holds as bytes."""
    import json

    inner = chunk.get("chunk") if isinstance(chunk, dict) else None
    return json.loads(inner["bytes"]) if isinstance(inner, dict) and "bytes" in inner else chunk


def main(folders: Iterable[str]) -> None:
    tally: Counter[str] = Counter()
    findings: Findings = defaultdict(list)
    for folder in map(Path, folders):
        by_file: dict[Path, list[LLMResponse]] = defaultdict(list)
        for recorded in recorded_answers(folder):
            if not has_usage(recorded):
                tally["says no usage"] += 1
                continue
            where = f"{recorded.file.relative_to(folder)} [{recorded.provider}, {recorded.model}]"
            try:
                response = read(recorded)
            except CostTrackingError as error:
                tally["refused"] += 1
                reason = re.sub(r"\d+", "N", f"{type(error).__name__}: {error}")[:160]
                findings[f"refused though usage is there: {reason}"].append(where)
                continue
            tally["read"] += 1
            by_file[recorded.file].append(response)
            if response.status == "partial":
                tally["streams estimated though usage is there"] += 1
                findings["estimated though usage is there"].append(where)
            for assumed in response.assumptions:
                findings[f"marked {sorted(assumed)[0]}"].append(f"{where}: {dict(assumed)}")
        for file, responses in by_file.items():
            compare(file, responses, tally, findings)
    report(tally, findings)


def compare(file: Path, responses: list[LLMResponse], tally: Counter[str], findings: Findings) -> None:
    """Whether each number that the tests assert is one that was read of the cassette's answers."""
    ours = {
        "input": [response.usage.input_tokens or 0 for response in responses],
        "output": [response.usage.output_tokens or 0 for response in responses],
    }
    asserted = asserted_by_tests(file)
    if not any(asserted.values()):
        tally["cassettes without an asserted count"] += 1
        return
    missing = {
        kind: sorted(numbers - {*ours[kind], sum(ours[kind]), 0})
        for kind, numbers in asserted.items()
        if numbers - {*ours[kind], sum(ours[kind]), 0} and not numbers & {*ours[kind]}
    }
    if missing:
        tally["cassettes that differ from what their tests assert"] += 1
        findings["differs from what the tests assert"].append(f"{file.name}: ours {ours}, asserted {missing}")
    else:
        tally["cassettes equal to what their tests assert"] += 1


def report(tally: Counter[str], findings: Findings) -> None:
    for what, places in sorted(findings.items()):
        print(f"\n{what}: {len(places)}")
        for place in places[:12]:
            print(f"    {place}")
    print()
    for what, number in tally.most_common():
        print(f"{number:>6,} {what}")


if __name__ == "__main__":
    main(sys.argv[1:])
