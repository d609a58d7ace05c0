"""How many threads native code uses."""

import os
import sys

from pyfastlm.errors import InputError

ENVIRONMENT = "PYFASTLM_NUM_THREADS"


def num_threads(threads: int | None = None) -> int:
    """Resolve a thread count: the argument, else ``PYFASTLM_NUM_THREADS``, else torch's, else the affinity.

    torch is asked only where it is loaded already; this module never loads it.

    Raises:
        InputError: the argument or the environment variable is not a positive whole number.
    """
    if threads is not None:
        if isinstance(threads, bool) or not isinstance(threads, int) or threads < 1:
            raise InputError(f"threads: expected a whole number >= 1, got {threads!r}")
        return threads
    given = os.environ.get(ENVIRONMENT)
    if given is not None:
        if not given.isdecimal() or int(given) < 1:
            raise InputError(f"{ENVIRONMENT}: expected a whole number >= 1, got {given!r}")
        return int(given)
    torch = sys.modules.get("torch")
    if torch is not None and hasattr(torch, "get_num_threads"):
        return int(torch.get_num_threads())
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
