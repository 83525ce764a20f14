"""The file that a command imports."""

import json
from pathlib import Path

import pytest
from ledgers import body


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    file = tmp_path / "calls.jsonl"
    lines = [{"provider": "openai", "response": body(number)} for number in (1, 2, 3)]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return file
