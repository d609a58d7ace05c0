"""The documents of files, as ``CorpusIndex.build`` takes them."""

from collections.abc import Iterable, Sequence

from pyfastlm.errors import InputError
from pyfastlm.lm.files.inputs import resolve
from pyfastlm.lm.files.readers import Reader

BLANK = {"empty text", "blank line"}


def read_corpus(files: Sequence[str], *, text_key: str = "text") -> Iterable[str] | str:
    """Texts of files, read as they are asked for; or the path of one ``.npy`` file of token ids.

    Args:
        files: names or globs: ``.txt`` with one text a line, ``.jsonl``, both also ``.gz`` and ``.zst``, or
            ``.parquet``; empty rows are skipped. Or one ``.npy`` file.
        text_key: key of a JSON object, or column of a Parquet file.

    Raises:
        InputError: a file is missing or of an unknown kind; while reading, a row that is no text.
    """
    arrays = [name for name in files if name.endswith(".npy")]
    if arrays:
        if len(files) > 1:
            raise InputError(f"files: expected a .npy file alone, got {len(files)} files")
        return arrays[0]
    sources = resolve(files)

    def texts() -> Iterable[str]:
        for row in Reader(sources, text_key):
            if row.text is not None:
                yield row.text
            elif row.reason not in BLANK:
                raise InputError(f"files: {sources[row.source].name!r}, row {row.row:,}: {row.reason}")

    return texts()
