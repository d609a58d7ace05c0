"""Real English texts: a contrast within one language, and the report's figures counted again."""

import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import webpages

from pyfastlm.selection import FastTextOptions, HashedOptions, train_filter
from pyfastlm.selection.filtering import split

DATA = Path(__file__).parents[4] / "shared" / "data"
INCLUDED = {
    "questions": True,
    "answers": True,
    "queries": True,
    "books": False,
    "plays": False,
    "trials": False,
}
OPTIONS = {
    "hashed": HashedOptions(buckets=1 << 16),
    "fasttext": FastTextOptions(dim=16, buckets=20_000, epochs=25, lr=0.5),  # there are few pages
}


def pages() -> Iterator[tuple[str, str]]:
    """Domain and text of some 2,000 pages."""
    rows = [json.loads(line) for line in (DATA / "math/gsm8k.train.jsonl").read_text("utf-8").splitlines()]
    for row in rows[:300]:
        yield "questions", row["question"]
    for row in rows[300:600]:
        yield "answers", row["answer"]
    lines = (DATA / "spelling/marco.queries.dev.small.tsv").read_text("utf-8").splitlines()
    for place in range(0, 3000, 10):
        yield "queries", "\n".join(line.partition("\t")[2] for line in lines[place : place + 10])
    play = (DATA / "text/tiny_shakespeare.txt").read_text("utf-8")
    for place in range(0, 300_000, 1000):
        yield "plays", play[place : place + 1000]
    for name, file in (("books", "wtb.dev_set"), ("trials", "clinical-trial.dev_set")):
        found = json.loads(gzip.decompress((DATA / f"ir/{file}.json.gz").read_bytes()))
        for text in list(found["corpus"].values())[:300]:
            yield name, re.sub(r"\s+", " ", str(text))[:1000]


@pytest.mark.parametrize("kind", ["hashed", "fasttext"])
def test_figures_of_the_report_are_those_of_its_pages(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not DATA.exists():
        pytest.skip("../shared/data is not here")
    metrics = pytest.importorskip("sklearn.metrics")
    if kind == "fasttext":
        pytest.importorskip("fasttext", reason="fastText is not installed (extra selection)")
    rows = [{"domain": domain, "text": text} for domain, text in pages()]
    source = webpages.write(tmp_path / "pages.jsonl", rows)
    tested: list[tuple[str, str]] = []
    learned: list[str] = []
    original = split._side

    def watch(example: Any, valid: float) -> int:
        side = original(example, valid)
        if side == split.TEST:
            tested.append((names[example.domain], example.text))
        elif side == split.TRAIN:
            learned.append(example.text)
        return side

    names = list(dict.fromkeys(row["domain"] for row in rows))  # in the order of their first pages
    monkeypatch.setattr(split, "_side", watch)
    found = train_filter(
        source, labels=INCLUDED, kind=kind, options=OPTIONS[kind], valid=0.15, valid_domains=0.3
    )  # type: ignore[call-overload]
    report = found.report.held_out_pages
    probability = found.score([text for _, text in tested])
    label = np.array([INCLUDED[domain] for domain, _ in tested])
    expected = metrics.precision_recall_fscore_support(label, probability >= 0.5, average="binary")[:3]
    assert [report.precision, report.recall, report.f1] == pytest.approx(expected)
    average = metrics.average_precision_score(label, probability)
    assert report.average_precision == pytest.approx(average)
    assert report.brier == pytest.approx(metrics.brier_score_loss(label, probability))
    assert (report.pages, found.report.trained) == (len(tested), len(learned))
    assert not {text for _, text in tested} & set(learned)
    assert report.f1 > 0.95
    held_out = found.report.held_out_domains
    assert held_out is not None
    assert [of.included for of in found.report.by_domain].count(True) == 1
    assert held_out.roc_auc > 0.6
