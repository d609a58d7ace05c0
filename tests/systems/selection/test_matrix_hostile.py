"""Lists, inputs, outputs and saved tables that are not what they should be: one clear line each."""

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import samples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from samples import Stub

from pyfastlm.errors import InputError, InputTypeError
from pyfastlm.selection import Model, bpb_matrix
from pyfastlm.selection.bpb.models import resolve_models

ROWS = samples.sample(24, 4)
A = [Model("a", scorer=Stub("a"))]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return samples.write(tmp_path / "in.jsonl", ROWS)


class TestLists:
    def test_every_form(self, tmp_path: Path) -> None:
        wanted = (
            Model("org/x", "fam"),
            Model("y"),
            Model("z", "fam", path="/a b/z", dtype="float16"),
            Model("org/x", "fam", revision="step10"),
        )
        fields = ("name", "family", "path", "revision", "dtype")
        rows = [{f: v for f in fields if (v := getattr(m, f)) is not None} for m in wanted]
        (tmp_path / "m.jsonl").write_text("\n\n".join(map(json.dumps, rows)))
        table = ["\ufeffname,family,path,revision,dtype"]
        table += [",".join(row.get(f, "") for f in fields) for row in rows]
        (tmp_path / "m.csv").write_text("\r\n".join(table))
        (tmp_path / "m.txt").write_text("# first\n\n org/x \t fam # why\ny")
        assert resolve_models(tmp_path / "m.jsonl") == wanted
        assert resolve_models(str(tmp_path / "m.csv")) == wanted
        assert resolve_models(tmp_path / "m.txt") == wanted[:2]
        assert resolve_models([wanted[0], "y"]) == wanted[:2]
        assert wanted[3].label == "org/x_step10"
        assert wanted[1].family == "y"

    @pytest.mark.parametrize(
        ("name", "data", "message"),
        [
            ("m.txt", b"", "expected at least one model"),
            ("m.txt", b"a\na b", "each model once, got 'a' twice"),
            ("m.txt", b"a b c", "line 1: expected a name and a family, got 3 words"),
            ("m.txt", b"\xff\xfe", "is not UTF-8"),
            ("m.txt", b"a\x00b", "expected a printable name, got 'a.*line 1"),
            ("m.jsonl", b'{"name": "a"}\n{', "line 2: invalid JSON"),
            ("m.jsonl", b"[1]", "line 1: expected a JSON object, got an array"),
            ("m.jsonl", b'{"family": "a"}', "expected a name .*line 1"),
            ("m.jsonl", b'{"name": 3}', "expected a string as name, got 3 .*line 1"),
            ("m.jsonl", b'{"name": ""}', "expected a printable name, got '' .*line 1"),
            ("m.jsonl", b'{"name": "a", "size": 1}', "unknown field 'size'; there are name, family, path"),
            ("m.jsonl", b'{"name": "a", "dtype": "int8"}', "a dtype among float32, .*, got 'int8' .*line 1"),
            ("m.jsonl", b'{"name": "a", "scorer": "x"}', "unknown field 'scorer'"),
            ("m.jsonl", b"[" * 100_000, "nested too deeply"),
            ("m.csv", b"name,family\na", "line 2: another number of cells"),
            ("m.csv", b"name\na,b", "line 2: another number of cells"),
            ("m.csv", b'name\n"a', "m.csv, line"),
            ("m.csv", b"model\na", "unknown field 'model'"),
        ],
    )
    def test_mistakes(self, name: str, data: bytes, message: str, tmp_path: Path) -> None:
        (tmp_path / name).write_bytes(data)
        with pytest.raises(InputError, match=f"^models: .*{message}") as caught:
            resolve_models(tmp_path / name)
        assert "\n" not in str(caught.value)

    def test_other_mistakes(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match=r"^models: cannot read 'smollm2'.*or a list of names"):
            resolve_models("smollm2")
        with pytest.raises(InputTypeError, match=r"^models: expected a file or a sequence, got int"):
            resolve_models(3)  # type: ignore[arg-type]
        with pytest.raises(InputTypeError, match=r"^models: expected a string as name, got 3"):
            resolve_models([3])  # type: ignore[list-item]
        with pytest.raises(InputError, match="'a' has a scorer; leave out path, revision and dtype"):
            Model("a", scorer=Stub("a"), dtype="float16")
        with pytest.raises(InputError, match=r"'bytes' is the name of another column of the matrix"):
            bpb_matrix([Model("bytes", scorer=Stub("a"))], tmp_path / "in.jsonl", tmp_path / "out.parquet")
        (tmp_path / "big.txt").write_bytes(b"a" * ((16 << 20) + 1))
        with pytest.raises(InputError, match="more than 16 MiB"):
            resolve_models(tmp_path / "big.txt")

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(data=st.binary(max_size=80), suffix=st.sampled_from([".txt", ".jsonl", ".csv"]))
    def test_any_bytes(self, data: bytes, suffix: str, tmp_path: Path) -> None:
        path = tmp_path / f"m{suffix}"
        path.write_bytes(data)
        with contextlib.suppress(InputError):
            assert resolve_models(path)


class TestPaths:
    def test_inputs(self, source: Path, tmp_path: Path) -> None:
        (tmp_path / "in.txt").write_text("text")
        for bad in (tmp_path / "in.txt", "-"):
            with pytest.raises(
                InputError, match=r"^inputs: expected .jsonl or .parquet files that name a dom"
            ):
                bpb_matrix(A, bad, tmp_path / "out.parquet")
        pq.write_table(pa.table({"text": ["x"]}), tmp_path / "no.parquet")
        with pytest.raises(InputError, match=r"^domain_key: '.*no.parquet' has no column 'domain'"):
            bpb_matrix(A, tmp_path / "no.parquet", tmp_path / "out.parquet")
        (tmp_path / "empty.jsonl").touch()
        with pytest.raises(InputError, match=r"^inputs: no row has a text and a domain"):
            bpb_matrix(A, tmp_path / "empty.jsonl", tmp_path / "out.parquet")
        with pytest.raises(InputError, match=r"^inputs: cannot read .*No such file"):
            bpb_matrix(A, tmp_path / "none.jsonl", tmp_path / "out.parquet")

    def test_outputs(self, source: Path, tmp_path: Path) -> None:
        with pytest.raises(InputError, match=r"^output: expected a name ending in .parquet"):
            bpb_matrix(A, source, tmp_path / "out.csv")
        for data in (b"precious", None):
            if data:
                (tmp_path / "out.parquet").write_bytes(data)
            else:
                pq.write_table(pa.table({"x": [1]}), tmp_path / "out.parquet")
            before = (tmp_path / "out.parquet").read_bytes()
            with pytest.raises(InputError, match="exists and is no matrix; remove or rename it"):
                bpb_matrix(A, source, tmp_path / "out.parquet")
            assert (tmp_path / "out.parquet").read_bytes() == before
        (tmp_path / "out.parquet").write_bytes(b"")
        assert bpb_matrix(A, source, tmp_path / "out.parquet").documents == 24

    @pytest.mark.parametrize("name", ["tokens_per_batch", "max_length"])
    def test_numbers(self, name: str, source: Path, tmp_path: Path) -> None:
        for value, kind in ((0, InputError), (1.5, InputTypeError), (True, InputTypeError)):
            with pytest.raises(kind, match=f"^{name}: expected a whole number"):
                bpb_matrix(A, source, tmp_path / "out.parquet", **{name: value})  # type: ignore[arg-type]

    def test_nothing_is_left_of_a_failure(self, source: Path, tmp_path: Path) -> None:
        before = {path.name for path in tmp_path.iterdir()}
        source.write_bytes(source.read_bytes() + b"{\n")
        with pytest.raises(InputError, match="row 25"):
            bpb_matrix(A, source, tmp_path / "out.parquet")
        assert {path.name for path in tmp_path.iterdir()} == before


def edited(change: Callable[[dict[str, list[Any]]], None]) -> Callable[[Path], None]:
    """A change of the columns of a table that keeps its metadata."""

    def edit(path: Path) -> None:
        table = pq.read_table(path)
        columns = table.to_pydict()
        change(columns)
        pq.write_table(pa.table(columns, schema=table.schema), path)

    return edit


def swap(columns: dict[str, list[Any]]) -> None:
    columns["row"][3], columns["row"][4] = columns["row"][4], columns["row"][3]


def twice(columns: dict[str, list[Any]]) -> None:
    for column in columns.values():
        column.insert(5, column[5])


def beyond(columns: dict[str, list[Any]]) -> None:
    columns["row"][-1] = 99


def zero(columns: dict[str, list[Any]]) -> None:
    columns["row"][0] = 0


def foreign(columns: dict[str, list[Any]]) -> None:
    columns["source"][2] = "elsewhere.jsonl"


def longer(columns: dict[str, list[Any]]) -> None:
    columns["n_bytes"][7] += 1


def cut(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[100:140] = bytes(40)
    path.write_bytes(data)


@pytest.mark.parametrize("batch", [1, 1 << 16])
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (edited(swap), "(rows are not in the order of the inputs|a document has another length)"),
        (edited(twice), "rows are not in the order of the inputs"),
        (edited(beyond), "a row is not in the inputs"),
        (edited(zero), "a row is not in the inputs"),
        (edited(foreign), "they are of 'elsewhere.jsonl', which is no input"),
        (edited(longer), "a document has another length than in the inputs"),
        (cut, ""),
    ],
)
def test_saved_scores_that_do_not_fit(
    damage: Callable[[Path], None],
    message: str,
    batch: int,
    source: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pyfastlm.selection.bpb.sums.BATCH_ROWS", batch)
    output = tmp_path / "out.parquet"
    bpb_matrix(A, source, output)
    before = output.read_bytes()
    (table,) = (tmp_path / "out.parquet.models").glob("*.parquet")
    damage(table)
    with pytest.raises(
        InputError, match=rf"^output: the scores in '.*' cannot be used: .*{message}.*remove them"
    ):
        bpb_matrix(A, source, output)
    assert output.read_bytes() == before
    table.unlink()
    assert bpb_matrix(A, source, output).documents == 24
    assert output.read_bytes() == before


def test_a_lost_row_is_a_missing_score(source: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.parquet"
    bpb_matrix(A, source, output)
    (table,) = (tmp_path / "out.parquet.models").glob("*.parquet")
    edited(lambda columns: [column.pop(6) for column in columns.values()] and None)(table)
    with pytest.raises(
        InputError, match=r"no score for 1 documents, first .*, row 7: it is not in the table"
    ):
        bpb_matrix(A, source, output)
    report = bpb_matrix(A, source, output, missing="drop_document")
    left = [row for number, row in enumerate(ROWS) if number != 6]
    np.testing.assert_allclose(
        report.open().bits_per_byte, samples.expected([Stub("a")], left)[1], rtol=1e-13
    )


@pytest.mark.parametrize("note", [b"", b"{", b"[]", b'{"asked": 1}', b'{"scored": {"table": "/etc/passwd"}}'])
def test_notes_that_are_damaged_are_made_anew(note: bytes, source: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.parquet"
    bpb_matrix(A, source, output)
    (path,) = (tmp_path / "out.parquet.models").glob("*.json")
    before = json.loads(path.read_bytes())["scored"]["fingerprint"]
    path.write_bytes(note)
    assert bpb_matrix(A, source, output).documents == 24
    assert json.loads(path.read_bytes())["scored"]["fingerprint"] == before


def test_inputs_that_change_while_they_are_read(source: Path, tmp_path: Path) -> None:
    """Texts and domains are read side by side: where they do not go together, nothing is guessed."""
    from pyfastlm.lm.files import check
    from pyfastlm.selection.bpb.catalogue import Catalogue

    catalogue = Catalogue(check(source, tmp_path / "out.parquet")[0], "text", "domain")
    catalogue._labels = lambda: iter(())  # type: ignore[method-assign]
    with pytest.raises(InputError, match=r"^inputs: '.*in.jsonl' changed while it was read"):
        [*catalogue.read(2048)]
