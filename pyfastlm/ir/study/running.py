"""A whole study: prompts and controls on gold and test, and the search that PATH would have made."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from pyfastlm.errors import InputError
from pyfastlm.ir.collection import Collection
from pyfastlm.ir.generation.controls import NO_MODEL
from pyfastlm.ir.generation.generator import QueryGenerator
from pyfastlm.ir.generation.prompts import Prompt
from pyfastlm.ir.held_out import HeldOut
from pyfastlm.ir.path.log import Log
from pyfastlm.ir.path.objective import Objective
from pyfastlm.ir.path.options import SearchOptions
from pyfastlm.ir.path.search import SEARCH, TRAINING, halved
from pyfastlm.ir.path.trials import trial_log
from pyfastlm.ir.study.budget import Budget, budget
from pyfastlm.ir.study.files import write_study
from pyfastlm.ir.study.measuring import Bench, lines
from pyfastlm.ir.study.records import (
    FIRST_SENTENCE,
    RANDOM_START,
    Measured,
    RungScores,
    Study,
    Written,
)
from pyfastlm.ir.study.seconds import Seconds, Stopwatch, total
from pyfastlm.ir.training.options import RerankerOptions
from pyfastlm.lm.files.inputs import StrPath
from pyfastlm.lm.sentence_encoder import MINILM, SentenceEncoder

SHOWN = 4  # documents whose queries a study keeps


def run_study(
    generator: QueryGenerator,
    gold: Collection,
    test: Collection,
    *,
    prompts: Sequence[Prompt],
    directory: StrPath,
    options: SearchOptions = SEARCH,
    training: RerankerOptions = TRAINING,
    base: StrPath = MINILM,
    depth: int | None = None,
    seed: int = 0,
    announce: Callable[[Budget], None] | None = None,
    progress: bool = False,
) -> Study:
    """Train with every prompt, measure each reranker on gold and on test, and search by gold alone.

    Every prompt writes for as many documents as on the last rung of the search, and is trained with under
    each seed; so are the first sentences of the documents, and the best prompt's queries from random weights.
    The search sees gold scores only. It takes those of its last rung from here, and trains for the others.

    Args:
        generator: writes queries; its own prompt is the manual one. Give it a cache.
        gold, test: queries to choose by, and to report. The corpus is that of ``test``.
        prompts: others to compare, as drawn; two at least.
        directory: for ``study.json`` and the logs, made where it is not there. Stopped, the same call goes
            on; at most one training is made again.
        options: of the search.
        training, base: of the rerankers; the cosines of ``base`` are a line to compare with.
        depth: test candidates that are reranked, the best by BM25; None for all.
        seed: of the documents, of what is drawn in writing, and of negatives.
        announce: is told what is about to be done, after a few seconds of trying.
        progress: show bars on standard error.

    Raises:
        InputError: there are too few prompts or documents, or a log is something else.
        Leak: a prompt quotes what is held out.
        OSError: a file cannot be written.
    """
    every = [generator.prompt, *prompts]
    names = [name_of(prompt) for prompt in every]
    if len(prompts) < 2 or len(set(names)) < len(names):
        raise InputError("prompts: expected two at least, each once, and not the generator's own")
    held = HeldOut.of(gold, test)
    for prompt in every:
        held.check_prompt(prompt)
    home = Path(directory)
    home.mkdir(exist_ok=True)
    objective = Objective(
        generator, gold, test.corpus, held_out=held, training=training, base=base,
        negatives=options.negatives, depth=options.depth, seed=seed,
    )  # fmt: skip
    documents = options.documents_of(options.rungs - 1)
    trials = trial_log(home / "trials.jsonl")
    bench = Bench(test, depth, home / "measured.jsonl", trials, progress)
    encoder = SentenceEncoder(base, extra="ir")  # what is missing shows before anything is written
    if announce is not None:
        announce(budget(objective, test, every, options, training, depth))
    writing = _written(objective, every, documents, home, progress)
    measured: dict[str, tuple[Measured, ...]] = {
        line.name: (line,) for line in lines(gold, test, encoder, (options.depth, depth))
    }
    for name, prompt in [(FIRST_SENTENCE, NO_MODEL), *zip(names, every, strict=True)]:
        measured[name] = bench.prompt(objective, prompt, documents, options.seeds, name)
    rungs, made = halved(objective, every, options, trials, progress=progress)
    best = rungs[-1].prompts[0]
    random = objective.training_with(replace(training, reset="all"))
    measured[RANDOM_START] = bench.prompt(random, best, documents, options.seeds, RANDOM_START)
    found = Study(
        task=test.name,
        manual=names[0],
        best=name_of(best),
        prompts=tuple(names),
        measured=measured,
        rungs=tuple(
            RungScores(rung.documents, tuple(map(name_of, rung.prompts)), rung.scores, rung.spreads)
            for rung in rungs
        ),
        search=options,
        training=training,
        depth=depth,
        writing=writing,
        searching=sum(trial.seconds for trial in made if trial.documents < documents),
        written={
            name: _first(objective, prompt, documents) for name, prompt in zip(names, every, strict=True)
        },
    )
    write_study(found, home / "study.json")
    return found


def name_of(prompt: Prompt) -> str:
    """What a prompt is called in a study."""
    return f"{prompt.instruction} {prompt.cue}"


def _written(
    objective: Objective, prompts: Sequence[Prompt], documents: int, home: Path, progress: bool
) -> Seconds:
    """Let every prompt write; what that took, also in earlier calls that came to the end of a prompt."""
    log: Log[Seconds] = Log(
        home / "written.jsonl",
        lambda fields: Seconds(float(fields["wall"]), float(fields["processor"])),
        lambda took: took._asdict(),
    )
    parts = []
    for prompt in prompts:
        key = objective.key(prompt, documents, 0)
        watch = Stopwatch()
        with watch.running():
            objective.examples(prompt, documents, progress=progress)
        took = log.get(key)
        if took is None:
            took = watch.seconds
            log.put(key, took)
        parts.append(took)
    return total(parts)


def _first(objective: Objective, prompt: Prompt, documents: int) -> tuple[Written, ...]:
    """What a prompt has made of the first documents."""
    generated, _ = objective.examples(prompt, documents)
    found = {each.document: (each.text, "") for each in generated.queries}
    found |= {each.document: (each.text, each.reason) for each in generated.rejected}
    return tuple(
        Written(text, *found[name]) for name, text in objective.documents(min(SHOWN, documents)).items()
    )
