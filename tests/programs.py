"""Small engines, and programs of DSPy on them."""

from typing import Any, Literal

from preferences import small_lm

from pyfastlm.together import HFEngine

COLOURS = {"sky": "blue", "grass": "green", "blood": "red", "sea": "blue", "leaf": "green", "rose": "red"}


def small_engine(seed: int = 0, **settings: Any) -> HFEngine:
    """An engine on random weights that reads long enough prompts."""
    return HFEngine(small_lm(seed=seed, max_position_embeddings=4096), **settings)


def colour_program(lm: Any) -> Any:
    """A program of one module: some words, then one of three colours."""
    import dspy

    class Colour(dspy.Signature):
        """Say which colour fits."""

        thing: str = dspy.InputField()
        why: str = dspy.OutputField()
        colour: Literal["red", "green", "blue"] = dspy.OutputField()

    program = dspy.Predict(Colour)
    if lm is not None:
        program.set_lm(lm)
    return program


def colour_examples() -> list[Any]:
    """Six things with their colours."""
    import dspy

    return [dspy.Example(thing=thing, colour=c).with_inputs("thing") for thing, c in COLOURS.items()]
