"""A task by its path, whatever form it is in."""

from pyfastlm.errors import InputError
from pyfastlm.ir.collection import Collection
from pyfastlm.ir.data.beir import read_beir
from pyfastlm.ir.data.birco import load_birco
from pyfastlm.ir.data.cranfield import DOCUMENTS, read_cranfield
from pyfastlm.ir.data.files import StrPath, as_path, shown
from pyfastlm.ir.data.glosses import wordnet_glosses


def open_task(path: StrPath) -> Collection:
    """Read a task.

    Args:
        path: a BIRCO file (``.json``, ``.json.gz``), or a directory: of Cranfield (``cran.all.1400.xml``), of
            BEIR (``corpus.jsonl``), or of WordNet (``data.noun``).

    Raises:
        InputError: it is not there, is in none of these forms, or is damaged.
    """
    home = as_path(path)
    if not home.exists():
        raise InputError(f"task: there is no {shown(path)}")
    if home.is_file():
        return load_birco(home)
    forms = ((DOCUMENTS, read_cranfield), ("corpus.jsonl", read_beir), ("data.noun", wordnet_glosses))
    for name, read in forms:
        if (home / name).exists():
            return read(home)
    raise InputError(
        f"task: {shown(path)} has neither {DOCUMENTS} (Cranfield) nor corpus.jsonl (BEIR) nor data.noun "
        "(WordNet)"
    )
