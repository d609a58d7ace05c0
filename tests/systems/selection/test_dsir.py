"""Importance, chance and domains as ways to take pages."""

import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import webpages

from pyfastlm.errors import InputError
from pyfastlm.selection import (
    BpbMatrix,
    DomainScores,
    Dsir,
    RandomPages,
    apply_filter,
    lowest_bits_per_byte,
    read_texts,
)
from pyfastlm.selection.filtering.hashing import features


def test_log_ratios_are_those_of_the_counts() -> None:
    target, raw = ["a b a", "c"], ["a b", "d d d e", ""]
    found = Dsir.fit(target, raw, buckets=50, seed=3, resample=False)
    counts = [Counter(features(texts, buckets=50, seed=3).ids.tolist()) for texts in (target, raw)]
    sizes = [sum(count.values()) for count in counts]
    assert sizes == [6, 10]
    for bucket in range(50):
        one, other = ((count[bucket] + 1) / (size + 50) for count, size in zip(counts, sizes, strict=True))
        assert found.log_ratio[bucket] == pytest.approx(math.log(one / other))
    expected = sum(found.log_ratio[features(["a b"], buckets=50, seed=3).ids])
    assert found.score(["", "a b"]).tolist() == pytest.approx([0, expected])


def test_pages_of_the_target_kind_are_important() -> None:
    rows = webpages.rows(40)
    target = [row["text"] for row in rows[:60] if row["domain"] in webpages.INCLUDED]
    found = Dsir.fit(target, (row["text"] for row in rows), seed=0, resample=False)
    texts = [row["text"] for row in rows[60:]]
    included = np.array([webpages.LABELS[row["domain"]] for row in rows[60:]])
    scores = found.log_importance(texts)
    assert np.mean(scores[included][:, None] > scores[~included]) > 0.95
    assert found.score(texts).tolist() == scores.tolist()


def test_noise_draws_in_proportion_to_importance() -> None:
    """The best one of two under Gumbel noise is each as often as its share, over seeds."""
    ratio = np.zeros(8)
    one, two = "x", "y"
    ratio[features([one], buckets=8, seed=0).ids] = math.log(3)
    assert features([one], buckets=8, seed=0).ids != features([two], buckets=8, seed=0).ids
    wins = 0
    for seed in range(2000):
        found = Dsir(ratio, seed)
        noise = found.score([one, two]) - found.log_importance([one, two])
        scores = noise + np.array([math.log(3), 0.0])
        wins += int(scores[0] > scores[1])
    assert wins / 2000 == pytest.approx(0.75, abs=0.03)


def test_noise_is_decided_by_text_and_seed() -> None:
    texts = [f"text {n}" for n in range(100)]
    found = Dsir.fit(["a"], ["b"], seed=5)
    assert found.score(texts).tolist() == found.score(texts[::-1])[::-1].tolist()
    assert found.score(texts).tolist() != Dsir.fit(["a"], ["b"], seed=6).score(texts).tolist()
    fingerprints = {
        Dsir.fit(["a"], ["b"], seed=5).fingerprint,
        Dsir.fit(["a"], ["b"], seed=6).fingerprint,
        Dsir.fit(["a a"], ["b"], seed=5).fingerprint,
        Dsir.fit(["a"], ["b"], seed=5, resample=False).fingerprint,
    }
    assert len(fingerprints) == 4


def test_random_scores_are_uniform_and_belong_to_texts() -> None:
    texts = [f"text {n}" for n in range(4000)]
    scores = RandomPages(1).score(texts)
    assert ((scores > 0) & (scores < 1)).all()
    assert np.sort(scores) == pytest.approx((np.arange(4000) + 0.5) / 4000, abs=0.03)
    assert RandomPages(1).score(texts[7:9]).tolist() == scores[7:9].tolist()
    assert abs(np.corrcoef(scores, RandomPages(2).score(texts))[0, 1]) < 0.06


def test_domains_by_the_lowest_bits_per_byte(tmp_path: Path) -> None:
    sizes = np.ones(3, np.int64)
    values = np.array([[1.0, 3.0, 2.0], [2.0, 4.0, 1.0]])
    matrix = BpbMatrix(("m", "n"), ("f", "g"), ("a", "b", "c"), sizes, sizes, sizes, values)
    found = lowest_bits_per_byte(matrix)
    assert found.score(["c", "b", "a", "z"]).tolist()[:3] == [-1.5, -3.5, -1.5]
    matrix.save(tmp_path / "m.parquet")
    assert dict(lowest_bits_per_byte(BpbMatrix.open(tmp_path / "m.parquet")).scores) == dict(found.scores)
    rows = [{"text": f"{domain}{n}", "domain": domain} for n in range(4) for domain in "abcz"]
    source = webpages.write(tmp_path / "in.jsonl", rows)
    report = apply_filter(found, source, tmp_path / "o.jsonl", budget=10, domain_key="domain")
    shares = {of.domain: of.taken_tokens for of in report.domains}
    assert shares == {"a": 6, "b": 0, "c": 4}  # a and c tie, and are taken as they lie
    assert report.rejected == 4
    values[1, 1] = np.nan
    with pytest.raises(InputError, match="matrix: domain 'b' has no number of some model"):
        lowest_bits_per_byte(matrix)
    assert DomainScores({"a": 1.0}).fingerprint != DomainScores({"a": 2.0}).fingerprint


def test_all_of_them_take_the_same_budget(tmp_path: Path) -> None:
    rows = webpages.rows(20)
    source = webpages.write(tmp_path / "in.jsonl", rows)
    dsir = Dsir.fit([webpages.SCIENCE[0]], read_texts(source))
    ways = (RandomPages(0), dsir, DomainScores(dict.fromkeys(webpages.LABELS, 0.0)))
    for n, way in enumerate(ways):
        report = apply_filter(way, source, tmp_path / f"{n}.jsonl", budget=12345, domain_key="domain")
        assert report.taken_tokens == 12345
        assert report.fingerprint == way.fingerprint


def test_texts_of_files(tmp_path: Path) -> None:
    source = webpages.write(tmp_path / "in.jsonl", [{"body": "a"}, {"text": "b"}, {"body": "c"}])
    assert list(read_texts(source, text_key="body")) == ["a", "c"]


@pytest.mark.parametrize(
    ("target", "raw", "options", "pattern"),
    [
        ([], ["a"], {}, "target: expected texts with words, got none"),
        (["a"], [" "], {}, "raw: expected texts with words, got none"),
        (["a"], ["a"], {"buckets": 0}, "buckets: expected a whole number from 1"),
        (["a"], ["a"], {"seed": -1}, "seed: expected a whole number >= 0"),
    ],
)
def test_mistakes_are_told(target: list[str], raw: list[str], options: dict[str, int], pattern: str) -> None:
    with pytest.raises(InputError, match=pattern):
        Dsir.fit(target, raw, **options)
