"""``pyfastlm bench``: ours beside the peers, in one report, and beside an earlier one."""

from pathlib import Path
from typing import Annotated

import typer


def command(
    quick: Annotated[bool, typer.Option("--quick", help="Less of each suite: three minutes.")] = False,
    only: Annotated[
        str, typer.Option(help="Suites, parted by commas: compact,linear.", show_default=False)
    ] = "",
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Directory for bench.json, bench.md and bench.html.")
    ] = Path("pyfastlm-bench"),
    against: Annotated[
        Path | None, typer.Option(help="An earlier bench.json to compare with.", show_default=False)
    ] = None,
    tolerance: Annotated[
        float, typer.Option(help="What a ratio may lose, by best rounds or by medians.")
    ] = 0.1,
    suites: Annotated[
        Path | None,
        typer.Option(help="Directory of bench_*.py; by default that of the clone.", show_default=False),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the results as JSON.")] = False,
) -> None:
    """Run the benchmarks of this clone, each suite in a process of its own on one thread, and report by how
    much ours is faster or slower than each peer, beside what the machine can do.

    With --against every ratio is compared with that of an earlier report, to the same peer: a machine that is
    slower changes nothing. The exit code is 1 where something got worse or a suite failed.

    \b
    Examples:
        pyfastlm bench --quick
        pyfastlm bench --only compact,linear --against pyfastlm-bench/bench.json -o now
    """
    from pyfastlm import bench
    from pyfastlm.bench import files, tables, text, writing
    from pyfastlm.bench.regressions import check_tolerance
    from pyfastlm.cli import show

    check_tolerance(tolerance)
    earlier = None if against is None else bench.read(against)
    writing.prepared(output)
    names = [name.strip() for name in only.split(",") if name.strip()]
    report = bench.run(suites, only=names, quick=quick, progress=True)
    found = None if earlier is None else bench.compare(earlier, report, tolerance=tolerance)
    paths = bench.write(report, output, comparison=found)
    if json:
        worse = {} if found is None else {"regressions": found.regressions, "notes": found.notes}
        show.as_json({**files.as_dict(report), **worse})
    else:
        for table in (
            *(tables.brief(suite) for suite in report.suites),
            tables.limits(report), *([tables.regressions(found), tables.gains(found)] if found else []),
        ):  # fmt: skip
            show.table(table.title, table.columns, table.rows)
        print("\n".join([text.opening(report), *(found.notes if found else ()), *text.troubles(report)]))
        print(f"report: {', '.join(map(str, paths))}")
    if any(suite.failed for suite in report.suites) or (found and found.regressions):
        raise typer.Exit(1)
