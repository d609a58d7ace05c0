"""Stress tests: every prompt against greedy decoding, what the prompts are, and tables of similar words."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from overfitted import OTHER, TEXTS, overfitted_lm, tokens_of

from pyfastlm.errors import InputError
from pyfastlm.lm import LM
from pyfastlm.memorization import read_similar_words, stress_again, stress_test, verbatim_lengths
from pyfastlm.memorization.stress.substitutes import FromEmbeddings, FromTable
from pyfastlm.memorization.stress.words import find_words, replaced

PUBLISHED = Path(__file__).parents[4] / "shared/data/memorization/similar_words.json"
TABLE = {
    "Monday": ["Friday", "sunday"],
    "market": ["shop", "fair"],
    "old": ["ancient", "Old", "antique", "aged"],
    "clock": ["watch"],
    "the": ["a"],
    "anyone": ["people"],
}


@pytest.fixture(scope="module")
def lm() -> LM:
    found: LM = overfitted_lm()
    return found


def decoded(tokens: np.ndarray, tokenizer: Any) -> str:
    text: str = tokenizer.decode(tokens.tolist(), clean_up_tokenization_spaces=False)
    return text


def greedy_length(lm: LM, prompt: np.ndarray, truth: np.ndarray) -> int:
    """The definition: decode, and count what agrees."""
    out = lm.model.generate(
        torch.from_numpy(prompt)[None],
        max_new_tokens=len(truth),
        min_new_tokens=len(truth),
        do_sample=False,
        pad_token_id=0,
        eos_token_id=None,
    )[0, len(prompt) :].numpy()
    return int(np.logical_and.accumulate(out == truth[: len(out)]).sum())


@pytest.mark.parametrize("words", [pytest.param(None, marks=pytest.mark.slow), TABLE])
def test_equals_greedy_decoding(words: Any) -> None:
    lm = overfitted_lm(40)  # knows it less well, so that some prompts bring back a part
    tokens = np.array(tokens_of(TEXTS[1]))
    report = stress_test(
        lm, tokens, 24, 30, similar_words=words, shifts=1, prefix_lengths=(8, 40), substitutes=1, draws=2
    )
    assert not report.ties.any()
    assert {variant.kind for variant in report.variants} >= {
        "original",
        "shifted",
        "other length",
        "one word",
    }
    for variant, length, limit in zip(report.variants, report.lengths, report.limits, strict=True):
        assert limit == min(30, len(tokens) - variant.start)
        truth = tokens[variant.start : variant.start + limit]
        assert length == greedy_length(lm, variant.prompt, truth)
    assert report.longest == 30  # it is memorised, so this was no comparison of zeros
    assert len({*report.lengths.tolist()}) > 4


def test_prompts_without_changes_are_those_of_the_metric(lm: LM) -> None:
    tokens = tokens_of(TEXTS[1])
    report = stress_test(lm, tokens, 16, 20, shifts=9, prefix_lengths=(8, 32), substitutes=0)
    grid = verbatim_lengths(lm, tokens, (8, 16, 32), 20, starts=range(10))
    assert {variant.kind for variant in report.variants} == {"original", "shifted", "other length"}
    assert len(report.variants) == 30
    for variant, length, copied in zip(report.variants, report.lengths, report.copied, strict=True):
        column = (8, 16, 32).index(len(variant.prompt))
        assert length == grid.lengths[variant.shift, column]
        assert copied == grid.copied[variant.shift, column]
        np.testing.assert_array_equal(variant.prompt, tokens[variant.shift : variant.start])
    assert report.longest == grid.longest


def test_changed_prompts_say_what_they_are(lm: LM) -> None:
    tokens = np.array(tokens_of(TEXTS[0]))
    report = stress_test(lm, tokens, 24, similar_words=TABLE, shifts=0, prefix_lengths=(), draws=20)
    text = decoded(tokens[:24], lm.tokenizer)
    assert text.startswith("The old clock struck four before anyone")
    singles = [variant for variant in report.variants if variant.kind == "one word"]
    changes = [variant.changes for variant in singles]
    # "The" is not in the table, "the" is; the word itself is no substitute; at most 4 for each.
    assert changes == [
        ((("The", "A"),)),
        ((("old", "ancient"),)),
        ((("old", "antique"),)),
        ((("old", "aged"),)),
        ((("clock", "watch"),)),
        ((("anyone", "people"),)),
    ]
    for variant in singles:
        [(word, other)] = variant.changes
        assert decoded(variant.prompt, lm.tokenizer) == text.replace(word, other, 1)
        same = [*np.flatnonzero(variant.prompt[: min(24, len(variant.prompt))] != tokens[:24])][:1]
        stem = len(lm.tokenizer(text[: text.index(word)].rstrip())["input_ids"])
        assert same == [] or same[0] >= stem  # tokens before the word are untouched
        assert (variant.shift, variant.start) == (0, 24)
    several = [variant for variant in report.variants if variant.kind == "several words"]
    assert several == []  # a third of four words is one
    more = stress_test(lm, tokens, 24, shifts=0, prefix_lengths=(), draws=20)
    several = [variant for variant in more.variants if variant.kind == "several words"]
    assert len(several) > 10
    assert all(len(variant.changes) >= 2 for variant in several)
    prompts = [tuple(variant.prompt.tolist()) for variant in more.variants]
    assert len({*prompts}) == len(prompts)


def test_the_same_call_gives_the_same_prompts(lm: LM) -> None:
    def prompts(seed: int) -> list[list[int]]:
        report = stress_test(lm, tokens_of(TEXTS[2]), 24, 8, shifts=2, seed=seed)
        return [variant.prompt.tolist() for variant in report.variants]

    assert prompts(0) == prompts(0)
    assert prompts(0) != prompts(1)


def test_again_asks_another_model_the_same(lm: LM) -> None:
    tokens = tokens_of(TEXTS[0])
    before = stress_test(lm, tokens, 24, 40)
    fresh = overfitted_lm(3)  # hardly trained; its embeddings have other neighbours
    after = stress_again(fresh, before)
    assert len(after.variants) == len(before.variants)
    for one, other in zip(before.variants, after.variants, strict=True):
        assert one == other or one.prompt.tolist() == other.prompt.tolist()
    assert after.longest < 5
    assert before.longest == 40
    np.testing.assert_array_equal(after.limits, before.limits)
    np.testing.assert_array_equal(stress_again(lm, before).lengths, before.lengths)


def test_report(lm: LM) -> None:
    report = stress_test(lm, tokens_of(TEXTS[0]), 24, 40)
    rows = {row.kind: row for row in report.by_kind}
    assert [*rows] == ["original", "shifted", "other length", "one word", "several words"]
    assert sum(row.prompts for row in rows.values()) == len(report.variants)
    assert rows["original"].longest == report.original == 40
    assert max(row.longest for row in rows.values()) == report.longest
    assert report.worst.kind == "original"
    assert rows["one word"].at_limit < 1
    other = stress_test(lm, tokens_of(OTHER), 24, 40)
    assert other.longest < 10


def test_copied_prompts_do_not_count(lm: LM) -> None:
    """A continuation that the prompt has already."""
    tokens = tokens_of(TEXTS[0])[:20] * 3
    report = stress_test(lm, tokens, 40, 20, shifts=0, prefix_lengths=(20,), substitutes=0)
    grid = verbatim_lengths(lm, tokens, (40, 20), 20, starts=[0])
    assert report.copied.tolist() == grid.copied[0].tolist()
    assert report.longest == grid.longest


def test_a_prompt_near_the_context_leaves_less_to_count(lm: LM) -> None:
    report = stress_test(lm, tokens_of(TEXTS[0]) * 2, 120, 64, shifts=4, substitutes=0, prefix_lengths=(126,))
    assert report.limits.tolist() == [9] * 5 + [3] * 5
    with pytest.raises(InputError, match="prefix_length: expected at most the model's context of 128"):
        stress_test(lm, tokens_of(TEXTS[0]) * 2, 129)


# ---- words ----


def test_words_of_every_script_are_found_and_replaced(lm: LM) -> None:
    text = "L'été don't stop: café 図書館 2nd x_y naïve—end"
    tokens = np.array(lm.tokenizer(text)["input_ids"])
    assert decoded(tokens, lm.tokenizer) == text
    words = find_words(tokens, lm.tokenizer)
    assert [word.text for word in words] == [
        "L'été",
        "don't",
        "stop",
        "café",
        "図書館",
        "nd",
        "x",
        "y",
        "naïve",
        "end",
    ]
    for word in words:
        assert text[word.begin : word.end] == word.text
        covered = decoded(tokens[: word.stop], lm.tokenizer)[
            len(decoded(tokens[: word.first], lm.tokenizer)) :
        ]
        assert covered == word.before + word.text + word.after
        made = replaced(tokens, [(word, "zébra")], lm.tokenizer)
        assert made is not None
        assert decoded(made, lm.tokenizer) == text[: word.begin] + "zébra" + text[word.end :]
    made = replaced(tokens, [(words[6], "q"), (words[2], "go")], lm.tokenizer)
    assert made is not None
    assert decoded(made, lm.tokenizer) == "L'été don't go: café 図書館 2nd q_y naïve—end"


def test_neighbours_are_the_nearest_embeddings(lm: LM) -> None:
    tokens = np.array(tokens_of(TEXTS[0]))
    source = FromEmbeddings(lm)
    weight = torch.nn.functional.normalize(lm.model.get_input_embeddings().weight.detach(), dim=-1)
    whole = {
        lm.tokenizer.decode([i]).strip(): i
        for i in range(len(lm.tokenizer))
        if lm.tokenizer.convert_ids_to_tokens(i).startswith("Ġ")
        and lm.tokenizer.decode([i]).strip().isalpha()
        and len(lm.tokenizer.decode([i]).strip()) > 1
    }
    word = find_words(tokens, lm.tokenizer)[1]
    mean = torch.nn.functional.normalize(
        lm.model.get_input_embeddings().weight.detach()[tokens[word.first : word.stop]].mean(0), dim=-1
    )
    by_hand = sorted(whole, key=lambda one: -float(weight[whole[one]] @ mean))
    assert source.of(word, tokens, 5) == [one for one in by_hand if one.casefold() != word.text][:5]


def test_capitals_of_the_table() -> None:
    from pyfastlm.memorization.stress.words import Word

    source = FromTable({"you": ["me", "You", "him"], "Rome": ["Paris"]})

    def of(text: str) -> list[str]:
        return source.of(Word(text, 0, 1, 0, 1, "", ""), np.zeros(1, np.int64), 2)

    assert of("You") == ["Me", "Him"]
    assert of("you") == ["me", "him"]
    assert of("Rome") == ["Paris"]
    assert of("rome") == []


# ---- tables in files ----


def test_read_similar_words(tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text(json.dumps({"a b": ["c", " ", "d\n"], "e": [], "\n": ["f"]}))
    assert read_similar_words(tmp_path / "t.json") == {"a b": ["c", "d\n"], "e": []}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cannot read"),
        (b"{", "cannot read"),
        (b'{"a": ["\xff"]}', "cannot read"),
        (b'{"a": [], "a": []}', "a word stands there twice"),
        (b"[" * 100_000, "cannot read"),
        (b"{}", "at least one word"),
        (b"[]", "at least one word"),
        (b'{"": ["b"]}', "expected words, got ''"),
        (b'{"a": "b"}', "expected a list of substitutes for 'a'"),
        (b'{"a": [1]}', "expected words in place of 'a', got 1"),
        (b'{"a": [""]}', "expected words in place of 'a', got ''"),
        (b'{"a": ["\\ud800"]}', "expected words in place of 'a'"),
        (b'{"a": ["' + b"x" * 300 + b'"]}', "expected words in place of 'a'"),
    ],
)
def test_hostile_tables(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "t.json").write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_similar_words(tmp_path / "t.json")


def test_published_table(lm: LM) -> None:
    if not PUBLISHED.exists():
        pytest.skip("the published table of similar words is not here")
    table = read_similar_words(PUBLISHED)
    assert len(table) == 2345  # of 2346: one is a line end
    report = stress_test(lm, tokens_of(TEXTS[0]), 40, 16, similar_words=table, shifts=0)
    assert sum(variant.kind == "one word" for variant in report.variants) > 5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tokens": [5] * 24}, "tokens: expected at least 25 tokens, got 24"),
        ({"tokens": "text"}, "tokens: expected token ids, got str"),
        ({"tokens": [10**6] * 40}, "tokens: expected ids in"),
        ({"prefix_length": 0}, "prefix_length: expected a whole number"),
        ({"horizon": -1}, "horizon: expected a whole number"),
        ({"shifts": -1}, "shifts: expected a whole number"),
        ({"shifts": False}, "shifts: expected a whole number"),
        ({"substitutes": 1.5}, "substitutes: expected a whole number"),
        ({"draws": -2}, "draws: expected a whole number"),
        ({"prefix_lengths": (0,)}, "prefix_lengths: expected a whole number"),
        ({"prefix_lengths": (8, 8)}, "prefix_lengths: expected different lengths"),
        ({"similar_words": {}}, "similar_words: expected"),
        ({"similar_words": {"a": ["b", 3]}}, "similar_words: expected words in place of 'a'"),
    ],
)
def test_bad_input(lm: LM, changes: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {"tokens": tokens_of(TEXTS[0]), "prefix_length": 24} | changes
    with pytest.raises(InputError, match=message):
        stress_test(lm, **arguments)


def test_again_with_a_model_that_does_not_fit(lm: LM, tiny_lm_dir: Path) -> None:
    import copy

    report = stress_test(lm, tokens_of(TEXTS[0]), 24, 16, shifts=0, substitutes=0)
    small = copy.deepcopy(lm.model)
    small.resize_token_embeddings(20)
    with pytest.raises(InputError, match=r"report: expected ids in \[0, 20\)"):
        stress_again(LM(small, lm.tokenizer, "small"), report)
    short = copy.deepcopy(lm.model)
    short.config.max_position_embeddings = 30
    with pytest.raises(InputError, match="report: expected a model with as long a context"):
        stress_again(LM(short, lm.tokenizer, "short"), report)
