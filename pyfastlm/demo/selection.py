"""Section four: which domains to train on, told by a family of small models; what training on them gives."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pyfastlm.demo.domains import split
from pyfastlm.demo.tasks import Task, cloze, error, hashes
from pyfastlm.lm.ngram import NgramModel
from pyfastlm.lm.progress import watched
from pyfastlm.selection import BenchmarkErrors, BpbMatrix, Selection, select

PARTS = {"training": 0.42, "matrix": 0.08, "pool": 0.32, "tasks": 0.18}  # of the bytes of a domain
MOST = 300_000  # bytes of a domain
ORDER = 6  # of all models: a family of several orders differs more in how good it is than in what it knows
CONCENTRATION = 0.3  # of the Dirichlet distribution that mixtures are drawn from
MIXTURE = 500_000  # bytes
ITEMS = 200
DRAWN = 0.7  # share of the pool that a seed draws
BUDGET = 100_000  # bytes
REPLICATES = 200  # of families, for intervals
BASE = "at random"
WAYS = ("selected", BASE, "fewest bits/byte", "inverted", "its own domain")


@dataclass(frozen=True, slots=True)
class Size:
    """Mixtures that the family is trained on; tasks, each of one domain; seeds of training anew."""

    mixtures: int
    targets: tuple[str, ...]
    seeds: int


TARGETS = ("jargon", "foldoc", "fortunes songs-poems", "packages python")
QUICK = Size(20, TARGETS[:1], 2)
SHORT = Size(80, TARGETS, 3)
FULL = Size(200, TARGETS, 5)


class Outcome(NamedTuple):
    """What a model trained on one selection does: ``error`` on the task, ``bits_per_byte`` on the held-out
    text of the task's domain."""

    error: float
    bits_per_byte: float


@dataclass(frozen=True, slots=True)
class Target:
    """A task, what was selected for it, and outcomes of each way, by seed; ``family``: the errors of the best
    and the worst model of the family."""

    task: Task
    selection: Selection
    outcomes: dict[str, tuple[Outcome, ...]]
    family: tuple[float, float]

    @property
    def place(self) -> int:
        """Of the task's own domain, by its estimate; 1 is the first."""
        own = self.selection.domains.index(self.task.sources[0])
        return 1 + [*self.selection.order()].index(own)

    def values(self, way: str, what: str) -> NDArray[np.float64]:
        """``error`` or ``bits_per_byte`` by seed."""
        return np.array([getattr(outcome, what) for outcome in self.outcomes[way]])


@dataclass(frozen=True, slots=True)
class Choice:
    """The section. ``bits_per_byte`` [D] are means over the family; ``bytes`` [D] those of the pool."""

    targets: tuple[Target, ...]
    domains: tuple[str, ...]
    bits_per_byte: NDArray[np.float64]
    bytes: NDArray[np.int64]
    models: int
    budget: int
    seed: int
    seeds: int
    seconds: float

    def mean(self, way: str, what: str) -> NDArray[np.float64]:
        """Over the tasks, by seed."""
        found: NDArray[np.float64] = np.mean([target.values(way, what) for target in self.targets], axis=0)
        return found


def choose(domains: Mapping[str, Sequence[str]], *, size: Size, seed: int, progress: bool = False) -> Choice:
    """Train a family on mixtures of ``domains``, select for tasks, and train one model on each selection."""
    started = time.perf_counter()
    rng = np.random.default_rng(seed)
    parts = {name: _parts(domains[name], rng) for name in sorted(domains)}
    names = tuple(parts)
    known = hashes(text for of in parts.values() for part in of if part != "tasks" for text in of[part])
    wanted = [name for name in size.targets if name in parts]
    tasks = [cloze(name, parts[name]["tasks"], known, ITEMS, seed) for name in wanted]
    family = _family(parts, size.mixtures, rng)
    matrix, errors = _measured(family, parts, tasks, progress)
    pool_bytes = np.array([_bytes(parts[name]["pool"]) for name in names])
    budget = min(BUDGET, int(DRAWN * pool_bytes.sum()) // 4)
    targets = [
        _target(task, column, matrix, errors, parts, budget, size.seeds, seed)
        for column, task in watched(enumerate(tasks), len(tasks), "tasks", progress)
    ]
    return Choice(
        targets=tuple(targets),
        domains=names,
        bits_per_byte=matrix.bits_per_byte.mean(axis=0),
        bytes=pool_bytes,
        models=len(matrix.models),
        budget=budget,
        seed=seed,
        seeds=size.seeds,
        seconds=time.perf_counter() - started,
    )


Parts = Mapping[str, Mapping[str, list[str]]]


def _parts(documents: Sequence[str], rng: np.random.Generator) -> dict[str, list[str]]:
    """Of a domain: documents in an order by chance, no more than ``MOST`` bytes of them."""
    drawn, size = [], 0
    for place in rng.permutation(len(documents)):
        if size < MOST:
            drawn.append(documents[place])
            size += len(documents[place].encode())
    return split(drawn, PARTS)


def _family(parts: Parts, mixtures: int, rng: np.random.Generator) -> list[NgramModel]:
    """A model of each mixture."""
    made = []
    for _ in range(mixtures):
        shares = rng.dirichlet(np.full(len(parts), CONCENTRATION))
        learned = []
        for share, of in zip(shares, parts.values(), strict=True):
            learned += _first(of["training"], int(share * MIXTURE))
        made.append(NgramModel.train(learned, order=ORDER))
    return made


def _measured(
    family: Sequence[NgramModel], parts: Parts, tasks: Sequence[Task], progress: bool
) -> tuple[BpbMatrix, BenchmarkErrors]:
    rows, wrong = [], []
    for model in watched(family, len(family), "models", progress):
        scores = [model.rolling(of["matrix"]) for of in parts.values()]
        nats = [-sum(score.logp for score in own) / sum(score.n_bytes for score in own) for own in scores]
        rows.append(np.array(nats) / np.log(2))
        wrong.append([error(model, task) for task in tasks])
    models = tuple(f"mixture {number}" for number in range(len(family)))
    sizes = np.array([_bytes(of["matrix"]) for of in parts.values()])
    counts = np.array([len(of["matrix"]) for of in parts.values()])
    matrix = BpbMatrix(models, models, tuple(parts), sizes, sizes, counts, np.array(rows))
    return matrix, BenchmarkErrors(models, models, tuple(task.name for task in tasks), np.array(wrong))


def _target(
    task: Task,
    column: int,
    matrix: BpbMatrix,
    errors: BenchmarkErrors,
    parts: Parts,
    budget: int,
    seeds: int,
    seed: int,
) -> Target:
    own = errors.values[:, [column]]
    held_out = parts[task.sources[0]]["tasks"]
    outcomes: dict[str, list[Outcome]] = {way: [] for way in WAYS}
    for number in range(seeds):
        pool = _pool(parts, np.random.default_rng([seed, number]))
        tokens = np.array([_bytes(pool[name]) for name in matrix.domains])
        for way in WAYS:
            texts = _texts(way, task, pool, matrix, errors, own, tokens, budget, seed + number)
            model = NgramModel.train(texts, order=ORDER)
            scores = model.rolling(held_out)
            nats = -sum(score.logp for score in scores) / sum(score.n_bytes for score in scores)
            outcomes[way].append(Outcome(error(model, task), nats / float(np.log(2))))
    whole = np.array([_bytes(parts[name]["pool"]) for name in matrix.domains])
    chosen = _select(matrix, errors, own, whole, budget, replicates=REPLICATES, seed=seed)
    shown = {way: tuple(of) for way, of in outcomes.items()}
    return Target(task, chosen, shown, (float(own.min()), float(own.max())))


def _pool(parts: Parts, rng: np.random.Generator) -> dict[str, list[str]]:
    """The documents that a seed draws from each domain's pool, in its order."""
    found = {}
    for name, of in parts.items():
        drawn = rng.permutation(len(of["pool"]))[: max(1, round(DRAWN * len(of["pool"])))]
        found[name] = [of["pool"][place] for place in drawn]
    return found


def _texts(
    way: str,
    task: Task,
    pool: Mapping[str, list[str]],
    matrix: BpbMatrix,
    errors: BenchmarkErrors,
    own: NDArray[np.float64],
    tokens: NDArray[np.int64],
    budget: int,
    seed: int,
) -> list[str]:
    """``budget`` bytes of the pool."""
    if way in ("selected", "inverted"):
        chosen = _select(matrix, errors, own if way == "selected" else -own, tokens, budget)
        shares = zip(chosen.domains, chosen.allotted, strict=True)
        return [text for name, share in shares for text in _first(pool[name], int(share))]
    everything = [text for texts in pool.values() for text in texts]
    shuffled = [everything[place] for place in np.random.default_rng(seed).permutation(len(everything))]
    if way == "fewest bits/byte":
        easiest = np.argsort(matrix.bits_per_byte.mean(axis=0), kind="stable")
        return _first([text for place in easiest for text in pool[matrix.domains[place]]], budget)
    first = pool[task.sources[0]] if way == "its own domain" else []
    return _first([*first, *shuffled], budget)


def _select(
    matrix: BpbMatrix,
    errors: BenchmarkErrors,
    own: NDArray[np.float64],
    tokens: NDArray[np.int64],
    budget: int,
    **options: Any,
) -> Selection:
    table = BenchmarkErrors(errors.models, errors.families, ("task",), own)
    chosen: Selection = select(matrix, table, budget=budget, tokens=tokens, duplicates="family", **options)
    return chosen


def _first(texts: Sequence[str], budget: int) -> list[str]:
    """The first ``budget`` bytes of the texts; a character that does not fit is left out."""
    found = []
    for text in texts:
        if budget <= 0:
            break
        data = text.encode()
        found.append(data[:budget].decode(errors="ignore"))
        budget -= len(data)
    return found


def _bytes(texts: Sequence[str]) -> int:
    return sum(len(text.encode()) for text in texts)
