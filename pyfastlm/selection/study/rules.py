"""What happens to models that are the same, and to numbers that are missing: one rule for all, by name."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from pyfastlm.errors import InputError
from pyfastlm.selection.closed_forms import Doubles
from pyfastlm.selection.study.joining import LeftOut, Table
from pyfastlm.selection.study.scanning import Scan

MissingRule = Literal["raise", "drop_models", "drop_domains", "mask"]
DuplicateRule = Literal["raise", "drop", "family"]


def check_rules(missing: str, duplicates: str) -> None:
    """Refuse rules that there are not.

    Raises:
        InputError: names them.
    """
    for name, given, known in (("missing", missing, MissingRule), ("duplicates", duplicates, DuplicateRule)):
        if given not in get_args(known):
            raise InputError(f"{name}: expected one of {', '.join(get_args(known))}, got {given!r}")


def without_duplicates(table: Table, found: Scan, rule: DuplicateRule) -> tuple[Table, Scan]:
    """The table by the rule for models with equal bits per byte everywhere, and the scan of what is kept.

    Such models are one model under two names, and would be evidence for each other. ``"drop"`` keeps the
    first; ``"family"`` makes their families one, so that they stay together in folds and in draws.

    Raises:
        InputError: there are some, and the rule is ``"raise"``.
    """
    first: dict[bytes, int] = {}
    same = [first.setdefault(digest, row) if digest else row for row, digest in enumerate(found.digests)]
    twice = [row for row, original in enumerate(same) if row != original]
    if not twice:
        return table, found
    if rule == "raise":
        one, other = table.models[same[twice[0]]], table.models[twice[0]]
        raise InputError(
            f"duplicates: {one!r} and {other!r} have the same bits per byte for every domain ({len(twice)} "
            "such models): pass duplicates='drop' or duplicates='family'"
        )
    if rule == "drop":
        rows = np.array([row for row, original in enumerate(same) if row == original], np.intp)
        reasons = [LeftOut(table.models[row], f"is the same as {table.models[same[row]]}") for row in twice]
        return table.only(rows, reasons), found.only(rows)
    labels: list[Any] = list(table.families)
    for row in twice:
        one, other = labels[same[row]], labels[row]
        labels = [one if label == other else label for label in labels]
    return replace(table, families=tuple(labels)), found


def present(
    table: Table, found: Scan, columns: Sequence[int], rule: MissingRule
) -> tuple[NDArray[np.intp], list[LeftOut]]:
    """The rows that count for these benchmarks, and why others do not.

    Raises:
        InputError: a number is missing and the rule is ``"raise"``, or fewer than two models are left.
    """
    errors: Doubles = table.errors[:, list(columns)]
    lacking: NDArray[np.bool_] = np.isnan(errors)
    if len(infinite := np.argwhere(np.isinf(errors))):
        model, column = infinite[0].tolist()
        raise InputError(
            f"errors: expected finite numbers, got {errors[model, column]} of model "
            f"{table.models[model]!r} on {table.benchmarks[columns[column]]!r}"
        )
    if rule == "raise":
        _refuse(table, found, columns, lacking)
    no_errors: NDArray[np.bool_] = lacking.sum(axis=1) >= (len(columns) if rule == "mask" else 1)
    domains = len(table.matrix.domains)
    gone = no_errors | ((found.gaps > 0) if rule == "drop_models" else found.gaps == domains)
    reasons = []
    for row in np.flatnonzero(gone).tolist():
        if no_errors[row]:
            names = ", ".join(table.benchmarks[columns[k]] for k in np.flatnonzero(lacking[row]).tolist())
            reasons.append(LeftOut(table.models[row], f"has no error on {names}"))
        else:
            reasons.append(
                LeftOut(table.models[row], f"has no number for {found.gaps[row]:,} of {domains:,} domains")
            )
    rows = np.flatnonzero(~gone)
    if len(rows) < 2:
        raise InputError(f"missing: expected two models or more, got {len(rows)} by the rule {rule!r}")
    return rows, reasons


def _refuse(table: Table, found: Scan, columns: Sequence[int], lacking: NDArray[np.bool_]) -> None:
    rules = "pass missing='drop_models', 'drop_domains' or 'mask'"
    if lacking.any():
        row, column = np.argwhere(lacking)[0]
        raise InputError(
            f"missing: model {table.models[row]!r} has no error on "
            f"{table.benchmarks[columns[column]]!r}; {rules}"
        )
    if found.gaps.any():
        row = int(np.flatnonzero(found.gaps)[0])
        raise InputError(
            f"missing: model {table.models[row]!r} has no number for domain "
            f"{table.matrix.domains[found.first_gap[row]]!r}; {rules}"
        )
