"""``pyfastlm memorize measure``: texts of files to rows, a table, and a picture; killed, and gone on with."""

import json
from pathlib import Path

import memorised
import pyarrow.parquet as pq
import pytest
from memorize_command import output, refusal

from pyfastlm.errors import InputError
from pyfastlm.memorization import LengthRow, measure_files, verbatim_lengths
from pyfastlm.memorization.metric import files
from pyfastlm.memorization.metric.passages import read_passages
from pyfastlm.memorization.metric.picture import draw

SETTINGS = {"prefix_lengths": (4, 8), "horizon": 12, "stride": 5}
FLAGS = ["--prefix-lengths", "4,8", "--horizon", "12", "--stride", "5"]
TEXTS = {"1": memorised.TEXT[:120], "2": memorised.TEXT[90:200]}


@pytest.fixture(scope="module")
def model(knowing, tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("knowing")
    knowing.model.save_pretrained(directory)
    knowing.tokenizer.save_pretrained(directory)
    return directory


@pytest.fixture
def passages(tmp_path) -> Path:
    path = tmp_path / "passages.json"
    path.write_text(json.dumps({"a": TEXTS, "a_transform": "shuffled", "b": {"x": "zz"}}))
    return path


def test_rows_are_those_of_verbatim_lengths(knowing, passages, tmp_path):
    report = measure_files(knowing, passages, tmp_path / "out.parquet", **SETTINGS)
    assert report.too_short == ("b/x",)
    assert [one.sequence_id for one in report.sequences] == ["a/1", "a/2"]
    expected = []
    for key, text in TEXTS.items():
        tokens = knowing.tokenizer(text).input_ids
        found = verbatim_lengths(knowing, tokens, (4, 8), 12, starts=range(0, len(tokens) - 4, 5))
        expected += found.rows(f"a/{key}", transform="shuffled", checkpoint="memorising")
        [summary] = [one for one in report.sequences if one.sequence_id == f"a/{key}"]
        assert (summary.longest, summary.varied) == (found.longest, found.longest_varied)
        assert summary.at_limit == pytest.approx(found.at_limit)
        assert summary.prompts == (found.limits > 0).sum()
    assert [*report.rows] == expected
    table = pq.read_table(report.output)
    assert table.column_names == [*LengthRow._fields]
    assert [LengthRow(**row) for row in table.to_pylist()] == expected
    lines = measure_files(knowing, passages, tmp_path / "out.jsonl", **SETTINGS).output.read_text()
    assert [LengthRow(**json.loads(line)) for line in lines.splitlines()] == expected
    assert [*measure_files(knowing, passages, **SETTINGS).rows] == expected
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.jsonl", "out.parquet", "passages.json"]


def test_killed_and_gone_on_with(knowing, passages, tmp_path, monkeypatch):
    whole = measure_files(knowing, passages, tmp_path / "whole.parquet", **SETTINGS)
    output = tmp_path / "out.parquet"
    measured = []

    def dying(*arguments, **options):
        if len(measured) == 1:
            raise KeyboardInterrupt
        measured.append(1)
        return verbatim_lengths(*arguments, **options)

    monkeypatch.setattr(files, "verbatim_lengths", dying)
    with pytest.raises(KeyboardInterrupt):
        measure_files(knowing, passages, output, **SETTINGS)
    assert not output.exists()
    with pytest.raises(InputError, match=r"resume: .* another horizon \(then 12, now 13\)"):
        measure_files(knowing, passages, output, **(SETTINGS | {"horizon": 13}))
    monkeypatch.setattr(files, "verbatim_lengths", verbatim_lengths)
    report = measure_files(knowing, passages, output, **SETTINGS)
    assert report.resumed == 1
    assert report.rows == whole.rows
    assert output.read_bytes() == whole.output.read_bytes()
    assert not (tmp_path / "out.parquet.parts").exists()


def test_a_finished_output_is_only_read(knowing, passages, tmp_path, monkeypatch):
    output = tmp_path / "out.parquet"
    first = measure_files(knowing, passages, output, **SETTINGS)
    before = output.read_bytes()
    with monkeypatch.context() as patched:
        patched.setattr(files, "verbatim_lengths", None)
        again = measure_files(knowing, passages, output, **SETTINGS)
        assert again.resumed == 3
        for name in ("rows", "sequences", "too_short"):
            assert repr(getattr(again, name)) == repr(getattr(first, name))  # NaNs are equal here
        assert output.read_bytes() == before
        with pytest.raises(InputError, match=r"resume: .* was made with another horizon \(then 12, now 13\)"):
            measure_files(knowing, passages, output, **(SETTINGS | {"horizon": 13}))
        passages.write_text(json.dumps({"a": {**TEXTS, "1": TEXTS["2"]}, "b": {"x": "zz"}}))
        with pytest.raises(InputError, match=r"resume: .* was made from other contents of the inputs"):
            measure_files(knowing, passages, output, **SETTINGS)
    assert measure_files(knowing, passages, output, resume=False, **SETTINGS).resumed == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.parquet", "passages.json"]


@pytest.mark.parametrize("name", ["out.jsonl", "out.parquet"])
def test_what_is_no_such_output_is_not_replaced(knowing, passages, tmp_path, name):
    (tmp_path / name).write_text("precious")
    with pytest.raises(InputError, match=r"output: .* exists; remove it, or start afresh"):
        measure_files(knowing, passages, tmp_path / name, **SETTINGS)
    assert (tmp_path / name).read_text() == "precious"
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, "passages.json"])


def test_a_damaged_part_is_measured_again(knowing, passages, tmp_path, monkeypatch):
    output = tmp_path / "out.jsonl"

    def full(*arguments):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        save = files.tables.save
        patched.setattr(
            files.tables,
            "save",
            lambda rows, path, *to: (full if path == output else save)(rows, path, *to),
        )
        with pytest.raises(OSError, match="No space"):
            measure_files(knowing, passages, output, **SETTINGS)
    parts = sorted((tmp_path / "out.jsonl.parts").glob("*.part"))
    assert len(parts) == 3
    parts[0].write_bytes(parts[0].read_bytes()[:-9])
    assert measure_files(knowing, passages, output, **SETTINGS).resumed == 2


def test_command(model, passages, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    rows_file, picture = tmp_path / "rows.jsonl", tmp_path / "lengths.svg"
    arguments = ["measure", passages, "-m", model, *FLAGS]
    shown = json.loads(output(capsys, *arguments, "-o", rows_file, "--picture", picture, "--json"))
    assert [one["sequence_id"] for one in shown["sequences"]] == ["a/1", "a/2"]
    assert shown["too_short"] == ["b/x"]
    rows = rows_file.read_text().splitlines()
    assert len(rows) == sum(one["prompts"] for one in shown["sequences"])
    assert picture.read_bytes().startswith(b"<?xml")
    out = output(capsys, *arguments)
    assert "a/1 (shuffled)" in out
    assert "shorter than a prompt: b/x" in out


def test_the_same_rows_give_the_same_picture(knowing, passages, tmp_path):
    rows = measure_files(knowing, passages, **SETTINGS).rows
    for name in ("a", "b"):
        draw(rows, tmp_path / f"{name}.svg")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    with pytest.raises(InputError, match="picture: no text has a prompt"):
        draw([], tmp_path / "a.png")


def test_other_files(tmp_path):
    (tmp_path / "a.txt").write_text("one\ntwo\n")
    (tmp_path / "b.jsonl").write_text('{"id": "named", "body": "three"}\n{"body": "four"}\n')
    found = [*read_passages([tmp_path / "a.txt"]), *read_passages([tmp_path / "b.jsonl"], "body")]
    assert [(one.id, one.text, one.transform) for one in found] == [
        ("a.txt:1", "one", "original"),
        ("a.txt:2", "two", "original"),
        ("named", "three", "original"),
        ("b.jsonl:2", "four", "original"),
    ]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", b'{"g": {"1": 5}}', "g/1: expected a text, got int"),
        ("a.json", b"[1]", "expected an object with groups of texts"),
        ("a.json", b'{"g": {"1": "a", "1": "b"}}', "has the name '1' twice"),
        ("a.json", b"{", "is not JSON"),
        ("a.jsonl", b'{"text": "a"}\n{"text": 3}\n', "row 2 of .*a number, expected a string"),
        ("a.jsonl", b'{"id": 1, "text": "a"}\n{"id": 1, "text": "b"}\n', "got '1' twice"),
        ("a.txt", b"fine\n\xff\n", "row 2 of .*: not UTF-8"),
        ("a.csv", b"x", "inputs: expected a name ending in"),
        ("a.txt.gz", b"\x1f\x8b\x08\x00broken", "truncated or damaged gzip"),
    ],
)
def test_hostile_inputs(knowing, tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        measure_files(knowing, tmp_path / name, tmp_path / "o.jsonl", prefix_lengths=(1,))
    assert not (tmp_path / "o.jsonl").exists()


def test_refusals_of_the_command(capsys, passages, model, tmp_path):
    assert "inputs: cannot read" in refusal(capsys, "measure", tmp_path / "none.json")
    for flags, message in {
        ("--prefix-lengths", "8,x"): "prefix_lengths: expected numbers like 8,16,32",
        ("--mode", "words"): "mode: expected 'token' or 'normalized'",
        ("-o", tmp_path / "a.csv"): "output: expected a name ending in .parquet or .jsonl",
        ("-o", tmp_path / "no" / "a.jsonl"): "output: no such directory",
        ("--picture", tmp_path / "a.gif"): "picture: expected a name ending in",
        ("--prefix-lengths", "8,500"): "context of 128",
    }.items():
        text = passages
        if "8,500" in flags:
            text = tmp_path / "long.json"
            text.write_text(json.dumps({"g": {"1": memorised.TEXT * 5}}))
        assert message in refusal(capsys, "measure", text, "-m", model, *flags)
