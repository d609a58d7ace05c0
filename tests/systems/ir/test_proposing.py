"""Prompts that a language model proposes, by stock DSPy, scored as PATH scores them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from preferences import small_lm
from scripted_queries import BAD, CORPUS, GOLD, GOOD, scripted

from pyfastlm.ir import HeldOut, Prompt, QueryGenerator, RerankerOptions
from pyfastlm.ir.path import Objective, PromptScores, prompt_program

dspy = pytest.importorskip("dspy")
LEAK = "Write a query such as: find the SMALL crab, please!"


def objective(tiny_encoder: Path) -> Objective:
    return Objective(
        QueryGenerator(small_lm(max_position_embeddings=256), BAD), GOLD, CORPUS, held_out=HeldOut.of(GOLD),
        training=RerankerOptions(epochs=2, learning_rate=3e-3, max_length=24), base=tiny_encoder,
        negatives=3, depth=None, seed=0,
    )  # fmt: skip


def proposing(*instructions: str) -> Any:
    answers = [
        {"proposed_instruction": each, "proposed_prefix_for_output_field": "Query:"} for each in instructions
    ]
    return dspy.utils.DummyLM(answers)


def test_copro_finds_the_better_prompt(tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scripted(monkeypatch)
    scores = PromptScores(objective(tiny_encoder), documents=8)
    program = prompt_program(scores, BAD)
    assert program.prompt == BAD
    optimizer = dspy.COPRO(
        prompt_model=proposing(GOOD.instruction, LEAK, "", ""), metric=program.metric, breadth=2, depth=2
    )
    found = optimizer.compile(program, trainset=program.rows, eval_kwargs={"num_threads": 1})
    assert found.prompt == GOOD
    assert found.scores is scores
    assert (LEAK, "Query:") in scores.refused
    ndcg = objective(tiny_encoder)
    by_hand = [ndcg.trial(GOOD, 8, seed)[0].per_query for seed in (0, 1)]
    assert [*scores.of(GOOD.instruction, GOOD.cue).values()] == np.mean(by_hand, axis=0).tolist()
    best = found.candidate_programs[0]["score"]
    assert best == pytest.approx(100 * np.mean(by_hand), abs=0.01)


def test_scores_are_kept(tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = scripted(monkeypatch)
    first = PromptScores(objective(tiny_encoder), documents=4, seeds=(0,), log=tmp_path / "log")
    values = first.of("Be good.", "Query:")
    assert [*values] == [*GOLD.query]
    assert asked == [4]
    again = PromptScores(objective(tiny_encoder), documents=4, seeds=(0,), log=tmp_path / "log")
    assert again.of("Be good.", "Query:") == values
    assert asked == [4]


def test_what_quotes_gold_or_says_nothing_counts_nothing(tiny_encoder: Path) -> None:
    scores = PromptScores(objective(tiny_encoder), documents=4)
    for instruction in (LEAK, " "):
        assert {*scores.of(instruction, "Query:").values()} == {0.0}
        scores.of(instruction, "Query:")
    assert scores.refused == [(LEAK, "Query:"), (" ", "Query:")]
    assert prompt_program(scores, Prompt("Say it.", "It:")).prompt == Prompt("Say it.", "It:")
