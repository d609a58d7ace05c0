"""How much pairs differ, against slow and obvious ways to measure it, and on real revisions."""

import difflib
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyfastlm.errors import InputError
from pyfastlm.preference.contrast import Contrast, contrast, contrast_report, tables, write_page
from pyfastlm.preference.pairs import PreferencePair

REAL = Path(__file__).parents[4] / "shared" / "data" / "preference" / "clair_gpt4_20.jsonl"


def distance(a: "str | list[str]", b: "str | list[str]") -> int:
    """Levenshtein's, by its definition."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        before, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (x != y))
    return row[-1]


def measured(rejected: str, chosen: str) -> Contrast:
    return contrast(PreferencePair("p", chosen, rejected))


def test_by_hand() -> None:
    found = measured("The cat sit  on the mat .", "The cat sits on a big mat")
    assert found.jaccard == pytest.approx(4 / 10)
    assert found.levenshtein == distance("The cat sit  on the mat .", "The cat sits on a big mat")
    assert found.changed == pytest.approx(4 / 7)
    assert found.length_ratio == 1
    assert [
        ("The cat sit  on the mat ."[slice(*span.rejected)], "The cat sits on a big mat"[slice(*span.chosen)])
        for span in found.spans
    ] in (
        [("sit", "sits"), ("", "a"), ("the", "big"), (".", "")],
        [("sit", "sits"), ("the", "a"), ("", "big"), (".", "")],
    )


TEXT = st.lists(st.sampled_from(["a", "b", "cc", "dd ", " ", "\n", "é日"]), min_size=1, max_size=12).map(
    " ".join
)


@given(TEXT, TEXT)
def test_against_definitions(rejected: str, chosen: str) -> None:
    if rejected == chosen:
        return
    found = measured(rejected, chosen)
    old, new = rejected.split(), chosen.split()
    union = {*old, *new}
    assert found.jaccard == pytest.approx(len({*old} & {*new}) / len(union) if union else 1)
    assert found.levenshtein == distance(rejected, chosen)
    assert found.changed == pytest.approx(distance(old, new) / max(len(old), len(new), 1))
    assert found.length_ratio == len(chosen) / len(rejected)
    # Whatever lies between the spans is the same words, and the spans are where the edits are.
    kept_old, kept_new, edits, at_old, at_new = [], [], 0, 0, 0
    for span in found.spans:
        assert span.rejected[0] >= at_old
        assert span.chosen[0] >= at_new
        kept_old += rejected[at_old : span.rejected[0]].split()
        kept_new += chosen[at_new : span.chosen[0]].split()
        removed, added = rejected[slice(*span.rejected)].split(), chosen[slice(*span.chosen)].split()
        edits += max(len(removed), len(added))
        at_old, at_new = span.rejected[1], span.chosen[1]
    kept_old += rejected[at_old:].split()
    kept_new += chosen[at_new:].split()
    assert kept_old == kept_new
    assert edits == distance(old, new)


def test_spans_of_words_put_in_have_a_place() -> None:
    found = measured("one two", "zero one two three")
    assert found.spans == (((0, 0), (0, 4)), ((7, 7), (13, 18)))


PAIRS = [
    PreferencePair("p", f"It is a number like {n}.", f"It is an number likes {n}.") for n in range(50)
] + [PreferencePair("p", "Something else altogether, and longer.", "It was so.")]


def test_summaries() -> None:
    found = contrast_report(PAIRS, seed=1)
    assert found.contrasts == tuple(map(contrast, PAIRS))
    for name, summary in found.summaries.items():
        values = found.values(name)
        assert summary.mean == pytest.approx(values.mean())
        assert summary.low <= summary.mean <= summary.high
        assert (summary.quartile, summary.median, summary.upper_quartile) == pytest.approx(
            np.percentile(values, [25, 50, 75])
        )
    assert contrast_report(PAIRS, seed=1) == found
    assert contrast_report(PAIRS, seed=2) != found
    assert contrast_report(iter(PAIRS), seed=1) == found
    alone = contrast_report(PAIRS[:1])
    assert alone.summaries["jaccard"].low == alone.summaries["jaccard"].high


def test_an_interval_covers_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(["a", "b", "c", "d", "e"], 6)) for _ in range(4000)]
    pairs = [PreferencePair("p", a, b) for a, b in zip(texts[::2], texts[1::2], strict=True) if a != b]
    truth = contrast_report(pairs).summaries["jaccard"].mean
    covered = []
    for n in range(12):
        found = contrast_report(pairs[40 * n : 40 * n + 40]).summaries["jaccard"]
        covered.append(found.low <= truth <= found.high)
    assert sum(covered) >= 9


@pytest.mark.parametrize(
    ("pairs", "message"), [([], "expected at least one"), ([5], "expected PreferencePair")]
)
def test_what_is_no_pair(pairs: list[PreferencePair], message: str) -> None:
    with pytest.raises(InputError, match=f"pairs: {message}"):
        contrast_report(pairs)


def test_tables_and_page(tmp_path: Path) -> None:
    wide = [PreferencePair("p", "alpha *beta* <b> | gamma", "one two three"), PAIRS[-1]]
    reports = {"small_edits": contrast_report(PAIRS), "wide": contrast_report(wide)}
    means, medians = tables(reports)
    assert [row[0] for row in means.rows] == [row[0] for row in medians.rows] == ["small_edits", "wide"]
    assert all(len(row) == len(means.columns) for row in means.rows)
    given = {"small_edits": (PAIRS, reports["small_edits"]), "wide": (wide, reports["wide"])}
    write_page(given, tmp_path / "page.md", examples=2)
    page = (tmp_path / "page.md").read_text()
    assert "It is ~~an~~ **a** number" in page
    assert "(1 more)" in page
    assert "<b>" not in page
    assert page.count("\n1. ") == page.count("\n2. ") == 2
    write_page(given, tmp_path / "page.md", examples=0)
    assert "~~" not in (tmp_path / "page.md").read_text()


@pytest.mark.skipif(not REAL.exists(), reason="needs shared/data/preference/clair_gpt4_20.jsonl")
def test_real_revisions_are_not_small() -> None:
    rows = [json.loads(line) for line in REAL.read_text().splitlines()]
    pairs = [PreferencePair(row["prompt"], row["chosen"], row["rejected"]) for row in rows]
    found = contrast_report(pairs)
    assert found.summaries["jaccard"].mean == pytest.approx(0.282, abs=5e-4)
    edits = [each.changed * max(len(p.chosen.split()), len(p.rejected.split()))
             for each, p in zip(found.contrasts, pairs, strict=True)]  # fmt: skip
    assert np.mean(edits) == pytest.approx(262, abs=1)
    # difflib's alignment keeps no more words than the shortest edit script allows.
    for pair, each in zip(pairs[:5], found.contrasts, strict=False):
        old, new = pair.rejected.split(), pair.chosen.split()
        script = difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
        longest = sum(max(b - a, d - c) for tag, a, b, c, d in script if tag != "equal")
        assert each.changed * max(len(old), len(new)) <= longest + 1e-9
