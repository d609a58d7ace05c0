"""Which keys lie beside each other: letters of keyboards of a PC."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from pyfastlm.errors import InputError, InputTypeError

Neighbours = Mapping[str, str]

BEGIN = (0.0, 0.25, 0.75)  # of each row, in keys to the right of the first one


def neighbours_of(rows: Sequence[str]) -> Neighbours:
    """For each letter of three rows, upper row first, those whose keys touch its own."""
    places = {
        letter: (row, begin + place)
        for row, (begin, letters) in enumerate(zip(BEGIN, rows, strict=True))
        for place, letter in enumerate(letters)
    }
    return MappingProxyType(
        {
            letter: "".join(
                other
                for other, (below, right) in places.items()
                if (abs(below - row), abs(right - left)) == (0, 1.0)
                or (abs(below - row) == 1 and abs(right - left) < 1)
            )
            for letter, (row, left) in places.items()
        }
    )


KEYBOARDS: Mapping[str, Neighbours] = MappingProxyType(
    {
        "qwerty": neighbours_of(("qwertyuiop", "asdfghjkl", "zxcvbnm")),
        "qwertz": neighbours_of(("qwertzuiopü", "asdfghjklöä", "yxcvbnm")),
        "azerty": neighbours_of(("azertyuiop", "qsdfghjklm", "wxcvbn")),
    }
)


def keyboard_of(keyboard: str | Neighbours) -> Neighbours:
    """A keyboard by its name, or the table itself: small letters to the letters beside them.

    Raises:
        InputError: no keyboard has the name, or the table is not of single letters.
        InputTypeError: it is neither.
    """
    if isinstance(keyboard, str):
        if keyboard not in KEYBOARDS:
            raise InputError(f"keyboard: expected one of {', '.join(KEYBOARDS)} or a table, got {keyboard!r}")
        return KEYBOARDS[keyboard]
    if not isinstance(keyboard, Mapping):
        raise InputTypeError(f"keyboard: expected a name or a table, got {type(keyboard).__name__}")
    for letter, others in keyboard.items():
        if not (isinstance(letter, str) and len(letter) == 1 and isinstance(others, str)):
            raise InputError(f"keyboard: expected letters and strings of letters, got {letter!r}: {others!r}")
    return keyboard
