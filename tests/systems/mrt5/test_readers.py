"""Task files: what is read, and what is refused with its line."""

import json
from pathlib import Path
from typing import Any

import pytest

from pyfastlm.errors import InputError
from pyfastlm.mrt5.readers import READERS, read_pairs, read_qa, read_xnli
from pyfastlm.mrt5.vocabulary import decode


def jsonl(path: Path, *rows: Any) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def test_xnli_as_json_lines(tmp_path: Path) -> None:
    rows = [
        {"premise": "Es regnet.", "hypothesis": "Es ist naß.", "label": 1, "language": "de"},
        {"premise": "p", "hypothesis": "h", "label": "Contradiction", "id": "en-7"},
    ]
    task = read_xnli(jsonl(tmp_path / "x.jsonl", *rows))
    first, second = task.data.examples(3, [0, 1])
    assert decode(first.input_ids) == "Premise: Es regnet. Hypothesis: Es ist naß."
    assert (decode(first.labels), first.language) == ("1", "de")
    assert (decode(second.labels), second.language) == ("2", "")
    assert task.answers == (("1",), ("2",))
    assert task.longest == 2


def test_xnli_as_the_original_table(tmp_path: Path) -> None:
    path = tmp_path / "xnli.dev.tsv"
    table = "language\tgold_label\tsentence1\tsentence2\n" + 'fr\tneutral\tUn "mot".\tDeux.\r\n\n'
    path.write_bytes(b"\xef\xbb\xbf" + table.encode())
    (only,) = read_xnli(path).data.examples(0, [0])
    assert decode(only.input_ids) == 'Premise: Un "mot". Hypothesis: Deux.'
    assert (decode(only.labels), only.language) == ("1", "fr")


def test_long_inputs_are_cut(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "x.jsonl", {"premise": "p" * 99, "hypothesis": "h", "label": 0})
    (only,) = read_xnli(path, max_length=20).data.examples(0, [0])
    assert decode(only.input_ids) == "Premise: pppppppppp"
    assert len(only.input_ids) == 20


def test_questions(tmp_path: Path) -> None:
    rows = [
        {"id": "arabic-12-3", "question": "q?", "context": "c", "answers": {"text": ["eins", "zwei"]}},
        {"id": "swahili-1", "question": "q?", "context": "c", "answers": ["x"], "language": "sw"},
        {"question": "q?", "context": "c", "answers": ["x"]},
    ]
    task = read_qa(jsonl(tmp_path / "qa.jsonl", *rows))
    examples = task.data.examples(0, range(3))
    assert [example.language for example in examples] == ["arabic", "sw", ""]
    assert decode(examples[0].input_ids) == "Question: q? Context: c"
    assert decode(examples[0].labels) == "eins"
    assert task.answers[0] == ("eins", "zwei")
    assert task.longest == 5


def test_pairs(tmp_path: Path) -> None:
    path = tmp_path / "pairs.tsv"
    path.write_text("input\ttarget\nteh cat\tthe cat\n", "utf-8")
    task = read_pairs(path)
    (only,) = task.data.examples(0, [0])
    assert (decode(only.input_ids), decode(only.labels)) == ("teh cat", "the cat")
    with pytest.raises(InputError, match="line 2: input: expected at most 7 ids, EOS included, got 8"):
        read_pairs(path, max_length=7)
    with pytest.raises(InputError, match="line 2: target: expected at most 7 ids"):
        read_pairs(path, max_answer_length=7)


@pytest.mark.parametrize(
    ("kind", "rows", "message"),
    [
        ("xnli", [{"premise": "p", "hypothesis": "h", "label": 3}], "line 1: label: expected 0, .*, got 3"),
        ("xnli", [{"premise": "p", "hypothesis": "h", "label": True}], "line 1: label: .*, got True"),
        ("xnli", [{"premise": "p", "hypothesis": "h"}], "line 1: label: .*, got None"),
        ("xnli", [{"hypothesis": "h", "label": 0}], "line 1: premise: expected a string, got none"),
        ("xnli", [{"premise": 5, "hypothesis": "h", "label": 0}], "line 1: premise: .*, got 5"),
        ("xnli", [["a"]], "line 1: expected a JSON object"),
        ("xnli", [], "has no row"),
        ("qa", [{"question": "q", "context": "c", "answers": []}], "line 1: answers: expected a list"),
        ("qa", [{"question": "q", "context": "c", "answers": "x"}], "line 1: answers: expected a list"),
        ("qa", [{"question": "q", "context": "c", "answers": [1]}], "line 1: answers: expected a list"),
        ("qa", [{"question": "q\ud800", "context": "c", "answers": ["x"]}], "line 1: text: lone surrogate"),
        ("pairs", [{"input": "a", "target": "b"}, {"input": "a"}], "line 2: target: .* got none"),
        ("pairs", [{"input": "a", "target": "b", "language": 1}], "line 1: language: .* got 1"),
    ],
)
def test_a_wrong_row_is_named(kind: str, rows: list[Any], message: str, tmp_path: Path) -> None:
    path = jsonl(tmp_path / "task.jsonl", *rows)
    with pytest.raises(InputError, match=rf"^path: .*{message}"):
        READERS[kind](path)


def test_files_that_are_something_else(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"path: cannot read '.*no\.jsonl': No such file"):
        read_xnli(tmp_path / "no.jsonl")
    with pytest.raises(InputError, match=r"path: expected a name ending in \.jsonl or \.tsv, got 'a\.csv'"):
        read_pairs(tmp_path / "a.csv")
    (tmp_path / "latin.tsv").write_bytes("input\ttarget\né\tb\n".encode("latin-1"))
    with pytest.raises(InputError, match=r"is not UTF-8: .* at byte 13"):
        read_pairs(tmp_path / "latin.tsv")
    (tmp_path / "broken.jsonl").write_text('{"input": "a", "target": "b"}\n\n{"input": \n')
    with pytest.raises(InputError, match="line 3: invalid JSON"):
        read_pairs(tmp_path / "broken.jsonl")
    (tmp_path / "ragged.tsv").write_text("input\ttarget\na\tb\na\n")
    with pytest.raises(InputError, match="line 3: expected 2 fields as in the header, got 1"):
        read_pairs(tmp_path / "ragged.tsv")
    with pytest.raises(InputError, match="max_length: expected at least 2"):
        read_pairs(tmp_path / "ragged.tsv", max_length=1)
