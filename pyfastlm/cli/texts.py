"""Texts of files that a command only scores."""

from collections.abc import Sequence


def read(files: Sequence[str] | None, text_key: str, option: str) -> list[str]:
    """What is in ``files``, rows without text left out; nothing without files.

    Raises:
        InputError: no row has a text; ``option`` is what the files were given by.
    """
    from pyfastlm.errors import InputError
    from pyfastlm.lm.files.inputs import resolve
    from pyfastlm.lm.files.readers import Reader

    if not files:
        return []
    found = [row.text for row in Reader(resolve(files), text_key) if row.text]
    if not found:
        raise InputError(f"{option}: expected texts, found none")
    return found
