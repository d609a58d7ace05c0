"""Bulk scoring of files: streams in, one Parquet table out, resumable at any moment."""

from pyfastlm.lm.files.progress import Progress
from pyfastlm.lm.files.ray_options import RayOptions
from pyfastlm.lm.files.report import FilesReport, SourceReport
from pyfastlm.lm.files.sample import first_texts
from pyfastlm.lm.files.score import check, score_files

__all__ = ["FilesReport", "Progress", "RayOptions", "SourceReport", "check", "first_texts", "score_files"]
