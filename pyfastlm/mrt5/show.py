"""What a gate deletes, byte by byte: the numbers behind the picture, and the file it goes to."""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from pyfastlm._durable import replacing
from pyfastlm.errors import InputError
from pyfastlm.lm.progress import watched
from pyfastlm.mrt5.examples import Example, collate
from pyfastlm.mrt5.kinds import LEARNED
from pyfastlm.mrt5.variants import evaluating
from pyfastlm.mrt5.vocabulary import EOS, encode

if TYPE_CHECKING:
    from pyfastlm.mrt5.model import MrT5ForConditionalGeneration

MARK = '<meta name="generator" content="pyfastlm mrt5 show">'  # a page that has it may be replaced


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """One text and its gates, byte by byte; EOS is left out.

    ``text`` is what the model saw, ``cut`` how many bytes of the text it did not see. ``closed`` [n] is how
    far each byte's gate is closed, from 0 (open) to 1; ``kept`` [n] bool, whether the byte survives.
    """

    language: str
    text: str
    closed: NDArray[np.float32]
    kept: NDArray[np.bool_]
    cut: int

    @property
    def deleted(self) -> float:
        """Fraction of the bytes that is deleted; NaN without any."""
        return 1 - float(self.kept.mean()) if len(self.kept) else math.nan


@dataclass(frozen=True, slots=True)
class Rate:
    """All texts of a language together."""

    language: str
    texts: int
    bytes: int
    characters: int
    deleted: float


def look(
    model: "MrT5ForConditionalGeneration",
    texts: Sequence[tuple[str, str]],
    *,
    max_length: int = 1024,
    batch_size: int = 8,
    progress: bool = False,
) -> list[Shown]:
    """Run the gate of ``model`` over ``texts``.

    Args:
        model: with a gate that learns.
        texts: (language, text) pairs.
        max_length: ids the model sees of a text, EOS included; the rest is cut off after a whole character.
        batch_size: texts run at once.
        progress: a bar on standard error.

    Raises:
        InputError: the model has no gate; there is no text; one holds a lone surrogate; a number is out of
            range.
    """
    if model.config.deletion_type not in LEARNED:
        kind = model.config.deletion_type
        raise InputError(f"model: expected one with a gate that learned, and deletion_type is {kind!r}")
    if not texts:
        raise InputError("texts: expected at least one, got none")
    if batch_size < 1:
        raise InputError(f"batch_size: expected at least 1, got {batch_size}")
    shown: list[Shown] = []
    starts = range(0, len(texts), batch_size)
    with evaluating(model):
        for start in watched(starts, len(starts), "looking", progress):
            shown += _batch(model, texts[start : start + batch_size], max_length)
    return shown


def _batch(
    model: "MrT5ForConditionalGeneration", texts: Sequence[tuple[str, str]], max_length: int
) -> list[Shown]:
    seen = []
    for _, text in texts:
        kept = encode(text, max_length=max_length)[:-1]
        seen.append((kept - 3).astype(np.uint8).tobytes().decode("utf-8", "ignore"))
    batch = collate([Example(encode(text), np.array([EOS])) for text in seen])
    output = model(
        input_ids=batch["input_ids"].to(model.device),
        attention_mask=batch["attention_mask"].to(model.device),
        decoder_input_ids=batch["decoder_input_ids"].to(model.device),
        hard_delete=True,
    )
    values = output.gate_values.float()
    scaled = model.config.deletion_type == "scaled_sigmoid"
    closed = values / model.config.sigmoid_mask_scale if scaled else 1 - torch.exp(values)
    rows = zip(texts, seen, closed.cpu().numpy(), output.keep.cpu().numpy(), strict=True)
    shown = []
    for (language, text), part, row, keep in rows:
        size = len(part.encode())
        shown.append(Shown(language, part, row[:size], keep[:size], len(text.encode()) - size))
    return shown


def rates(shown: Sequence[Shown]) -> list[Rate]:
    """Deletion by language, in the order in which languages first occur."""
    found = []
    for language in dict.fromkeys(one.language for one in shown):
        of_one = [one for one in shown if one.language == language]
        kept = np.concatenate([one.kept for one in of_one])
        deleted = 1 - float(kept.mean()) if len(kept) else math.nan
        characters = sum(len(one.text) for one in of_one)
        found.append(Rate(language, len(of_one), len(kept), characters, deleted))
    return found


def check_page(path: "str | os.PathLike[str]") -> Path:
    """Find what is wrong with the place of a page before any model is loaded.

    Raises:
        InputError: there is no such directory, or something else than a page of this kind is there.
    """
    target = Path(path)
    if not target.parent.is_dir() or target.is_dir() or not target.name:
        raise InputError(f"output: expected a file in a directory that exists, got {str(path)!r}")
    if target.exists():
        with open(target, encoding="utf-8", errors="replace") as file:
            if MARK not in file.read(1000):
                raise InputError(f"output: {str(path)!r} is no page of this kind; move it, or choose another")
    return target


def write_page(path: "str | os.PathLike[str]", shown: Sequence[Shown], *, model: str) -> Path:
    """Write ``shown`` as one HTML file without scripts that loads nothing; it appears whole or not at all.

    Args:
        path: the file; replaced where it is a page of this kind.
        shown: from :func:`look`.
        model: its name, for the heading.

    Raises:
        InputError: as :func:`check_page`.
    """
    from pyfastlm.mrt5.show_html import page

    target = check_page(path)
    with replacing(target, target.with_name(f".{target.name}.{os.getpid()}")) as file:
        file.write(page(shown, model).encode())
    return target
