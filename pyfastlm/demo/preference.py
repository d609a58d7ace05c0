"""What a model makes of errors as a proofreader, and what it learns from pairs of right and wrong."""

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pyfastlm.demo import texts
from pyfastlm.demo.preference_texts import Sentence, drawn, mend, misspelt, sentences
from pyfastlm.demo.texts import TextsMissing
from pyfastlm.lm import LM
from pyfastlm.lm.runner import context_length
from pyfastlm.preference.asking import HFReviser
from pyfastlm.preference.builders import Built
from pyfastlm.preference.contrast import ContrastReport, contrast_report
from pyfastlm.preference.drift import bits_per_byte
from pyfastlm.preference.encoding import MAX_LENGTH
from pyfastlm.preference.options import TrainingOptions
from pyfastlm.preference.pairs import PreferencePair
from pyfastlm.preference.references import precompute
from pyfastlm.preference.revising import Proofreader, RevisionPrompt, clair
from pyfastlm.preference.revising.prompt import written
from pyfastlm.preference.runs.changes import Change, change
from pyfastlm.preference.runs.splitting import shuffled, split
from pyfastlm.preference.training import train

RUNS = (("apo_zero", False), ("apo_down", False), ("apo_zero", True))  # loss, control
LR = 3e-4  # a few steps shall show something
MOST = 48  # new tokens of a revision; a sentence has 30 at most
OTHER = 2  # paragraphs of other text


@dataclass(frozen=True, slots=True)
class Size:
    """Sentences to revise at most; pairs to learn from and held out; steps, and pairs of one."""

    revised: int
    learnt: int
    held_out: int
    steps: int
    batch_size: int


QUICK = Size(2, 4, 4, 2, 2)
SHORT = Size(8, 24, 24, 8, 4)
FULL = Size(24, 96, 96, 36, 8)


@dataclass(frozen=True, slots=True)
class Run:
    """One training: its loss, whether half of the pairs were exchanged, what became of pairs that were held
    out, and by how many bits per byte other texts changed."""

    objective: str
    shuffled: bool
    held_out: Change
    drift: float

    @property
    def name(self) -> str:
        """In tables."""
        return f"{self.objective}, shuffled" if self.shuffled else self.objective


@dataclass(frozen=True, slots=True, eq=False)
class Preferences:
    """The section.

    Attributes:
        size: how much of all.
        seed: of every draw.
        flawed: sentences with an error that the rule found in all; ``asked`` are those to revise.
        model, rule: what the two revisers made of ``asked``.
        contrasts: of their pairs, by "model" and "rule"; only of those with a pair.
        learnt: pairs learnt from.
        example: one that was held out.
        bits: bits per byte of other texts, before.
        runs: the trainings.
        seconds: of all.
    """

    size: Size
    seed: int
    flawed: int
    asked: tuple[Sentence, ...]
    model: Built
    rule: Built
    contrasts: dict[str, ContrastReport]
    learnt: int
    example: PreferencePair
    bits: float
    runs: tuple[Run, ...]
    seconds: float

    @property
    def mended(self) -> int:
        """Revisions of the model that have no such error any more."""
        return sum(mend(pair.chosen) == pair.chosen for pair in self.model.pairs)

    @property
    def exact(self) -> int:
        """Revisions of the model that mend the error and change nothing else."""
        return sum(mend(pair.rejected) == pair.chosen for pair in self.model.pairs)

    @property
    def verdict(self) -> str:
        """What came out, in a few sentences."""
        found = self.model.statistics
        changes = "; ".join(
            f"{run.name} {run.held_out.chosen.value:+.2f} and {run.held_out.rejected.value:+.2f}"
            for run in self.runs
        )
        return (
            f"Of {found.rows} sentences with a real error the model made {found.pairs} pairs; the error is "
            f"gone in {self.mended} of them, and {self.exact} changed nothing else. After {self.size.steps} "
            f"steps on misspelt sentences the log-probability of right and of misspelt sentences to other "
            f"prompts has changed by, in nats: {changes} (one seed, {self.runs[0].held_out.pairs} pairs)."
        )


def prefer(lm: LM, *, size: Size, seed: int = 0, progress: bool = False) -> Preferences:
    """Let a model revise sentences with a real error, and train copies of it on misspelt ones.

    Args:
        lm: the model; it is left as it is.
        size: how much of all.
        seed: of every draw.
        progress: bars on standard error.

    Raises:
        InputError: the model cannot be trained on pairs.
        MissingExtra: PEFT or RapidFuzz is not installed.
        TextsMissing: there are too few sentences.
    """
    started = time.perf_counter()
    flawed, plain = sentences()
    asked = drawn(flawed, size.revised, seed)
    pairs = misspelt(drawn(plain, size.learnt + size.held_out, seed), seed=seed)
    if not asked or len(pairs) < size.learnt + size.held_out:
        raise TextsMissing(f"{len(flawed):,} sentences with an error and {len(plain):,} without are too few")
    rows = [(each.prompt, each.text) for each in asked]
    model = clair(Proofreader(HFReviser(lm, max_new_tokens=MOST)), rows, progress=progress)
    rule = clair(_by_rule, rows)
    contrasts = {
        name: contrast_report(built.pairs, seed=seed)
        for name, built in (("model", model), ("rule", rule))
        if built.pairs
    }
    learnt, held_out = split(pairs, size.held_out / len(pairs), seed=seed)
    bits, runs = _runs(lm, learnt, held_out, size, seed, progress)
    return Preferences(
        size, seed, len(flawed), tuple(asked), model, rule, contrasts, len(learnt), held_out[0], bits, runs,
        time.perf_counter() - started,
    )  # fmt: skip


def _by_rule(prompts: list[str]) -> list[str]:
    return [written(mend(prompt.solution)) for prompt in prompts if isinstance(prompt, RevisionPrompt)]


def _runs(
    lm: LM,
    learnt: Sequence[PreferencePair],
    held_out: Sequence[PreferencePair],
    size: Size,
    seed: int,
    progress: bool,
) -> tuple[float, tuple[Run, ...]]:
    """Bits per byte of other texts before, and all trainings."""
    other = [document.text for document in texts.own(OTHER).sources[0].documents]
    longest = min(MAX_LENGTH, context_length(lm))
    bits = bits_per_byte(lm, other)
    before = precompute(lm, held_out, max_length=longest)
    runs = []
    with tempfile.TemporaryDirectory() as home:
        for objective, control in RUNS:
            found = train(
                lm,
                shuffled(learnt, seed=seed) if control else learnt,
                TrainingOptions(
                    size.steps,
                    objective,
                    batch_size=size.batch_size,
                    pairs_at_once=size.batch_size,
                    lr=LR,
                    max_length=longest,
                    seed=seed,
                ),
                references=None if control else Path(home) / "references.parquet",
                progress=progress,
            )
            after = precompute(found.lm, held_out, max_length=longest)
            drift = bits_per_byte(found.lm, other) - bits
            runs.append(Run(objective, control, change(before, after, seed=seed), drift))
    return bits, tuple(runs)
