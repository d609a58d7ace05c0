"""Iris, as in the paper: the species of a flower from its four measures in words, one module."""

import re
from typing import Any, Literal

import numpy as np

from pyfastlm._require import require
from pyfastlm.together.tasks.task import Reference, Row, Sizes, Splits, Task, majority, same

SPECIES = ("setosa", "versicolor", "virginica")
NUMBER = re.compile(r"\d+\.\d")
SIZES = Sizes(50, 25, 74)


def iris() -> Task:
    """Fisher's flowers from scikit-learn: the species by four lengths in centimetres.

    Two of the 150 are equal in all four; they count as one flower, lest it is both learnt from and asked. So
    there are 50 to train, 25 to validate and 74 to test, where the paper has 75. The four are in one line of
    text, which makes a prompt a third shorter than a field for each. References are the majority
    and a logistic regression on the same training rows.

    Raises:
        MissingExtra: scikit-learn is not installed.
    """
    data = require("sklearn.datasets", "together").load_iris()
    rows: dict[str, Row] = {}
    for number, (values, kind) in enumerate(zip(data.data, data.target, strict=True)):
        text = "sepal {:.1f} x {:.1f} cm, petal {:.1f} x {:.1f} cm".format(*values)
        rows.setdefault(text, Row(f"iris-{number}", {"flower": text}, SPECIES[kind]))
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
    return np.array([[float(number) for number in NUMBER.findall(row.inputs["flower"])] for row in rows])


def _program() -> Any:
    dspy = require("dspy", "together")
    fields = {"flower": (str, dspy.InputField()), "species": (Literal[SPECIES], dspy.OutputField())}
    return dspy.Predict(dspy.Signature(fields, "Name the species of an iris."))
