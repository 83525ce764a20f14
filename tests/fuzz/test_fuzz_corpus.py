"""What is promised at every door holds for the corpus of the fuzzer, which is small and ours."""

from pathlib import Path

import pytest

from tests.fuzz.targets import TARGETS

CORPUS = Path(__file__).with_name("corpus")


@pytest.mark.parametrize("name", TARGETS)
def test_promises_hold_for_the_corpus(name: str, tmp_path: Path) -> None:
    check = TARGETS[name].check(tmp_path)
    inputs = sorted((CORPUS / name).iterdir())
    assert inputs
    for file in inputs:
        try:
            check(file.read_bytes())
        except Exception as error:
            raise AssertionError(f"{file.name}: {error}") from error
