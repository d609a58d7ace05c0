"""Tasks for curves of real models: tables of scikit-learn."""

from sklearn import datasets

from pyfastlm.icl import Example, Task

TABLES = ("iris", "wine", "breast_cancer")
COLUMNS = 4  # the first ones


def table(name: str) -> Task:
    """A table of scikit-learn: each row is numbers, and the name of its class."""
    data = getattr(datasets, f"load_{name}")()
    labels = tuple(str(label) for label in data.target_names)
    rows = zip(data.data[:, :COLUMNS], data.target, strict=True)
    return Task(
        name,
        tuple(Example(" ".join(f"{value:.4g}" for value in row), labels[kind]) for row, kind in rows),
        labels=labels,
        question="{input} =",
        separator="\n",
    )
