"""Lists of misspellings: each form, how it is told from the others, and what can be wrong with a file."""

import gzip
from pathlib import Path

import pyarrow as pa
import pytest

from pyfastlm.errors import InputError, InputTypeError
from pyfastlm.spelling import Pair, lowered, read_aligned, read_pairs
from pyfastlm.spelling.lines import LONGEST
from pyfastlm.spelling.pairs.forms import FORMATS

FORMS = {
    "tab": (
        "recieve\treceive\nnew yrok\tNew York\tkb\n",
        [("recieve", "receive"), ("new yrok", "New York", "kb")],
    ),
    "arrow": (
        "recieve->receive\naache->cache, ache,\nclas->class, disabled because of code\n",
        [("recieve", "receive"), ("clas", "class")],
    ),
    "colon": (
        "receive: recieve receeve\nNew_York: new_yrok Newyork\n",
        [("recieve", "receive"), ("receeve", "receive"), ("new yrok", "New York"), ("Newyork", "New York")],
    ),
    "csv": ('correction,word\nreceive,recieve\n"a, b",ab\n', [("recieve", "receive"), ("ab", "a, b")]),
    "distance": ("recieve receive 1\nking king 0\n", [("recieve", "receive"), ("king", "king")]),
}  # fmt: skip


def file(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_the_forms_are_all_tested() -> None:
    assert set(FORMS) == set(FORMATS)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_every_form_is_read_and_recognised(form: str, named: bool, ends: str, tmp_path: Path) -> None:
    text, expected = FORMS[form]
    path = file(tmp_path / "list", text.replace("\n", ends))
    found = read_pairs(path, format=form) if named else read_pairs(path)  # type: ignore[arg-type]
    assert found == [Pair(*pair) for pair in expected]


def test_columns_of_csv_in_the_other_order(tmp_path: Path) -> None:
    assert read_pairs(file(tmp_path / "a", "word,correction\nrecieve,receive\n")) == [
        Pair("recieve", "receive")
    ]


def test_byte_order_mark_blank_lines_and_no_last_end(tmp_path: Path) -> None:
    path = file(tmp_path / "a", "\ufeffrecieve\treceive\n\n  \nteh\tthe")
    assert read_pairs(path) == [Pair("recieve", "receive"), Pair("teh", "the")]


def test_compressed(tmp_path: Path) -> None:
    text, expected = FORMS["tab"]
    gz = file(tmp_path / "a.tsv.gz", gzip.compress(text.encode()))
    zst = file(tmp_path / "a.tsv.zst", pa.compress(text.encode(), codec="zstd", asbytes=True))
    assert read_pairs(gz) == read_pairs(zst) == [Pair(*pair) for pair in expected]
    cut = file(tmp_path / "cut.gz", gzip.compress(text.encode() * 1000)[:-30])
    with pytest.raises(InputError, match=r"path: '.*cut.gz' is truncated or damaged gzip after line"):
        read_pairs(cut)
    with pytest.raises(InputError, match="truncated or damaged zstd"):
        read_pairs(file(tmp_path / "b.zst", b"no such thing"))
    with pytest.raises(InputError, match="truncated or damaged gzip after line 0: the file has 0 bytes"):
        read_pairs(file(tmp_path / "c.gz", b""))


@pytest.mark.parametrize(
    ("content", "form", "message"),
    [
        ("", None, "has no text"),
        (" \n\t\n", None, "has no text"),
        ("\ufeff", None, "has no text"),
        ("a\tb\nabc\n", "tab", r"line 2: expected misspelling TAB correction \[TAB class\], got 1 column$"),
        ("a\tb\nc\td\te\tf\n", "tab", "line 2: expected misspelling TAB .*, got 4 columns"),
        ("a\tb\n\nc\t\n", "tab", "line 3: the correction is empty"),
        ("a\tb\n\tc\n", "tab", "line 2: the misspelling is empty"),
        ("a->b\ncd\n", "arrow", "line 2: expected misspelling->correction, got 'cd'"),
        ("a->\n", "arrow", "line 1: the correction is empty"),
        ("a->b, c,\n", "arrow", "has no pair"),
        ("a: b\nc:\n", "colon", "line 2: expected correct: wrong1 wrong2, got 'c:'"),
        ("a: b\nc d: e\n", "colon", "line 2: expected correct: wrong1 wrong2"),
        ("a,b\n", "csv", "line 1: expected the header correction,word, got 'a,b'"),
        ("correction,word\na,b,c\n", "csv", "line 2: expected correction,word, got 3 columns"),
        ('correction,word\n"a,b\n', "csv", "line 2: not CSV"),
        ("correction,word\n", "csv", "has no pair"),
        ("a b 1\na b c\n", "distance", "line 2: expected misspelling correction distance, got 'a b c'"),
        (b"a\tb\n\xff\tc\n", None, "line 2: not UTF-8: invalid start byte at byte 0"),
        (b"a\tb\nc\0\td\n", None, "line 2: a NUL at byte 1"),
        ("a\tb\n" + "c" * LONGEST + "\td\n", None, "line 2: longer than 64 KiB"),
        ("just words\n", None, "line 1: cannot tell the format from 'just words'; name it: tab, arrow"),
        ("a->b\nc\td\n", None, "line 1: cannot tell the format"),
        (
            "1048585\twhat is it\n2\tandrogen\n",
            None,
            "line 1: the first column is of numbers; .*read_aligned",
        ),
        ("id\tquery\n2\tandrogen\n", None, "line 1: the first column is of numbers"),
        ("x" * 100 + "\n", None, r"cannot tell the format from 'x{57}\.\.\.'"),
    ],
)
def test_wrong_files_are_named_with_their_line(
    content: str | bytes, form: str | None, message: str, tmp_path: Path
) -> None:
    path = file(tmp_path / "list.txt", content)
    with pytest.raises(InputError, match=rf"path: '.*list\.txt'.*{message}"):
        read_pairs(path, format=form)  # type: ignore[arg-type]


def test_wrong_arguments(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"format: expected one of tab, arrow, .*, got 'xml'"):
        read_pairs(tmp_path / "a", format="xml")  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"path: cannot read '.*none': No such file"):
        read_pairs(tmp_path / "none")
    with pytest.raises(InputError, match="path: expected a file, got the directory"):
        read_pairs(tmp_path)
    with pytest.raises(InputError, match="path: expected a path, got ''"):
        read_pairs("")
    with pytest.raises(InputError, match=r"path: expected a path, got 'a.x00b'"):
        read_pairs("a\0b")
    with pytest.raises(InputTypeError, match="path: expected a path, got int"):
        read_pairs(3)  # type: ignore[arg-type]


def test_two_files_side_by_side(tmp_path: Path) -> None:
    noisy = file(tmp_path / "noisy", "1\tandrogen  receptr\n22\twhat is qa?\n")
    gold = file(tmp_path / "gold", "1\t Androgen receptor\n22\twhat is qa?\n")
    found = read_aligned(noisy, gold)
    assert found == [Pair("androgen  receptr", "Androgen receptor"), Pair("what is qa?", "what is qa?")]
    assert lowered(found)[0] == Pair("androgen receptr", "androgen receptor")
    assert lowered([Pair("ÄB", "Äb", "kb")]) == [Pair("äb", "äb", "kb")]


@pytest.mark.parametrize(
    ("noisy", "gold", "message"),
    [
        ("1\ta\n", "2\ta\n", "noisy', line 1: the id is '1', that in '.*gold' is '2'"),
        ("1\ta\n2\tb\n", "1\ta\n", "noisy', line 2: '.*gold' has fewer lines"),
        ("1\ta\n", "1\ta\n2\tb\n", "gold', line 2: '.*noisy' has fewer lines"),
        ("1\ta\n", "a\n", "gold', line 1: expected id TAB query, got 1 column"),
        ("1\t\n", "1\ta\n", "noisy', line 1: expected id TAB query, got .* an empty one"),
        ("1\ta\n", "", "gold' has no text"),
    ],
)
def test_two_files_that_do_not_agree(noisy: str, gold: str, message: str, tmp_path: Path) -> None:
    paths = file(tmp_path / "noisy", noisy), file(tmp_path / "gold", gold)
    with pytest.raises(InputError, match=message):
        read_aligned(*paths)
