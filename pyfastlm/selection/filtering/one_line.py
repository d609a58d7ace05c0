"""A page as one line of words, the same for training and for scoring."""

# What fastText would read as a label, or as the end of the page.
LABEL, END = "__label__", "</s>"
LONGEST = 1000  # characters of a word; what is longer is none, and would fill fastText's dictionary


def one_line(text: str) -> str:
    """``text`` with single spaces between its words, safe to be a line of fastText's format.

    White space of every kind, also the NUL that fastText takes for it, becomes a space; words over 1,000
    characters are cut, and what would be read as a label or as the end of a page is taken apart.
    """
    words = text.replace("\0", " ").split()
    if max(map(len, words), default=0) > LONGEST:
        words = [word[at : at + LONGEST] for word in words for at in range(0, len(word), LONGEST)]
    return " ".join(words).replace(LABEL, "__ label__").replace(END, "</ s>")
