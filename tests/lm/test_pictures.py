"""Pictures in files: every format, the same bytes again, and nothing where drawing fails."""

from pathlib import Path

import pytest

from pyfastlm.errors import InputError
from pyfastlm.lm.files.pictures import check_picture, logarithmic, picture

pytest.importorskip("matplotlib")

FIRST = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}


def draw(path: Path, title: str = "$x 図") -> None:
    with picture(path, (2, 1), "memorization", font_size=7) as figure:
        figure.subplots().set_title(title)


@pytest.mark.parametrize("suffix", FIRST)
def test_the_same_figure_gives_the_same_bytes(suffix: str, tmp_path: Path) -> None:
    for name in "ab":
        draw(tmp_path / f"{name}{suffix}")
    data = (tmp_path / f"a{suffix}").read_bytes()
    assert data.startswith(FIRST[suffix])
    assert data == (tmp_path / f"b{suffix}").read_bytes()
    draw(tmp_path / f"a{suffix}", "y")
    assert data != (tmp_path / f"a{suffix}").read_bytes()


def test_what_fails_leaves_the_file_before(tmp_path: Path) -> None:
    path = tmp_path / "a.svg"
    draw(path)
    before = path.read_bytes()
    with pytest.raises(ZeroDivisionError), picture(path, (2, 1), "memorization"):
        raise ZeroDivisionError
    assert path.read_bytes() == before
    assert [*tmp_path.iterdir()] == [path]


def test_paths(tmp_path: Path) -> None:
    assert check_picture(str(tmp_path / "a.png"), "icl") == tmp_path / "a.png"
    with pytest.raises(InputError, match=r"^picture: expected a name ending in .png, .svg, .pdf, got "):
        check_picture(tmp_path / "a.gif", "icl")
    with pytest.raises(InputError, match=r"^picture: no such directory: "):
        check_picture(tmp_path / "none" / "a.png", "icl")


def test_logarithmic_axes_have_plain_numbers(tmp_path: Path) -> None:
    with picture(tmp_path / "a.svg", (4, 3), "memorization", svg_fonttype="none") as figure:
        axes = figure.subplots()
        axes.plot([1, 64], [0, 1])
        logarithmic(axes)
    svg = (tmp_path / "a.svg").read_text()
    assert all(f">{tick}</text>" in svg for tick in (1, 2, 5, 10, 20, 50))
    assert "mathdefault" not in svg
