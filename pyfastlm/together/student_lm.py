"""Prompt optimisers of DSPy that ask the weights which their student has."""

import copy
import functools
from typing import Any

from pyfastlm._require import require
from pyfastlm.errors import InputError


def on_student_lm(optimizer: Any) -> Any:
    """A copy of a ``dspy.Teleprompter`` that runs all of its calls on the LM of the student.

    DSPy's BootstrapFewShot and what is built on it forget the LMs of the predictors and use that of the
    settings. After a step on weights they would so optimise prompts for the old ones, and put the new ones
    back only at the end.

    Raises:
        InputError: (by ``compile``) the student's predictors do not all have the same LM.
    """
    compiling = optimizer.compile

    @functools.wraps(compiling)
    def on_its_lm(student: Any, *args: Any, **kwargs: Any) -> Any:
        lms = [predictor.lm for predictor in student.predictors()]
        if not lms or lms[0] is None or any(lm is not lms[0] for lm in lms):
            raise InputError("student: expected one LM for all predictors; call student.set_lm(lm)")
        with require("dspy", "together").context(lm=lms[0]):
            compiled = compiling(student, *args, **kwargs)
        compiled.set_lm(lms[0])
        return compiled

    changed = copy.copy(optimizer)
    changed.compile = on_its_lm
    return changed
