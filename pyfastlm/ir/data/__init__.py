"""Readers of tasks: BIRCO, Cranfield, BEIR and TREC files, and one made from WordNet's glosses."""

from pyfastlm.ir.data.beir import read_beir
from pyfastlm.ir.data.birco import load_birco
from pyfastlm.ir.data.cranfield import read_cranfield
from pyfastlm.ir.data.glosses import wordnet_glosses
from pyfastlm.ir.data.opening import open_task
from pyfastlm.ir.data.trec import read_qrels, read_run, write_qrels, write_run

__all__ = [
    "load_birco",
    "open_task",
    "read_beir",
    "read_cranfield",
    "read_qrels",
    "read_run",
    "wordnet_glosses",
    "write_qrels",
    "write_run",
]
