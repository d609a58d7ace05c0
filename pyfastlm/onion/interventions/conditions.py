"""Under what an intervention is trained and scored, and whether it is for this model and task."""

from typing import cast, get_args

from pyfastlm.errors import InputError
from pyfastlm.onion.codes import Coder
from pyfastlm.onion.interventions.base import Intervention
from pyfastlm.onion.interventions.corruption import Edits, Lengths
from pyfastlm.onion.task import RepeatTask


def resolved(
    intervention: "Intervention | type[Intervention] | None", lengths: str, edits: str
) -> tuple[Lengths, Edits]:
    """The condition, with "own" spelled out.

    Raises:
        InputError: there is no such condition.
    """
    if intervention is not None:
        lengths = intervention.own_lengths if lengths == "own" else lengths
        edits = intervention.own_edits if edits == "own" else edits
    for name, value, known in (("lengths", lengths, get_args(Lengths)), ("edits", edits, get_args(Edits))):
        if value not in known:
            raise InputError(f"{name}: expected 'own', {', '.join(map(repr, known))}, got {value!r}")
    return cast("Lengths", lengths), cast("Edits", edits)  # looked up above


def check_shapes(intervention: Intervention, model: Coder) -> None:
    """Raise :class:`InputError` unless the intervention is for models of this shape."""
    wanted = (model.config.size, model.config.n_symbols, model.config.max_len)
    got = (intervention.size, intervention.n_symbols, intervention.max_len)
    if got != wanted:
        what = "size, n_symbols and max_len of the model"
        raise InputError(f"intervention: expected {what}, {wanted}, got {got}")


def check_task(task: RepeatTask, model: Coder) -> None:
    """Raise :class:`InputError` unless the task has the symbols and lengths of the model."""
    wanted, got = (model.config.n_symbols, model.config.max_len), (task.n_symbols, task.max_len)
    if got != wanted:
        raise InputError(f"task: expected n_symbols and max_len of the model, {wanted}, got {got}")
