"""Keys and values of the starts of sequences, kept for the next sequence that starts alike."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from torch import Tensor

from pyfastlm.lm.encoding import Tokens, common_prefix
from pyfastlm.lm.growing import Keys


@dataclass(eq=False)
class _Node:
    """A run of tokens behind those of ``parent``; ``children`` by their first token."""

    tokens: Tokens
    parent: "_Node | None"
    kept: dict[int, tuple[Tensor, Tensor]] = field(default_factory=dict)
    children: "dict[int, _Node]" = field(default_factory=dict)
    used: int = 0


class PrefixCache:
    """A radix tree over tokens for each ``owner``, the weights that keys and values come from.

    What was not used for the longest time is given up first. Not thread-safe.

    Args:
        capacity: tokens that are kept at most, over all owners; 0 keeps nothing.

    Attributes:
        size: tokens that are kept now.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.size = 0
        self._roots: dict[str, _Node] = {}
        self._clock = 0

    def restore(self, owner: str, tokens: Tokens, keys: Keys) -> int:
        """Fill empty ``keys`` with the longest kept start of ``tokens``; its length."""
        for node, count in self._path(owner, tokens):
            kept = {layer: (k[:, :, :count], v[:, :, :count]) for layer, (k, v) in node.kept.items()}
            keys.extend(node.tokens[:count].tolist(), kept)
        return len(keys.tokens)

    def known(self, owner: str, tokens: Tokens) -> int:
        """How many tokens :meth:`restore` would find."""
        return sum(count for _, count in self._path(owner, tokens))

    def insert(self, owner: str, keys: Keys, count: int) -> None:
        """Keep the first ``count`` tokens of ``keys``, as far as they are not kept already."""
        if count > self.capacity:
            return
        tokens = np.array(keys.tokens[:count], np.int32)
        node = self._roots.setdefault(owner, _Node(tokens[:0], None))
        depth = 0
        for found, common in self._path(owner, tokens):
            node = found if common == len(found.tokens) else self._split(found, common)
            depth += common
        if depth < count:
            self._clock += 1  # newer than what it was split from
            leaf = _Node(tokens[depth:], node, keys.part(depth, count), used=self._clock)
            node.children[int(tokens[depth])] = leaf
            self.size += count - depth
            self._shrink()

    def clear(self) -> None:
        """Give up everything."""
        self._roots.clear()
        self.size = 0

    def _path(self, owner: str, tokens: Tokens) -> Iterator[tuple[_Node, int]]:
        """Nodes that cover the start of ``tokens``, and how many tokens of each agree."""
        self._clock += 1
        node = self._roots.get(owner)
        while node is not None and len(tokens):
            node = node.children.get(int(tokens[0]))
            if node is None:
                return
            node.used = self._clock
            common = common_prefix(node.tokens, tokens)
            whole = common == len(node.tokens)  # now: it may be cut while the caller has it
            yield node, common
            if not whole:
                return
            tokens = tokens[common:]

    def _split(self, node: _Node, at: int) -> _Node:
        """Cut ``node`` in two; the first half."""
        assert node.parent is not None
        halves = []
        for part in (slice(None, at), slice(at, None)):
            # A view would hold on to the whole.
            kept = {n: (k[:, :, part].clone(), v[:, :, part].clone()) for n, (k, v) in node.kept.items()}
            halves.append((node.tokens[part], kept))
        first = _Node(halves[0][0], node.parent, halves[0][1], used=node.used)
        node.parent.children[int(node.tokens[0])] = first
        node.parent, (node.tokens, node.kept) = first, halves[1]
        first.children[int(node.tokens[0])] = node
        return first

    def _shrink(self) -> None:
        while self.size > self.capacity:
            oldest = min((node for root in self._roots.values() for node in _leaves(root)), key=_age)
            assert oldest.parent is not None
            del oldest.parent.children[int(oldest.tokens[0])]
            self.size -= len(oldest.tokens)


def _leaves(root: _Node) -> Iterator[_Node]:
    waiting = [*root.children.values()]
    while waiting:
        node = waiting.pop()
        if node.children:
            waiting += node.children.values()
        else:
            yield node


def _age(node: _Node) -> int:
    return node.used
