"""What the demo found, for machines."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyfastlm.demo import Demo
    from pyfastlm.demo.icl import Learning
    from pyfastlm.demo.ir import Reranking
    from pyfastlm.demo.memorization import Memory
    from pyfastlm.demo.mrt5 import Deletion
    from pyfastlm.demo.onion import Peeling
    from pyfastlm.demo.preference import Preferences
    from pyfastlm.demo.qac import Completion
    from pyfastlm.demo.selection import Choice
    from pyfastlm.demo.spelling import Correctors
    from pyfastlm.demo.together import Together
    from pyfastlm.preference.builders import Outcome


def whole(demo: "Demo") -> dict[str, Any]:
    """All sections; None for those that were left out."""
    rows = demo.scoring.rows
    documents = [
        {
            "source": rows[document.source].name,
            "key": document.key,
            "tokens": len(document.tokens.ids),
            "bytes": document.n_bytes,
            "bits": document.bits,
        }
        for document in demo.scoring.documents
    ]
    return {
        "page": demo.page,
        "about": asdict(demo.about),
        "missing": demo.missing,
        "sources": [asdict(row) for row in rows],
        "documents": documents,
        "learning": None if demo.learning is None else learning_json(demo.learning),
        "completion": None if demo.completion is None else completion_json(demo.completion),
        "correction": None if demo.correctors is None else correctors_json(demo.correctors),
        "selection": None if demo.choice is None else choice_json(demo.choice),
        "deletion": None if demo.deletion is None else deletion_json(demo.deletion),
        "memory": None if demo.memory is None else memory_json(demo.memory),
        "peeling": None if demo.peeling is None else peeling_json(demo.peeling),
        "preferences": None if demo.preferences is None else preferences_json(demo.preferences),
        "together": None if demo.together is None else together_json(demo.together),
        "reranking": None if demo.reranking is None else reranking_json(demo.reranking),
    }


def learning_json(learning: "Learning") -> dict[str, Any]:
    """The section on learning from examples in the context."""
    curve, control = learning.curve, learning.control
    return {
        "verdict": learning.verdict,
        "task": learning.task,
        "labels": learning.labels,
        "prompts": len(curve.p),
        "prob": curve.p.mean(axis=0).tolist(),
        "accuracy": None if curve.accuracy is None else curve.accuracy.tolist(),
        "prob, dealt anew": control.p.mean(axis=0).tolist(),
        "exact Bayes": learning.ginc.tolist(),
        "laws": [asdict(row) for row in learning.rows],
        "seconds": learning.seconds,
    }


def completion_json(completion: "Completion") -> dict[str, Any]:
    """The section on completing searches."""
    return {
        "terms": completion.terms,
        "bytes_per_term": completion.bytes_per_term,
        "build_seconds": completion.build_seconds,
        "microseconds": completion.microseconds,
        "examples": {typed: [answer._asdict() for answer in found] for typed, found in completion.examples},
        "sessions": completion.sessions,
        "logged": completion.logged,
        "seconds": completion.seconds,
        **completion.comparison.as_dict(),
    }


def correctors_json(found: "Correctors") -> dict[str, Any]:
    """The section on correcting names."""
    return {
        "names": found.names,
        "words": found.words,
        "bytes_per_name": found.bytes_per_name,
        "build_seconds": found.build_seconds,
        "thresholds": dict(found.thresholds),
        "reports": {name: report.as_dict() for name, report in found.reports.items()},
        "examples": [asdict(example) for example in found.examples],
        "added": None if found.added is None else asdict(found.added),
        "seconds": found.seconds,
    }


def choice_json(choice: "Choice") -> dict[str, Any]:
    """The section on what to train on."""
    return {
        "models": choice.models,
        "budget": choice.budget,
        "seed": choice.seed,
        "seeds": choice.seeds,
        "seconds": choice.seconds,
        "tasks": [
            {
                "task": target.task.name,
                "items": len(target.task.items),
                "place": target.place,
                "outcomes": {way: [one._asdict() for one in of] for way, of in target.outcomes.items()},
                "domains": [
                    {
                        "domain": choice.domains[place],
                        "estimate": target.selection.estimate[place],
                        "low": target.selection.low[place],
                        "high": target.selection.high[place],
                        "frequency": target.selection.frequency[place],
                        "weight": target.selection.weights[place],
                    }
                    for place in target.selection.order()
                ],
            }
            for target in choice.targets
        ],
    }


def deletion_json(deletion: "Deletion") -> dict[str, Any]:
    """The section on deleting bytes."""
    return {
        "size": asdict(deletion.size),
        "target": deletion.target,
        "parameters": deletion.parameters,
        "trained_bytes": deletion.trained_bytes,
        "held_out": deletion.held_out,
        "seconds": deletion.seconds,
        "cost": deletion.cost,
        "runs": [asdict(run) for run in deletion.runs],
    }


def memory_json(memory: "Memory") -> dict[str, Any]:
    """The section on memorisation."""
    return {
        "verdict": memory.verdict,
        "size": asdict(memory.size),
        "steps": memory.size.steps,
        "prompts": memory.prompts,
        "limit": memory.limit,
        "parameters": memory.parameters,
        "base": memory.base,
        "cells": [cell._asdict() for cell in memory.cells],
        "later less earlier": [contrast._asdict() for contrast in memory.contrasts],
        "runs": [run._asdict() | {"task": run.task._asdict(), "rows": len(run.rows)} for run in memory.runs],
        "seconds": memory.seconds,
    }


def peeling_json(peeling: "Peeling") -> dict[str, Any]:
    """The section on what a small network stores."""
    return {
        "verdict": peeling.verdict,
        "size": asdict(peeling.size),
        "models": [asdict(cell) for cell in peeling.cells],
        "seconds": peeling.seconds,
    }


def preferences_json(found: "Preferences") -> dict[str, Any]:
    """The section on pairs of right and wrong."""

    def revised(outcome: "Outcome") -> dict[str, Any]:
        pair = outcome.pair
        return {"revision": None if pair is None else pair.chosen, "reason": outcome.reason}

    outcomes = zip(found.asked, found.model.outcomes, found.rule.outcomes, strict=True)
    return {
        "verdict": found.verdict,
        "size": asdict(found.size),
        "seed": found.seed,
        "sentences with an error": found.flawed,
        "yield": found.model.statistics.as_dict(),
        "mended": found.mended,
        "exact": found.exact,
        "contrast": {name: report.as_dict() for name, report in found.contrasts.items()},
        "sentences": [
            {"name": asked.name, "text": asked.text, "model": revised(model), "rule": revised(rule)}
            for asked, model, rule in outcomes
        ],
        "learnt": found.learnt,
        "bits_per_byte": found.bits,
        "runs": [asdict(run) for run in found.runs],
        "seconds": found.seconds,
    }


def together_json(found: "Together") -> dict[str, Any]:
    """The section on prompts and weights."""
    from pyfastlm.together.report import tables

    return {
        "verdict": found.verdict,
        "size": asdict(found.size),
        "calls": found.calls,
        "reused": found.reused,
        "seconds": found.seconds,
        **tables.summary(found.grid),
    }


def reranking_json(found: "Reranking") -> dict[str, Any]:
    """The section on rerankers from ten labels."""
    from pyfastlm.ir.report import tables

    study = found.study
    return {
        "verdict": found.verdict,
        "size": asdict(found.size),
        "queries": found.queries,
        "trainings": study.trainings,
        "seconds": found.took._asdict(),
        "writing": study.writing._asdict(),
        "training": study.took("training")._asdict(),
        "scoring": study.took("scoring")._asdict(),
        "chance": found.chance,
        "chosen less manual": study.difference(study.best, study.manual)._asdict(),
        **tables.summary(study),
    }
