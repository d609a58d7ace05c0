"""Sampling a corpus: exactly so many pages of each domain, the same whatever the order; chunks that join."""

import collections
import gzip
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jobs
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import stats

from pyfastlm.errors import InputError, InputTypeError
from pyfastlm.selection import bpb_matrix, chunk, sample
from pyfastlm.selection.sampling.page_choice import Choice
from pyfastlm.selection.sampling.page_files import SUFFIXES

Page = dict[str, Any]


def corpus(counts: dict[str, int], *, seed: int = 0) -> list[Page]:
    """Different pages of each domain, mixed."""
    texts = jobs.documents(sum(counts.values()), seed=seed)
    names = [name for name, count in counts.items() for _ in range(count)]
    pages = [
        {"id": f"p{i}", "domain": name, "text": f"{i} {text}"}
        for i, (name, text) in enumerate(zip(names, texts, strict=True))
    ]
    random.Random(seed).shuffle(pages)
    return pages


def write(path: Path, pages: list[Page]) -> Path:
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(pages), path, row_group_size=9)
    else:
        lines = "".join(json.dumps(page) + "\n" for page in pages)
        path.write_bytes(jobs.compressed(lines.encode(), path.suffix))
    return path


def read(path: Path) -> list[Page]:
    if path.suffix == ".parquet":
        rows: list[Page] = pq.read_table(path).to_pylist()
        return rows
    data = path.read_bytes()
    if path.suffix == ".gz":
        data = gzip.decompress(data)
    elif path.suffix == ".zst":
        data = pa.input_stream(pa.BufferReader(data), compression="zstd").read()
    return [json.loads(line) for line in data.decode().splitlines()]


COUNTS = {"a": 40, "b": 12, "c": 11, "d": 3, "Ünï": 25}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_exactly_so_many_of_domains_that_have_them(suffix: str, tmp_path: Path) -> None:
    pages = corpus(COUNTS)
    source = write(tmp_path / f"in{suffix}", pages)
    report = sample(source, tmp_path / f"out{suffix}", pages=12)
    found = read(report.output)
    assert collections.Counter(row["domain"] for row in found) == {"a": 12, "b": 12, "Ünï": 12}
    by_id = {page["id"]: page for page in pages}
    assert len({row["id"] for row in found}) == 36
    for row in found:
        assert list(row) == ["text", "id", "chunk", "domain", "tokens"]
        assert {k: row[k] for k in ("text", "id", "domain")} == by_id[row["id"]]
        assert (row["chunk"], row["tokens"]) == (0, None)
    order = [page["id"] for page in pages]
    assert [row["id"] for row in found] == sorted((row["id"] for row in found), key=order.index)
    assert (report.rows, report.useless, report.domains, report.small_domains) == (91, 0, 3, 2)
    assert (report.pages, report.chunks, report.tokens) == (36, 36, None)
    assert report.bytes == sum(len(row["text"].encode()) for row in found)
    sizes = pq.read_table(report.sizes).to_pydict()
    assert sizes["domain"] == sorted(COUNTS)
    assert sizes["pages"] == [COUNTS[name] for name in sorted(COUNTS)]
    assert sizes["taken"] == [12, 12, 0, 0, 12]
    assert sum(sizes["bytes"]) == sum(len(page["text"].encode()) for page in pages)
    assert jobs.left_behind(tmp_path, source, report.output, report.sizes) == []


def test_the_same_pages_in_any_order_of_files_and_rows(tmp_path: Path) -> None:
    pages = corpus({name: 3 * count for name, count in COUNTS.items()})
    taken = []
    for number in range(4):
        random.Random(number).shuffle(pages)
        cut = 20 + 30 * number
        parts = [
            write(tmp_path / f"{number}a.jsonl.gz", pages[:cut]),
            write(tmp_path / f"{number}b.parquet", pages[cut:]),
        ]
        report = sample(parts[:: 1 if number % 2 else -1], tmp_path / f"{number}.jsonl", pages=10, seed=7)
        taken.append(sorted((row["id"], row["text"]) for row in read(report.output)))
    assert taken[0] == taken[1] == taken[2] == taken[3]
    other = sample(parts, tmp_path / "other.jsonl", pages=10, seed=8)
    assert sorted((row["id"], row["text"]) for row in read(other.output)) != taken[0]
    again = sample(parts, tmp_path / "again.jsonl", pages=10, seed=8)
    assert again.output.read_bytes() == other.output.read_bytes()


@pytest.mark.parametrize("suffix", [".jsonl.gz", ".jsonl.zst", ".parquet"])
def test_files_are_the_same_to_the_byte(suffix: str, tmp_path: Path) -> None:
    source = write(tmp_path / "in.jsonl", corpus(COUNTS))
    first, second = (sample(source, tmp_path / f"{name}{suffix}", pages=5).output for name in "xy")
    assert first.read_bytes() == second.read_bytes()


def test_every_page_is_as_likely(tmp_path: Path) -> None:
    """Of 30 pages 10 are taken, by 400 seeds: chi-squared over the pages (a fixed set of seeds)."""
    texts = [f"page {i}" for i in range(30)]
    counts = np.zeros(30)
    for seed in range(400):
        choice = Choice(10, seed)
        for row, text in enumerate(texts):
            choice.add("d", text, None, 0, row)
        counts[choice.taken(10, 10)["row"]] += 1
    assert counts.sum() == 4000
    assert stats.chisquare(counts).pvalue > 0.01


def test_equal_texts_are_one_page(tmp_path: Path) -> None:
    pages = [{"id": f"{i}", "domain": "a", "text": f"text {i % 6}"} for i in range(60)]
    pages += [{"id": f"{i}", "domain": "b", "text": f"text {i}"} for i in range(8)]
    found = {}
    for number in range(3):
        random.Random(number).shuffle(pages)
        source = write(tmp_path / f"{number}.jsonl", pages)
        report = sample(source, tmp_path / f"out{number}.jsonl", pages=6)
        rows = read(report.output)
        assert sorted(row["text"] for row in rows if row["domain"] == "a") == [f"text {i}" for i in range(6)]
        found[number] = sorted((row["id"], row["domain"]) for row in rows)
    assert found[0] == found[1] == found[2]
    with pytest.raises(InputError, match="no domain has 9 different pages; 'a' has most rows, 60"):
        sample(source, tmp_path / "none.jsonl", pages=9)


@settings(max_examples=40, deadline=None)
@given(
    pages=st.lists(st.tuples(st.sampled_from("xyz"), st.integers(0, 9)), max_size=60),
    most=st.integers(1, 5),
    least=st.integers(1, 5),
    at_once=st.integers(1, 7),
)
def test_choice_against_sorting_everything(
    pages: list[tuple[str, int]], most: int, least: int, at_once: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pyfastlm.selection.sampling.page_choice.AT_ONCE", at_once)
        patch.setattr("pyfastlm.selection.sampling.page_choice.LEAST_ROOM", 3)
        choice = Choice(max(most, least), 1)
        for row, (domain, text) in enumerate(pages):
            choice.add(domain, str(text), str(row), 0, row)
        taken = choice.taken(most, least)
    assert len(choice._kept) <= 3 * max(most, least), "no more than may be taken is kept"
    wanted = []
    for domain in "xyz":
        different: dict[int, tuple[int, int]] = {}
        for row, (name, text) in enumerate(pages):
            if name == domain:
                key = choice.hash(name, str(text))
                tied = (choice.hash("id", str(row)), row)
                different[key] = min(different.get(key, tied), tied)
        if len(different) >= least:
            wanted += [different[key][1] for key in sorted(different)[:most]]
    assert taken["row"].tolist() == sorted(wanted)


def test_fewer_and_all(tmp_path: Path) -> None:
    source = write(tmp_path / "in.jsonl", corpus(COUNTS))
    report = sample(source, tmp_path / "few.jsonl", pages=20, least=11)
    found = collections.Counter(row["domain"] for row in read(report.output))
    assert found == {"a": 20, "b": 12, "c": 11, "Ünï": 20}
    report = sample(source, tmp_path / "all.jsonl", pages=None)
    assert collections.Counter(row["domain"] for row in read(report.output)) == COUNTS
    report = sample(source, tmp_path / "more.jsonl", pages=5, least=25)
    assert collections.Counter(row["domain"] for row in read(report.output)) == {"a": 5, "Ünï": 5}


def test_pages_without_an_id_get_one_that_does_not_depend_on_the_order(tmp_path: Path) -> None:
    pages = corpus({"a": 8})
    for page in pages:
        del page["id"]
    pages[0]["id"] = 17
    first = read(sample(write(tmp_path / "1.jsonl", pages), tmp_path / "o1.jsonl", pages=8).output)
    second = read(sample(write(tmp_path / "2.jsonl", pages[::-1]), tmp_path / "o2.jsonl", pages=8).output)
    assert {row["text"]: row["id"] for row in first} == {row["text"]: row["id"] for row in second}
    assert len({row["id"] for row in first}) == 8
    assert first[0]["id"] == "17"


def test_rows_of_no_use_are_counted_and_named(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    bad = [b"{", b'{"text": "x"}', b'{"text": 3, "domain": "a"}', b'{"text": "", "domain": "a"}',
           b'{"text": "\\ud800", "domain": "a"}', b'{"text": "x", "domain": null}', b""]  # fmt: skip
    good = [json.dumps(page).encode() for page in corpus({"a": 5})]
    source.write_bytes(b"\xef\xbb\xbf" + b"\n".join([*good[:3], *bad, *good[3:]]))
    report = sample(source, tmp_path / "out.jsonl", pages=5)
    assert (report.rows, report.useless, report.pages) == (12, 7, 5)
    assert [example.row for example in report.examples] == [4, 5, 6, 7, 8, 9, 10]
    reasons = [example.reason for example in report.examples]
    assert reasons[0].startswith("invalid JSON")
    assert reasons[1:] == [
        "'domain' is missing or null",
        "'text' is a number, expected a string",
        "empty text",
        "lone surrogate at character 0",
        "'domain' is missing or null",
        "blank line",
    ]


def test_parquet_of_other_kinds(tmp_path: Path) -> None:
    """Dictionaries, nulls, bytes that are no text, ids that are numbers."""
    texts = [b"good", b"bad \xff", None, b"", b"also good"]
    table = pa.table(
        {
            "domain": pa.array(["a", "a", "b", "a", "a"]).dictionary_encode(),
            "text": pa.array(texts, pa.binary()).cast(pa.large_binary()),
            "id": [1, 2, 3, 4, 5],
        }
    )
    pq.write_table(table, tmp_path / "in.parquet")
    report = sample(tmp_path / "in.parquet", tmp_path / "out.parquet", pages=2)
    assert [(row["id"], row["text"]) for row in read(report.output)] == [("1", "good"), ("5", "also good")]
    assert [example.row for example in report.examples] == [2, 3, 4]
    assert report.examples[0].reason.startswith("not UTF-8")


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_rows_that_are_too_long(suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pages = [{"text": text, "domain": "a"} for text in ("short", "x" * 500, "also short")]
    source = write(tmp_path / f"in{suffix}", pages)
    monkeypatch.setattr("pyfastlm.lm.files.lines.MAX_ROW_BYTES", 200)
    report = sample(source, tmp_path / "out.jsonl", pages=2)
    assert [row["text"] for row in read(report.output)] == ["short", "also short"]
    assert [(e.row, e.reason) for e in report.examples] == [(2, "longer than 0 MiB")]


def test_mistakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, output = write(tmp_path / "in.jsonl", corpus(COUNTS)), tmp_path / "out.jsonl"
    for name in ("pages", "least", "chunk"):
        for value, kind in ((0, InputError), (1.5, InputTypeError), (True, InputTypeError)):
            with pytest.raises(kind, match=rf"^{name}: expected a whole number"):
                sample(source, output, **{name: value})  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"^seed: expected a whole number of 64 bits"):
        sample(source, output, seed=1 << 64)
    with pytest.raises(InputError, match=r"^output: expected a name ending in .jsonl"):
        sample(source, tmp_path / "out.csv")
    with pytest.raises(InputError, match=r"^output: .* would overwrite the input"):
        sample(source, source)
    with pytest.raises(InputError, match=r"^inputs: expected files, they are read more than once"):
        sample("-", output)
    with pytest.raises(InputError, match=r"^inputs: none of 91 rows has a text and a domain"):
        sample(source, output, domain_key="site")
    pq.write_table(pa.table({"text": ["x"]}), tmp_path / "no.parquet")
    with pytest.raises(InputError, match=r"^domain_key: .* has no column 'domain'; its columns are: text"):
        sample(tmp_path / "no.parquet", output)
    (tmp_path / "cut.jsonl.gz").write_bytes(write(tmp_path / "w.jsonl.gz", corpus(COUNTS)).read_bytes()[:-50])
    with pytest.raises(InputError, match=r"cut.jsonl.gz' is truncated or damaged gzip"):
        sample(tmp_path / "cut.jsonl.gz", output)
    assert not output.exists()


def test_an_input_that_changes_between_the_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pages = corpus(COUNTS)
    source, output = write(tmp_path / "in.jsonl", pages), tmp_path / "out.jsonl"
    usual = Choice.taken

    def change(edit: Callable[[list[Page]], list[Page]]) -> None:
        def taken(self: Choice, *arguments: Any) -> Any:
            write(source, edit([dict(page) for page in pages]))
            return usual(self, *arguments)

        monkeypatch.setattr(Choice, "taken", taken)
        write(source, pages)
        with pytest.raises(InputError, match=r"^inputs: '.*in.jsonl' changed while it was read"):
            sample(source, output, pages=12)
        assert not output.exists()

    change(lambda found: found[1:])
    change(lambda found: found[:40])
    change(lambda found: [page | {"text": page["text"] + "!"} for page in found])
    change(lambda found: [page | {"domain": "a"} for page in found])


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    from tiny import tiny_tokenizer

    return tiny_tokenizer()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=120), size=st.integers(1, 9))
def test_chunks_make_the_text_again(text: str, size: int, tokenizer: Any) -> None:
    text = text.encode("utf-8", "replace").decode()
    pieces = chunk(text, size)
    assert "".join(piece.text for piece in pieces) == text
    assert [len(piece.text) for piece in pieces[:-1]] == [size] * max(len(pieces) - 1, 0)
    pieces = chunk(text, size, tokenizer=tokenizer)
    assert "".join(piece.text for piece in pieces) == text
    assert all(piece.text for piece in pieces)
    assert sum(piece.tokens or 0 for piece in pieces) == len(tokenizer(text)["input_ids"])


def test_chunks_have_so_many_tokens(tokenizer: Any) -> None:
    text = " ".join(jobs.documents(30, seed=3))
    pieces = chunk(text, 64, tokenizer=tokenizer)
    assert all(piece.tokens == 64 for piece in pieces[:-1])
    # The bytes of one character can be tokens of two pieces; then it goes with the second.
    assert all(len(tokenizer(piece.text)["input_ids"]) <= 64 + 8 for piece in pieces)


def test_chunks_by_tokenizers_of_every_kind(tmp_path: Path) -> None:
    """Trimmed offsets, normalized text, a space put in front, unknown characters: the text is kept."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = {"[UNK]": 0, "the": 1, "▁the": 2, "café": 3, "cafe": 4, "▁": 5}
    text = "  the café 図書館 the\n\n CAFÉ ﬁ the \t " * 3
    for change in (
        lambda t: setattr(t, "pre_tokenizer", pre_tokenizers.Whitespace()),
        lambda t: setattr(t, "pre_tokenizer", pre_tokenizers.Metaspace()),
        lambda t: setattr(t, "pre_tokenizer", pre_tokenizers.ByteLevel(trim_offsets=True)),
        lambda t: setattr(
            t, "normalizer", normalizers.Sequence([normalizers.NFKD(), normalizers.StripAccents()])
        ),
    ):
        inner = Tokenizer(models.WordLevel(words, "[UNK]"))
        change(inner)
        for size in (1, 2, 5):
            made = PreTrainedTokenizerFast(tokenizer_object=inner, unk_token="[UNK]")
            pieces = chunk(text, size, tokenizer=made)
            assert "".join(piece.text for piece in pieces) == text
            assert sum(piece.tokens or 0 for piece in pieces) == len(made(text)["input_ids"])


def test_special_tokens_are_no_text() -> None:
    from tiny import tiny_tokenizer
    from tokenizers.processors import TemplateProcessing

    made = tiny_tokenizer()
    text = jobs.documents(1)[0]
    plain = chunk(text, 4, tokenizer=made)
    made.backend_tokenizer.post_processor = TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    assert len(made("x")["input_ids"]) == 3
    assert chunk(text, 4, tokenizer=made) == plain


def test_long_texts_are_tokenized_in_segments(tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    text = " ".join(jobs.documents(40)) + "x" * 700
    monkeypatch.setattr("pyfastlm.selection.sampling.chunking.SEGMENT", 300)
    pieces = chunk(text, 50, tokenizer=tokenizer)
    assert "".join(piece.text for piece in pieces) == text
    assert max(len(piece.text) for piece in pieces) <= 300
    assert all((piece.tokens or 0) <= 50 for piece in pieces)


def test_chunks_in_a_sample(tokenizer: Any, tiny_lm_dir: Path, tmp_path: Path) -> None:
    pages = corpus({"a": 9, "b": 9})
    source = write(tmp_path / "in.jsonl", pages)
    for name in (tokenizer, str(tiny_lm_dir), tiny_lm_dir):
        report = sample(source, tmp_path / "out.jsonl", pages=9, chunk=40, tokenizer=name)
        rows = read(report.output)
        joined: dict[str, str] = collections.defaultdict(str)
        for row in rows:
            assert row["chunk"] == sum(other["id"] == row["id"] for other in rows[: rows.index(row)])
            joined[row["id"]] += row["text"]
        assert joined == {page["id"]: page["text"] for page in pages}
        assert report.chunks == len(rows) > report.pages == 18
        assert report.tokens == sum(row["tokens"] for row in rows)
        assert report.tokens == sum(len(tokenizer(page["text"])["input_ids"]) for page in pages)
    counted = sample(source, tmp_path / "whole.parquet", pages=9, tokenizer=tokenizer)
    assert (counted.chunks, counted.tokens) == (18, report.tokens)


def test_chunk_mistakes(tmp_path: Path) -> None:
    for wrong, kind in ((0, InputError), ("4", InputTypeError), (True, InputTypeError)):
        with pytest.raises(kind, match=r"^size: expected a whole number"):
            chunk("text", wrong)  # type: ignore[arg-type]
    with pytest.raises(InputTypeError, match=r"^text: expected a string, got bytes"):
        chunk(b"text", 3)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"^tokenizer: no such file or directory"):
        chunk("text", 3, tokenizer=str(tmp_path / "none"))
    with pytest.raises(InputError, match=r"^tokenizer: cannot load"):
        chunk("text", 3, tokenizer=tmp_path)
    with pytest.raises(InputTypeError, match=r"^tokenizer: expected a tokenizer or its name, got int"):
        chunk("text", 3, tokenizer=3)
    with pytest.raises(InputError, match=r"use a fast tokenizer"):
        chunk("text", 3, tokenizer=lambda text: text)


def test_a_sample_is_what_a_matrix_takes(tmp_path: Path) -> None:
    from samples import Stub, expected

    from pyfastlm.selection import Model

    source = write(tmp_path / "in.jsonl", corpus(COUNTS))
    report = sample(source, tmp_path / "sample.parquet", pages=10, chunk=30)
    made = bpb_matrix([Model("a", scorer=Stub("a"))], report.output, tmp_path / "bpb.parquet").open()
    rows = [(row["domain"], row["text"]) for row in read(report.output)]
    np.testing.assert_allclose(made.bits_per_byte, expected([Stub("a")], rows)[1], rtol=1e-13)
    assert made.bytes.sum() == report.bytes


PEAK = """
import sys
from pyfastlm.selection import sample
report = sample(sys.argv[1], sys.argv[2], pages=2)
assert report.pages == 20, report
print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/status")
def test_memory_does_not_grow_with_the_corpus(tmp_path: Path) -> None:
    peaks = []
    for count in (20, 800):
        path = tmp_path / f"{count}.jsonl.gz"
        with gzip.open(path, "wb", compresslevel=1) as file:
            for i in range(count):
                page = {"domain": f"d{i % 10}", "text": f"{i} " + "x" * (64 << 10)}
                file.write(json.dumps(page).encode() + b"\n")
        done = subprocess.run(
            [sys.executable, "-c", PEAK, str(path), str(tmp_path / "out.jsonl")],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ,
        )
        peaks.append(int(done.stdout))
    assert peaks[1] < peaks[0] + 12_000, peaks  # KiB; the larger corpus has 51 MiB
