"""A folder with the report on a study: Markdown, and the picture that it shows."""

import os
from pathlib import Path

from pyfastlm._durable import replacing
from pyfastlm._markdown import plain, written
from pyfastlm.errors import InputError
from pyfastlm.ir.report import pictures, tables
from pyfastlm.ir.study.records import Study


def write_report(study: Study, folder: "str | os.PathLike[str]") -> Path:
    """Write ``report.md`` and ``prompts.png`` into ``folder``, which is made if it does not exist; files of
    these names are replaced. Returns the page.

    Raises:
        InputError: ``folder`` cannot be made.
        MissingExtra: matplotlib is not installed.
        OSError: it cannot be written.
    """
    target = Path(folder)
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"folder: cannot make {os.fspath(folder)!r}: {error.strerror}") from error
    pictures.gold_and_test(study, target / "prompts.png")
    training, search = study.training, study.search
    parts = [
        "# Prompts as a hyperparameter of rerankers",
        plain(
            f"Every prompt wrote for the same {study.rungs[-1].documents} documents. A reranker for each "
            f"seed: {training.loss}, {training.epochs} epochs at {training.learning_rate:g}, batches of "
            f"{training.batch_size} queries with {search.negatives} negatives, {training.max_length} tokens. "
            "Reranked are " + (f"the best {study.depth} of BM25." if study.depth else "all candidates.")
        ),
        "\n".join(f"- {plain(one)}" for one in tables.verdicts(study)),
        written(tables.rows(study)),
        "![Gold score of every prompt against its test score](prompts.png)",
        *(
            written(table)
            for make in (tables.prompts, tables.queries, tables.rungs, tables.costs)
            if (table := make(study)).rows
        ),
    ]
    path = target / "report.md"
    with replacing(path, target / f".report.md.{os.getpid()}") as file:
        file.write(("\n\n".join(parts) + "\n").encode("utf-8", "replace"))
    return path
