"""Ways to spend the same budget on the same pool of pages: each gives texts of exactly that many bytes."""

import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from selection_domains import Domain
from selection_family import ORDERS
from selection_tasks import spelling_pairs

from pyfastlm.demo.tasks import Task
from pyfastlm.selection import (
    BenchmarkErrors,
    BpbMatrix,
    allot,
    bounds,
    linear,
    partial_spearmanr,
    select,
    train_filter,
)
from pyfastlm.selection.filtering.baselines import RandomPages, lowest_bits_per_byte
from pyfastlm.selection.filtering.dsir import Dsir

BUDGET = 200_000  # bytes, which are the tokens of all models here
ONE_ORDER = f"n-gram {max(ORDERS)}"
POOL = 0.7  # share of the pool's documents that a seed draws
TARGET = 20  # documents of each source of a task that DSIR sees; of the training parts, not the tasks
WAYS = (
    "ours", "ours, l2", "ours, partial", "ours, one order", "ours, page filter", "DSIR",
    "lowest bits/byte", "random", "inverted", "permuted errors", "oracle",
)  # fmt: skip


class Page(NamedTuple):
    domain: str
    text: str

    @property
    def size(self) -> int:
        return len(self.text.encode())


@dataclass(frozen=True)
class Ways:
    """All ways by one seed: it draws the pool, orders it, and is that of filter, permutation and DSIR."""

    domains: Sequence[Domain]
    matrix: BpbMatrix
    errors: BenchmarkErrors
    seed: int
    room: Path

    def pool(self) -> list[Page]:
        pages = [Page(domain.name, text) for domain in self.domains for text in domain.parts["pool"]]
        return random.Random(f"{self.seed} pool").sample(pages, round(POOL * len(pages)))

    def texts(self, way: str, task: Task) -> list[str] | None:
        """None where a way has nothing to go by."""
        pages = self.pool()
        rng = np.random.default_rng([self.seed, 7])
        own = self.errors.values[:, self.errors.benchmarks.index(task.name)]
        if way == "ours":
            return allotted(pages, self.select(own))
        if way == "ours, l2":
            return allotted(pages, self.select(own, projection="l2"))
        if way == "ours, partial":
            return allotted(pages, self.partial(own))
        if way == "ours, one order":
            return allotted(pages, self.one_order().select(own[self._of_one_order()]))
        if way == "inverted":
            return allotted(pages, self.select(-own))
        if way == "permuted errors":
            return allotted(pages, self.select(rng.permutation(own)))
        if way == "oracle":
            first = [page for page in pages if page.domain in task.sources]
            rest = [page for page in pages if page.domain not in task.sources]
            return taken([*first, *rest]) if first else None
        if way == "lowest bits/byte":
            scores = lowest_bits_per_byte(self.matrix).scores
            return taken(sorted(pages, key=lambda page: -scores[page.domain]))
        return taken(_best(pages, self._page_scores(way, task, pages, own)))

    def one_order(self) -> "Ways":
        """The same with the n-gram models of the highest order alone: they differ in their mixtures only."""
        models = [self.matrix.models[row] for row in self._of_one_order()]
        return replace(self, matrix=self.matrix.only(models), errors=self.errors.only(models))

    def _of_one_order(self) -> list[int]:
        return [row for row, name in enumerate(self.matrix.models) if name.endswith(ONE_ORDER)]

    def sizes(self) -> np.ndarray:
        """Bytes of each domain in the pool, [D]."""
        found = dict.fromkeys(self.matrix.domains, 0)
        for page in self.pool():
            found[page.domain] += page.size
        return np.array([found[name] for name in self.matrix.domains])

    def select(self, own: np.ndarray, **options: str) -> dict[str, int]:
        """Bytes of each domain for one benchmark whose errors are ``own`` [N]."""
        errors = BenchmarkErrors(self.errors.models, self.errors.families, ("own",), own[:, None])
        options |= {"duplicates": "family"}
        found = select(self.matrix, errors, budget=BUDGET, tokens=self.sizes(), **options)
        return dict(zip(found.domains, map(int, found.allotted), strict=True))

    def partial(self, own: np.ndarray) -> dict[str, int]:
        """The same by the correlation that remains given each model's mean bits per byte."""
        estimate = partial_spearmanr(self.matrix.bits_per_byte, own)
        sizes = self.sizes()
        shares = allot(linear(estimate, bounds(sizes, budget=BUDGET)), BUDGET, tokens=sizes)
        return dict(zip(self.matrix.domains, map(int, shares), strict=True))

    def _page_scores(self, way: str, task: Task, pages: Sequence[Page], own: np.ndarray) -> np.ndarray:
        texts = [page.text for page in pages]
        if way == "random":
            return RandomPages(self.seed).score(texts)
        if way == "DSIR":
            return Dsir.fit(self._like(task), texts, seed=self.seed).score(texts)
        learned = self.room / "filter-pages.jsonl"
        if not learned.exists():
            rows = ({"domain": d.name, "text": text} for d in self.domains for text in d.parts["training"])
            learned.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
        labels = {name: size > 0 for name, size in self.select(own).items()}
        found = train_filter(learned, labels=labels, kind="hashed", seed=self.seed)
        return found.score(texts)

    def _like(self, task: Task) -> list[str]:
        """Texts of the kind that a task is made of, none of them in it."""
        if not task.sources:
            known = {item.choices[0] for item in task.items}
            return [right for right, _ in spelling_pairs() if right not in known][:1000]
        drawn = random.Random(f"{self.seed} like {task.name}")
        return [
            text
            for domain in self.domains
            if domain.name in task.sources
            for text in drawn.sample(domain.parts["training"], min(TARGET, len(domain.parts["training"])))
        ]


def allotted(pages: Iterable[Page], bytes_of: dict[str, int]) -> list[str]:
    """Pages of each domain, in their order, as far as its bytes go."""
    left, found = {**bytes_of}, []
    for page in pages:
        if left[page.domain] > 0:
            found.append(_cut(page.text, left[page.domain]))
            left[page.domain] -= page.size
    return found


def taken(pages: Iterable[Page], budget: int = BUDGET) -> list[str]:
    """Pages in this order as far as the budget goes; the last one is cut."""
    found = []
    for page in pages:
        if budget <= 0:
            break
        found.append(_cut(page.text, budget))
        budget -= page.size
    return found


def _best(pages: Sequence[Page], scores: np.ndarray) -> list[Page]:
    return [pages[place] for place in np.argsort(-scores, kind="stable")]


def _cut(text: str, size: int) -> str:
    """The first ``size`` bytes; a character that does not fit leaves up to three of them unused."""
    return text.encode()[:size].decode(errors="ignore")
