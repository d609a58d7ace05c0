"""A name for exactly these weights, this configuration and this tokenizer."""

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor

from pyfastlm._threads import num_threads

# Where a model came from and what wrote it; none of it changes a score.
_ORIGIN = ("_name_or_path", "transformers_version", "architectures", "dtype", "torch_dtype", "use_cache")
# State of the last call to a tokenizer, not part of what it is.
_STATE = ("truncation", "padding")


def fingerprint(model: Any, tokenizer: Any) -> str:
    """32 hexadecimal digits that change with any weight, the configuration or the tokenizer."""
    whole = hashlib.sha256()
    config = {k: v for k, v in model.config.to_diff_dict().items() if k not in _ORIGIN}
    whole.update(_canonical([type(model).__name__, config, _tokenizer(tokenizer)]))
    tensors = {id(t): (name, t) for name, t in sorted(model.state_dict(keep_vars=True).items())}.values()
    # Hashing lets go of the interpreter lock, so threads help.
    with ThreadPoolExecutor(num_threads()) as pool:
        digests = pool.map(_digest, (tensor for _, tensor in tensors))
        for (name, tensor), digest in zip(tensors, digests, strict=True):
            whole.update(_canonical([name, str(tensor.dtype), list(tensor.shape)]))
            whole.update(digest)
    return whole.hexdigest()[:32]


def _digest(tensor: Tensor) -> bytes:
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    return hashlib.sha256(flat.view(torch.uint8).numpy().data).digest()


def _tokenizer(tokenizer: Any) -> list[Any]:
    special = [tokenizer.bos_token_id, tokenizer.eos_token_id]
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return [type(tokenizer).__name__, special, tokenizer.get_vocab()]
    return [special, {k: v for k, v in json.loads(backend.to_str()).items() if k not in _STATE}]


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, default=str).encode()
