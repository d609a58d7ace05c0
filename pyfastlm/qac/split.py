"""Rows of the train split as rows of a test, and some of many rows."""

import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime

from pyfastlm.qac.rows import Row, Search


def one_prefix(rows: Iterable[Row], *, since: datetime | None = None, seed: int = 0) -> list[Row]:
    """Rows with one of their prefixes, drawn evenly, and the earlier searches of their sessions.

    That is how the test split is made from what the train split looks like. Holds the rows in memory.

    Args:
        rows: of the train split, in any order.
        since: leave out rows before; sessions that began earlier keep their past.
        seed: of the draw, which depends on ``query_id`` and not on the order.
    """
    of_session: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        of_session[row.session_id].append(row)
    found = []
    for session in of_session.values():
        session.sort(key=lambda row: (row.time, row.query_id))
        past: tuple[Search, ...] = ()
        for row in session:
            if since is None or row.time >= since:
                prefix = random.Random(f"{seed} {row.query_id}").choice(row.prefixes)
                found.append(row._replace(prefixes=(prefix,), past=past, popularity=None))
            past = (*past, Search(row.term, row.time))
    return sorted(found, key=lambda row: (row.time, row.query_id))


def sample(rows: Sequence[Row], count: int, *, seed: int = 0) -> list[Row]:
    """``count`` of the rows, drawn evenly and in their order; all where they are fewer."""
    chosen = random.Random(f"{seed} rows").sample(range(len(rows)), min(count, len(rows)))
    return [rows[place] for place in sorted(chosen)]
