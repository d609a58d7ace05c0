"""Iris, as in the paper: the species of a flower from its four measures in words, one module."""

from typing import Any, Literal

import numpy as np

from pyfastlm._require import require
from pyfastlm.together.tasks.task import Reference, Row, Sizes, Splits, Task, majority, same

SPECIES = ("setosa", "versicolor", "virginica")
FEATURES = ("sepal_length", "sepal_width", "petal_length", "petal_width")
SIZES = Sizes(50, 25, 74)


def iris() -> Task:
    """Fisher's flowers from scikit-learn: the species by four lengths in centimetres.

    Two of the 150 are equal in all four; they count as one flower, lest it is both learnt from and asked. So
    there are 50 to train, 25 to validate and 74 to test, where the paper has 75. References are the majority
    and a logistic regression on the same training rows.

    Raises:
        MissingExtra: scikit-learn is not installed.
    """
    data = require("sklearn.datasets", "together").load_iris()
    rows: dict[tuple[str, ...], Row] = {}
    for number, (values, kind) in enumerate(zip(data.data, data.target, strict=True)):
        words = tuple(f"{value:.1f} cm" for value in values)
        row = Row(f"iris-{number}", dict(zip(FEATURES, words, strict=True)), SPECIES[kind])
        rows.setdefault(words, row)
    return Task(
        name="iris",
        rows=tuple(rows.values()),
        sizes=SIZES,
        program=_program,
        output="species",
        correct=same,
        provenance="Fisher 1936, 149 different flowers of scikit-learn's load_iris",
        references=lambda splits: [majority(splits), logistic_regression(splits)],
    )


def logistic_regression(splits: Splits) -> Reference:
    """What the numbers themselves tell: scikit-learn's logistic regression on the training rows."""
    model = require("sklearn.linear_model", "together").LogisticRegression(max_iter=5000)
    model.fit(_numbers(splits.train), [row.answer for row in splits.train])
    guesses = model.predict(_numbers(splits.test))
    right = tuple(bool(guess == row.answer) for guess, row in zip(guesses, splits.test, strict=True))
    return Reference("logistic regression", right)


def _numbers(rows: tuple[Row, ...]) -> Any:
    """[N, 4] in centimetres."""
    return np.array([[float(row.inputs[name].split()[0]) for name in FEATURES] for row in rows])


def _program() -> Any:
    dspy = require("dspy", "together")
    fields = {name: (str, dspy.InputField()) for name in FEATURES}
    fields["species"] = (Literal[SPECIES], dspy.OutputField())
    signature = dspy.Signature(fields, "Given the lengths of a flower's sepals and petals, name the species.")
    return dspy.Predict(signature)
