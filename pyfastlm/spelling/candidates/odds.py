"""The odds that the best option is what was meant, and not that the text is a word nobody knows yet."""

import json
import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from pyfastlm._require import require
from pyfastlm.errors import InputError
from pyfastlm.index import Similar
from pyfastlm.spelling.candidates.features import NAMES, features

KNOTS = 7
STRENGTH = 1.0  # of the fit, against a penalty on the squares of the values


@dataclass(frozen=True, slots=True)
class Shape:
    """A broken line: ``values`` at ``knots``, straight between them, level beyond."""

    knots: tuple[float, ...]
    values: tuple[float, ...]

    def __call__(self, x: float) -> float:
        """The height of the line at ``x``."""
        place = bisect_right(self.knots, x)
        if place == 0:
            return self.values[0]
        if place == len(self.knots):
            return self.values[-1]
        low, high = self.knots[place - 1], self.knots[place]
        a, b = self.values[place - 1], self.values[place]
        return a + (b - a) * (x - low) / (high - low)


@dataclass(frozen=True, slots=True)
class Odds:
    """A sum of one broken line for each feature: logistic regression whose terms may bend.

    Source: generalized additive models (Hastie and Tibshirani, 1986).
    """

    bias: float
    shapes: tuple[Shape, ...]

    def __call__(self, text: str, options: Sequence[Similar]) -> float:
        """The log-odds; ``options`` as for :func:`features`."""
        values = features(text, options)
        return self.bias + sum(shape(x) for shape, x in zip(self.shapes, values, strict=True))

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        shapes = {
            name: {"knots": list(shape.knots), "values": list(shape.values)}
            for name, shape in zip(NAMES, self.shapes, strict=True)
        }
        return {"bias": self.bias, "shapes": shapes}

    @classmethod
    def of_dict(cls, data: Any) -> "Odds":
        """What :meth:`as_dict` gave.

        Raises:
            InputError: it is not that.
        """
        try:
            shapes = []
            for name in NAMES:
                shape = data["shapes"][name]
                shapes.append(Shape(_numbers(shape["knots"]), _numbers(shape["values"])))
            (bias,) = _numbers([data["bias"]])
            odds = cls(bias, tuple(shapes))
        except (KeyError, OverflowError, TypeError, ValueError) as error:
            raise InputError(f"odds: expected the odds of a speller, got something else ({error})") from None
        for name, shape in zip(NAMES, odds.shapes, strict=True):
            rising = all(a < b for a, b in zip(shape.knots, shape.knots[1:], strict=False))
            finite = all(map(math.isfinite, (odds.bias, *shape.knots, *shape.values)))
            if not (rising and finite and len(shape.knots) == len(shape.values) > 0):
                raise InputError(f"odds: the shape of {name!r} is none: expected rising knots, finite values")
        return odds


def _numbers(values: object) -> tuple[float, ...]:
    if not isinstance(values, list):
        raise TypeError(f"expected a list, got {type(values).__name__}")
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise TypeError(f"expected numbers, got {value!r:.40}")
    return tuple(map(float, values))


@cache
def english_odds() -> Odds:
    """Fitted on misspellings of English words and names of npm packages: benchmarks/spelling_odds.py."""
    text = files("pyfastlm.spelling.candidates").joinpath("odds.json").read_text("utf-8")
    return Odds.of_dict(json.loads(text))


def fit_odds(
    texts: Sequence[str], options: Sequence[Sequence[Similar]], right: Sequence[bool], *, knots: int = KNOTS
) -> Odds:
    """Fit the odds to texts for which it is known whether the best option was ``right``.

    Args:
        texts: misspellings, and words or names that are none.
        options: of each text; those without any are left out.
        right: of each text; false for what was no misspelling.
        knots: of each broken line, at most; they lie at quantiles.

    Raises:
        InputError: all are right or none is.
        MissingExtra: scikit-learn is not installed.
    """
    linear = require("sklearn.linear_model", "spelling")
    kept = [i for i, found in enumerate(options) if found]
    table = np.array([features(texts[i], options[i]) for i in kept], float).reshape(len(kept), len(NAMES))
    truth = np.array([bool(right[i]) for i in kept])
    if truth.all() or not truth.any():
        raise InputError("right: expected some that are right and some that are not")
    places = [np.unique(np.quantile(column, np.linspace(0, 1, knots))) for column in table.T]
    hats = np.hstack([_hats(column, at) for column, at in zip(table.T, places, strict=True)])
    model = linear.LogisticRegression(C=STRENGTH, max_iter=5000).fit(hats, truth)
    values = np.split(model.coef_[0], np.cumsum([len(at) for at in places])[:-1])
    shapes = [Shape(tuple(at.tolist()), tuple(v.tolist())) for at, v in zip(places, values, strict=True)]
    return Odds(float(model.intercept_[0]), tuple(shapes))


def _hats(column: np.ndarray[Any, Any], knots: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """[n, knots]: the weight of each knot's value."""
    return np.stack([np.interp(column, knots, row) for row in np.eye(len(knots))], axis=1)
