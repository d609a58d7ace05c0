"""What a model says from states, counted in every way that is of interest."""

from dataclasses import dataclass

import torch
from torch import Tensor

from pyfastlm.onion.codes import Speaker
from pyfastlm.onion.scoring import Share, exact, share, shares
from pyfastlm.onion.sequences import Sequences


@dataclass(frozen=True, slots=True)
class Scores:
    """Of ``n`` sequences said from one kind of state.

    Attributes:
        taught: sequences right throughout, the decoder reading the true tokens before each (or nothing,
            where the model is made so).
        free: sequences right throughout, the decoder reading its own. That is ``taught`` again: while all is
            right, both read the same. Being taught shows in single tokens only:
        tokens: right tokens of the taught decoder,
        free_tokens: and of the free one, which reads its own mistakes.
        by_length: ``taught`` of each length, from 0 on.
        by_place: ``tokens`` of each place, from 0 on.
        by_edit: ``taught`` of the sequences in which a place was edited, from place 0 on; a sequence with
            several edited places counts at each. Empty without edits.
    """

    taught: Share
    free: Share
    tokens: Share
    free_tokens: Share
    by_length: tuple[Share, ...]
    by_place: tuple[Share, ...]
    by_edit: tuple[Share, ...]


class Tally:
    """Batches of states, said by ``speaker`` and compared with the sequences they should stand for."""

    def __init__(self, speaker: Speaker) -> None:
        self._speaker = speaker
        self._taught: list[Tensor] = []
        self._free: list[Tensor] = []
        self._right: list[Tensor] = []
        self._free_right: list[Tensor] = []
        self._real: list[Tensor] = []
        self._lengths: list[Tensor] = []
        self._edited: list[Tensor] = []

    def add(self, states: Tensor, truth: Sequences, edited: Tensor | None = None) -> None:
        """``states`` [B, N] of ``truth`` [B, L]; ``edited`` [B, L] bool, of all batches or of none."""
        said = self._speaker.decode(states, truth.tokens, truth.lengths).argmax(-1)
        free = self._speaker.generate(states, truth.lengths)
        free = torch.nn.functional.pad(free, (0, truth.tokens.shape[1] - free.shape[1]))
        self._taught.append(exact(said, truth))
        self._free.append(exact(free, truth))
        self._right.append(said == truth.tokens)
        self._free_right.append(free == truth.tokens)
        self._real.append(truth.real)
        self._lengths.append(truth.lengths)
        if edited is not None:
            self._edited.append(edited)

    def scores(self) -> Scores:
        """Of all batches, one at least."""
        taught, right, real = torch.cat(self._taught), torch.cat(self._right), torch.cat(self._real)
        longest = right.shape[1]
        places = torch.arange(longest).expand_as(right)
        by_edit: tuple[Share, ...] = ()
        if self._edited:
            row, place = torch.cat(self._edited).nonzero(as_tuple=True)
            by_edit = shares(taught[row], place, longest)
        return Scores(
            taught=share(taught),
            free=share(torch.cat(self._free)),
            tokens=share(right[real]),
            free_tokens=share(torch.cat(self._free_right)[real]),
            by_length=shares(taught, torch.cat(self._lengths), longest + 1),
            by_place=shares(right[real], places[real], longest),
            by_edit=by_edit,
        )
