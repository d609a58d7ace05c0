"""A study in a file of JSON."""

import json
import os
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from pyfastlm._durable import replacing
from pyfastlm.errors import InputError
from pyfastlm.ir.data.files import StrPath, as_path, read_text, shown
from pyfastlm.ir.path.options import SearchOptions
from pyfastlm.ir.study.measuring import measured_of
from pyfastlm.ir.study.records import RungScores, Study, Written
from pyfastlm.ir.study.seconds import Seconds
from pyfastlm.ir.training.options import RerankerOptions

NAME = "study.json"


def write_study(study: Study, path: Path) -> None:
    """Write a study; the file appears whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    told = {field.name: getattr(study, field.name) for field in fields(study)}
    told["measured"] = {name: [asdict(row) for row in rows] for name, rows in study.measured.items()}
    told["rungs"] = [asdict(rung) for rung in study.rungs]
    told["written"] = {name: [each._asdict() for each in of] for name, of in study.written.items()}
    told |= {"search": asdict(study.search), "training": asdict(study.training)}
    with replacing(path, path.with_name(f".{path.name}.{os.getpid()}")) as file:
        file.write(json.dumps(told, ensure_ascii=False, indent=1).encode() + b"\n")


def read_study(path: StrPath) -> Study:
    """Read ``study.json``, or that of a directory.

    Raises:
        InputError: it cannot be read, or is something else.
    """
    given = as_path(path)
    file = given / NAME if given.is_dir() else given
    text = read_text(file)
    try:
        told = json.loads(text)
        search = told.pop("search")
        search["seeds"] = tuple(search["seeds"])
        study = Study(
            prompts=tuple(map(str, told.pop("prompts"))),
            measured={
                str(name): tuple(map(measured_of, rows)) for name, rows in told.pop("measured").items()
            },
            rungs=tuple(_rung(rung) for rung in told.pop("rungs")),
            search=SearchOptions(**search),
            training=RerankerOptions(**told.pop("training")),
            writing=Seconds(*map(float, told.pop("writing"))),
            searching=float(told.pop("searching")),
            written={
                str(name): tuple(Written(**each) for each in of)
                for name, of in told.pop("written", {}).items()
            },
            **told,
        )
        for name in (*study.prompts, study.best, study.manual):
            study.by_seed(name)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise InputError(f"study: {shown(file)} is no study of this version") from None
    return study


def _rung(told: dict[str, Any]) -> RungScores:
    prompts = tuple(map(str, told["prompts"]))
    scores, spreads = (tuple(map(float, told[name])) for name in ("scores", "spreads"))
    return RungScores(int(told["documents"]), prompts, scores, spreads)
