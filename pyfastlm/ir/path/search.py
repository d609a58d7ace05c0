"""Successive halving over prompts."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pyfastlm.errors import InputError
from pyfastlm.ir.collection import Collection
from pyfastlm.ir.generation.generator import QueryGenerator
from pyfastlm.ir.generation.prompts import Prompt
from pyfastlm.ir.held_out import HeldOut
from pyfastlm.ir.measures.bootstrap import Difference, paired
from pyfastlm.ir.path.grammar import Grammar
from pyfastlm.ir.path.log import Log
from pyfastlm.ir.path.objective import Objective
from pyfastlm.ir.path.options import SearchOptions
from pyfastlm.ir.path.trials import Trial, by_query, trial_log
from pyfastlm.ir.training.options import RerankerOptions
from pyfastlm.ir.training.reranker import Reranker
from pyfastlm.lm.files.inputs import StrPath
from pyfastlm.lm.sentence_encoder import MINILM

DRAWN = 7  # prompts of the grammar beside the manual one
SEARCH, TRAINING = SearchOptions(), RerankerOptions()


@dataclass(frozen=True)
class Rung:
    """Prompts that wrote for as many documents.

    Attributes:
        documents: each wrote for.
        prompts: best first, by the mean over gold queries and seeds.
        scores: those means.
        spreads: of each prompt, the standard deviation of the gold mean over the seeds; NaN for one seed.
        differences: how much the best is above each, paired by gold query.
    """

    documents: int
    prompts: tuple[Prompt, ...]
    scores: tuple[float, ...]
    spreads: tuple[float, ...]
    differences: tuple[Difference, ...]


@dataclass(frozen=True, eq=False)
class PromptSearch:
    """What a search found.

    Attributes:
        manual: the prompt that it was given to begin with.
        best: the first of the last rung.
        rungs: from few documents to many.
        trials: all of them, as they were made.
        final: of the reranker that was trained in the end; its gold score was selected by nothing more, but
            the prompt was chosen by the same gold queries, so it is still too high.
        reranker: trained with the best prompt on ``final.documents`` documents; None where no query was left.
    """

    manual: Prompt
    best: Prompt
    rungs: tuple[Rung, ...]
    trials: tuple[Trial, ...]
    final: Trial
    reranker: Reranker | None


def optimize_prompt(
    generator: QueryGenerator,
    gold: Collection,
    corpus: Mapping[str, str],
    *,
    prompts: Sequence[Prompt] | None = None,
    options: SearchOptions = SEARCH,
    training: RerankerOptions = TRAINING,
    base: StrPath = MINILM,
    held_out: HeldOut | None = None,
    log: StrPath | None = None,
    seed: int = 0,
    progress: bool = False,
) -> PromptSearch:
    """Search for the prompt whose queries train the best reranker (PATH), and train with it.

    On each rung every prompt left writes for the same documents, a reranker is trained for each seed, and the
    score is NDCG@10 on the gold queries, meaned over seeds. The better part goes on, to twice as many
    documents, of which the first half is written for already. Nothing but the gold queries is looked at.

    Args:
        generator: writes queries. Its own prompt is the manual one, and always among the candidates. Give it
            a cache, so that nothing is written twice by later searches.
        gold: some ten queries with judgements.
        corpus: documents to write for and to take negatives from.
        prompts: candidates beside the manual one; 7 of the grammar by default.
        options: of the search.
        training, base: of the rerankers.
        held_out: what must not be trained on, as :meth:`HeldOut.of` makes it of gold and test; of the gold
            queries alone by default.
        log: a file for trials. Those that it has are not made again, so a killed search goes on.
        seed: of the documents, of what is drawn in writing, and of negatives.
        progress: show bars on standard error.

    Raises:
        InputError: there are too few documents, a prompt comes twice, or the log is something else.
        Leak: a prompt quotes what is held out.

    Source: PATH, arXiv 2406.11706; halving instead of its proposer.
    """
    held = held_out or HeldOut.of(gold)
    given = [generator.prompt, *(Grammar().draw(DRAWN, seed=seed) if prompts is None else prompts)]
    candidates = [*dict.fromkeys(given)]
    if prompts is not None and len(candidates) < len(given):
        raise InputError("prompts: expected each prompt once, and not the generator's own")
    for prompt in candidates:
        held.check_prompt(prompt)
    objective = Objective(
        generator,
        gold,
        corpus,
        held_out=held,
        training=training,
        base=base,
        negatives=options.negatives,
        depth=options.depth,
        seed=seed,
    )
    most = max(options.final, options.documents_of(options.rungs - 1))
    if most > len(objective.sample):
        raise InputError(
            f"options: expected at most {len(objective.sample)} documents, which are not held out, got {most}"
        )
    rungs, trials = halved(objective, candidates, options, trial_log(log), progress=progress)
    best = rungs[-1].prompts[0]
    final, trained = objective.trial(best, options.final, options.seeds[0], progress=progress)
    reranker = None if trained is None else trained.reranker
    return PromptSearch(generator.prompt, best, rungs, trials, final, reranker)


def halved(
    objective: Objective,
    prompts: Sequence[Prompt],
    options: SearchOptions,
    log: Log[Trial],
    *,
    progress: bool = False,
) -> tuple[tuple[Rung, ...], tuple[Trial, ...]]:
    """The rungs of a search, and its trials as they were made or found in the log."""
    candidates = list(prompts)
    trials: list[Trial] = []
    rungs: list[Rung] = []
    for number in range(options.rungs):
        documents = options.documents_of(number)
        found = {}
        for prompt in candidates:
            found[prompt] = [_trial(objective, log, prompt, documents, s, progress) for s in options.seeds]
            trials += found[prompt]
        rungs.append(_rung(documents, found))
        candidates = list(rungs[-1].prompts[: math.ceil(options.keep * len(candidates))])
    return tuple(rungs), tuple(trials)


def _trial(
    objective: Objective, kept: Log[Trial], prompt: Prompt, documents: int, seed: int, progress: bool
) -> Trial:
    key = objective.key(prompt, documents, seed)
    trial = kept.get(key)
    if trial is None:
        trial, _ = objective.trial(prompt, documents, seed, progress=progress)
        kept.put(key, trial)
    return trial


def _rung(documents: int, found: Mapping[Prompt, list[Trial]]) -> Rung:
    """Prompts in their order; of equals the one that came first."""
    values = {prompt: by_query(trials) for prompt, trials in found.items()}
    order = sorted(found, key=lambda prompt: -float(values[prompt].mean()))
    return Rung(
        documents,
        tuple(order),
        tuple(float(values[prompt].mean()) for prompt in order),
        tuple(_spread([trial.gold_ndcg for trial in found[prompt]]) for prompt in order),
        tuple(paired(values[order[0]], values[prompt]) for prompt in order),
    )


def _spread(scores: Sequence[float]) -> float:
    return float(np.std(scores, ddof=1)) if len(scores) > 1 else math.nan
