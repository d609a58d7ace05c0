"""Spelling correction that knows the catalogue: misspellings are fixed, new names are left alone."""

from typing import TYPE_CHECKING

from pyfastlm._lazy import lazily

if TYPE_CHECKING:
    from pyfastlm.spelling.candidates.odds import Odds
    from pyfastlm.spelling.candidates.saved import SavedOdds, read_odds, write_odds
    from pyfastlm.spelling.catalogue.brands import brand_like
    from pyfastlm.spelling.catalogue.entry import Entry
    from pyfastlm.spelling.catalogue.queries import queries
    from pyfastlm.spelling.catalogue.reading import read_catalogue
    from pyfastlm.spelling.catalogue.splitting import split
    from pyfastlm.spelling.context.bm25 import BM25
    from pyfastlm.spelling.context.dense import Dense
    from pyfastlm.spelling.context.fuzzy import Fuzzy
    from pyfastlm.spelling.context.hybrid import Hybrid
    from pyfastlm.spelling.correction import Candidate, Correction
    from pyfastlm.spelling.corrector import Corrector
    from pyfastlm.spelling.deciding.channel import Channel
    from pyfastlm.spelling.deciding.generation import Generation
    from pyfastlm.spelling.deciding.scoring import Scoring
    from pyfastlm.spelling.do_nothing import DoNothing
    from pyfastlm.spelling.english import build_english
    from pyfastlm.spelling.evaluation.candidates import candidate_recall
    from pyfastlm.spelling.evaluation.curve import curve, threshold_for
    from pyfastlm.spelling.evaluation.difference import difference
    from pyfastlm.spelling.evaluation.evaluating import evaluate
    from pyfastlm.spelling.evaluation.report import Report
    from pyfastlm.spelling.evaluation.saved import read_report, write_report
    from pyfastlm.spelling.finetuning import finetune
    from pyfastlm.spelling.gate import threshold_for_rate
    from pyfastlm.spelling.noise.misspelling import misspell
    from pyfastlm.spelling.pair import Pair
    from pyfastlm.spelling.pairs.reading import lowered, read_aligned, read_pairs
    from pyfastlm.spelling.rows import TrainingRow, training_rows
    from pyfastlm.spelling.server import serve
    from pyfastlm.spelling.speller import Speller
    from pyfastlm.spelling.training import Trained, train

__all__ = [
    "BM25",
    "Candidate",
    "Channel",
    "Correction",
    "Corrector",
    "Dense",
    "DoNothing",
    "Entry",
    "Fuzzy",
    "Generation",
    "Hybrid",
    "Odds",
    "Pair",
    "Report",
    "SavedOdds",
    "Scoring",
    "Speller",
    "Trained",
    "TrainingRow",
    "brand_like",
    "build_english",
    "candidate_recall",
    "curve",
    "difference",
    "evaluate",
    "finetune",
    "lowered",
    "misspell",
    "queries",
    "read_aligned",
    "read_catalogue",
    "read_odds",
    "read_pairs",
    "read_report",
    "serve",
    "split",
    "threshold_for",
    "threshold_for_rate",
    "train",
    "training_rows",
    "write_odds",
    "write_report",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "candidates.odds": ("Odds",),
        "candidates.saved": ("SavedOdds", "read_odds", "write_odds"),
        "catalogue.brands": ("brand_like",),
        "catalogue.entry": ("Entry",),
        "catalogue.queries": ("queries",),
        "catalogue.reading": ("read_catalogue",),
        "catalogue.splitting": ("split",),
        "context.bm25": ("BM25",),
        "context.dense": ("Dense",),
        "context.fuzzy": ("Fuzzy",),
        "context.hybrid": ("Hybrid",),
        "correction": ("Candidate", "Correction"),
        "corrector": ("Corrector",),
        "deciding.channel": ("Channel",),
        "deciding.generation": ("Generation",),
        "deciding.scoring": ("Scoring",),
        "do_nothing": ("DoNothing",),
        "english": ("build_english",),
        "evaluation.candidates": ("candidate_recall",),
        "evaluation.curve": ("curve", "threshold_for"),
        "evaluation.difference": ("difference",),
        "evaluation.evaluating": ("evaluate",),
        "evaluation.report": ("Report",),
        "evaluation.saved": ("read_report", "write_report"),
        "finetuning": ("finetune",),
        "gate": ("threshold_for_rate",),
        "noise.misspelling": ("misspell",),
        "pair": ("Pair",),
        "pairs.reading": ("lowered", "read_aligned", "read_pairs"),
        "rows": ("TrainingRow", "training_rows"),
        "server": ("serve",),
        "speller": ("Speller",),
        "training": ("Trained", "train"),
    },
)
