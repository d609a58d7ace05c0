"""Collections: what they refuse, splits, and files in every form, good and bad."""

import gzip
import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyfastlm.errors import InputError
from pyfastlm.ir import Collection, load_birco, ndcg_at_10
from pyfastlm.ir.data import (
    read_beir,
    read_cranfield,
    read_qrels,
    read_run,
    wordnet_glosses,
    write_qrels,
    write_run,
)

GOOD: dict[str, Any] = {
    "query": {"q1": "boats", "q2": "music"},
    "corpus": {"d1": "a sail", "d2": "a violin", "d3": ""},
    "qrel": {"q1": {"d1": 2, "d2": 0}, "q2": {"d2": 1, "d3": 0}},
}


def collection(**changes: Any) -> Collection:
    return Collection("small", **{"pooled": True, **GOOD, **changes})


def test_candidates_and_relevant() -> None:
    small = collection()
    assert small.candidates("q1") == ["d1", "d2"]
    assert collection(pooled=False).candidates("q1") == ["d1", "d2", "d3"]
    assert small.relevant("q1") == {"d1"}


def test_fingerprint_is_of_the_contents() -> None:
    turned = collection(query=dict(reversed(GOOD["query"].items())))
    assert collection().fingerprint == turned.fingerprint
    assert collection().fingerprint != collection(pooled=False).fingerprint
    assert collection().fingerprint != collection(corpus=GOOD["corpus"] | {"d3": "x"}).fingerprint


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"query": {}}, "query: expected at least one text"),
        ({"corpus": ["d1"]}, "corpus: expected a mapping"),
        ({"query": {"q1": "boats", "q2": " "}}, r"query\['q2'\]: expected a text, got none"),
        ({"query": {"q1": "boats", "q2": 3}}, r"query\['q2'\]: expected a string, got int"),
        ({"query": {"q1": "boats", "q2": "\ud800"}}, "lone surrogate"),
        ({"corpus": {"": "x"}}, "corpus: expected ids that are not empty"),
        ({"corpus": {"d1": "a", "d2": "b"}}, "query 'q2': document 'd3' is not in the corpus"),
        ({"qrel": {"q1": {"d1": 1}}}, "'q2' is in query but not in qrel"),
        ({"qrel": GOOD["qrel"] | {"q3": {}}}, "'q3' is in qrel but not in query"),
        ({"qrel": GOOD["qrel"] | {"q2": {"d2": 0.5}}}, "expected a whole number, got 0.5"),
    ],
)
def test_contradictions(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        collection(**changes)


@given(st.integers(3, 30), st.integers(0, 100), st.data())
def test_splits_are_disjoint(count: int, seed: int, data: st.DataObject) -> None:
    names = [f"q{n}" for n in range(count)]
    whole = Collection(
        "many", dict.fromkeys(names, "text"), {"d": "x"}, {n: {"d": 1} for n in names}, pooled=True
    )
    gold = data.draw(st.integers(1, count - 1))
    split = whole.split(gold, seed=seed)
    assert len(split.gold.query) == gold
    assert split.gold.query.keys() | split.test.query.keys() == set(names)
    assert not split.gold.query.keys() & split.test.query.keys()
    assert split.gold.query == whole.split(gold, seed=seed).gold.query


def test_a_split_has_no_query_without_relevant_documents() -> None:
    some = collection(query=GOOD["query"] | {"q3": "nothing"}, qrel=GOOD["qrel"] | {"q3": {"d1": 0}})
    split = some.split(1)
    assert "q3" not in split.gold.query | split.test.query
    with pytest.raises(InputError, match="gold: expected 1 to 1 of the 2 queries"):
        some.split(2)
    with pytest.raises(InputError, match="there is no query 'q9'"):
        some.only(["q9"])


def test_birco_plain_and_compressed(tmp_path: Path) -> None:
    plain, packed = tmp_path / "set.json", tmp_path / "set.json.gz"
    plain.write_text(json.dumps(GOOD))
    packed.write_bytes(gzip.compress(json.dumps(GOOD).encode()))
    for path in (plain, packed):
        found = load_birco(path)
        assert (found.name, found.query, found.corpus, found.qrel) == (
            "set", GOOD["query"], GOOD["corpus"], GOOD["qrel"],
        )  # fmt: skip
        assert found.pooled


class Bomb:
    """Runs when it is unpickled."""

    def __reduce__(self) -> Any:
        return pytest.fail, ("a pickle was run",)


@pytest.mark.parametrize("name", ["set.pkl", "set.pickle", "set.json", "set.pkl.gz", "set.json.gz"])
def test_pickles_are_never_run(name: str, tmp_path: Path) -> None:
    data = pickle.dumps(Bomb())
    path = tmp_path / name
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    with pytest.raises(InputError, match=r"is a pickle|is not UTF-8"):
        load_birco(path)


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.json", b"", "is not JSON"),
        ("a.json", b"{", "is not JSON"),
        ("a.json", b"[" * 100_000, "is not JSON"),
        ("a.json", b"\xff\xfe", "is not UTF-8: .* at byte 0"),
        ("a.json", b"[]", "expected an object with the objects query, corpus, qrel"),
        ("a.json", b'{"query": {}, "corpus": [], "qrel": {}}', "expected an object with"),
        ("a.json", b'{"query": {}, "corpus": {}, "qrel": {}}', "query: expected at least one text"),
        ("a.json", b'{"query": {"q": "a", "q": "b"}}', "the key 'q' comes twice"),
        ("a.json.gz", b"{}", "cannot read .*[Nn]ot a gzip"),
        ("a.json.gz", gzip.compress(b"{}" * 5000, mtime=0)[:-20], "cannot read .*"),
    ],
)
def test_bad_birco_files(name: str, data: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match=message):
        load_birco(tmp_path / name)


@given(data=st.data())
def test_a_changed_byte_is_read_or_refused(data: st.DataObject, tmp_path_factory: Any) -> None:
    whole = bytearray(json.dumps(GOOD).encode())
    whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "changed.json"
    path.write_bytes(whole)
    try:
        found = load_birco(path)
    except InputError:
        return
    assert found.query
    assert ndcg_at_10(found.qrel, {}) == 0


def test_a_bomb_of_zeros_is_not_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pyfastlm.ir.data.files.LARGEST", 1 << 20)
    path = tmp_path / "bomb.json.gz"
    path.write_bytes(gzip.compress(bytes(4 << 20)))
    with pytest.raises(InputError, match="has more than 1 MiB"):
        load_birco(path)


def test_missing_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read .*No such file"):
        load_birco(tmp_path / "none.json")
    with pytest.raises(InputError, match="path: expected a path, got int"):
        load_birco(3)  # type: ignore[arg-type]


CRANFIELD = {
    "cran.all.1400.xml": "<doc><docno>1</docno><title>t</title>\n<text>wings\n of &lt;air&gt; .</text></doc>"
    "<doc><docno>2</docno><title>t</title><text></text></doc>",
    "cran.qry.xml": "<xml><top><num> 1</num><title>\nwhat wings</title></top>"
    "<top><num> 365</num><title>what air</title></top></xml>",
    "cranqrel.trec.txt": "1 0 1 3\n2 0 1 1\n2 0 2 0\n",
}


def cranfield(directory: Path, **changes: str) -> Path:
    for name, text in (CRANFIELD | changes).items():
        (directory / name).write_text(text)
    return directory


def test_cranfield_counts_topics_by_place(tmp_path: Path) -> None:
    found = read_cranfield(cranfield(tmp_path))
    assert found.query == {"1": "what wings", "2": "what air"}  # not 365
    assert found.corpus == {"1": "wings of <air> .", "2": ""}
    assert found.qrel == {"1": {"1": 1}, "2": {"1": 1, "2": 0}}
    assert not found.pooled


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("cran.qry.xml", "<xml></xml>", "expected elements <top>, got none"),
        ("cran.qry.xml", "<top><title>a</title></top>", "judges topic '2', but there are 1 topics"),
        ("cran.qry.xml", "<top></top><top></top>", "topic 1: expected one <title>, got 0"),
        ("cran.all.1400.xml", "<doc><docno>1</docno></doc>", "document 1: expected one <text>, got 0"),
        ("cran.all.1400.xml", "<doc><docno>1</docno><text>x</text></doc>" * 2, "'1' comes twice"),
        ("cran.all.1400.xml", "<doc><docno>1</docno><text>x</text></doc>", "document '2' is not in"),
        ("cranqrel.trec.txt", "1 0 1\n", "line 1: expected 'query 0 document relevance', got 3 fields"),
        ("cranqrel.trec.txt", "1 0 1 x\n", "expected a relevance, a whole number, got 'x'"),
        ("cranqrel.trec.txt", "1 0 1 ²\n", "expected a relevance"),
        ("cranqrel.trec.txt", f"1 0 1 {'9' * 5000}\n", "expected a relevance"),
        ("cranqrel.trec.txt", "1 0 1 1\n1 0 1 0\n", "line 2: query '1' judges document '1' twice"),
        ("cranqrel.trec.txt", "", "has no line"),
    ],
)
def test_bad_cranfield_files(name: str, text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        read_cranfield(cranfield(tmp_path, **{name: text}))


def test_entities_are_not_expanded(tmp_path: Path) -> None:
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b SYSTEM "file:///etc/passwd">]>'
    documents = bomb + CRANFIELD["cran.all.1400.xml"].replace("wings\n", "&a;&b;\n")
    found = read_cranfield(cranfield(tmp_path, **{"cran.all.1400.xml": documents}))
    assert found.corpus["1"].startswith("&a;&b;")


def test_the_real_cranfield(shared_ir: Path) -> None:
    found = read_cranfield(shared_ir)
    assert (len(found.query), len(found.corpus)) == (225, 1400)
    values = [relevance for judged in found.qrel.values() for relevance in judged.values()]
    assert (len(values), sum(values)) == (1837, 1612)
    assert [key for key, text in found.corpus.items() if not text] == ["471", "995"]
    assert found.query["3"].startswith("what problems of heat conduction")  # number 4 in the file


@pytest.mark.parametrize(
    ("name", "queries", "documents", "pool", "highest"),
    [
        ("clinical-trial.dev_set", 9, 248, 28, 2),
        ("clinical-trial.test_set", 50, 3377, 72, 2),
        ("wtb.dev_set", 57, 2404, 2404, 1),
    ],
)
def test_the_real_birco(
    name: str, queries: int, documents: int, pool: int, highest: int, shared_ir: Path
) -> None:
    found = load_birco(shared_ir / f"{name}.json.gz")
    assert (found.name, len(found.query), len(found.corpus)) == (name, queries, documents)
    sizes = [len(found.candidates(query)) for query in found.query]
    assert round(sum(sizes) / queries) == pool
    assert max(rel for judged in found.qrel.values() for rel in judged.values()) == highest


def beir(directory: Path, **changes: str) -> Path:
    (directory / "qrels").mkdir(exist_ok=True)
    files = {
        "corpus.jsonl": '{"_id": "d1", "title": "Sails", "text": "of a boat"}\n'
        '{"_id": "d2", "text": "bow"}\n',
        "queries.jsonl": '{"_id": "q1", "text": "boats"}\n{"_id": "unused", "text": "x"}\n',
        "qrels/test.tsv": "query-id\tcorpus-id\tscore\nq1\td1\t1\r\n",
    }
    for name, text in (files | changes).items():
        (directory / name).write_text(text)
    return directory


def test_beir(tmp_path: Path) -> None:
    found = read_beir(beir(tmp_path))
    assert found.query == {"q1": "boats"}
    assert found.corpus == {"d1": "Sails\nof a boat", "d2": "bow"}
    assert found.qrel == {"q1": {"d1": 1}}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("corpus.jsonl", '{"_id": 1, "text": "x"}', "line 1: expected an object with the texts '_id'"),
        ("corpus.jsonl", '{"_id": "d1", "title": 3, "text": "x"}', "line 1: expected an object"),
        ("corpus.jsonl", '{"_id": "d1", "text": "x"}\n' * 2, "line 2: the id 'd1' comes twice"),
        ("corpus.jsonl", '{"_id": "d2", "text": "x"}', "document 'd1' is not in the corpus"),
        ("corpus.jsonl", "[1]", "line 1: expected a JSON object, got an array"),
        ("queries.jsonl", '{"_id": "q2", "text": "x"}', "judges query 'q1', which is not in"),
        ("qrels/test.tsv", "q1\td1\t1\n", "line 1: expected the header query-id corpus-id score"),
        ("qrels/test.tsv", "query-id\tcorpus-id\tscore\nq1 d1 1", "line 2: expected 3 fields"),
        ("qrels/test.tsv", "query-id\tcorpus-id\tscore\nq1\td1\t1\nq1\td1\t0", "line 3: .* twice"),
        ("qrels/test.tsv", "query-id\tcorpus-id\tscore\n", "query: expected at least one text"),
    ],
)
def test_bad_beir_files(name: str, text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        read_beir(beir(tmp_path, **{name: text}))


def test_trec_files_come_back(tmp_path: Path) -> None:
    run = {"q1": {"d1": 0.1 + 0.2, "d2": -1e-30}, "q2": {"d3": 1.0}}
    write_run(run, tmp_path / "run.txt", tag="mine")
    assert read_run(tmp_path / "run.txt") == run
    assert (tmp_path / "run.txt").read_text().splitlines()[1] == "q1 Q0 d2 2 -1e-30 mine"
    write_qrels(GOOD["qrel"], tmp_path / "qrels.txt")
    assert read_qrels(tmp_path / "qrels.txt") == GOOD["qrel"]
    assert {path.name for path in tmp_path.iterdir()} == {"run.txt", "qrels.txt"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("q Q0 d 1 0.5", "line 1: expected 'query Q0 document rank score tag', got 5 fields"),
        ("q Q0 d 1 high t", "expected a score, got 'high'"),
        ("q Q0 d 1 nan t", "expected a score, got NaN"),
        ("q Q0 d 1 1 t\nq Q0 d 2 1 t", "line 2: query 'q' has document 'd' twice"),
        ("\n", "has no line"),
    ],
)
def test_bad_runs(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "run").write_text(text)
    with pytest.raises(InputError, match=message):
        read_run(tmp_path / "run")


def test_ids_that_trec_cannot_hold(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected ids without white space, got 'a b'"):
        write_run({"q": {"a b": 1.0}}, tmp_path / "run")
    assert not [*tmp_path.iterdir()]


def test_glosses(wordnet_dir: Path) -> None:
    task = wordnet_glosses(wordnet_dir, queries=12, pool=8, spare=20)
    assert len(task.query) == 12
    for word, judged in task.qrel.items():
        assert len(judged) == 8
        assert sorted(judged.values())[-2:] == [1, 2]
        assert task.query[word] == word
    inside = {document for judged in task.qrel.values() for document in judged}
    assert len(task.corpus) - len(inside) == min(20, 84 - len(inside))
    assert not any('"' in text for text in task.corpus.values())  # no examples, which have the word
    again = wordnet_glosses(wordnet_dir, queries=12, pool=8, spare=20)
    assert task.fingerprint == again.fingerprint
    other = wordnet_glosses(wordnet_dir, queries=12, pool=8, spare=20, seed=1)
    assert task.fingerprint != other.fingerprint


def test_impossible_glosses(wordnet_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="queries: expected 1 to 40, got 41"):
        wordnet_glosses(wordnet_dir, queries=41)
    with pytest.raises(InputError, match="pool, spare: expected at least 2"):
        wordnet_glosses(wordnet_dir, queries=2, pool=50, spare=1000)
    with pytest.raises(InputError, match="Debian's package wordnet-base"):
        wordnet_glosses(tmp_path)
