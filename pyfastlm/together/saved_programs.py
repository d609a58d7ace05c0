"""A DSPy program with its prompts and its weights in one directory, from which no code is ever loaded."""

import json
import os
from pathlib import Path
from typing import Any

from pyfastlm._durable import new_directory
from pyfastlm._require import require
from pyfastlm.errors import InputError
from pyfastlm.lm.saving import check_directory
from pyfastlm.together.engine import HFEngine

PROGRAM = "program.json"
FORMAT = 1
LARGEST = 1 << 28  # bytes


def save_program(program: Any, directory: "str | os.PathLike[str]") -> None:
    """Write the state of a ``dspy.Module`` and the weights that its predictors use.

    Args:
        program: every predictor has a ``dspy.LM`` on one :class:`HFEngine`.
        directory: a new one; it appears whole or not at all. It may be moved.

    Raises:
        InputError: the directory exists, or a predictor has no LM or one on another engine.
    """
    target = check_directory(directory)
    modules = dict(program.named_parameters())
    engine = _engine(modules)
    lms = {name: {"model": module.lm.model, "kwargs": module.lm.kwargs} for name, module in modules.items()}
    ids = sorted({lm["model"] for lm in lms.values()} - {engine.model_id})
    state = engine.dump_state() | {"weights": {model_id: _folder(n) for n, model_id in enumerate(ids)}}
    states = {name: {**module.dump_state(), "lm": None} for name, module in modules.items()}
    with new_directory(target) as home:
        for number, model_id in enumerate(ids):
            engine.weights.save(model_id, home / _folder(number), remember=False)
        whole = {"format": FORMAT, "engine": state, "lms": lms, "modules": states}
        (home / PROGRAM).write_text(json.dumps(whole, ensure_ascii=False, indent=1), encoding="utf-8")


def load_program(
    program: Any,
    directory: "str | os.PathLike[str]",
    *,
    engine: HFEngine | None = None,
    provider: Any = None,
) -> HFEngine:
    """Put what :func:`save_program` wrote into ``program``, a new one of the same modules.

    Args:
        program: a ``dspy.Module``; its state is replaced.
        directory: with the state and the weights.
        engine: to run it with; None takes the one of this process that was made alike, or makes it. One that
            is given must have the same base.
        provider: for fine-tuning it further.

    Returns:
        The engine.

    Raises:
        InputError: the directory is damaged, of another program, or its weights do not fit.
    """
    dspy = require("dspy", "together")
    path = Path(directory)
    whole = _read(path / PROGRAM)
    try:
        state, lms, states = whole["engine"], whole["lms"], whole["modules"]
        folders = {str(model_id): path / _plain(folder) for model_id, folder in state["weights"].items()}
        modules = dict(program.named_parameters())
        if not modules.keys() == states.keys() == lms.keys():
            raise InputError(f"directory: {str(path)!r} holds a program of {', '.join(states)}")
        if engine is None:
            engine = HFEngine.load_state({**state, "weights": {}})
        elif engine.weights.lm.fingerprint != state["fingerprint"]:
            raise InputError(f"engine: {str(path)!r} is a program of another base, {state['lm']!r}")
        engine.weights.load_all(folders)
        for name, module in modules.items():
            module.load_state({**states[name], "lm": None})
            module.lm = dspy.LM(
                lms[name]["model"], engine=engine, provider=provider, cache=False, **lms[name]["kwargs"]
            )
    except (LookupError, TypeError, AttributeError) as error:
        raise InputError(f"directory: {str(path)!r} is damaged: {type(error).__name__}: {error}") from error
    return engine


def _engine(modules: dict[str, Any]) -> HFEngine:
    engines = [getattr(module.lm, "engine", None) for module in modules.values()]
    if not engines or any(each is not engines[0] for each in engines):
        raise InputError("program: expected predictors with LMs on one engine; call program.set_lm(lm)")
    if not isinstance(engines[0], HFEngine):
        raise InputError("program: expected LMs with an HFEngine; call program.set_lm(lm)")
    return engines[0]


def _folder(number: int) -> str:
    return f"weights-{number}"


def _plain(folder: str) -> str:
    if folder not in {_folder(number) for number in range(1000)}:
        raise InputError(f"directory: expected weights in a folder beside the program, got {folder!r}")
    return folder


def _read(path: Path) -> Any:
    try:
        if path.stat().st_size > LARGEST:
            raise InputError(f"directory: {str(path)!r} is too large for a program")
        whole = json.loads(path.read_bytes())
    except (OSError, RecursionError) as error:
        raise InputError(f"directory: cannot read {str(path)!r}: {type(error).__name__}") from error
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"directory: {str(path)!r} is no JSON: {error}") from error
    if not isinstance(whole, dict) or whole.get("format") != FORMAT:
        raise InputError(f"directory: {str(path)!r} is no program of format {FORMAT}")
    return whole
