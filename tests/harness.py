"""What a scorer is judged by: lm-evaluation-harness itself, and plain float64 over the same windows."""

import contextlib
import functools
import io
import logging
from collections.abc import Sequence
from typing import Any, NamedTuple

# The harness sums float32; its log_softmax over some 50,000 entries is off by this much a token.
HARNESS_ROUNDING = 2e-5


def _model(lm: Any, **options: Any) -> Any:
    from lm_eval.models.huggingface import HFLM

    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    return HFLM(pretrained=lm.model, tokenizer=lm.tokenizer, **options)


def _requests(kind: str, arguments: Sequence[tuple[str, ...]]) -> list[Any]:
    from lm_eval.api.instance import Instance

    return [Instance(kind, {}, args, index) for index, args in enumerate(arguments)]


def _ask(model: Any, kind: str, arguments: Sequence[tuple[str, ...]]) -> list[Any]:
    with contextlib.redirect_stderr(io.StringIO()):  # its bars cannot all be turned off
        return list(getattr(model, kind)(_requests(kind, arguments), disable_tqdm=True))


def rolling(lm: Any, texts: Sequence[str], **options: Any) -> list[float]:
    """``loglikelihood_rolling`` as shipped."""
    return _ask(_model(lm, **options), "loglikelihood_rolling", [(text,) for text in texts])


def conditional(lm: Any, pairs: Sequence[tuple[str, str]], **options: Any) -> list[tuple[float, bool]]:
    """``loglikelihood`` as shipped."""
    return _ask(_model(lm, **options), "loglikelihood", pairs)


def load_exact(name: Any) -> Any:
    """A model in float64 throughout; transformers keeps the norms of a Llama in float32."""
    import torch

    from pyfastlm.lm import load

    lm = load(name, dtype=torch.float64)
    for module in lm.model.modules():
        if hasattr(module, "variance_epsilon"):
            module.forward = functools.partial(_rms_norm, module)
    return lm


def _rms_norm(module: Any, x: Any) -> Any:
    return module.weight * x * (x.pow(2).mean(-1, keepdim=True) + module.variance_epsilon).rsqrt()


class Exact(NamedTuple):
    """Sum over a text or continuation in float64; ``margin``: how far the greedy decision is from a tie."""

    logp: float
    n_tokens: int
    is_greedy: bool
    margin: float


def exact_rolling(lm64: Any, texts: Sequence[str], max_length: int | None = None) -> list[Exact]:
    """Full float64 logits of one window at a time; the windows are made by the harness's own code."""
    from lm_eval.utils import get_rolling_token_windows, make_disjoint_window

    model = _model(lm64, max_length=max_length)
    return [
        _exact(
            lm64,
            [
                make_disjoint_window(window)
                for window in get_rolling_token_windows(
                    token_list=model.tok_encode(text),
                    prefix_token=model.prefix_token_id,
                    max_seq_len=model.max_length,
                    context_len=1,
                )
            ],
            model.max_length,
        )
        for text in texts
    ]


def exact_conditional(
    lm64: Any, pairs: Sequence[tuple[str, str]], max_length: int | None = None
) -> list[Exact]:
    """The same for continuations, encoded by the harness's own code."""
    model = _model(lm64, max_length=max_length)
    encoded: list[Any] = []
    model._loglikelihood_tokens = lambda requests, **_: encoded.extend(requests) or []
    _ask(model, "loglikelihood", pairs)
    return [_exact(lm64, [(context, rest)], model.max_length) for _, context, rest in encoded]


def _exact(lm64: Any, windows: Sequence[tuple[list[int], list[int]]], max_length: int) -> Exact:
    import torch

    total, count, greedy, margin = 0.0, 0, True, float("inf")
    for context, targets in windows:
        whole = [*context, *targets][-(max_length + 1) :]
        with torch.inference_mode():
            logits = lm64.model(torch.tensor([whole[:-1]], device=lm64.model.device)).logits[
                0, -len(targets) :
            ]
        assert logits.dtype == torch.float64
        wanted = torch.tensor(targets)
        total += float(logits.log_softmax(-1).gather(1, wanted[:, None]).sum())
        count += len(targets)
        others = logits.scatter(1, wanted[:, None], float("-inf")).amax(dim=1)
        leads = logits.gather(1, wanted[:, None])[:, 0] - others
        greedy = greedy and bool((leads > 0).all())
        margin = min(margin, float(leads.abs().min()))
    return Exact(total, count, greedy, margin)
