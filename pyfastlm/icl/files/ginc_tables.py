"""Curves of small models on GINC in CSV files, with the columns of the publication's code."""

import csv
import io
import math
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pyfastlm._durable import replacing
from pyfastlm.icl.training.measuring import GINCCurves

COLUMNS = ("shots", "k", "hmm", "prob", "nll", "nll_avg", "acc")


def write_ginc(
    curves: Iterable[tuple[int, GINCCurves]],
    path: "str | os.PathLike[str]",
    *,
    layers: int,
    amounts: Literal["sft_amount", "dpo_amount"] = "sft_amount",
) -> None:
    """Write a row for each amount, model and shot, for :func:`~pyfastlm.icl.files.curve_tables.read_curves`.

    ``shots`` are counted from 0, ``prob`` and ``acc`` are means over prompts, ``nll`` is -log of that mean,
    and ``nll_avg`` the mean of -log.

    Args:
        curves: each with the amount of fine-tuning before it, 0 for none.
        path: of the CSV file.
        layers: of the model.
        amounts: what the amounts are of; a file has one kind, since readers take the first they find.

    Raises:
        OSError: it cannot be written.
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow([*COLUMNS, amounts, "layers"])
    for amount, found in curves:
        for hmm, (p, nll, nats, accuracy) in enumerate(
            zip(found.p, found.nll, found.mean_nats, found.accuracy, strict=True)
        ):
            for shot in range(len(found.shots)):
                numbers = [_shown(float(each[shot])) for each in (p, nll, nats, accuracy)]
                table.writerow([shot, found.k, hmm, *numbers, amount, layers])
    target = Path(path)
    with replacing(target, target.with_name(f".{target.name}.{os.getpid()}")) as file:
        file.write(text.getvalue().encode())


def _shown(number: float) -> str:
    return repr(number) if math.isfinite(number) else "inf"
