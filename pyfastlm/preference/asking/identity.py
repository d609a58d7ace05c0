"""Names under which answers are kept: who was asked, with which settings, and what."""

import hashlib
import json
from types import CodeType, FunctionType

from pyfastlm.preference.asking.completion import Writer


def identity(writer: Writer) -> str:
    """What tells ``writer`` from others: its own ``identity``, else its name, and a function's code.

    Values that a function closes over, and what its code calls, are not seen.
    """
    own = getattr(writer, "identity", None)
    if isinstance(own, str):
        return own
    if isinstance(writer, FunctionType):
        parts = [writer.__module__, writer.__qualname__, _code(writer.__code__), repr(writer.__defaults__)]
        return json.dumps(parts)
    return f"{type(writer).__module__}.{type(writer).__qualname__}"


def key(identity: str, prompt: str) -> str:
    """32 hexadecimal digits for one prompt to one writer."""
    return hashlib.blake2b(json.dumps([identity, prompt]).encode(), digest_size=16).hexdigest()


def _code(code: CodeType) -> str:
    constants = [_code(each) if isinstance(each, CodeType) else _constant(each) for each in code.co_consts]
    parts = [code.co_code.hex(), constants, code.co_names, code.co_varnames]
    return hashlib.blake2b(json.dumps(parts).encode(), digest_size=16).hexdigest()


def _constant(value: object) -> str:
    return repr(sorted(map(repr, value)) if isinstance(value, frozenset) else value)
