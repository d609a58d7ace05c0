"""Trainings with a held-out share, scored before and after, kept in directories, and reports on several."""

from typing import TYPE_CHECKING

from pyfastlm._lazy import lazily

if TYPE_CHECKING:
    from pyfastlm.preference.runs.changes import Change, Interval
    from pyfastlm.preference.runs.report import write_report
    from pyfastlm.preference.runs.result import RunResult, read_result
    from pyfastlm.preference.runs.running import run
    from pyfastlm.preference.runs.splitting import Split, split

__all__ = ["Change", "Interval", "RunResult", "Split", "read_result", "run", "split", "write_report"]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "changes": ("Change", "Interval"),
        "report": ("write_report",),
        "result": ("RunResult", "read_result"),
        "running": ("run",),
        "splitting": ("Split", "split"),
    },
)
