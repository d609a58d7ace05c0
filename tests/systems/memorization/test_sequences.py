"""Files with sequences to study: what the original repository writes is read, and nothing else."""

import json
from pathlib import Path
from typing import Any

import pytest

from pyfastlm.errors import InputError
from pyfastlm.memorization import NamedSequence, read_sequences


def write(path: Path, value: Any) -> Path:
    path.write_text(value if isinstance(value, str) else json.dumps(value), "utf-8")
    return path


def test_the_format_of_the_original(tmp_path: Path) -> None:
    """Keys are numbers as text; a group's transform is one name, or one for each key."""
    path = write(
        tmp_path / "injections.json",
        {
            "news": {"7": "The storm passed.", "0": "A bridge opened."},
            "news_transform": "original",
            "mixed": {"1": "passed storm The", "2": "Rain fell."},
            "mixed_transform": {"1": "shuffled", "2": "original"},
            "plain": {"a": "Nothing is said of it."},
        },
    )
    assert read_sequences(path) == [
        NamedSequence("news/7", "news", "7", "The storm passed.", "original"),
        NamedSequence("news/0", "news", "0", "A bridge opened.", "original"),
        NamedSequence("mixed/1", "mixed", "1", "passed storm The", "shuffled"),
        NamedSequence("mixed/2", "mixed", "2", "Rain fell.", "original"),
        NamedSequence("plain/a", "plain", "a", "Nothing is said of it.", "original"),
    ]


def test_a_group_may_end_like_a_transform(tmp_path: Path) -> None:
    path = write(tmp_path / "f.json", {"fourier_transform": {"1": "One text."}})
    assert [sequence.id for sequence in read_sequences(path)] == ["fourier_transform/1"]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "expected an object with groups of texts, got an empty list"),
        ({}, "expected an object with groups of texts, got an empty dict"),
        ({"a": ["text"]}, r"group 'a': expected \{key: text\}, got list"),
        ({"a": {}}, "group 'a': .* got an empty dict"),
        ({"a": {"1": 5}}, "a/1: expected a text, got int"),
        ({"a": {"1": ""}}, "a/1: expected a text, got an empty str"),
        ({"a": {"1": " \n"}}, "a/1: expected a text, got blank text"),
        ({"a": {"1": "x \ud800"}}, "a/1: expected Unicode text, got a lone surrogate"),
        ({"a": {"1": "x"}, "a_transform": 3}, "a_transform: expected a name for '1'"),
        ({"a": {"1": "x"}, "a_transform": {"2": "original"}}, "a_transform: expected a name for '1'"),
        ('{"a": {"1": "x", "1": "y"}}', "the file has the name '1' twice"),
        ('{"a": {"1": "x"}, "a": {"2": "y"}}', "the file has the name 'a' twice"),
    ],
)
def test_hostile_files(value: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"^path: .*{message}"):
        read_sequences(write(tmp_path / "f.json", value))


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^path: cannot read .*none.json"):
        read_sequences(tmp_path / "none.json")
    with pytest.raises(InputError, match=r"^path: cannot read"):
        read_sequences(tmp_path)
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"is not JSON"):
        read_sequences(tmp_path / "bytes.json")


def test_a_file_without_end_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.json"
    with open(path, "wb") as file:
        file.truncate((1 << 28) + 1)
    with pytest.raises(InputError, match=r"is larger than 256 MiB"):
        read_sequences(path)
