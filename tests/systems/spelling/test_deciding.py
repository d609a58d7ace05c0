"""Decisions on a tiny model: formulas, rules, counts, and what is refused."""

import math
from pathlib import Path

import numpy as np
import pytest
from brands import NAMES, UNKNOWN, weighed
from hypothesis import given
from hypothesis import strategies as st

from pyfastlm.errors import InputError, InputTypeError
from pyfastlm.lm import LM, Scorer, load
from pyfastlm.spelling import Candidate, Channel, Correction, Generation, Scoring
from pyfastlm.spelling.deciding import Counts, Decider, Weights
from pyfastlm.spelling.deciding.edits import edits_within
from pyfastlm.spelling.prompts import Prompts

QUERIES = ["playgru", "playgro", "velora runing shoes", "zenvora", "日傘compact"]
CANDIDATES = [
    weighed("playgru", {"playgro": 0.7, "playground": 2.0}),
    weighed("playgro", {"playground": 2.5}),
    weighed("velora runing shoes", {"velora running shoes": 0.5, "velora rain jacket": 4.0}),
    weighed("zenvora", {}),
    weighed("日傘compact", {"日傘 compact": 0.5}),
]
CONTEXTS = [["playgro", "lumineo lamp"], ["playgro"], ["velora running shoes"], [], ["日傘 compact"]]


@pytest.fixture(scope="module")
def lm(tiny_lm_dir: Path) -> LM:
    return load(tiny_lm_dir)


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> LM:
    """One that reads 512 tokens."""
    from tiny import save_tiny_lm

    directory = tmp_path_factory.mktemp("wide")
    save_tiny_lm(directory, max_position_embeddings=512)
    return load(directory)


@pytest.fixture(params=["channel", "scoring", "generation"])
def decider(request: pytest.FixtureRequest, wide: LM) -> Decider:
    made = {"channel": Channel, "scoring": lambda: Scoring(wide), "generation": lambda: Generation(wide)}
    return made[request.param]()  # type: ignore[no-any-return, operator]


def test_the_channel_alone() -> None:
    channel = Channel(threshold=-1.0)
    found = channel.decide(QUERIES, CANDIDATES)
    assert [each.text for each in found] == ["playgro", *QUERIES[1:2], NAMES[7], "zenvora", "日傘 compact"]
    assert [each.changed for each in found] == [True, False, True, False, True]
    assert [each.margin for each in found] == [-0.7, -2.5, -0.5, -math.inf, -0.5]
    assert found[0].candidates == tuple(CANDIDATES[0])
    assert channel.counts == Counts(asked=5, changed=3)
    assert not any(each.changed for each in Channel().decide(QUERIES, CANDIDATES, CONTEXTS))


@pytest.mark.parametrize("contexts", [CONTEXTS, None], ids=["names", "no names"])
def test_scores_are_weighed_sums(wide: LM, contexts: list[list[str]] | None) -> None:
    weights = Weights(channel=0.5, lm=2.0, plain=-1.5, token=0.25)
    scoring = Scoring(wide, weights=weights, plain=True, threshold=1.0)
    found = scoring.decide(QUERIES, CANDIDATES, contexts)
    scorer, prompts = Scorer(wide), Prompts(wide.tokenizer)
    overruled = 0
    assert found[3] == Correction("zenvora", False, -math.inf, tuple(CANDIDATES[3]))  # nothing to decide
    for number, (query, correction) in enumerate(zip(QUERIES, found, strict=True)):
        if number == 3:
            continue
        names = None if contexts is None else contexts[number]
        expected = {}
        for text, score, _ in CANDIDATES[number]:
            given, alone = scorer.conditional(
                [(prompts.prompt(query, each), prompts.completion(text)) for each in (names, None)]
            )
            plain = 0.0 if names is None else alone.logp
            expected[text] = 0.5 * score + 2.0 * given.logp - 1.5 * plain + 0.25 * given.n_tokens
        assert {each.text: each.score for each in correction.candidates} == pytest.approx(expected, abs=1e-3)
        assert [each.text for each in correction.candidates] == sorted(expected, key=lambda t: -expected[t])
        margin = max(score for text, score in expected.items() if text != query) - expected[query]
        assert correction.margin == pytest.approx(margin, abs=1e-3)
        assert correction.changed == (margin > 1.0)
        assert correction.text == (max(expected, key=expected.__getitem__) if correction.changed else query)
        overruled += max(expected, key=expected.__getitem__) != query  # which the channel likes best
    assert scoring.counts == Counts(5, sum(each.changed for each in found), 4, overruled)
    assert 0 < overruled < 4


def test_names_matter_and_candidates_are_cut(wide: LM) -> None:
    query, names = "playgru", [f"name {n}" for n in range(30)]
    many = weighed(query, {f"playgr{n}": 1.0 + n for n in range(30)})
    scoring = Scoring(wide, candidates=4)
    (first,) = scoring.decide([query], [many[::-1]], [names])
    assert {each.text for each in first.candidates} == {query, "playgr0", "playgr1", "playgr2", "playgr3"}
    (other,) = scoring.decide([query], [many], [names[::-1]])
    (none,) = scoring.decide([query], [many], None)
    assert len({first.margin, other.margin, none.margin}) == 3
    together = scoring.decide([query, *QUERIES], [many, *CANDIDATES], [names, *CONTEXTS])
    assert together[0].margin == pytest.approx(first.margin, abs=1e-4)


def test_fitted_weights_are_those_of_the_greatest_likelihood(wide: LM) -> None:
    golds = ["playgro", "playgro", "velora running shoes", "zenvora", "nowhere"]
    scoring = Scoring(wide, plain=True)

    def likelihood(weights: list[float], threshold: float) -> float:
        total = 0.0
        each = Scoring(wide, plain=True, weights=Weights(*weights))
        decided = each.decide(QUERIES[:4], CANDIDATES[:4], CONTEXTS[:4])
        for query, correction, gold in zip(
            QUERIES[:3], decided, golds, strict=False
        ):  # the last has no choice
            scores = {c.text: c.score for c in correction.candidates}
            scores[query] += threshold
            total += scores[gold] - np.logaddexp.reduce(list(scores.values()))
        return total / 3 - 1e-3 * (sum(w * w for w in weights) + threshold**2)

    with pytest.raises(InputError, match="golds: expected at least one that is among the candidates"):
        scoring.fit(QUERIES, CANDIDATES, CONTEXTS, ["nowhere"] * 5)
    assert scoring.fit(QUERIES, CANDIDATES, CONTEXTS, golds) == scoring.weights
    best = [scoring.weights.channel, scoring.weights.lm, scoring.weights.plain, scoring.weights.token]
    value = likelihood(best, scoring.threshold)
    assert value > likelihood([1.0, 1.0, 0.0, 0.0], 0.0)
    for change in np.random.default_rng(0).normal(scale=0.02, size=(8, 5)):
        near = [a + b for a, b in zip(best, change, strict=False)]
        assert value >= likelihood(near, scoring.threshold + change[4]) - 1e-6
    decided = scoring.decide(QUERIES, CANDIDATES, CONTEXTS)
    assert [each.text for each in decided[:4]] == golds[:4]
    with pytest.raises(InputError, match="golds: expected one for each of 5 queries, got 1"):
        scoring.fit(QUERIES, CANDIDATES, CONTEXTS, ["playgro"])


def written(generation: Generation, texts: dict[str, str | None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the model write ``texts`` by query."""

    def answers(prompts: list[str], most: list[int]) -> list[str | None]:
        return [texts[prompt.split("\n")[-3]] for prompt in prompts]

    monkeypatch.setattr(generation, "_written", answers)


def test_what_a_model_may_write(wide: LM, monkeypatch: pytest.MonkeyPatch) -> None:
    outputs = {
        "playgru": " playground ",  # a candidate, however far
        "playgro": "playgro",  # the query
        "velora runing shoes": "velora runnin shoess",  # near the query
        "zenvora": "completely different",
        "日傘compact": "",
        "playgros": None,  # without an end
        "ab": "cd",  # two edits, but nothing is left of the query
        "abc": "abd",
    }
    generation = Generation(wide)
    written(generation, outputs, monkeypatch)
    queries = [*QUERIES, "playgros", "ab", "abc"]
    found = generation.decide(queries, [*CANDIDATES, [], [], []], None)
    expected = [
        "playground",
        "playgro",
        "velora runnin shoess",
        "zenvora",
        "日傘compact",
        "playgros",
        "ab",
        "abd",
    ]
    assert [each.text for each in found] == expected
    assert [each.changed for each in found] == [a != b for a, b in zip(expected, queries, strict=True)]
    assert [each.margin for each in found] == [math.inf if each.changed else -math.inf for each in found]
    assert found[0].candidates == (CANDIDATES[0][2], *CANDIDATES[0][:2])  # what was written comes first
    assert found[2].candidates == (Candidate(expected[2], -math.inf, 3.0), *CANDIDATES[2])
    assert found[3].candidates == tuple(CANDIDATES[3])
    assert generation.counts == Counts(asked=8, changed=3, read=8, overruled=2, fallbacks=4)
    assert str(generation.counts) == (
        "8 queries, 3 changed; the language model read 8, overruled the channel for 2 (25.0%) and was not "
        "followed for 4 (50.0%)"
    )


def test_a_threshold_on_what_a_model_writes(wide: LM, monkeypatch: pytest.MonkeyPatch) -> None:
    outputs = {"playgru": "playgro", "playgro": "playground"}
    scorer, prompts = Scorer(wide), Prompts(wide.tokenizer)
    margins = []
    for (query, text), names in zip(outputs.items(), CONTEXTS, strict=False):
        pairs = [(prompts.prompt(query, names), prompts.completion(each)) for each in (text, query)]
        a, b = scorer.conditional(pairs)
        margins.append(a.logp - b.logp)
    for threshold in (-math.inf, min(margins), sum(margins) / 2, max(margins)):
        generation = Generation(wide, threshold=threshold)
        written(generation, outputs, monkeypatch)
        found = generation.decide(QUERIES[:2], CANDIDATES[:2], CONTEXTS[:2])
        assert [each.margin for each in found] == pytest.approx(margins, abs=1e-4)
        assert [each.changed for each in found] == [each.margin > threshold for each in found]


def test_a_model_that_cannot_read_a_query_is_not_asked(lm: LM) -> None:
    # 128 tokens: the instruction alone takes most of them.
    for decider in (Scoring(lm), Generation(lm)):
        queries = ["x" * 500, "", "playgru" * 10]
        found = decider.decide(queries, [weighed(query, {"playgro": 1.0}) for query in queries], None)
        assert [each.text for each in found] == queries
        assert decider.counts == Counts(asked=3)


def test_what_is_refused(decider: Decider) -> None:
    assert decider.decide([], [], []) == []
    with pytest.raises(InputError, match="candidates: expected a list for each of 2 queries, got 1"):
        decider.decide(["a", "b"], [[]], None)
    with pytest.raises(InputError, match="contexts: expected a list for each of 1 queries, got 2"):
        decider.decide(["a"], [[]], [[], []])
    with pytest.raises(InputError, match=r"candidates\[1\]: expected the query 'b' itself among them"):
        decider.decide(["a", "b"], [[], [Candidate("c", 0.0, 0.0)]], None)
    with pytest.raises(InputTypeError, match="queries: expected several strings, got one string"):
        decider.decide("a", [[]], None)
    with pytest.raises(InputError, match=r"candidates\[0\]\[1\]: expected Unicode text"):
        decider.decide(["a"], [weighed("a", {"\udfff": 1.0})], None)
    with pytest.raises(InputError, match=r"contexts\[0\]\[0\]: expected Unicode text"):
        decider.decide(["a"], [weighed("a", {})], [["\udfff"]])
    for score in (math.nan, math.inf):
        with pytest.raises(InputError, match=r"candidates\[0\]: expected finite scores"):
            decider.decide(["a"], [[Candidate("a", score, 0.0)]], None)
    assert decider.counts == Counts()


def test_arguments_of_generation(wide: LM) -> None:
    for tokens in (0, -1, True, 1.5):
        with pytest.raises(InputError, match="tokens: expected a whole number >= 1"):
            Generation(wide, tokens=tokens)  # type: ignore[arg-type]


def osa(a: str, b: str) -> int:
    """The definition, row by row."""
    rows = [[i + j if not i * j else 0 for j in range(len(b) + 1)] for i in range(len(a) + 1)]
    for i in range(1, len(a) + 1):
        for j in range(1, len(b) + 1):
            options = [rows[i - 1][j] + 1, rows[i][j - 1] + 1, rows[i - 1][j - 1] + (a[i - 1] != b[j - 1])]
            if i > 1 and j > 1 and a[i - 2 : i] == b[j - 2 : j][::-1]:
                options.append(rows[i - 2][j - 2] + 1)
            rows[i][j] = min(options)
    return rows[-1][-1]


@given(st.text("abc", max_size=8), st.text("abc", max_size=8), st.integers(0, 5))
def test_edits_are_those_of_the_definition(a: str, b: str, most: int) -> None:
    expected = osa(a, b)
    assert edits_within(a, b, most) == (expected if expected <= most else None)


def test_edits_of_code_points() -> None:
    assert edits_within("日傘", "傘日", 3) == 1
    assert edits_within("🧸a", "a", 3) == 1
    assert edits_within("x" * 10_000, "x" * 9_998, 3) == 2
    assert edits_within("", "", 0) == 0
    assert edits_within(UNKNOWN[0], NAMES[0], 3) is None
