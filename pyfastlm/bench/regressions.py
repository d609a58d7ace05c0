"""This run beside an earlier one: by ratios to a peer, which a slower machine leaves as they are."""

from dataclasses import dataclass

from pyfastlm.bench.results import Group, Report, Timing, ratio
from pyfastlm.errors import InputError


@dataclass(frozen=True, slots=True)
class Change:
    """One of ours beside ``peer``, the fastest of its group in the earlier report: by how much ours was
    faster than it ``before`` and is ``now``, by best rounds and by medians."""

    suite: str
    group: str
    ours: str
    peer: str
    before: tuple[float, float]
    now: tuple[float, float]

    @property
    def factor(self) -> float:
        """What became of the ratio; under 1 ours got worse. The better one of best rounds and medians."""
        return max(now / before for now, before in zip(self.now, self.before, strict=True))


@dataclass(frozen=True, slots=True)
class Comparison:
    """``regressions`` lost more than ``tolerance`` of their ratio, ``gains`` won more by best rounds and by
    medians; ``notes`` say what could not be compared."""

    tolerance: float
    changes: tuple[Change, ...]
    notes: tuple[str, ...]

    @property
    def regressions(self) -> list[Change]:
        """The worst first."""
        return sorted((c for c in self.changes if c.factor < 1 - self.tolerance), key=lambda c: c.factor)

    @property
    def gains(self) -> list[Change]:
        """The best first."""
        won = [c for c in self.changes if _least(c) > 1 + self.tolerance]
        return sorted(won, key=lambda c: -c.factor)


def compare(before: Report, now: Report, *, tolerance: float = 0.1) -> Comparison:
    """Each of ours beside the peer that was the fastest in ``before``, where both reports have both.

    Raises:
        InputError: ``tolerance`` is not between 0 and 1.
    """
    check_tolerance(tolerance)
    changes: list[Change] = []
    notes = []
    if before.machine != now.machine:
        notes.append(f"the earlier report is of another machine: {before.machine}")
    earlier = {suite.name: suite for suite in before.suites}
    for suite in now.suites:
        past = earlier.get(suite.name)
        if past is None:
            notes.append(f"{suite.name}: not in the earlier report")
        elif past.environment != suite.environment:
            notes.append(f"{suite.name}: measured with other inputs, {past.environment}")
        else:
            known = {group.name: group for group in past.groups}
            pairs = [(group, known.pop(group.name)) for group in suite.groups if group.name in known]
            changes += [change for pair in pairs for change in _changes(suite.name, *pair)]
            if known and before.quick == now.quick:
                notes.append(f"{suite.name}: no longer measured: {', '.join(known)}")
    return Comparison(tolerance, tuple(changes), tuple(notes))


def check_tolerance(tolerance: float) -> None:
    """Before a run, so that nothing is lost.

    Raises:
        InputError: ``tolerance`` is not between 0 and 1.
    """
    if not 0 <= tolerance <= 1:
        raise InputError(f"tolerance: expected a number from 0 to 1, got {tolerance}")


def _changes(suite: str, now: Group, before: Group) -> list[Change]:
    peer = before.best_peer
    mine, theirs = _by_name(now), _by_name(before)
    if peer is None or peer.name not in mine:
        return []
    return [
        Change(
            suite, now.name, one.name, peer.name, ratio(theirs[one.name], peer), ratio(one, mine[peer.name])
        )
        for one in now.of("ours")
        if one.name in theirs
    ]


def _by_name(group: Group) -> dict[str, Timing]:
    return {timing.name: timing for timing in group.timings}


def _least(change: Change) -> float:
    return min(now / before for now, before in zip(change.now, change.before, strict=True))
