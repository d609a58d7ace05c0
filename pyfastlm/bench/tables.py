"""The tables of a report, for the page, for Markdown and for the terminal."""

from pyfastlm._markdown import Table
from pyfastlm.bench.regressions import Change, Comparison
from pyfastlm.bench.results import Group, Limits, Report, Suite, Timing, ratio

MISSES = 1e-3  # calls that last longer are not compared with a cache miss


def summary(suite: Suite, limits: Limits) -> Table:
    """Each of ours beside the fastest peer of its group."""
    rows = [row for group in suite.groups for row in _of_ours(group, limits)]
    columns = [
        "group", "ours", "a call", "of the limit", "fastest peer", "best", "median", "spread, ours", "peer",
    ]  # fmt: skip
    return Table(suite.name, columns, rows, "")


def _of_ours(group: Group, limits: Limits) -> list[list[str]]:
    peer = group.best_peer
    rows = []
    for ours in group.of("ours"):
        row = [group.name, ours.name, seconds(ours.best), of_limit(ours, limits)]
        if peer is None:
            row += ["none", "", "", percent(ours.spread), ""]
        else:
            best, middle = ratio(ours, peer)
            row += [peer.name, times(best), times(middle), percent(ours.spread), percent(peer.spread)]
        rows.append(row)
    return rows


def brief(suite: Suite) -> Table:
    """The same for a terminal: ratios only."""
    rows = [
        [
            group.name, ours.name, peer.name, *map(times, ratio(ours, peer)),
            percent(max(ours.spread, peer.spread)),
        ]
        for group in suite.groups
        if (peer := group.best_peer) is not None
        for ours in group.of("ours")
    ]  # fmt: skip
    return Table(suite.name, ["group", "ours", "fastest peer", "best", "median", "spread"], rows, "")


def detail(group: Group, limits: Limits) -> Table:
    """All contenders of a group; ratios are those of each to the first of ours."""
    ours = next(iter(group.of("ours")), None)
    rows = []
    for timing in group.timings:
        row = [timing.name, *map(seconds, (timing.best, timing.median)), percent(timing.spread)]
        row += [str(timing.rounds), of_limit(timing, limits)]
        row += [times(one) for one in ratio(ours, timing)] if ours else ["", ""]
        rows.append(row)
    columns = ["", "best", "median", "spread", "rounds", "of the limit", "best / ours", "median / ours"]
    return Table(group.name, columns, rows, _beside(group))


def _beside(group: Group) -> str:
    names = [timing.name for timing in group.of("beside")]
    return f"No contender, to read the others by: {', '.join(names)}." if names else ""


def limits(report: Report) -> Table:
    """Both measurements of what the machine can do on one thread."""
    rows = [
        ["product of float32 matrices (torch)", *(f"{one.gflops:.1f} GFLOP/s" for one in report.limits)],
        ["copy of what no cache holds", *(f"{one.gigabytes:.1f} GB/s" for one in report.limits)],
        ["read from a random place of it", *(f"{one.miss_ns:.0f} ns" for one in report.limits)],
    ]
    note = (
        "The better of both is the limit of the tables. It is what torch and numpy reach, so that more than "
        "100 % of it is possible. Calls of less than a millisecond stand beside random reads: so many of "
        "them, one after the other, take as long."
    )
    return Table("What one thread of this machine can do", ["", "before", "after"], rows, note)


def runs(report: Report) -> Table:
    """What was run, and how it went."""
    columns = [
        "suite", "groups", "measured", "took", "of a processor", "others", "failed", "skipped", "inputs",
    ]  # fmt: skip
    note = (
        "Others: the mean number of processors that other programs kept busy meanwhile, and a host took; "
        "figures with much of it are not to be quoted."
    )
    return Table("Suites", columns, [_run(suite) for suite in report.suites], note)


def _run(suite: Suite) -> list[str]:
    measured = sum(len(group.timings) for group in suite.groups)
    took = [f"{value:.0f} s" for value in (suite.seconds, suite.processor)]
    others = "unknown" if suite.others is None else f"{suite.others:.2f}"
    counts = [str(len(some)) for some in (suite.failed, suite.skipped)]
    inputs = ", ".join(f"{name}={value}" for name, value in suite.environment.items())
    return [suite.name, str(len(suite.groups)), str(measured), *took, others, *counts, inputs]


def changes(title: str, some: list[Change], note: str) -> Table:
    """Ratios to the same peer, before and now."""
    rows = [
        [
            f"{one.suite}: {one.group}", one.ours, one.peer,
            *map(times, (one.before[0], one.now[0], one.before[1], one.now[1])),
        ]
        for one in some
    ]  # fmt: skip
    columns = ["group", "ours", "peer", "best, before", "now", "median, before", "now"]
    return Table(title, columns, rows, note)


def regressions(found: Comparison) -> Table:
    """What got worse."""
    note = (
        f"{len(found.changes)} ratios compared. Worse means that the ratio to the peer that was the fastest "
        f"in the earlier report fell by more than {found.tolerance:.0%}, by best rounds and by medians."
    )
    return changes("Worse than in the earlier report", found.regressions, note)


def gains(found: Comparison) -> Table:
    """What got better."""
    return changes("Better than in the earlier report", found.gains, "By best rounds and by medians.")


def seconds(value: float) -> str:
    """With three digits and a fitting unit."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value / 1e-9:.3g} ns"


def times(value: float) -> str:
    """A ratio."""
    return f"{value:.2f}x" if value < 100 else f"{value:,.0f}x"


def percent(value: float) -> str:
    """A share."""
    return f"{value:.0%}"


def of_limit(timing: Timing, limits: Limits) -> str:
    """How near it comes to what the machine can do, where the suite says what it is made of."""
    if timing.gflops is not None:
        return f"{timing.gflops / limits.gflops:.0%} of product"
    if timing.gigabytes is not None:
        return f"{timing.gigabytes / limits.gigabytes:.0%} of copy"
    if timing.calls and timing.best < MISSES:
        return f"{timing.best * 1e9 / limits.miss_ns:,.1f} reads"
    return ""
