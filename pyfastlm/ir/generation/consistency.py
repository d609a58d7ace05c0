"""Whether a query belongs to its document: by how likely it is given it, or by who else it finds."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pyfastlm.errors import InputError
from pyfastlm.ir.bm25 import BM25
from pyfastlm.ir.generation.prompts import Prompt, rendered, shortened
from pyfastlm.ir.generation.results import Generated, Rejected, SyntheticQuery
from pyfastlm.lm.runner import positive
from pyfastlm.lm.scorer import Scorer


def likelihoods(
    scorer: Scorer,
    prompt: Prompt,
    queries: Sequence[SyntheticQuery],
    documents: Mapping[str, str],
    *,
    document_tokens: int = 192,
    progress: bool = False,
) -> NDArray[np.float64]:
    """Mean log-probability [queries] of the tokens of each query after its document, in nats.

    By the fused scorer, which reads once what prompts have in common, and holds no logits.
    """
    texts = shortened([documents[each.document] for each in queries], scorer.lm.tokenizer, document_tokens)
    pairs = [
        (rendered(prompt, text, scorer.lm.tokenizer), f" {each.text}")
        for each, text in zip(queries, texts, strict=True)
    ]
    scores = scorer.conditional(pairs, progress=progress)
    return np.array([score.logp / max(1, score.n_tokens) for score in scores], np.float64)


def likely(generated: Generated, logps: NDArray[np.float64], share: float = 0.8) -> Generated:
    """Keep the ``share`` of the queries that are likeliest; the others are rejected as "unlikely".

    Args:
        generated: queries.
        logps: [queries], of :func:`likelihoods`.
        share: to be kept, in (0, 1], rounded up; of equals the first.

    Raises:
        InputError: the share is out of range, or there are not as many numbers as queries.
    """
    if not 0 < share <= 1:
        raise InputError(f"share: expected a number in (0, 1], got {share}")
    if len(logps) != len(generated.queries):
        raise InputError(
            f"logps: expected a number for each of {len(generated.queries)} queries, got {len(logps)}"
        )
    count = int(np.ceil(share * len(logps)))
    kept = set(np.argsort(-logps, kind="stable")[:count].tolist())
    return _without(generated, [n in kept for n in range(len(logps))], "unlikely")


def consistent(generated: Generated, index: BM25, rank: int = 20) -> Generated:
    """Keep the queries whose document BM25 finds among the first ``rank``; others are "inconsistent".

    Raises:
        InputError, InputTypeError: ``rank`` is no whole number above 0, or a document is not in the index.
    """
    positive("rank", rank)
    places = [index.rank(each.text, each.document) for each in generated.queries]
    return _without(generated, [place is not None and place <= rank for place in places], "inconsistent")


def _without(generated: Generated, kept: Sequence[bool], reason: str) -> Generated:
    split = [*zip(generated.queries, kept, strict=True)]
    return replace(
        generated,
        queries=tuple(each for each, stays in split if stays),
        rejected=(
            *generated.rejected,
            *(Rejected(each.document, reason, each.text) for each, stays in split if not stays),
        ),
    )
