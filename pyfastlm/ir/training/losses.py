"""Losses of one list of documents each: scores s and labels y, both [N]; means over what they compare.

Those of sentence-transformers with the same names, with natural logarithms, and with linear gain where it has
an exponential one (equal for labels 0 and 1).
"""

from collections.abc import Callable
from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

Loss: TypeAlias = Callable[[Tensor, Tensor], Tensor]


def infonce(scores: Tensor, labels: Tensor) -> Tensor:
    """Mean over positives p of -s_p + log sum exp of s over p and the negatives (labels of 0)."""
    negatives = scores[labels == 0]
    rows = [torch.cat([one[None], negatives]) for one in scores[labels > 0]]
    return torch.stack([row.logsumexp(0) - row[0] for row in rows]).mean()


def ranknet(scores: Tensor, labels: Tensor) -> Tensor:
    """Mean over pairs with y_i > y_j of softplus(-(s_i - s_j))."""
    better = labels[:, None] > labels[None]
    return F.softplus(scores[None] - scores[:, None])[better].mean()


def listnet(scores: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of softmax(s) against softmax(y)."""
    return -(labels.to(scores.dtype).softmax(0) * scores.log_softmax(0)).sum()


def lambdarank(scores: Tensor, labels: Tensor) -> Tensor:
    """RankNet's pairs, each weighed by how much NDCG changes where the two change places."""
    gains = labels.to(scores.dtype)
    discounts = 1 / torch.arange(2, len(scores) + 2, device=scores.device).to(scores.dtype).log2()
    best = (gains.sort(descending=True).values * discounts).sum()
    places = torch.empty_like(labels)
    places[scores.detach().argsort(descending=True, stable=True)] = torch.arange(
        len(scores), device=labels.device
    )
    own = discounts[places]
    change = (gains[:, None] - gains[None]).abs() * (own[:, None] - own[None]).abs() / best
    better = labels[:, None] > labels[None]
    return (change * F.softplus(scores[None] - scores[:, None]))[better].mean()


LOSSES: dict[str, Loss] = {
    "infonce": infonce,
    "ranknet": ranknet,
    "listnet": listnet,
    "lambdarank": lambdarank,
}
