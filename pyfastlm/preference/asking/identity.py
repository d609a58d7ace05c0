"""Names under which answers are kept: who was asked, with which settings, and what."""

import hashlib
import json
from functools import partial
from types import CodeType, FunctionType

from pyfastlm.preference.asking.completion import Writer


def identity(writer: Writer) -> str:
    """What tells ``writer`` from others: its own ``identity``, else its name, and a function's code.

    Values that a function closes over, what its code calls, and the state of an object are not seen.
    """
    own = getattr(writer, "identity", None)
    if isinstance(own, str):
        return own
    if isinstance(writer, partial):
        return json.dumps([identity(writer.func), repr(writer.args), repr(writer.keywords)])
    function = getattr(writer, "__func__", writer)  # of a method
    if isinstance(function, FunctionType):
        return json.dumps(_function(function))
    kind = type(writer)
    call = kind.__call__
    return json.dumps(
        [kind.__module__, kind.__qualname__, _function(call) if isinstance(call, FunctionType) else None]
    )


def key(identity: str, prompt: str) -> str:
    """32 hexadecimal digits for one prompt to one writer."""
    return hashlib.blake2b(json.dumps([identity, prompt]).encode(), digest_size=16).hexdigest()


def _function(function: FunctionType) -> list[str]:
    code, defaults = function.__code__, (function.__defaults__, function.__kwdefaults__)
    return [function.__module__, function.__qualname__, _code(code), repr(defaults)]


def _code(code: CodeType) -> str:
    constants = [_code(each) if isinstance(each, CodeType) else _constant(each) for each in code.co_consts]
    parts = [code.co_code.hex(), constants, code.co_names, code.co_varnames]
    return hashlib.blake2b(json.dumps(parts).encode(), digest_size=16).hexdigest()


def _constant(value: object) -> str:
    return repr(sorted(map(repr, value)) if isinstance(value, frozenset) else value)
