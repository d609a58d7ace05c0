"""Heat maps of a trace."""

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyfastlm.errors import InputError
from pyfastlm.lm.files.pictures import picture
from pyfastlm.memorization.tracing.result import Trace

LABELS = 64  # tokens that can be written along an axis
CHARACTERS = 14  # of a token


def save_picture(
    trace: Trace, path: "str | os.PathLike[str]", tokenizer: Any, *, token: int | None = None
) -> None:
    """Draw the drops of the probability, as a file that appears whole or not at all.

    Args:
        trace: what :func:`pyfastlm.memorization.trace` found.
        path: ``.png``, ``.svg`` or ``.pdf``.
        tokenizer: for the texts of the tokens.
        token: only this one of the generated tokens (0 to H - 1), by level and prompt position; by default
            the sum over all of them, beside each of them with its largest drop over the levels.

    Raises:
        InputError: another suffix, no such directory, or no such token.
        MissingExtra: matplotlib is not installed.
        OSError: the file cannot be written.
    """
    check_token(token, trace.horizon)
    texts = [shown(tokenizer.decode([one])) for one in trace.tokens.tolist()]
    prompt = [texts[place] for place in trace.positions]
    after = [
        text if depends else f"({text})"
        for text, depends in zip(texts[trace.prefix_length :], trace.depends, strict=True)
    ]
    height = 1.5 + 0.16 * max(min(len(prompt), LABELS), min(trace.horizon, LABELS) if token is None else 0)
    size = (11 if token is None else 5.5, height)
    with picture(path, size, "memorization", font_size=8, svg_fonttype="none") as figure:
        axes = figure.subplots(1, 1 if token is not None else 2, squeeze=False)[0]
        layers = [str(layer) for layer in trace.layers]
        if token is None:
            one, title = trace.dependency.sum(-1), f"Sum over {trace.horizon} generated tokens"
            _map(
                figure, axes[1], trace.dependency.max(0), prompt, after, "Each generated token, largest drop"
            )
            axes[1].set_xlabel("generated token, in brackets where it does not depend on the prompt")
            axes[1].tick_params(axis="x", rotation=90)
        else:
            one, title = trace.dependency[:, :, token], f"Generated token {token}: {after[token]}"
        _map(figure, axes[0], one.T, prompt, layers, title)
        axes[0].set_xlabel("level of the stream, 0: embeddings")


def check_token(token: int | None, horizon: int) -> None:
    """Raise :class:`InputError` unless ``token`` is one of the generated ones, or None."""
    if token is not None and not 0 <= token < horizon:
        raise InputError(f"token: expected 0..{horizon - 1}, got {token!r}")


def shown(text: str) -> str:
    """A token in a label: blanks and line ends can be seen, what is long is cut."""
    plain = text.replace(" ", "␣").replace("\n", "⏎")
    plain = "".join(one if one.isprintable() else "�" for one in plain)
    return plain if len(plain) <= CHARACTERS else plain[: CHARACTERS - 1] + "…"


def _map(
    figure: Any, axes: Any, drop: NDArray[np.float64], rows: list[str], columns: list[str], title: str
) -> None:
    """Prompt positions downwards; red: the probability drops, blue: it rises."""
    largest = max(float(np.abs(drop).max()), 1e-9)
    image = axes.imshow(drop, cmap="RdBu_r", vmin=-largest, vmax=largest, aspect="auto", interpolation="none")
    axes.set_title(title)
    axes.set_ylabel("prompt")
    for axis, labels in ((axes.yaxis, rows), (axes.xaxis, columns)):
        step = -(-len(labels) // LABELS)
        axis.set_ticks([*range(0, len(labels), step)], labels[::step])
    figure.colorbar(image, ax=axes, label="drop of probability")
