"""A page as one line of words, the same for training and for scoring."""

# What fastText would read as a label, or as the end of the page.
LABEL, END = "__label__", "</s>"


def one_line(text: str) -> str:
    """``text`` with single spaces between its words, safe to be a line of fastText's format.

    White space of every kind, also the NUL that fastText takes for it, becomes a space; what would be read
    as a label or as the end of a page is taken apart.
    """
    if "\0" in text:
        text = text.replace("\0", " ")
    line = " ".join(text.split())
    # Where it is absent, as nearly always, replace copies nothing.
    return line.replace(LABEL, "__ label__").replace(END, "</ s>")
