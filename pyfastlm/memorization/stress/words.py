"""Words in a token sequence, and the sequence with others in their place."""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from pyfastlm.memorization.metric.texts import Texts
from pyfastlm.memorization.token_ids import Ids

WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")


class Word(NamedTuple):
    """A word at characters [begin, end) of the text, written by the tokens [first, stop).

    ``before`` and ``after`` are what else these tokens write: mostly the space before the word.
    """

    text: str
    begin: int
    end: int
    first: int
    stop: int
    before: str
    after: str


def find_words(tokens: Ids, tokenizer: Any) -> list[Word]:
    """The words that ``tokens`` write, in order."""
    decode = Texts(tokenizer).decode
    texts = [decode(tokens[:count].tolist()) for count in range(len(tokens) + 1)]
    whole = texts[-1]
    # Where the first tokens end in the text; -1 inside a character that several tokens write.
    edges = np.array([len(text) if whole.startswith(text) else -1 for text in texts])
    found = []
    for match in WORD.finditer(whole):
        begin, end = match.span()
        first = int(np.flatnonzero((edges >= 0) & (edges <= begin))[-1])
        stop = int(np.flatnonzero(edges >= end)[0])
        found.append(
            Word(match[0], begin, end, first, stop, whole[edges[first] : begin], whole[end : edges[stop]])
        )
    return found


def replaced(tokens: Ids, changes: Sequence[tuple[Word, str]], tokenizer: Any) -> Ids | None:
    """``tokens`` with other words; all other tokens stay what they are.

    None where two words have a token in common, or where the new tokens do not write the new text.
    """
    decode = Texts(tokenizer).decode
    pieces: list[Ids] = []
    text = decode(tokens.tolist())
    wanted, at, done = "", 0, 0
    for word, substitute in sorted(changes, key=lambda change: change[0].begin):
        if word.first < done:
            return None
        piece = tokenizer(word.before + substitute + word.after, add_special_tokens=False, verbose=False)
        pieces += [tokens[done : word.first], np.array(piece["input_ids"], np.int64)]
        wanted += text[at : word.begin] + substitute
        at, done = word.end, word.stop
    made = np.concatenate([*pieces, tokens[done:]])
    return made if decode(made.tolist()) == wanted + text[at:] else None
