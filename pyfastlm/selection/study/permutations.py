"""Which correlations are more than chance: errors permuted over families, the largest of all counted."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyfastlm.errors import InputError
from pyfastlm.lm.progress import watched
from pyfastlm.selection import inputs
from pyfastlm.selection.closed_forms import Doubles
from pyfastlm.selection.estimators import prepared
from pyfastlm.selection.study.options import Options, check_whole
from pyfastlm.selection.study.partial import PARTIAL
from pyfastlm.selection.study.preparing import Group, Part, prepare

SAMPLE_BYTES = 1 << 25  # of the estimates of all permutations of a block
LEAST_ARRANGEMENTS = 20  # fewer cannot give a p of 0.05


class NotExchangeable(InputError):
    """Errors cannot be permuted: families of the same size are too few, or the estimator forbids it."""


@dataclass(frozen=True, slots=True, eq=False)
class Significance:
    """Of one benchmark, how surprising each domain's estimate is where errors have nothing to do with it.

    All p are one-sided: large positive estimates are what is selected. None is below 1 / (permutations + 1).

    Attributes:
        benchmark: its name.
        domains: D names.
        estimate: [D] float64.
        p: [D], the share of permutations, the actual one included, in which this domain's is as large.
        family_wise: [D], in which the largest of all domains' is: below 0.05 the chance that even one such
            domain is there by accident is below 0.05. Each domain is first divided by its own spread over
            the permutations.
        q: [D], of Benjamini and Hochberg: among the domains up to this one, this share is expected by
            accident. For domains that do not depend on each other, or positively.
        permutations: how many were drawn.
        arrangements: how many different ones there are, infinite if beyond any use.
    """

    benchmark: str
    domains: tuple[str, ...]
    estimate: Doubles
    p: Doubles
    family_wise: Doubles
    q: Doubles
    permutations: int
    arrangements: float


def permutation_test(
    matrix: Any,
    errors: Any,
    options: Options | None = None,
    *,
    permutations: int = 1000,
    families: Mapping[str, Any] | Sequence[Any] | None = None,
    seed: int = 0,
    progress: bool = False,
) -> tuple[Significance, ...]:
    """Test every domain against errors that were permuted over models, for each benchmark.

    Models of a family are not exchangeable with others one by one: errors move by whole families, between
    families of the same number of models and in the order of their models. A family whose size no other has
    stays where it is, which makes the test weaker, not wrong.

    Args:
        matrix, errors, families: as :func:`pyfastlm.selection.select` takes them.
        options: estimator, rules for missing numbers and duplicates, ties; no budget is needed.
        permutations: how many.
        seed: of them.
        progress: show the benchmarks on standard error.

    Raises:
        InputError: an argument is wrong.
        NotExchangeable: families can be exchanged in fewer than 20 ways; or the estimator is the partial
            correlation, whose null has errors that still go with the mean bits per byte.
    """
    check_whole(1, permutations=permutations)
    check_whole(0, seed=seed)
    asked = replace(options or Options(), keep=1.0, budget=None, repeats=1.0)
    parts = prepare(matrix, errors, "each", asked, families=families)
    pairs = [(part, group) for part in parts for group in part.groups]
    found = {
        group.name: significance_of(part, group, permutations, seed)
        for part, group in watched(pairs, len(pairs), "benchmarks", progress)
    }
    return tuple(found[name] for name in parts[0].table.benchmarks)


def benjamini_hochberg(p: Doubles) -> Doubles:
    """The least false discovery rate at which each of ``p`` [D] is a discovery; NaN stays, and counts not."""
    q = np.full(p.shape, np.nan)
    there = np.flatnonzero(~np.isnan(p))
    order = there[np.argsort(p[there], kind="stable")]
    scaled = p[order] * len(order) / np.arange(1, len(order) + 1)
    q[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return q


def significance_of(part: Part, group: Group, permutations: int, seed: int) -> Significance:
    """The test for the one benchmark of ``group``; see :func:`permutation_test`."""
    (column,) = group.columns
    table, options = part.table, part.options
    if options.estimator == PARTIAL:
        raise NotExchangeable("estimator: permuted errors no longer go with the mean bits per byte, which "
                              "partial_spearmanr holds constant; see its intervals")  # fmt: skip
    y = table.errors[:, column]
    rows = np.flatnonzero(~np.isnan(y))
    random = np.random.default_rng(seed)
    blocks, arrangements = _movable([table.families[row] for row in rows])
    orders = [np.arange(len(rows)), *(_arrange(blocks, random) for _ in range(permutations))]
    form = prepared(
        options.estimator,
        np.stack([y[rows][order] for order in orders], axis=1),
        options.ties,
        options.masking,
    )
    size = max(SAMPLE_BYTES // (8 * len(orders)), 64)
    count = inputs.check_options(options.ties, options.masking, options.threads)
    largest = np.full(len(orders), -np.inf)
    estimates, p, sizes = [], [], []
    done = 0
    for block in inputs.blocks_of(table.matrix.blocks(), len(table.models), options.masking, count, size):
        samples = form(block[rows], count)
        samples[:, ~part.usable[column, done : done + block.shape[1]]] = np.nan
        done += block.shape[1]
        estimates.append(samples[0].copy())
        samples = _standard(samples)
        there = ~np.isnan(samples[0])
        p.append(np.where(there, (samples >= samples[0]).mean(axis=0), np.nan))
        sizes.append(samples[0].copy())  # a view would keep all of them
        np.maximum(largest, np.where(np.isnan(samples), -np.inf, samples).max(axis=1), out=largest)
    size_of = np.concatenate(sizes)
    of_each = np.concatenate(p)
    rising = np.sort(largest)
    beyond = len(rising) - np.searchsorted(rising, size_of)
    return Significance(
        group.name, table.matrix.domains, np.concatenate(estimates), of_each,
        np.where(np.isnan(size_of), np.nan, beyond / len(rising)), benjamini_hochberg(of_each),
        permutations, arrangements,
    )  # fmt: skip


def _standard(samples: Doubles) -> Doubles:
    """[B, d], each column less its mean and divided by its spread; rounded, so that equals stay equal.

    NaN where there is no spread but that of rounding.
    """
    centred = samples - samples.mean(axis=0)
    spread = np.sqrt((centred**2).mean(axis=0))
    spread[spread <= 1e-12 * np.abs(samples).max(axis=0)] = np.nan
    return np.asarray(np.round(centred / spread, 9))


def _movable(families: Sequence[Any]) -> tuple[list[NDArray[np.intp]], float]:
    """For each size the families [n, size] of rows that can change places; and in how many ways."""
    members: dict[Any, list[int]] = {}
    for row, label in enumerate(families):
        members.setdefault(label, []).append(row)
    sizes = Counter(len(rows) for rows in members.values())
    ways = math.prod(math.factorial(min(count, 170)) for count in sizes.values())
    if ways < LEAST_ARRANGEMENTS:
        raise NotExchangeable(
            f"families: expected 20 or more ways to exchange families of the same size, got {ways}; families "
            f"of {', '.join(f'{count} x {size}' for size, count in sorted(sizes.items()))} models"
        )
    blocks = [
        np.array([rows for rows in members.values() if len(rows) == size], np.intp) for size in sorted(sizes)
    ]
    return blocks, float(ways) if ways < 1 << 53 else math.inf


def _arrange(blocks: list[NDArray[np.intp]], random: np.random.Generator) -> NDArray[np.intp]:
    order = np.empty(sum(block.size for block in blocks), np.intp)
    for block in blocks:
        order[block] = block[random.permutation(len(block))]
    return order
