"""The sentences of a report."""

from pyfastlm.bench.results import Report, ratio

TITLE = "pyfastlm beside its peers"
HOW_TO_READ = (
    "best and median: by how much ours is faster than the fastest peer of the group, by the best round of "
    "each and by medians; under 1 it is slower. Less than 10 % is nothing. spread: the interquartile range "
    "over the median. a call: the best round of ours."
)


def opening(report: Report) -> str:
    """What came out of it, losses too."""
    ratios = [
        ratio(ours, group.best_peer)[0]
        for suite in report.suites
        for group in suite.groups
        if group.best_peer is not None
        for ours in group.of("ours")
    ]
    faster, slower = sum(one > 1.1 for one in ratios), sum(one < 1 / 1.1 for one in ratios)
    quick = " This was a quick run, with less of each suite." if report.quick else ""
    return (
        f"{len(ratios)} times one of ours stood beside the fastest peer of its group: {faster} times it was "
        f"faster by more than 10 % by the best round, {slower} times slower by more than that, "
        f"{len(ratios) - faster - slower} times neither.{quick}"
    )


def conditions(report: Report) -> dict[str, str]:
    """Of what the numbers are."""
    return {
        "date": report.date,
        "commit": report.commit or "not of a clone",
        "machine": report.machine,
        "threads": f"{report.threads}, but where a name says otherwise",
        "took": f"{report.seconds / 60:.1f} minutes",
        "versions": ", ".join(f"{name} {version}" for name, version in report.versions.items()),
    }


def troubles(report: Report) -> list[str]:
    """What failed and what was skipped, with reasons."""
    return [
        f"{suite.name}: {what}: {one}"
        for suite in report.suites
        for what, some in (("failed", suite.failed), ("skipped", suite.skipped))
        for one in some
    ]
