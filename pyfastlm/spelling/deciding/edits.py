"""Edits between two texts, counted up to a limit."""


def edits_within(a: str, b: str, most: int) -> int | None:
    """Optimal-string-alignment edits between ``a`` and ``b`` over code points; None for more than ``most``.

    Takes time proportional to ``most`` times the length.
    """
    if abs(len(a) - len(b)) > most:
        return None
    over = most + 1
    before: dict[int, int] = {}
    last = {j: j for j in range(min(len(b), most) + 1)}
    for i, char in enumerate(a, 1):
        row = {}
        for j in range(max(0, i - most), min(len(b), i + most) + 1):
            if j == 0:
                row[j] = i
                continue
            best = min(
                last.get(j - 1, over) + (char != b[j - 1]), last.get(j, over) + 1, row.get(j - 1, over) + 1
            )
            if i > 1 and j > 1 and char == b[j - 2] and a[i - 2] == b[j - 1]:
                best = min(best, before.get(j - 2, over) + 1)
            row[j] = best
        if min(row.values()) > most:
            return None
        before, last = last, row
    return last[len(b)] if last[len(b)] <= most else None
