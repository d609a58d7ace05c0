"""A model names the language of a few words: its prompts and its weights optimised, alone and in turn."""

import contextlib
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from pyfastlm._require import require
from pyfastlm.demo import texts
from pyfastlm.errors import InputError
from pyfastlm.lm import LM
from pyfastlm.together import Budget, Grid, HFEngine, run_strategies
from pyfastlm.together.strategies import CONTROLS, STRATEGIES
from pyfastlm.together.tasks import Reference, Row, Sizes, Splits, Task
from pyfastlm.together.tasks.task import majority, same

EXTRA = "together"
LANGUAGES = ("French", "German", "Spanish")
WORDS = 4  # of a row
DEMOS = 3  # of a prompt: at most so many from runs, filled up with gold rows
ANSWER = 8  # tokens
TRAINING = {"lr": 3e-3, "batch_size": 2, "epochs": 2}  # a few traces shall show something


@dataclass(frozen=True, slots=True)
class Size:
    """Rows to train, to validate and to test; prompts that a step tries; strategies, and seeds."""

    sizes: Sizes
    candidates: int
    strategies: tuple[str, ...] = ("none", "P", "W", "P-W")
    seeds: int = 1


QUICK = Size(Sizes(4, 3, 6), 1)
SHORT = Size(Sizes(12, 9, 24), 2)
FULL = Size(Sizes(40, 24, 80), 6, (*STRATEGIES, *CONTROLS), seeds=3)


@dataclass(frozen=True, slots=True, eq=False)
class Together:
    """The section.

    Attributes:
        size: how much of all.
        task: the rows and what is asked.
        grid: every strategy under every seed, and the references.
        calls: of the model, those that strategies share counted once.
        reused: of all tokens of its prompts, the share that came from the prefix cache.
        seconds: of all.
    """

    size: Size
    task: Task
    grid: Grid
    calls: int
    reused: float
    seconds: float

    @property
    def verdict(self) -> str:
        """What came out, in a few sentences."""
        grid = self.grid
        shares = [f"{name} {_share(grid, name)}" for name in grid.strategies]
        shares += [
            f"{name} {fmean(fmean(line.right) for line in grid.lines if line.name == name):.2f}"
            for name in dict.fromkeys(line.name for line in grid.lines)
        ]
        more = grid.contrast({"P-W": 1, "P": -1})
        gain = "" if more is None else " P-W less P: {:+.2f} [{:+.2f}, {:+.2f}].".format(*more)
        return (
            f"Of {self.size.sizes.test} test rows, {WORDS} words each, the language is right in: "
            f"{', '.join(shares)}.{gain} {self.calls} calls, {self.reused:.0%} of the tokens of their "
            "prompts from the prefix cache."
        )


def optimise(lm: LM, *, size: Size, seed: int = 0, progress: bool = False) -> Together:
    """Run strategies of prompt and weight optimisation.

    Args:
        lm: the model; it answers afterwards as before.
        size: how much of all.
        seed: the first.
        progress: lines on standard error.

    Raises:
        InputError: the model has no chat template, or reads too few tokens.
        MissingExtra: DSPy or scikit-learn is not installed.
    """
    started = time.perf_counter()
    dspy = require("dspy", EXTRA)
    require("sklearn", EXTRA)  # before anything is run
    from pyfastlm.together import InProcessProvider  # needs DSPy

    engine = HFEngine(lm)
    model = dspy.LM(
        engine.model_id,
        engine=engine,
        provider=InProcessProvider(engine, **TRAINING),
        cache=False,
        temperature=0,
        max_tokens=ANSWER,
    )
    task = languages(size.sizes)
    try:
        with _quiet():
            grid = run_strategies(
                task,
                model,
                strategies=size.strategies,
                seeds=range(seed, seed + size.seeds),
                budget=Budget(size.candidates, DEMOS, labeled=DEMOS),
                threads=8,
                progress=progress,
            )
    except dspy.utils.exceptions.LMError as error:  # what the engine says of a prompt, as DSPy hands it on
        raise InputError(f"lm: {error}") from error
    usage = engine.usage
    return Together(size, task, grid, usage.calls, usage.reused_share, time.perf_counter() - started)


def languages(sizes: Sizes) -> Task:
    """Words in their order from the texts that come with the package, and the language they are in.

    References are the majority, and a logistic regression on letters and pairs of them.
    """
    rows: dict[str, Row] = {}
    for source in texts.own(5).sources:
        words = [word for document in source.documents for word in document.text.split()]
        for start in range(0, len(words) - WORDS + 1 if source.language in LANGUAGES else 0, WORDS):
            text = " ".join(words[start : start + WORDS])
            rows.setdefault(text, Row(f"{source.language} {start}", {"text": text}, source.language))
    return Task(
        name="languages",
        rows=tuple(rows.values()),
        sizes=sizes,
        program=_program,
        output="language",
        correct=same,
        provenance=f"{len(rows)} times {WORDS} words of texts written for pyfastlm",
        references=lambda splits: [majority(splits), logistic_regression(splits)],
    )


def logistic_regression(splits: Splits) -> Reference:
    """What letters tell: scikit-learn's logistic regression on the training rows, gold answers and all."""
    counts = require("sklearn.feature_extraction.text", EXTRA).CountVectorizer(
        analyzer="char", ngram_range=(1, 2)
    )
    model = require("sklearn.linear_model", EXTRA).LogisticRegression(max_iter=1000)
    train, test = ([row.inputs["text"] for row in rows] for rows in (splits.train, splits.test))
    model.fit(counts.fit_transform(train), [row.answer for row in splits.train])
    guesses = model.predict(counts.transform(test))
    right = tuple(bool(guess == row.answer) for guess, row in zip(guesses, splits.test, strict=True))
    return Reference("logistic regression", right)


def _program() -> Any:
    dspy = require("dspy", EXTRA)
    asked = f"Name the language of a text: {', '.join(LANGUAGES[:-1])} or {LANGUAGES[-1]}."
    return dspy.Predict(dspy.Signature("text -> language", asked))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """DSPy has a warning for each answer that is too long; here it is counted as wrong."""
    logger = logging.getLogger("dspy")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _share(grid: Grid, name: str) -> str:
    """Of right answers; why there are none."""
    found = grid.contrast({name: 1})
    return "(no trace passed)" if found is None else f"{found.value:.2f}"
