"""Which examples make a step, and negatives that they lend each other."""

from collections.abc import Iterator, Sequence

import numpy as np

from pyfastlm.ir.examples import RankingExample
from pyfastlm.ir.generation.cleaning import normal


def batches(
    examples: Sequence[RankingExample], epochs: int, batch_size: int, in_batch: int, seed: int
) -> Iterator[list[RankingExample]]:
    """Batches of all epochs; each epoch in another order, drawn by ``seed``."""
    rng = np.random.default_rng(seed)
    for _ in range(epochs):
        order = rng.permutation(len(examples)).tolist()
        for start in range(0, len(order), batch_size):
            batch = [examples[number] for number in order[start : start + batch_size]]
            yield lent(batch, in_batch) if in_batch else batch


def lent(batch: Sequence[RankingExample], count: int) -> list[RankingExample]:
    """Each example with relevant documents of the others as further negatives, ``count`` at most.

    They come from the examples behind it, then from those before it. A document that it has already, or with
    the words of one that it has, is left out.
    """
    found = []
    for place, example in enumerate(batch):
        ids, words = set(example.documents), {normal(text) for text in example.texts}
        more: list[tuple[str, str]] = []
        for other in (*batch[place + 1 :], *batch[:place]):
            for document, text, label in zip(other.documents, other.texts, other.labels, strict=True):
                if label > 0 and len(more) < count and document not in ids and normal(text) not in words:
                    more.append((document, text))
                    ids.add(document)
                    words.add(normal(text))
        found.append(
            RankingExample(
                example.query,
                (*example.documents, *(document for document, _ in more)),
                (*example.texts, *(text for _, text in more)),
                (*example.labels, *(0 for _ in more)),
            )
        )
    return found
