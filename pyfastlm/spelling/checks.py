"""Checks of what users give, shared by retrievers and deciders."""

from collections.abc import Iterable

from pyfastlm.errors import InputError, InputTypeError


def checked_texts(name: str, texts: Iterable[str]) -> list[str]:
    """``texts`` as a list.

    Raises:
        InputTypeError: it is a single string, or an element is no string.
        InputError: an element holds half a surrogate pair, so it is no Unicode text.
    """
    if isinstance(texts, str):
        raise InputTypeError(f"{name}: expected several strings, got one string; put it into a list")
    found = list(texts)
    for place, text in enumerate(found):
        if not isinstance(text, str):
            raise InputTypeError(f"{name}[{place}]: expected a string, got {type(text).__name__}")
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise InputError(
                f"{name}[{place}]: expected Unicode text, got the lone surrogate {text[error.start]!r}; "
                "decode the source with errors='replace'"
            ) from None
    return found


def checked_k(k: int) -> None:
    """Raise :class:`InputError` where ``k`` is no whole number >= 1."""
    if isinstance(k, bool) or not isinstance(k, int) or k < 1:
        raise InputError(f"k: expected a whole number >= 1, got {k!r}")
