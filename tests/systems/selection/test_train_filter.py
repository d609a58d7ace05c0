"""Training: splits that leak nothing, the same filter each time, and how mistakes are told."""

import importlib
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import webpages

from pyfastlm.errors import InputError, MissingExtra
from pyfastlm.selection import FastTextOptions, HashedOptions, PageFilter, train_filter
from pyfastlm.selection.filtering import split
from pyfastlm.selection.filtering.drawing import draw
from pyfastlm.selection.filtering.labels import labels_of

SMALL = {
    "hashed": HashedOptions(buckets=1 << 14),
    "fasttext": FastTextOptions(dim=8, buckets=5000, epochs=15, lr=0.5),
}


def train(pages: Any, kind: str = "hashed", **options: Any) -> PageFilter:
    if kind == "fasttext":
        pytest.importorskip("fasttext", reason="fastText is not installed (extra selection)")
    given = {"labels": webpages.LABELS, "valid": 0.15, "options": SMALL[kind]} | options
    return train_filter(pages, kind=kind, **given)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return webpages.write(tmp_path_factory.mktemp("pages") / "pages.jsonl", webpages.rows())


@pytest.fixture(params=["hashed", "fasttext"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_it_learns_what_domains_have_in_common(kind: str, pages: Path) -> None:
    found = train(pages, kind)
    report = found.report
    assert (report.domains, report.included_domains, report.rows, report.pages) == (10, 5, 600, 600)
    assert report.held_out_domains is not None
    assert [(domain.included, domain.pages) for domain in report.by_domain] == [(False, 60), (True, 60)]
    assert report.held_out_domains.pages == 120
    assert report.held_out_domains.f1 > 0.9
    assert report.held_out_pages.f1 > 0.9
    parts = (report.trained, report.calibrated, report.held_out_pages.pages, report.held_out_domains.pages)
    assert sum(parts) == report.pages - report.duplicates - report.conflicts
    assert 40 < report.calibrated < 110
    science, gossip = (" ".join(words[:40]) for words in (webpages.SCIENCE, webpages.GOSSIP))
    scores = found.score([science, gossip, "", "\n"])
    assert scores[0] > 0.9
    assert scores[1] < 0.1
    assert np.isfinite(scores).all()
    assert (found.kind, found.reads) == (kind, "text")


def test_probabilities_are_calibrated(kind: str, tmp_path: Path) -> None:
    """Pages that say little: of those with a probability around p, about p are included."""
    path = webpages.write(tmp_path / "p.jsonl", webpages.rows(150, own=0.05, words=40))
    report = train(path, kind, valid=0.3, valid_domains=0).report
    figures = report.held_out_pages
    assert report.held_out_domains is None
    assert report.by_domain == ()
    error = 3 * (0.25 / figures.pages) ** 0.5
    assert abs(figures.mean_probability - figures.prevalence) < error
    assert 0.6 < figures.roc_auc < 0.97
    assert figures.brier < figures.prevalence * (1 - figures.prevalence)
    # A filter sure of itself would pay: calibrated scores lose at most the variance that they admit.
    found = train(path, kind, valid=0.3, valid_domains=0)
    fresh = webpages.rows(150, own=0.05, words=40, seed=99)
    probability = found.score([row["text"] for row in fresh])
    label = np.array([webpages.LABELS[row["domain"]] for row in fresh])
    for low, high in ((0, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 1)):
        own = (probability >= low) & (probability <= high)
        if own.sum() > 50:
            assert abs(label[own].mean() - probability[own].mean()) < 3 * (0.25 / own.sum()) ** 0.5 + 0.08


def test_the_same_filter_whatever_the_order_and_the_format(kind: str, pages: Path, tmp_path: Path) -> None:
    rows = webpages.rows()
    first = train(pages, kind)
    halves = [webpages.write(tmp_path / f"{n}.jsonl", rows[::-1][n::2]) for n in range(2)]
    table = tmp_path / "t.parquet"
    pq.write_table(pa.Table.from_pylist(rows), table, row_group_size=50)
    for other in (halves, table):
        again = train(other, kind)
        assert again.fingerprint == first.fingerprint
        assert again.report.held_out_pages == first.report.held_out_pages
    assert train(pages, kind, seed=1).fingerprint != first.fingerprint


def test_white_space_does_not_matter(kind: str, pages: Path, tmp_path: Path) -> None:
    """The reference trains on the first line of a page, and scores all of it."""
    spaces = "\n\n \r\x0b\u00a0\u2028\u3000\x85\0"
    rows = [{**row, "text": "\r\n\t " + row["text"].replace(" ", spaces)} for row in webpages.rows()]
    spaced = train(webpages.write(tmp_path / "p.jsonl", rows), kind)
    found = train(pages, kind)
    assert spaced.fingerprint == found.fingerprint
    texts = [row["text"] for row in rows]
    plain = [" ".join(text.replace("\0", " ").split()) for text in texts]
    assert found.score(texts).tolist() == found.score(plain).tolist()
    assert [found.score([text])[0] for text in texts[:50]] == found.score(texts)[:50].tolist()


def test_labels_and_ends_in_pages_are_words(kind: str, pages: Path) -> None:
    found = train(pages, kind)
    text = " ".join(webpages.SCIENCE[:20])
    plain, hostile = found.score([text, f"</s> {text} __label__exclude </s>"])
    assert plain > 0.9
    assert hostile > 0.5


def sides(path: Path, tmp_path: Path, **options: Any) -> dict[int, list[tuple[str, str]]]:
    """Domain and text of each page, by what became of it."""
    seen: dict[int, list[tuple[str, str]]] = {n: [] for n in range(4)}
    original = split._side

    def watch(example: Any, valid: float) -> int:
        side = original(example, valid)
        seen[side].append((example.domain, example.text))
        return side

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(split, "_side", watch)
        train(path, **options)
    return seen


def test_the_pieces_of_a_page_stay_together(tmp_path: Path) -> None:
    rows = []
    for row in webpages.rows(30):
        words = row["text"].split()
        pieces = [" ".join(words[n : n + 20]) + " " for n in range(0, len(words), 20)]
        rows += [{**row, "text": piece, "chunk": n} for n, piece in enumerate(pieces)]
    path = webpages.write(tmp_path / "pieces.jsonl", rows)
    joined = train(path)
    assert (joined.report.rows, joined.report.pages) == (900, 300)
    whole = webpages.write(tmp_path / "whole.jsonl", webpages.rows(30))
    assert joined.fingerprint == train(whole).fingerprint
    named = [{"id": n, "url": row.pop("id"), **row} for n, row in enumerate(webpages.rows(30))]
    assert train(webpages.write(tmp_path / "named.jsonl", named), page_key="url").report.pages == 300
    assert train(path, page_key=None).report.pages == 900
    # Also where they are not neighbours: then they are examples of their own, but on one side.
    apart = webpages.write(tmp_path / "apart.jsonl", sorted(rows, key=lambda row: row["chunk"]))
    found = sides(apart, tmp_path, valid_domains=0)
    texts = {row["text"].strip(): row["id"] for row in rows}
    ids = [{texts[text] for _, text in found[side]} for side in range(3)]
    assert all(ids)
    assert not ids[0] & ids[1] | ids[0] & ids[2] | ids[1] & ids[2]


def test_equal_texts_are_one_and_conflicts_none(tmp_path: Path) -> None:
    rows = webpages.rows(30)
    one, other = next(iter(webpages.INCLUDED)), next(iter(webpages.EXCLUDED))
    copies = [{**row, "domain": one} for row in rows if row["domain"] in webpages.INCLUDED][:40]
    both = [
        {"id": None, "domain": domain, "text": f"cookies \n {n}"} for domain in (one, other) for n in range(7)
    ]
    found = train(webpages.write(tmp_path / "p.jsonl", rows + copies + both))
    assert (found.report.duplicates, found.report.conflicts) == (40, 14)
    assert found.report.pages == 300 + 40 + 14
    plain = train(webpages.write(tmp_path / "q.jsonl", rows), valid_domains=0)
    copied = train(webpages.write(tmp_path / "r.jsonl", rows + rows), valid_domains=0)
    assert plain.fingerprint == copied.fingerprint
    found_sides = sides(tmp_path / "p.jsonl", tmp_path, valid_domains=0)
    texts = [text for side in found_sides.values() for _, text in side]
    assert len(texts) == len(set(texts)) == 300


def test_held_out_domains_are_drawn_by_name(tmp_path: Path) -> None:
    names = [f"d{n}" for n in range(40)]
    included = [n % 2 == 0 for n in range(40)]
    drawn = draw(((name, f"text of {name}", None) for name in names), tmp_path, 0)
    held = {drawn.domains[n] for n in split.held_out(drawn, included, 0.1, 0)}
    assert len(held) == 4
    assert sum(included[names.index(name)] for name in held) == 2
    shuffled = draw(((name, f"text of {name}", None) for name in names[::-1]), tmp_path, 0)
    again = split.held_out(shuffled, included[::-1], 0.1, 0)
    assert {shuffled.domains[n] for n in again} == held
    assert split.held_out(drawn, included, 0.0, 0) == set()
    assert len(split.held_out(drawn, included, 0.99, 0)) == 38  # one of each is left to learn from
    few = draw(((name, f"text of {name}", None) for name in names[:6]), tmp_path, 0)
    assert split.held_out(few, included[:6], 0.05, 0) == set()


def test_rows_without_text_or_label_are_counted(tmp_path: Path) -> None:
    odd: list[dict[str, Any]] = [
        {"domain": "lab0.org"},
        {"domain": "lab0.org", "text": ""},
        {"domain": None, "text": "x"},
        {"text": "x"},
        {"domain": "elsewhere.net", "text": "x"},
    ]
    path = webpages.write(tmp_path / "p.jsonl", webpages.rows(30) + odd)
    path.write_bytes(path.read_bytes() + b"{broken\n\xff\n")
    report = train(path).report
    assert (report.rows, report.rejected, report.unlabelled, report.pages) == (307, 6, 1, 300)


def test_memory_does_not_hold_the_pages(tmp_path: Path) -> None:
    """Pages lie on disk while they are put in order, and the directory goes."""
    output = tmp_path / "f.json"
    seen: list[list[str]] = []
    original = split.margins

    def watch(model: Any, rest: Path) -> Any:
        seen.append(sorted(path.name for path in rest.parent.iterdir()))
        return original(model, rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(split, "margins", watch)
        train(webpages.write(tmp_path / "p.jsonl", webpages.rows(30)), output=output)
    assert {"train.txt", "rest", "00.pages"} <= set(seen[0])
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".bin", ".json", ".jsonl"]


@pytest.mark.parametrize(
    ("options", "pattern"),
    [
        ({"kind": "bigrams"}, "kind: expected one of fasttext, hashed, got 'bigrams'"),
        (
            {"options": FastTextOptions()},
            "options: expected HashedOptions for the kind 'hashed', got",
        ),
        ({"valid": 0}, "valid: expected a part above 0 and below 0.5, got 0"),
        ({"valid": 0.5}, "valid: expected"),
        ({"valid_domains": 1.0}, "valid_domains: expected a part from 0 to below 1, got 1.0"),
        ({"seed": -1}, "seed: expected a whole number"),
        ({"seed": True}, "seed: expected a whole number"),
        ({"threads": 0}, "threads: expected a whole number >= 1"),
        ({"labels": {"lab0.org": True}}, "labels: expected domains of both kinds"),
        ({"labels": 7}, "labels: expected a mapping, a selection or a file of domains, got int"),
        ({"text_key": ""}, "text_key: expected the name of a field, got ''"),
        ({"page_key": "text2"}, "page_key: .*pages.jsonl', row 1: expected a string or a whole number"),
        (
            {"labels": {"lab0.org": True, "nobody.net": False}},
            "none of an excluded domain to learn from",
        ),
        ({"valid": 1e-9}, "pages: none of an (in|ex)cluded domain to test on"),
        ({"output": "/nowhere/f.json"}, "output: expected a file in a directory that exists"),
    ],
)
def test_mistakes_are_told(options: dict[str, Any], pattern: str, pages: Path) -> None:
    kind = options.pop("kind", "hashed")
    with pytest.raises(InputError, match=pattern):
        train_filter(pages, **({"labels": webpages.LABELS, "kind": kind, "valid": 0.1} | options))


@pytest.mark.parametrize(
    ("make", "pattern"),
    [
        (lambda: HashedOptions(buckets=0), "buckets: expected a whole number from 1"),
        (lambda: HashedOptions(alpha=0.0), "alpha: expected a number above 0"),
        (lambda: FastTextOptions(lr=float("nan")), "lr: expected a number above 0"),
        (lambda: FastTextOptions(dim=10**6), "dim: expected a whole number from 1 to 10,000"),
    ],
)
def test_options_are_checked(make: Any, pattern: str) -> None:
    with pytest.raises(InputError, match=pattern):
        make()


@pytest.mark.parametrize(("kind", "module"), [("fasttext", "fasttext"), ("hashed", "sklearn")])
def test_what_is_not_installed_is_named(
    kind: str, module: str, pages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = importlib.import_module

    def absent(name: str) -> Any:
        if name.partition(".")[0] == module:
            raise ModuleNotFoundError(f"No module named {module!r}", name=module)
        return original(name)

    monkeypatch.setattr(importlib, "import_module", absent)
    with pytest.raises(MissingExtra, match=rf"{module} is not installed; .*pyfastlm\[selection\]"):
        train_filter(pages, labels=webpages.LABELS, kind=kind, valid=0.1)


def test_a_training_that_diverges_is_told(pages: Path) -> None:
    options = FastTextOptions(lr=1e30, dim=4, buckets=100)
    with pytest.raises(InputError, match=r"lr: fastText's training failed: .*NaN"):
        train(pages, "fasttext", options=options)


def test_files_that_cannot_be_read_from_are_refused(tmp_path: Path, pages: Path) -> None:
    (tmp_path / "p.txt").write_text("one\n")
    with pytest.raises(InputError, match=r"^inputs: .* plain text has no field 'domain'"):
        train(tmp_path / "p.txt")
    pq.write_table(pa.table({"text": ["a"], "site": ["b"]}), tmp_path / "p.parquet")
    with pytest.raises(InputError, match=r"domain_key: .*p.parquet' has no column 'domain'.*text, site"):
        train(tmp_path / "p.parquet")
    pq.write_table(pa.table({"text": [1], "domain": ["b"]}), tmp_path / "n.parquet")
    with pytest.raises(InputError, match="text_key: expected a column of strings, got int64"):
        train(tmp_path / "n.parquet")
    (tmp_path / "cut.parquet").write_bytes((tmp_path / "p.parquet").read_bytes()[:-9])
    with pytest.raises(InputError, match=r"'.*cut.parquet' is truncated or damaged parquet"):
        train(tmp_path / "cut.parquet")
    (tmp_path / "z.jsonl.gz").write_bytes(b"\x1f\x8b\x08\x00broken")
    with pytest.raises(InputError, match=r"'.*z.jsonl.gz' is truncated or damaged gzip"):
        train(tmp_path / "z.jsonl.gz")
    with pytest.raises(InputError, match="read more than once; got standard input"):
        train("-")


class TestLabels:
    """Every form of the labels gives the same mapping."""

    wanted = {"a": True, "b": False, "c": True}  # noqa: RUF012

    def test_objects(self) -> None:
        selection = SimpleNamespace(domains=("a", "b", "c"), included=np.array([True, False, True]))
        weights = SimpleNamespace(domains=("a", "b", "c"), weights=np.array([0.5, 0.0, 0.5]))
        assert labels_of(selection) == labels_of(weights) == labels_of(self.wanted) == self.wanted

    def test_files(self, tmp_path: Path) -> None:
        names, truth = list(self.wanted), list(self.wanted.values())
        (tmp_path / "l.json").write_text(json.dumps(self.wanted))
        (tmp_path / "l.csv").write_text("\ufeffdomain,x,weight\na,,0.5\nb,,0\nc,,1e-3\n", "utf-8")
        (tmp_path / "words.csv").write_text("label,domain\n__label__include,a\nexclude,b\nTrue,c\n")
        rows = [{"domain": name, "included": value} for name, value in self.wanted.items()]
        webpages.write(tmp_path / "l.jsonl", rows)
        table = pa.table({"domain": names, "weight": [0.5, 0.0, 0.5], "included": truth})
        pq.write_table(table, tmp_path / "l.parquet")
        for path in tmp_path.iterdir():
            assert labels_of(path) == self.wanted

    @pytest.mark.parametrize(
        ("name", "data", "pattern"),
        [
            ("l.json", b'{"a": true, "a": false}', "expected each domain once, got 'a' twice"),
            ("l.json", b"[1]", "expected an object of domains"),
            ("l.json", b"{", "cannot read"),
            ("l.json", b'{"a": "maybe", "b": true}', "'a': expected true or false, or a weight"),
            ("l.json", b'{"a": NaN, "b": true}', "'a': expected true or false, or a weight"),
            ("l.json", b'{"a": -1, "b": true}', "'a': expected true or false, or a weight"),
            ("l.csv", b"domain,estimate\na,1\n", "expected a column domain and one of included"),
            ("l.csv", b"domain,label\n\xff,1\n", "cannot read"),
            ("l.jsonl", b'[1]\n', "expected JSON objects"),
            ("l.jsonl", b'{"domain": "a", "label": 1}\n{"domain": "b"}\n', "cannot read"),
            ("l.parquet", b"PAR1", "cannot read"),
            ("l.yaml", b"", "expected a name ending in .json, .csv, .jsonl, .parquet"),
        ],
    )  # fmt: skip
    def test_hostile_files(self, name: str, data: bytes, pattern: str, tmp_path: Path) -> None:
        (tmp_path / name).write_bytes(data)
        with pytest.raises(InputError, match=f"labels: .*{pattern}"):
            labels_of(tmp_path / name)

    def test_no_file(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match=r"labels: cannot read '.*none.json': No such file"):
            labels_of(tmp_path / "none.json")
