"""A few texts from where a job begins."""

from collections.abc import Sequence

from pyfastlm.lm.files.inputs import STDIN, StrPath, resolve
from pyfastlm.lm.files.readers import Reader

MOST_BYTES = 1 << 18


def first_texts(inputs: StrPath | Sequence[StrPath], count: int, *, text_key: str = "text") -> list[str]:
    """The first ``count`` documents that can be scored, or fewer: 256 KiB at most, and one at least.

    Standard input is not looked at, because it can be read only once.

    Raises:
        InputError: as of :func:`score_files`.
    """
    sources = tuple(source for source in resolve(inputs) if source.path != STDIN)
    found: list[str] = []
    size = 0
    for row in Reader(sources, text_key):
        if row.text is None:
            continue
        size += row.n_bytes
        if found and size > MOST_BYTES:
            break
        found.append(row.text)
        if len(found) == count:
            break
    return found
