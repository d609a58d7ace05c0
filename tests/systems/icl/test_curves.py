"""Curves of a model, against each example scored on its own after those before it."""

from pathlib import Path

import numpy as np
import pytest

from pyfastlm.errors import InputError
from pyfastlm.icl import Example, Task, icl_curve, read_task
from pyfastlm.lm import LM, Scorer, load

EXAMPLES = tuple(Example(f"{n}{n + 1}", ("old", "new", "big")[n % 3]) for n in range(12))
LABELLED = Task("kinds", EXAMPLES, labels=("big", "new", "old"), question="{input}:", separator="\n")
FREE = Task("kinds", EXAMPLES, question="{input}:", separator="\n", instruction="Say it.\n")


@pytest.fixture(scope="module")
def lm(tiny_lm_dir: Path) -> LM:
    return load(tiny_lm_dir)


def prompts_of(task: Task, shots: int, permutations: int, seed: int) -> list[list[Example]]:
    rng = np.random.default_rng(seed)
    return [
        [task.examples[p] for p in rng.permutation(len(task.examples))[:shots]] for _ in range(permutations)
    ]


@pytest.mark.parametrize("task", [LABELLED, FREE], ids=["labels", "free"])
def test_a_curve_is_each_example_scored_after_those_before(lm: LM, task: Task) -> None:
    scorer = Scorer(lm)
    found = icl_curve(scorer, task, shots=6, permutations=3, seed=4)
    expected = np.empty((3, 6))
    for row, examples in enumerate(prompts_of(task, 6, 3, seed=4)):
        context = task.instruction
        for place, example in enumerate(examples):
            context += f"{example.input}:"
            (score,) = scorer.conditional([(context, f" {example.output}")])
            expected[row, place] = np.exp(score.logp)
            context += f" {example.output}\n"
    np.testing.assert_allclose(found.p, expected, rtol=1e-4)
    np.testing.assert_allclose(found.nll, -np.log(expected.mean(axis=0)), rtol=1e-4)
    np.testing.assert_allclose(found.mean_nll, -np.log(expected).mean(axis=0), rtol=1e-4)
    assert (found.mean_nll >= found.nll).all()
    assert found.shots.tolist() == [1, 2, 3, 4, 5, 6]
    assert (found.accuracy is None) == (task is FREE)


def test_shares_and_accuracy_are_over_labels(lm: LM) -> None:
    scorer = Scorer(lm)
    found = icl_curve(scorer, LABELLED, shots=3, permutations=2, seed=1)
    for row, examples in enumerate(prompts_of(LABELLED, 3, 2, seed=1)):
        context = "".join(f"{e.input}: {e.output}\n" for e in examples[:2]) + f"{examples[2].input}:"
        p = np.exp(
            [score.logp for score in scorer.conditional([(context, f" {x}") for x in LABELLED.labels])]
        )
        own = LABELLED.labels.index(examples[2].output)
        assert found.shares[row, 2] == pytest.approx(p[own] / p.sum(), rel=1e-4)
        assert found.right[row, 2] == (p.argmax() == own)


def test_shuffled_labels_keep_questions_and_answers_but_not_pairs(lm: LM) -> None:
    seen: list[str] = []
    scorer = Scorer(lm)
    kept = scorer.conditional
    scorer.conditional = lambda pairs: (seen.append("".join(pairs[-1])), kept(pairs))[1]  # type: ignore[method-assign, assignment]
    icl_curve(scorer, FREE, shots=12, permutations=1, shuffled_labels=True, seed=2)
    pairs = [tuple(line.split(": ")) for line in seen[0].removeprefix("Say it.\n").split("\n")]
    assert sorted(question for question, _ in pairs) == sorted(example.input for example in EXAMPLES)
    assert sorted(answer for _, answer in pairs) == sorted(example.output for example in EXAMPLES)
    assert set(pairs) != {tuple(example) for example in EXAMPLES}


def test_files_are_read_and_labels_are_seen(tmp_path: Path) -> None:
    path = tmp_path / "colours.jsonl"
    path.write_text("".join(f'{{"input": "thing {n}", "output": {n % 2}}}\n\n' for n in range(8)))
    task = read_task(path)
    assert (task.name, task.labels, task.examples[3]) == ("colours", ("0", "1"), Example("thing 3", "1"))
    assert read_task(path, labels=False).labels == ()
    path.write_text("".join(f'{{"q": "{n}", "a": "x{n}"}}\n' for n in range(8)))
    assert read_task(path, input_key="q", output_key="a").labels == ()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "path: expected examples in .*, got none"),
        (b'{"input": "a", "output": "b"}\n[1]\n', r"x\.jsonl:2: expected a JSON object, got '\[1\]"),
        (b"{", r"x\.jsonl:1: expected a JSON object, got '{'"),
        (b'{"input": "a"}', r"x\.jsonl:1: expected a text in 'output', got None"),
        (b'{"input": "a", "output": true}', r"expected a text in 'output', got True"),
        (b'{"input": "  ", "output": "b"}', r"expected a text in 'input', got '  '"),
        (b"\xff\xfe", r"path: .*x\.jsonl' is not UTF-8"),
        (b"[" * 100_000, r"x\.jsonl:1: expected a JSON object"),
    ],
)
def test_hostile_files_are_named(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(content)
    with pytest.raises(InputError, match=said):
        read_task(path)


def test_what_is_wrong_is_named(lm: LM) -> None:
    with pytest.raises(InputError, match="shots: expected at most the 12 examples of kinds, got 13"):
        icl_curve(lm, FREE, shots=13)
    with pytest.raises(InputError, match="shots, permutations: expected at least 1, got 0 and 20"):
        icl_curve(lm, FREE, shots=0)
    long = Task("long", tuple(Example(f"{n} " * 20, "x") for n in range(9)))
    with pytest.raises(InputError, match=r"shots: a prompt of 9 has \d+ tokens, and the model reads 128"):
        icl_curve(lm, long, shots=9)
    for wrong, said in (
        ({"examples": ()}, "examples: expected at least one"),
        ({"examples": (Example("a", " "),)}, r"examples\[0\]: expected a question and an answer"),
        ({"labels": ("red",)}, r"examples\[0\]: expected one of the labels, got 'old'"),
        ({"labels": ("old", "new", "big", "old")}, "labels: expected different ones"),
        ({"question": "what?"}, r"question: expected \{input\} in it"),
    ):
        with pytest.raises(InputError, match=said):
            Task(**({"name": "t", "examples": EXAMPLES} | wrong))
