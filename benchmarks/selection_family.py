"""A family of small language models on mixtures of the domains, kept in the cache once they are trained."""

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import selection_transformers as transformers
from selection_domains import Domain

from pyfastlm.lm import NgramModel, Scorer, load

CONCENTRATION = 0.3  # of the Dirichlet distribution that mixtures are drawn from
ORDERS = (4, 6)
STEPS = {"gpt2-0.1M": 700, "llama-0.2M": 700, "gpt2-0.4M": 600, "llama-0.7M": 300}
KINDS = ("n-gram",) * 24 + (*STEPS,) * 2 + ("n-gram",) * 36  # one a mixture
SIZES = (300_000, 1_200_000)  # bytes of a mixture, drawn between
LM_NAME = "smollm2"


@dataclass(frozen=True)
class Run:
    """What is trained on one mixture; all its models are one family.

    ``kind``: "n-gram", or a shape of a transformer; ``weights``: share of each domain.
    """

    family: str
    kind: str
    weights: dict[str, float]
    size: int
    seed: int

    @property
    def stages(self) -> tuple[int, ...]:
        """Orders of n-grams, or steps after which a transformer is kept."""
        return ORDERS if self.kind == "n-gram" else (STEPS[self.kind] // 3, STEPS[self.kind])


@dataclass(frozen=True)
class Member:
    name: str
    family: str
    path: str

    def open(self) -> "NgramModel | Scorer":
        if self.path.endswith(".ngram"):
            return NgramModel.open(self.path)
        return Scorer(load(self.path))


def runs(domains: Sequence[Domain], seed: int) -> list[Run]:
    """One for each mixture; all are drawn from the same distribution."""
    rng = np.random.default_rng(seed)
    names = [domain.name for domain in domains]
    made = []
    for number, kind in enumerate(KINDS):
        weights = rng.dirichlet(np.full(len(names), CONCENTRATION))
        size = int(np.exp(rng.uniform(*np.log(SIZES))))
        shown = dict(zip(names, map(float, weights), strict=True))
        made.append(Run(f"mixture {number:02}", kind, shown, size, seed * 1000 + number))
    return made


def texts(run: Run, domains: Sequence[Domain]) -> list[str]:
    """Documents of the training parts: of each domain its share, as far as there is enough, in an order by
    the run's seed."""
    rng = np.random.default_rng(run.seed)
    found: list[str] = []
    for domain in domains:
        wanted = run.weights[domain.name] * run.size
        documents = domain.parts["training"]
        for place in rng.permutation(len(documents)):
            if wanted <= 0:
                break
            found.append(documents[place].encode()[: int(wanted) + 1].decode(errors="ignore"))
            wanted -= len(documents[place].encode())
    return [found[place] for place in rng.permutation(len(found))]


def build(run: Run, domains: Sequence[Domain], cache: Path) -> list[Member]:
    """Train what is not in the cache yet."""
    learned = texts(run, domains)
    key = hashlib.sha256(json.dumps([asdict(run), run.stages, learned]).encode()).hexdigest()[:16]
    home = cache / f"{run.family.replace(' ', '-')}-{key}"
    home.mkdir(parents=True, exist_ok=True)
    if run.kind == "n-gram":
        paths = {order: home / f"{order}.ngram" for order in run.stages}
        for order, path in paths.items():
            if not path.exists():
                NgramModel.train(learned, order=order).save(path)
    else:
        paths = {step: home / str(step) for step in run.stages}
        if not all(path.is_dir() for path in paths.values()):
            for path in paths.values():
                shutil.rmtree(path, ignore_errors=True)
            shape = transformers.SHAPES[run.kind]
            transformers.train(shape, learned, run.stages[-1], run.seed, run.stages, home)
    names = {stage: f"{run.family}, {run.kind} {stage}" for stage in run.stages}
    return [Member(names[stage], run.family, str(path)) for stage, path in paths.items()]


def listed(members: Sequence[Member]) -> list[dict[str, Any]]:
    return [asdict(member) for member in members]
