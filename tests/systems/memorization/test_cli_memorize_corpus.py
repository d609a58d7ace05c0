"""``pyfastlm memorize index`` and ``count``: what they print, and how they refuse."""

import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from memorize_command import output, refusal
from tiny import tiny_tokenizer


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    path = tmp_path / "texts.jsonl"
    rows = ["to be or not to be", "to be is to do", "do be do"]
    path.write_text("".join(json.dumps({"text": row}) + "\n" for row in rows))
    return path


def test_index_and_count(texts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    index = tmp_path / "corpus.index"
    report = json.loads(output(capsys, "index", texts, "-o", index, "--json"))
    assert (report["kind"], report["documents"], report["units"], report["parts"]) == ("text", 3, 40, 1)
    assert (report["longest_pattern"], report["bytes"]) == (None, index.stat().st_size)
    found = json.loads(
        output(capsys, "count", index, "to be", "do", "nothing", "--where", 2, "--next", 1, "--json")
    )
    assert found["patterns"] == [
        {"pattern": "to be", "count": 3, "places": [[0, 0], [0, 13]], "next": [[32, 2]]},
        {"pattern": "do", "count": 3, "places": [[1, 12], [2, 0]], "next": [[32, 1]]},
        {"pattern": "nothing", "count": 0, "places": [], "next": []},
    ]
    table = output(capsys, "count", index, "to be", "--where", 1, "--next", 1, "--no-verify")
    for cell in ("In 3 documents", "to be", "document:offset", "0:0", "32 (2)"):
        assert cell in table
    assert "documents" in output(capsys, "index", texts, "-o", index, "--across", "--memory", 1)
    assert json.loads(output(capsys, "count", index, "beto", "--json"))["patterns"][0]["count"] == 1


def test_patterns_on_standard_input(
    texts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    output(capsys, "index", texts, "-o", tmp_path / "index")
    monkeypatch.setattr(sys, "stdin", io.StringIO("be\n do\n"))
    found = json.loads(output(capsys, "count", tmp_path / "index", "-", "--json"))
    assert [(one["pattern"], one["count"]) for one in found["patterns"]] == [("be", 4), (" do", 2)]


def test_tokens(texts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tiny_tokenizer().save_pretrained(tmp_path / "lm")
    index = tmp_path / "index"
    report = json.loads(output(capsys, "index", texts, "-o", index, "--tokenizer", tmp_path / "lm", "--json"))
    assert report["kind"] == "tokens"
    found = json.loads(output(capsys, "count", index, "do", "--tokenizer", tmp_path / "lm", "--json"))
    assert found["patterns"][0]["count"] >= 1
    np.save(tmp_path / "ids.npy", np.array([[1, 2, 3], [2, 3, 2]], np.uint16))
    assert "tokens" in output(capsys, "index", tmp_path / "ids.npy", "-o", index)
    found = json.loads(output(capsys, "count", index, "2 3", "--json"))
    assert found["patterns"][0]["count"] == 2
    error = refusal(capsys, "count", index, "2", "--tokenizer", tmp_path / "none")
    assert "tokenizer: no such file or directory" in error
    assert "patterns: expected token ids, or --tokenizer, got 'two'" in refusal(capsys, "count", index, "two")


def test_refusals(texts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    index = tmp_path / "index"
    assert "inputs: cannot read" in refusal(capsys, "index", tmp_path / "none.jsonl", "-o", index)
    (tmp_path / "bad.jsonl").write_text("{")
    assert "bad.jsonl', row 1: " in refusal(capsys, "index", tmp_path / "bad.jsonl", "-o", index)
    (tmp_path / "bad.npy").write_bytes(b"nothing")
    assert "is not a whole .npy file" in refusal(capsys, "index", tmp_path / "bad.npy", "-o", index)
    assert not index.exists()
    assert "No such file or directory" in refusal(capsys, "count", index, "x")
    assert "is not a whole corpus index" in refusal(capsys, "count", texts, "x")
    output(capsys, "index", texts, "-o", index)
    assert "patterns: expected one or more, got none" in refusal(capsys, "count", index)
    assert "patterns[0]: expected one unit or more" in refusal(capsys, "count", index, "")
