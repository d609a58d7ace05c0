"""How far greedy decoding follows given tokens, from many prefixes, without decoding.

Given the true tokens up to ``t``, the model's choice for ``t`` is the same whether it has written them itself
or read them. So decoding from a prefix reproduces just as many tokens as there are hits in a row after it,
and one pass over the tokens tells this for all prefixes that start at the same place.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pyfastlm.errors import InputError
from pyfastlm.lm.encoding import Tokens
from pyfastlm.lm.packing import Index, Piece
from pyfastlm.lm.runner import Runner

NEAR = 1e-4
"""Logits nearer to each other than this may be ordered otherwise by another way of computing them."""

FIRST_ROWS = 2  # of each run, that go through the head at once; twice as many after each success
FIRST_TOKENS = 8  # read after the longest prefix, before it is seen which runs are over; then all the rest


@dataclass(frozen=True, eq=False)
class Course:
    """Tokens to be followed: from ``prefixes[j]`` on, ``limits[j]`` of them, at least one."""

    tokens: Tokens
    prefixes: Index
    limits: Index

    @property
    def size(self) -> int:
        """How many tokens have to be read to see all: the last is only predicted."""
        return int((self.prefixes + self.limits).max()) - 1


@dataclass(frozen=True, eq=False)
class Followed:
    """How far one course was followed.

    Attributes:
        course: what was to be followed.
        lengths: [P] int64, tokens in a row that greedy decoding gets right.
        close: [P] bool, whether one of the decisions that make the length was close (:class:`Choices`).
        instead: [P] int64, what it chooses after them; -1 where the limit is reached.
        pieces: what was read, with keys and values until the next batch is read; of models that share.
    """

    course: Course
    lengths: Index
    close: NDArray[np.bool_]
    instead: Index
    pieces: tuple[Piece, ...]


def follow(
    runner: Runner, courses: Iterable[Course], *, within: float = NEAR, runner_up: bool = False
) -> Iterator[list[Followed]]:
    """Follow each course, in order; batch by batch, without padding.

    The head sees only rows that runs of hits have come to. Where the model shares prefixes, most tokens
    behind the end of all runs of a course are not read either.

    Args:
        runner: of the model.
        courses: what to follow.
        within: how near logits make a decision close.
        runner_up: as in :class:`Choices`: what is chosen ``instead`` matters, not only that something is.

    Raises:
        InputError: the model's predictions are not numbers.
    """
    batch: list[Course] = []
    size = 0
    for course in courses:
        if batch and size + course.size > runner.budget:
            yield from _Batch(runner, batch, within, runner_up).followed()
            batch, size = [], 0
        batch.append(course)
        size += course.size
    if batch:
        yield from _Batch(runner, batch, within, runner_up).followed()


class _Batch:
    """Courses read together. Arrays are flat: a place is the token ``t`` of a course plus its ``base``."""

    def __init__(self, runner: Runner, courses: Sequence[Course], within: float, runner_up: bool) -> None:
        self._runner, self._courses = runner, courses
        self._within, self._runner_up = within, runner_up
        sizes = [course.size + 1 for course in courses]
        self._base = np.cumsum([0, *sizes[:-1]])
        self._tokens = np.concatenate([c.tokens[:n] for c, n in zip(courses, sizes, strict=True)])
        self._chosen = np.full(len(self._tokens), -1, np.int64)
        self._close = np.zeros(len(self._tokens), np.bool_)
        # Of each run: the course, the place it starts at, the next place to be decided, and its end.
        self._course = np.repeat(np.arange(len(courses)), [len(c.prefixes) for c in courses])
        self._start = np.concatenate([c.prefixes for c in courses]) + self._base[self._course]
        self._next = self._start.copy()
        self._end = self._start + np.concatenate([c.limits for c in courses])
        self._alive = self._next < self._end

    def followed(self) -> Iterator[list[Followed]]:
        """All of them at once; what was read is given up when more is asked for."""
        pieces: list[tuple[Piece, ...]] = [()] * len(self._courses)
        ahead = FIRST_TOKENS
        while self._alive.any():
            reading = np.unique(self._course[self._alive]).tolist()
            for i in reading:
                course, read = self._courses[i], pieces[i]
                begin = read[-1].start + len(read[-1].tokens) if read else 0
                stop = course.size
                if self._runner.shares:
                    stop = min(stop, max(begin, int(course.prefixes.max())) + ahead)
                pieces[i] = (*read, Piece(course.tokens[begin:stop], parents=read, start=begin))
            self._read(reading, [pieces[i][-1] for i in reading])
            ahead = max(course.size for course in self._courses)
        yield [*self._results(pieces)]
        for piece in (piece for several in pieces for piece in several):
            piece.kept.clear()

    def _read(self, courses: Sequence[int], batch: list[Piece]) -> None:
        hidden = self._runner.hidden(batch, batch if self._runner.shares else ())
        # Row ``place - 1 + shift`` predicts a place.
        shift = np.zeros(len(self._courses), np.int64)
        stop = np.zeros(len(self._courses), np.int64)
        row = 0
        for i, piece in zip(courses, batch, strict=True):
            shift[i] = row - (self._base[i] + piece.start) - 1
            row += len(piece.tokens)
            stop[i] = self._base[i] + piece.start + len(piece.tokens) + 1
        end = np.minimum(self._end, stop[self._course])
        rows = FIRST_ROWS
        while len(runs := np.flatnonzero(self._alive & (self._next < end))):
            ahead = self._next[runs, None] + np.arange(rows)
            inside = ahead < end[runs, None]
            course = np.broadcast_to(self._course[runs, None], ahead.shape)[inside]
            places, first = np.unique(ahead[inside], return_index=True)
            new = self._chosen[places] < 0
            self._decide(hidden, places[new], (places + shift[course[first]])[new])
            right = inside & self._hits(np.minimum(ahead, len(self._tokens) - 1))
            gained = np.logical_and.accumulate(right, axis=1).sum(1)
            self._next[runs] += gained
            self._alive[runs] = (gained == inside.sum(1)) & (self._next[runs] < self._end[runs])
            rows *= 2

    def _hits(self, places: Index) -> NDArray[np.bool_]:
        hits: NDArray[np.bool_] = self._chosen[places] == self._tokens[places]
        return hits

    @torch.inference_mode()
    def _decide(self, hidden: Tensor, places: Index, rows: Index) -> None:
        if not len(places):
            return
        targets = torch.from_numpy(self._tokens[places].astype(np.int64)).to(hidden.device)
        outputs = hidden[torch.from_numpy(rows).to(hidden.device)]
        if bool(outputs.isnan().any()):
            raise InputError(
                "lm: its predictions are NaN; its weights are damaged, or too large for its dtype"
            )
        chosen, close = self._runner.head.choose(
            outputs, targets, within=self._within, runner_up=self._runner_up
        )
        self._chosen[places] = chosen.cpu().numpy()
        self._close[places] = close.cpu().numpy()

    def _results(self, pieces: Sequence[tuple[Piece, ...]]) -> Iterator[Followed]:
        over = self._next < self._end
        instead = np.where(over, self._chosen[np.minimum(self._next, len(self._chosen) - 1)], -1)
        counted = np.concatenate([[0], np.cumsum(self._close)])
        close = counted[self._next + over] > counted[self._start]
        lengths = self._next - self._start
        stop = 0
        for course, read in zip(self._courses, pieces, strict=True):
            runs = slice(stop, stop + len(course.prefixes))
            stop = runs.stop
            yield Followed(course, lengths[runs], close[runs], instead[runs], read)
