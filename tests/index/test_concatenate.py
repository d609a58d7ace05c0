"""Files that become one: the same file as that of a build from all terms."""

from pathlib import Path

import pytest
import terms as slow

from pyfastlm.errors import InputError, InputTypeError
from pyfastlm.index import TermIndex


def shards(terms: dict[str, float], count: int, folder: Path) -> list[Path]:
    """By the first byte, as a large build is divided."""
    paths = [folder / f"shard-{number}" for number in range(count)]
    for number, path in enumerate(paths):
        part = {term: score for term, score in terms.items() if sum(term.encode()[:1]) % count == number}
        TermIndex.build(part.items(), path)
    return paths


@pytest.mark.parametrize("count", [1, 2, 7])
def test_the_same_as_one_build(tmp_path: Path, count: int) -> None:
    terms = slow.some_terms(4000, seed=count) | slow.some_phrases(2000, seed=count)
    TermIndex.build(terms.items(), tmp_path / "whole")
    paths = shards(terms, count, tmp_path)
    index = TermIndex.concatenate(reversed(paths), tmp_path / "x")
    assert (tmp_path / "x").read_bytes() == (tmp_path / "whole").read_bytes()
    assert index.complete("a", 20) == slow.completions(terms, "a", 20)
    TermIndex.concatenate(map(str, paths), paths[-1])
    assert paths[-1].read_bytes() == (tmp_path / "whole").read_bytes()


@pytest.mark.parametrize(("duplicates", "score"), [("last", 2.0), ("sum", 6.0), ("max", 3.0)])
def test_duplicates(tmp_path: Path, duplicates: str, score: float) -> None:
    paths = [tmp_path / name for name in "abc"]
    for path, own in zip(paths, (1.0, 3.0, 2.0), strict=True):
        TermIndex.build([("everywhere", own), (f"only in {path.name}", own)], path)
    index = TermIndex.concatenate(paths, tmp_path / "x", duplicates=duplicates)
    assert index.score("everywhere") == score
    assert len(index) == 4
    with pytest.raises(InputError, match="paths: the term 'everywhere' comes twice"):
        TermIndex.concatenate(paths, tmp_path / "y")
    assert not (tmp_path / "y").exists()


def test_what_cannot_be(tmp_path: Path) -> None:
    plain, folded, broken = tmp_path / "plain", tmp_path / "folded", tmp_path / "broken"
    TermIndex.build([("a", 1)], plain)
    TermIndex.build([("b", 1)], folded, normalizer="nfkc_casefold")
    broken.write_bytes(plain.read_bytes()[:-1])
    with pytest.raises(InputError, match=r"paths: .*plain' with 'none' and .*folded' with 'nfkc_casefold'"):
        TermIndex.concatenate([plain, folded], tmp_path / "x")
    with pytest.raises(InputError, match=r"path: .*broken' is not a whole term index"):
        TermIndex.concatenate([plain, broken], tmp_path / "x")
    with pytest.raises(InputError, match="paths: the term 'a' comes twice"):
        TermIndex.concatenate([plain, plain], tmp_path / "x")
    with pytest.raises(InputError, match="paths: expected one file or more, got none"):
        TermIndex.concatenate([], tmp_path / "x")
    with pytest.raises(InputError, match="duplicates: expected 'last'"):
        TermIndex.concatenate([plain], tmp_path / "x", duplicates="first")
    with pytest.raises(InputTypeError, match="paths: expected several paths, got one"):
        TermIndex.concatenate(plain, tmp_path / "x")
    with pytest.raises(FileNotFoundError, match="nowhere"):
        TermIndex.concatenate([plain, tmp_path / "nowhere"], tmp_path / "x")
    assert not (tmp_path / "x").exists()
