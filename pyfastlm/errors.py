"""What a user of pyfastlm can run into, each with one clear line.

Everything else that escapes is a defect of the library, and keeps its traceback.
"""


class InputError(ValueError):
    """A value given by the user is wrong: names the argument, what was expected, what came, the remedy."""


class InputTypeError(InputError, TypeError):
    """The same for a wrong type or dtype; also a ``TypeError``."""


class MissingExtra(ImportError):
    """An optional dependency is absent; the message names the extra to install."""


class Unavailable(RuntimeError):
    """An implementation that was asked for by name cannot run here; the message says why."""
