"""Dictionaries of tensors in files that somebody else may have written."""

import os
import warnings
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from pyfastlm.errors import InputError


def read_dictionary(path: "str | os.PathLike[str]") -> dict[str, Any]:
    """What ``torch.load(weights_only=True)`` finds, if it is a dictionary with names as keys.

    Raises:
        InputError: there is no such file, or no such dictionary in it.
    """
    name = os.fspath(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of old formats, which the checks below judge
            content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise InputError(f"path: cannot read {name!r}: {error.strerror or error}") from error
    except Exception as error:  # a hostile file breaks torch's reader in many ways
        raise InputError(f"path: {name!r} is not a file of tensors by torch.save") from error
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise InputError(f"path: {name!r} holds no dictionary by names")
    return content


def tensors_of(
    content: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]], path: "str | os.PathLike[str]"
) -> dict[str, Tensor]:
    """``content``, if it is exactly finite tensors of these shapes and of one dtype, float32 or float64.

    Raises:
        InputError: says which is not.
    """
    name = os.fspath(path)
    if set(content) != set(shapes):
        odd = sorted(set(content) ^ set(shapes))
        raise InputError(f"path: {name!r} should hold {', '.join(shapes)}; missing or unknown: {odd[0]!r}")
    found: dict[str, Tensor] = {}
    for key, shape in shapes.items():
        value = content[key]
        if not isinstance(value, Tensor) or tuple(value.shape) != shape:
            got = list(value.shape) if isinstance(value, Tensor) else type(value).__name__
            raise InputError(f"path: {key} in {name!r}: expected {list(shape)}, got {got}")
        if value.layout != torch.strided or value.dtype not in (torch.float32, torch.float64):
            raise InputError(f"path: {key} in {name!r}: expected float32 or float64, got {value.dtype}")
        if not value.is_contiguous():  # also a small store that is claimed to be a large tensor
            raise InputError(f"path: {key} in {name!r}: expected numbers one after the other")
        if value.dtype != next(iter(found.values()), value).dtype:
            raise InputError(f"path: {key} in {name!r}: expected the dtype of the others, got {value.dtype}")
        if not bool(torch.isfinite(value).all()):
            raise InputError(f"path: {key} in {name!r} has numbers that are not finite")
        found[key] = value
    return found
