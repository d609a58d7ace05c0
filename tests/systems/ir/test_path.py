"""The search over prompts: halving, what is written once, what it must not see, and that it goes on."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from preferences import small_lm
from scripted_queries import BAD, CORPUS, GOLD, GOOD, scripted

from pyfastlm.errors import InputError
from pyfastlm.ir import (
    Grammar,
    HeldOut,
    Leak,
    Prompt,
    PromptSearch,
    QueryGenerator,
    Reranker,
    RerankerOptions,
    SearchOptions,
    optimize_prompt,
)
from pyfastlm.ir.path import SLOTS, Objective, Trial, trial_log

SMALL = SearchOptions(documents=4, rungs=2, seeds=(0, 1), negatives=3)


def search(tiny_encoder: Path, manual: Prompt = BAD, **options: Any) -> PromptSearch:
    defaults: dict[str, Any] = {
        "prompts": [GOOD],
        "options": SMALL,
        "base": tiny_encoder,
        "training": RerankerOptions(epochs=2, learning_rate=3e-3, max_length=24),
    }
    writer = QueryGenerator(small_lm(max_position_embeddings=256), manual, cache=options.pop("cache", None))
    return optimize_prompt(writer, GOLD, CORPUS, **(defaults | options))


def test_a_search_writes_trains_and_scores(tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scripted(monkeypatch)
    found = search(tiny_encoder)
    assert (found.manual, found.best) == (BAD, GOOD)
    first, last = found.rungs
    assert (first.documents, last.documents) == (4, 8)
    assert ({*first.prompts}, last.prompts) == ({GOOD, BAD}, (GOOD,))
    bad = [trial for trial in found.trials if trial.prompt == BAD]
    assert [trial.gold_ndcg for trial in bad] == [0.0, 0.0]  # it writes nothing
    assert all(trial.examples == trial.documents for trial in found.trials if trial.prompt == GOOD)
    assert len(found.trials) == 4 + 2
    assert found.final.documents == 8
    assert isinstance(found.reranker, Reranker)
    again = search(tiny_encoder)
    assert [t.per_query for t in again.trials] == [t.per_query for t in found.trials]
    assert again.final.per_query == found.final.per_query


def test_what_a_rung_wrote_is_not_written_again(
    tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = scripted(monkeypatch)
    search(tiny_encoder, cache=tmp_path / "cache")
    assert asked == [4, 4, 4]  # two prompts, then the second half for one of them
    search(tiny_encoder, cache=tmp_path / "cache")
    assert len(asked) == 3


def test_a_killed_search_goes_on(tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scripted(monkeypatch)
    log = tmp_path / "log.jsonl"
    whole = search(tiny_encoder, log=log)
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(lines[:3]) + lines[3][:20])
    made: list[Any] = []
    plain = Objective.trial

    def trial(self: Objective, *args: Any, **options: Any) -> Any:
        made.append(args)
        return plain(self, *args, **options)

    monkeypatch.setattr(Objective, "trial", trial)
    again = search(tiny_encoder, log=log)
    assert len(made) == len(lines) - 3 + 1  # the last training is always made
    assert [t.per_query for t in again.trials] == [t.per_query for t in whole.trials]
    assert again.rungs == whole.rungs
    assert len(log.read_bytes().splitlines()) == len(lines)
    other = SearchOptions(documents=4, rungs=1, seeds=(0, 1), negatives=2)
    made.clear()
    search(tiny_encoder, log=log, options=other)
    assert len(made) == 4 + 1  # with other negatives they are other trials


def faked(monkeypatch: pytest.MonkeyPatch, quality: dict[Prompt, float], noise: float = 0.0) -> list[Any]:
    """Trials without training, whose scores are known."""
    made: list[Any] = []

    def trial(self: Objective, prompt: Prompt, documents: int, seed: int, **_: Any) -> tuple[Trial, None]:
        made.append((prompt, documents, seed))
        rng = np.random.default_rng([len(prompt.instruction), documents, seed])
        per_query = tuple((quality[prompt] + noise * rng.normal(size=2)).tolist())
        return Trial(prompt, documents, seed, per_query, documents, 1.0, 0.0, 0.0, 0.0), None

    monkeypatch.setattr(Objective, "trial", trial)
    return made


def test_halving(tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prompts = [Prompt("p" * n) for n in range(1, 8)]
    quality = {prompt: n / 10 for n, prompt in enumerate(prompts)} | {BAD: 0.05}
    made = faked(monkeypatch, quality)
    options = SearchOptions(documents=2, rungs=3, seeds=(0, 5), final_documents=10)
    found = search(tiny_encoder, prompts=prompts, options=options)
    assert [len(rung.prompts) for rung in found.rungs] == [8, 4, 2]
    assert [rung.documents for rung in found.rungs] == [2, 4, 8]
    assert found.rungs[0].prompts == (*prompts[:0:-1], BAD, prompts[0])
    assert found.best == prompts[-1]
    assert made[-1] == (prompts[-1], 10, 0)
    assert len(made) == 2 * (8 + 4 + 2) + 1
    assert found.rungs[0].scores == pytest.approx([0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05, 0.0])
    assert [difference.mean for difference in found.rungs[-1].differences] == pytest.approx([0.0, 0.1])
    assert found.rungs[0].spreads == pytest.approx([0.0] * 8)


def test_more_seeds_choose_better_under_noise(tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prompts = [Prompt("p" * n) for n in range(1, 8)]
    quality = {prompt: n / 50 for n, prompt in enumerate(prompts)} | {BAD: 0.0}
    faked(monkeypatch, quality, noise=0.2)
    mean = {}
    for seeds in (1, 16):
        chosen = [
            search(
                tiny_encoder, prompts=prompts,
                options=SearchOptions(documents=4, rungs=1, seeds=tuple(range(at, at + seeds))),
            ).best
            for at in range(0, 320, 16)
        ]  # fmt: skip
        mean[seeds] = np.mean([quality[prompt] for prompt in chosen])
    assert mean[16] > mean[1]


def test_nothing_of_gold_is_written_for_or_trained_on(
    tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted(monkeypatch)
    held = HeldOut.of(GOLD)
    writer = QueryGenerator(small_lm(), GOOD)
    objective = Objective(
        writer, GOLD, CORPUS, held_out=held, training=RerankerOptions(), base=tiny_encoder, negatives=5,
        depth=None, seed=0,
    )  # fmt: skip
    pools = {name for judged in GOLD.qrel.values() for name in judged}
    assert len(pools) == 6
    assert objective.sample.keys() == CORPUS.keys() - pools
    _, mined = objective.examples(GOOD, len(objective.sample))
    assert len(mined.examples) > 10
    assert not {name for example in mined.examples for name in example.documents} & pools
    # The same without the guard does meet them, so the guard is what keeps them out.
    nothing = HeldOut(frozenset(), frozenset(), frozenset())
    loose = Objective(
        writer, GOLD, CORPUS, held_out=nothing, training=RerankerOptions(), base=tiny_encoder, negatives=5,
        depth=None, seed=0,
    )  # fmt: skip
    _, mined = loose.examples(GOOD, len(loose.sample))
    assert {name for example in mined.examples for name in example.documents} & pools


def test_prompts_that_quote_gold_are_refused(tiny_encoder: Path) -> None:
    bad = Prompt("Write a query such as: find the SMALL crab, please!")
    for manual, others in ((bad, [GOOD]), (GOOD, [bad])):
        with pytest.raises(Leak, match="prompt: it quotes a held-out query or document: 'find the small"):
            search(tiny_encoder, manual, prompts=others)


def test_bad_searches(tiny_encoder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="options: expected at most 26 documents, which are not held"):
        search(tiny_encoder, options=SearchOptions(documents=20, rungs=2))
    with pytest.raises(InputError, match="prompts: expected each prompt once"):
        search(tiny_encoder, prompts=[GOOD, GOOD])
    with pytest.raises(InputError, match="prompts: expected each prompt once"):
        search(tiny_encoder, prompts=[BAD])
    (tmp_path / "log").write_text('{"key": "x"}\n')
    with pytest.raises(InputError, match=r"log: .*, line 1: no result"):
        search(tiny_encoder, log=tmp_path / "log")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("documents", 0), ("rungs", 0), ("negatives", 0), ("depth", 0), ("final_documents", 0),
        ("keep", 0.0), ("seeds", ()), ("seeds", (1, 1)),
    ],
)  # fmt: skip
def test_bad_options(option: str, value: Any) -> None:
    with pytest.raises(InputError, match=f"{option}: expected"):
        SearchOptions(**{option: value})


def test_trials_come_back(tmp_path: Path) -> None:
    prompt = Prompt("Write it.", "Word:")
    trial = Trial(prompt, 8, 3, (0.1 + 0.2, 1.0), 7, 0.875, 0.25, 0.5, 1.5)
    trial_log(tmp_path / "log").put("key", trial)
    assert trial_log(tmp_path / "log").get("key") == trial
    assert trial_log(tmp_path / "log").get("other") is None
    memory = trial_log(None)
    memory.put("key", trial)
    assert memory.get("key") == trial


def test_the_grammar_has_different_prompts() -> None:
    grammar = Grammar("Documents are about boats.")
    every = [grammar.prompt(number) for number in range(len(grammar))]
    assert len(set(every)) == len(grammar) == 4 * 3 * 3 * 4 * 3
    assert all(prompt.instruction.startswith("Documents are about boats. Write ") for prompt in every)
    assert {prompt.cue for prompt in every} == {*SLOTS["cue"]}
    assert grammar.draw(5, seed=1) == grammar.draw(5, seed=1) != grammar.draw(5, seed=2)
    assert len({*grammar.draw(len(grammar))}) == len(grammar)
    for bad in (0, len(grammar) + 1):
        with pytest.raises(InputError, match="count: expected 1 to 432 prompts"):
            grammar.draw(bad)
    with pytest.raises(InputError, match="number: expected 0 to 431"):
        grammar.prompt(432)
    with pytest.raises(InputError, match="slots: expected options for each of form"):
        Grammar(slots={**SLOTS, "cue": ()})
    with pytest.raises(InputError, match="slots: expected options for each of form"):
        Grammar(slots={"form": ["a"]})
