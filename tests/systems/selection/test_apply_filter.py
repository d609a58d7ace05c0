"""Taking pages: the budget to the token, ties, cuts, formats, and what may not be resumed."""

import gzip
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jobs
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import webpages
from hypothesis import given, settings
from hypothesis import strategies as st

from pyfastlm.errors import InputError
from pyfastlm.selection import (
    DomainScores,
    HashedOptions,
    PageFilter,
    RandomPages,
    apply_filter,
    train_filter,
)
from pyfastlm.selection.filtering import scored
from pyfastlm.selection.filtering.choice import choose
from pyfastlm.selection.filtering.counting import Bytes, Tokens, counter


@dataclass(frozen=True)
class ByNumber:
    """Scores are the numbers that texts start with."""

    reads: str = "text"
    fingerprint: str = "by number"

    def score(self, texts: Sequence[str]) -> np.ndarray:
        return np.array([float(text.split()[0]) for text in texts])


BY_NUMBER = ByNumber()


def corpus(room: Path, scores: Sequence[float], name: str = "in.jsonl") -> Path:
    rows = [
        {"id": n, "text": f"{score} page {n} " + "xyz " * (n % 5), "site": f"s{n % 3}"}
        for n, score in enumerate(scores)
    ]
    return webpages.write(room / name, rows)


def read(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".parquet":
        return list(pq.read_table(path).to_pylist())
    data = path.read_bytes()
    if path.suffix == ".gz":
        data = gzip.decompress(data)
    if path.suffix == ".zst":
        data = pa.input_stream(pa.py_buffer(data), compression="zstd").read()
    return [json.loads(line) for line in data.splitlines()]


SCORES = [0.3, 0.9, 0.3, 0.1, 0.9, 0.5, 0.2, 0.9, 0.3, 0.0]


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz", ".jsonl.zst", ".parquet"])
def test_the_best_pages_fill_the_budget(suffix: str, tmp_path: Path) -> None:
    source = corpus(tmp_path, SCORES)
    texts = [row["text"] for row in read(source)]
    sizes = [len(text) for text in texts]
    order = [1, 4, 7, 5, 0, 2, 8, 6, 3, 9]  # by score, of equals the first
    whole = sum(sizes[n] for n in order[:5])
    output = tmp_path / f"out{suffix}"
    report = apply_filter(BY_NUMBER, source, output, budget=whole + 7, domain_key="site")
    rows = read(output)
    assert [row["id"] for row in rows] == ["0", "1", "4", "5", "7", "2"]  # as they lie; the one cut is last
    assert [row["text"] for row in rows] == [texts[n] for n in (0, 1, 4, 5, 7)] + [texts[2][:7]]
    assert [row["tokens"] for row in rows] == [sizes[n] for n in (0, 1, 4, 5, 7)] + [7]
    assert [row["score"] for row in rows] == [SCORES[n] for n in (0, 1, 4, 5, 7, 2)]
    assert [(row["source"], row["row"]) for row in rows] == [(str(source), n + 1) for n in (0, 1, 4, 5, 7, 2)]
    assert [row["domain"] for row in rows] == ["s0", "s1", "s1", "s2", "s1", "s2"]
    assert (report.taken_tokens, report.taken_pages, report.missing) == (whole + 7, 6, 0)
    assert (report.pages, report.tokens, report.rejected, report.rejects) == (10, sum(sizes), 0, None)
    assert report.lowest == 0.3
    assert report.cut is not None
    assert (report.cut.row, report.cut.tokens, report.cut.taken_tokens) == (3, sizes[2], 7)
    assert [of.domain for of in report.domains] == ["s0", "s1", "s2"]
    assert sum(of.taken_tokens for of in report.domains) == report.taken_tokens
    assert [of.pages for of in report.domains] == [4, 3, 3]
    assert {path.name for path in tmp_path.iterdir()} == {
        source.name, output.name, f"{output.name}.report.json"
    }  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_the_choice_is_that_of_a_loop(data: st.DataObject) -> None:
    n = data.draw(st.integers(0, 40))
    values = [float("nan"), 0.0, 0.1, 0.5, 0.5, 1.0]
    scores = np.array(data.draw(st.lists(st.sampled_from(values), min_size=n, max_size=n)), float)
    tokens = np.array(data.draw(st.lists(st.integers(1, 20), min_size=n, max_size=n)), np.int64)
    tokens[np.isnan(scores)] = 0
    budget = data.draw(st.integers(0, int(tokens.sum())))
    found = choose(scores, tokens, budget)
    left, expected = budget, set()
    order = sorted((n for n in range(n) if not math.isnan(scores[n])), key=lambda n: (-scores[n], n))
    for place, number in enumerate(order):
        if tokens[number] > left:
            able = [n for n in order[place:] if tokens[n] >= left] if left else []
            assert found.candidates == able[:16]
            break
        expected.add(number)
        left -= tokens[number]
    else:
        assert found.candidates == []
    assert set(np.flatnonzero(found.taken).tolist()) == expected
    assert found.left == left


@pytest.mark.parametrize("budget", range(1, 100, 7))
def test_every_budget_is_met_to_the_token(budget: int, tmp_path: Path) -> None:
    texts = ["0.5 é中é中é中", "0.4 中中中中中中中", "0.3 abcdefgh", "0.2 😀😀😀😀😀😀😀😀", "0.1 " + "z" * 40]
    source = webpages.write(tmp_path / "in.jsonl", [{"text": text} for text in texts])
    report = apply_filter(BY_NUMBER, source, tmp_path / "o.jsonl", budget=budget)
    rows = read(tmp_path / "o.jsonl")
    assert sum(len(row["text"].encode()) for row in rows) == report.taken_tokens == budget
    assert report.missing == 0
    assert all(any(text.startswith(row["text"]) for text in texts) for row in rows)


def test_where_no_page_can_be_cut_the_rest_is_missing(tmp_path: Path) -> None:
    texts = ["5 ab", "4é" * 3]
    source = webpages.write(tmp_path / "in.jsonl", [{"text": text} for text in texts])

    class First(ByNumber):
        def score(self, texts: Sequence[str]) -> np.ndarray:
            return np.array([float(text[0]) for text in texts])

    report = apply_filter(First(), source, tmp_path / "o.jsonl", budget=4 + 2)  # in the midst of é
    assert (report.taken_tokens, report.missing, report.cut) == (4, 2, None)


def test_whole_pages_only(tmp_path: Path) -> None:
    source = corpus(tmp_path, SCORES)
    sizes = [len(row["text"]) for row in read(source)]
    report = apply_filter(BY_NUMBER, source, tmp_path / "o.jsonl", budget=sum(sizes) - 1, cut=False)
    assert (report.taken_pages, report.taken_tokens, report.missing) == (9, sum(sizes[:9]), sizes[9] - 1)
    report = apply_filter(BY_NUMBER, source, tmp_path / "p.jsonl", budget=1, cut=False)
    assert (report.taken_pages, report.missing, read(tmp_path / "p.jsonl")) == (0, 1, [])
    assert math.isnan(report.lowest)


def test_a_part_of_all_tokens(tmp_path: Path) -> None:
    source = corpus(tmp_path, SCORES)
    total = sum(len(row["text"]) for row in read(source))
    report = apply_filter(BY_NUMBER, source, tmp_path / "o.jsonl", keep=0.25)
    assert report.budget == report.taken_tokens == int(0.25 * total)
    assert apply_filter(BY_NUMBER, source, tmp_path / "p.jsonl", keep=1).taken_pages == 10


def test_counts_from_a_field(tmp_path: Path) -> None:
    rows = [{"text": f"{n} x", "n": count} for n, count in enumerate([5, 3, None, True, 0, 2.0, -1, 7])]
    source = webpages.write(tmp_path / "in.jsonl", rows)
    report = apply_filter(BY_NUMBER, source, tmp_path / "o.parquet", budget=11, count_key="n", cut=False)
    assert [row["tokens"] for row in read(tmp_path / "o.parquet")] == [3, 7]
    assert (report.tokens, report.missing, report.rejected, report.count) == (15, 1, 5, "field n")
    reasons = [row["reason"] for row in jobs.rejects(tmp_path / "o.parquet")]
    assert reasons[0] == "expected a whole number of tokens above 0, got None"
    assert len(reasons) == 5


def test_tokens_of_a_tokenizer(tiny_lm_dir: Path, tmp_path: Path) -> None:
    """Counted again by itself, what was taken has exactly so many tokens."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_lm_dir)
    texts = [f"{n} {text}" for n, text in enumerate(jobs.documents(40))]
    source = webpages.write(tmp_path / "in.jsonl", [{"text": text} for text in texts])

    def tokens(text: str) -> int:
        return len(tokenizer(text, add_special_tokens=False)["input_ids"])

    for budget in (1, 50, 333, 1000):
        output = tmp_path / f"{budget}.jsonl"
        report = apply_filter(BY_NUMBER, source, output, budget=budget, count=str(tiny_lm_dir))
        rows = read(output)
        assert sum(tokens(row["text"]) for row in rows) == report.taken_tokens == budget
        assert [tokens(row["text"]) for row in rows] == [row["tokens"] for row in rows]
    assert report.tokens == sum(map(tokens, texts))
    same = apply_filter(BY_NUMBER, source, tmp_path / "o.jsonl", budget=1000, count=tokenizer)
    assert same.taken_tokens == 1000


def test_a_cut_is_counted_again(tiny_lm_dir: Path) -> None:
    how = counter(str(tiny_lm_dir))
    assert isinstance(how, Tokens)
    for text in (*jobs.documents(20, seed=3), "😀" * 20, "  \n\n  a  \n" * 5):
        total = int(how.count([text])[0])
        assert how.cut(text, total) == text
        assert how.cut(text, total + 1) is None
        for wanted in range(1, total):
            found = how.cut(text, wanted)
            if found is not None:
                assert text.startswith(found)
                assert how.count([found])[0] == wanted
    assert Bytes().cut("aé", 2) is None
    assert Bytes().cut("aé", 1) == "a"


def test_rows_that_cannot_be_scored_are_listed(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    good = b'{"id": 1, "text": "1 ok"}\n{"id": 2}\nbroken\n'
    path.write_bytes(good + b'{"id": 4, "text": "nan"}\n{"text": ""}\n')
    report = apply_filter(BY_NUMBER, path, tmp_path / "o.parquet", budget=4)
    assert (report.pages, report.rejected, report.taken_tokens) == (1, 4, 4)
    assert report.rejects == tmp_path / "o.rejected.jsonl"
    listed = [(row["row"], row["id"], row["reason"]) for row in jobs.rejects(tmp_path / "o.parquet")]
    assert listed[0] == (2, "2", "no key 'text'")
    assert listed[2] == (4, "4", "no token, or no score")
    assert [row for row, _, _ in listed] == [2, 3, 4, 5]


def test_names_that_no_encoding_has_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_bytes(b'{"text": "1 a", "site": "\\ud800"}\n{"text": "2 \\udfff", "site": "s"}\n')
    report = apply_filter(BY_NUMBER, path, tmp_path / "o.jsonl", budget=3, domain_key="site")
    assert [row["domain"] for row in read(tmp_path / "o.jsonl")] == ["\\ud800"]
    assert (report.rejected, report.taken_tokens) == (1, 3)


def test_several_files_of_every_format(tmp_path: Path) -> None:
    texts = [f"{n}.5 text {n}" for n in range(60)]
    sources = []
    for n, suffix in enumerate((".jsonl", ".jsonl.gz", ".txt.zst", ".parquet", ".txt")):
        sources.append(jobs.write(tmp_path / f"in{n}{suffix}", texts[n * 12 : n * 12 + 12]))
    report = apply_filter(BY_NUMBER, sources, tmp_path / "o.parquet", keep=0.5)
    assert report.pages == 60
    assert sorted(row["score"] for row in read(tmp_path / "o.parquet"))[-1] == 59.5
    assert report.taken_tokens == report.budget


@pytest.fixture
def done(tmp_path: Path) -> tuple[Path, Path]:
    source = corpus(tmp_path, SCORES * 5)
    output = tmp_path / "o.jsonl"
    apply_filter(BY_NUMBER, source, output, budget=500)
    return source, output


def test_a_finished_job_is_recognised(done: tuple[Path, Path]) -> None:
    source, output = done
    before = output.read_bytes(), output.stat().st_mtime_ns
    again = apply_filter(BY_NUMBER, source, output, budget=500)
    assert (again.resumed, again.taken_tokens) == (50, 500)
    assert (output.read_bytes(), output.stat().st_mtime_ns) == before
    first = apply_filter(BY_NUMBER, source, output, budget=500, resume=False)
    assert first.resumed == 0
    assert (first.cut, first.domains, first.lowest) == (again.cut, again.domains, again.lowest)


@pytest.mark.parametrize(
    ("options", "pattern"),
    [
        ({"budget": 501}, r"another budget \(then 500, now 501\)"),
        ({"filter": RandomPages(1)}, "another fingerprint"),
        ({"cut": False}, "another cut"),
        ({"domain_key": "site"}, "another domain_key"),
        ({"text_key": "site"}, "another text_key"),
    ],
)
def test_a_finished_job_of_other_settings_is_refused(
    options: dict[str, Any], pattern: str, done: tuple[Path, Path]
) -> None:
    source, output = done
    given = {"filter": BY_NUMBER, "budget": 500} | options
    chosen = given.pop("filter")
    with pytest.raises(InputError, match=rf"^resume: .*{pattern}.*resume=False \(--no-resume\)$"):
        apply_filter(chosen, source, output, **given)
    assert not output.with_name("o.jsonl.parts").exists()


def test_other_contents_are_refused(done: tuple[Path, Path]) -> None:
    source, output = done
    source.write_bytes(source.read_bytes().replace(b"xyz", b"xyy", 1))
    with pytest.raises(InputError, match=r"resume: .* made from other contents of the inputs"):
        apply_filter(BY_NUMBER, source, output, budget=500)


def test_foreign_files_are_never_touched(tmp_path: Path) -> None:
    source, output = corpus(tmp_path, SCORES), tmp_path / "o.jsonl"
    report = tmp_path / "o.jsonl.report.json"
    for path in (output, report):
        path.write_text('{"precious": 1}')
        with pytest.raises(InputError, match=rf"output: .*{path.name}' exists and is of no such job"):
            apply_filter(BY_NUMBER, source, output, budget=50)
        assert path.read_text() == '{"precious": 1}'
        path.unlink()
    output.touch()  # mktemp makes such files
    with pytest.raises(InputError, match=r"output: the report of .* would overwrite the input"):
        apply_filter(BY_NUMBER, [source, webpages.write(report, [])], output, budget=50)
    report.unlink()
    assert apply_filter(BY_NUMBER, source, output, budget=50).taken_tokens == 50


def test_inputs_that_change_between_the_passes_are_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, output = corpus(tmp_path, SCORES), tmp_path / "o.jsonl"
    original = scored.score

    def change(*arguments: Any) -> Any:
        found = original(*arguments)
        source.write_bytes(source.read_bytes().replace(b"page 9", b"pagE 9"))
        return found

    monkeypatch.setattr(scored, "score", change)
    with pytest.raises(InputError, match="inputs: they changed while they were read"):
        apply_filter(BY_NUMBER, source, output, budget=50)
    assert not output.exists()


@pytest.mark.parametrize(
    ("options", "pattern"),
    [
        ({}, "budget: expected budget or keep, one of the two"),
        ({"budget": 5, "keep": 0.5}, "budget: expected budget or keep"),
        ({"budget": 0}, "budget: expected a whole number of tokens, 1 or more, got 0"),
        ({"budget": 2.5}, "budget: expected a whole number of tokens"),
        ({"budget": 10**9}, "budget: expected at most 190 tokens, all there are, got 1,000,000,000"),
        ({"keep": 1.5}, "keep: expected a part above 0 and up to 1, got 1.5"),
        ({"keep": float("nan")}, "keep: expected"),
        ({"budget": 5, "count_key": "id"}, r"cut: .* give cut=False"),
        ({"budget": 5, "count": 7}, "count: expected bytes or a tokenizer, got int"),
        ({"budget": 5, "count": "/none/such"}, "count: cannot load the tokenizer '/none/such'"),
        ({"budget": 5, "output": "o.csv"}, "output: expected a name ending in .jsonl, .jsonl.gz"),
        ({"budget": 5, "filter": 3}, "filter: expected a filter or its file, got int"),
        ({"budget": 5, "filter": "none.json"}, "path: cannot read '.*none.json'"),
        ({"budget": 5, "filter": DomainScores({})}, "domain_key: this filter scores domains"),
        ({"budget": 5, "inputs": "-"}, "inputs: expected files, they are read more than once"),
    ],
)
def test_mistakes_are_told(options: dict[str, Any], pattern: str, tmp_path: Path) -> None:
    source = corpus(tmp_path, SCORES)
    given = {"filter": BY_NUMBER, "inputs": source, "output": "o.jsonl"} | options
    chosen, inputs, name = (given.pop(key) for key in ("filter", "inputs", "output"))
    with pytest.raises(InputError, match=pattern):
        apply_filter(chosen, inputs, tmp_path / name, **given)
    assert not (tmp_path / "o.jsonl").exists()


def test_a_filter_of_a_wrong_shape_is_told(tmp_path: Path) -> None:
    class Short(ByNumber):
        def score(self, texts: Sequence[str]) -> np.ndarray:
            return np.zeros(1)

    with pytest.raises(InputError, match=r"filter: expected \[10\] scores, got shape \[1\]"):
        apply_filter(Short(), corpus(tmp_path, SCORES), tmp_path / "o.jsonl", budget=5)


def test_end_to_end(tmp_path: Path) -> None:
    """Learned on some domains, applied to pages of others: what is taken is of the right kind."""
    pages = webpages.write(tmp_path / "train.jsonl", webpages.rows(60))
    options = HashedOptions(buckets=1 << 14)
    labels = webpages.LABELS
    train_filter(pages, tmp_path / "f.json", labels=labels, kind="hashed", options=options, valid=0.1)
    fresh = [row | {"domain": f"new-{row['domain']}"} for row in webpages.rows(40, seed=9)]
    source = webpages.write(tmp_path / "corpus.jsonl", fresh)
    report = apply_filter(tmp_path / "f.json", source, tmp_path / "o.parquet", keep=0.4, domain_key="domain")
    rows = read(tmp_path / "o.parquet")
    assert sum("lab" in row["domain"] for row in rows) > 0.97 * len(rows)
    assert report.taken_tokens == sum(len(row["text"].encode()) for row in rows) == report.budget
    found = PageFilter.open(tmp_path / "f.json").score([row["text"] for row in rows[:-1]])
    assert found.tolist() == [row["score"] for row in rows[:-1]]
