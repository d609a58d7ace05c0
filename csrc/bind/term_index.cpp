#include "core/term_index/index.hpp"

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>
#include <pybind11/typing.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <tuple>
#include <utility>
#include <vector>

#include "core/term_index/concatenate.hpp"
#include "core/term_index/sorter.hpp"

namespace py = pybind11;
namespace ti = pyfastlm::term_index;

namespace {

using PairList = py::typing::List<py::typing::Tuple<py::str, py::float_>>;
using MatchList = py::typing::List<py::typing::Tuple<py::str, py::int_, py::float_>>;
using SimilarLists = py::typing::List<
    py::typing::List<py::typing::Tuple<py::str, py::float_, py::int_, py::float_, py::float_, py::float_>>>;
using Strings = py::typing::List<py::typing::List<py::str>>;
using MapPointer = std::shared_ptr<const ti::Map>;
using Holder = std::shared_ptr<ti::Map>;  // pybind11 has no holder of what is constant

// Classes of pyfastlm.errors; they live as long as the process.
PyObject* input_error = nullptr;
PyObject* input_type_error = nullptr;

[[noreturn]] void refuse(PyObject* kind, const std::string& message) {
    PyErr_SetString(kind, message.c_str());
    throw py::error_already_set();
}

// The bytes of a Python string, which must outlive them. `name` is the argument that it came by.
std::string_view utf8(PyObject* text, const char* name) {
    if (!PyUnicode_Check(text))
        refuse(input_type_error, std::string(name) + ": expected a string, got " + Py_TYPE(text)->tp_name);
    Py_ssize_t size = 0;
    const char* const bytes = PyUnicode_AsUTF8AndSize(text, &size);
    if (bytes == nullptr) {
        PyErr_Clear();
        refuse(input_error, std::string(name) + ": expected Unicode, got a lone surrogate in it");
    }
    return {bytes, static_cast<std::size_t>(size)};
}

bool is_ascii(std::string_view text) {
    std::uint64_t bits = 0, word;
    std::size_t i = 0;
    for (; i + sizeof word <= text.size(); i += sizeof word) {
        std::memcpy(&word, text.data() + i, sizeof word);
        bits |= word;
    }
    for (; i < text.size(); ++i) bits |= static_cast<unsigned char>(text[i]);
    return (bits & 0x8080808080808080) == 0;
}

PyObject* decoded(std::string_view key) {
    if (is_ascii(key)) {
        PyObject* const text = PyUnicode_New(static_cast<Py_ssize_t>(key.size()), 127);
        if (text == nullptr) throw py::error_already_set();
        if (!key.empty()) std::memcpy(PyUnicode_1BYTE_DATA(text), key.data(), key.size());
        return text;
    }
    PyObject* const text = PyUnicode_DecodeUTF8(key.data(), static_cast<Py_ssize_t>(key.size()), nullptr);
    if (text != nullptr) return text;
    PyErr_Clear();
    throw ti::Damaged("a key is not UTF-8");
}

py::object string_of(const ti::Map& map, std::uint32_t lex, ti::KeyBuffer& buffer) {
    return py::reinterpret_steal<py::object>(decoded(map.key(lex, buffer)));
}

// Makes the lists of (term, score) that are asked for most, and keeps up to 65,536 of those pairs: popular
// terms answer many prefixes. One asked for once is not kept; its memory is used again at once. Only touched
// with the GIL held; wherever Python makes or frees an object that its collector knows, code may run that
// comes back here.
class Pairs {
  public:
    Pairs() = default;
    ~Pairs() { clear(nullptr); }
    Pairs(const Pairs&) = delete;
    Pairs& operator=(const Pairs&) = delete;

    // A new list of terms of one file; `terms` is used up.
    py::object list(const MapPointer& map, std::vector<ti::Ranked>& terms) {
        auto list = py::reinterpret_steal<py::object>(PyList_New(static_cast<Py_ssize_t>(terms.size())));
        if (!list) throw py::error_already_set();
        if (map != map_) clear(map);
        // Where things lie in memory is known for all terms before the first of them is read.
        for (const ti::Ranked& term : terms) __builtin_prefetch(&slot_of(term.rank));
        for (const ti::Ranked& term : terms) __builtin_prefetch(slot_of(term.rank).pair);
        std::vector<Missing> missing = std::move(missing_);
        missing.clear();
        for (std::size_t i = 0; i < terms.size(); ++i) {
            const Slot& slot = slot_of(terms[i].rank);
            if (slot.pair != nullptr && slot.rank == terms[i].rank) {
                PyList_SET_ITEM(list.ptr(), static_cast<Py_ssize_t>(i), Py_NewRef(slot.pair));
                continue;
            }
            missing.push_back({static_cast<Py_ssize_t>(i), terms[i].rank, terms[i].lex, 0});
            if (terms[i].lex == ti::unknown_lex) map->prefetch_lex(terms[i].rank);
            map->prefetch_score(terms[i].rank);
        }
        for (Missing& term : missing) {
            if (term.lex == ti::unknown_lex) term.lex = map->lex(term.rank);
            map->prefetch_block(term.lex / ti::block_terms);
            term.score = map->score(term.rank);
        }
        for (const Missing& term : missing) PyList_SET_ITEM(list.ptr(), term.place, made(*map, term));
        missing_ = std::move(missing);
        return list;
    }

  private:
    struct Missing {
        Py_ssize_t place;  // in the list
        std::uint32_t rank, lex;
        double score;
    };

    struct Slot {
        PyObject* pair;
        std::uint32_t rank, waiting;  // of the pair; of the last one that was asked for and not there
    };

    // The best terms, asked for most, share cache lines.
    Slot& slot_of(std::uint32_t rank) { return slots_[rank & ((1u << slot_bits) - 1)]; }

    PyObject* made(const ti::Map& map, const Missing& term) {
        py::object text = string_of(map, term.lex, buffer_);
        auto score = py::reinterpret_steal<py::object>(PyFloat_FromDouble(term.score));
        PyObject* const pair = PyTuple_New(2);
        if (!score || pair == nullptr) throw py::error_already_set();
        PyTuple_SET_ITEM(pair, 0, text.release().ptr());
        PyTuple_SET_ITEM(pair, 1, score.release().ptr());
        PyObject_GC_UnTrack(pair);  // it can be in no cycle, as the collector would find out
        if (&map != map_.get()) return pair;
        Slot& slot = slot_of(term.rank);
        if (slot.waiting != term.rank) {
            slot.waiting = term.rank;  // kept when it is asked for again
        } else {
            Py_XSETREF(slot.pair, Py_NewRef(pair));
            slot.rank = term.rank;
        }
        return pair;
    }

    void clear(const MapPointer& map) {
        map_ = map;
        for (Slot& slot : slots_) Py_CLEAR(slot.pair);
        if (map != nullptr) slots_.resize(std::size_t{1} << slot_bits);
    }

    static constexpr unsigned slot_bits = 16;
    MapPointer map_;
    std::vector<Slot> slots_;
    std::vector<Missing> missing_;
    ti::KeyBuffer buffer_;  // used up before any other object is made
};

ti::CodePoints code_points_of(const py::str& text, const char* name) {
    return ti::code_points(utf8(text.ptr(), name));
}

const ti::Keyboard* keyboard_of(const std::optional<std::string>& name) {
    return name.has_value() ? ti::keyboard_named(*name) : nullptr;
}

ti::Extent extent_of(bool words) { return words ? ti::Extent::words : ti::Extent::beginning; }

class TermIndex {
  public:
    TermIndex(const std::string& path, bool verify, bool in_memory)
        : index(std::make_shared<ti::Map>(path, verify, in_memory)) {}

    PairList complete(py::str prefix, std::size_t k, int edits, bool fix_first, bool words,
                      std::uint64_t budget, const std::optional<std::string>& keyboard) {
        std::vector<ti::Hit> hits;
        const MapPointer map = answer({utf8(prefix.ptr(), "prefix"), k, edits, fix_first, extent_of(words),
                                       budget, keyboard_of(keyboard)},
                                      hits);
        PairList found;
        ti::KeyBuffer key;
        for (const ti::Hit& hit : hits) {
            const py::object text = hit.rank != ti::no_rank
                                        ? string_of(*map, map->lex(hit.rank), key)
                                        : py::reinterpret_steal<py::object>(decoded(hit.key));
            found.append(py::make_tuple(text, hit.score));
        }
        return found;
    }

    MatchList lookup(py::str term, std::size_t k, int edits, bool fix_first,
                     const std::optional<std::string>& keyboard) {
        std::vector<ti::Hit> hits;
        const MapPointer map = answer(
            {utf8(term.ptr(), "term"), k, edits, fix_first, ti::Extent::whole, 0, keyboard_of(keyboard)},
            hits);
        MatchList found;
        ti::KeyBuffer key;
        for (const ti::Hit& hit : hits) {
            const py::object text = hit.rank != ti::no_rank
                                        ? string_of(*map, map->lex(hit.rank), key)
                                        : py::reinterpret_steal<py::object>(decoded(hit.key));
            found.append(py::make_tuple(text, hit.edits, hit.score));
        }
        return found;
    }

    ti::Index index;
    Pairs pairs;
    std::vector<ti::Ranked> terms;  // what a call left, for the next one

  private:
    MapPointer answer(const ti::Query& query, std::vector<ti::Hit>& hits) const {
        const py::gil_scoped_release release;
        return index.answer(query, hits);
    }
};

std::size_t count_of(PyObject* k) {
    if (PyLong_Check(k) && !PyBool_Check(k)) {
        const Py_ssize_t count = PyLong_AsSsize_t(k);
        if (count >= 1) return static_cast<std::size_t>(count);
        if (count == -1) PyErr_Clear();
    }
    refuse(input_error, "k: expected a whole number >= 1, got " + std::string(py::repr(k)));
}

// complete(prefix, k) without edits: the one call that is made for every key that someone types, so it goes
// past pybind11.
PyObject* exact(PyObject* self, PyObject* const* arguments, Py_ssize_t count) {
    try {
        auto* const bound = static_cast<TermIndex*>(PyCapsule_GetPointer(self, nullptr));
        if (bound == nullptr) return nullptr;
        if (count != 2) refuse(PyExc_TypeError, "expected prefix and k");
        const std::string_view prefix = utf8(arguments[0], "prefix");
        const std::size_t k = count_of(arguments[1]);
        std::vector<ti::Ranked> terms = std::move(bound->terms);
        const MapPointer map = bound->index.unchanged(prefix, k, terms);
        py::object list = map != nullptr ? bound->pairs.list(map, terms)
                                         : bound->complete(py::reinterpret_borrow<py::str>(arguments[0]), k,
                                                           0, true, false, 0, std::nullopt);
        bound->terms = std::move(terms);
        return list.release().ptr();
    } catch (py::error_already_set& error) {
        error.restore();
    } catch (const ti::Damaged& error) {
        PyErr_SetString(input_error, error.what());
    } catch (const std::bad_alloc&) {
        PyErr_NoMemory();
    }
    return nullptr;
}

PyMethodDef exact_method{"complete", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(exact)),
                         METH_FASTCALL, nullptr};

// Pairs (term, score) from any iterable.
void push_all(ti::Sorter& sorter, const py::iterable& items) {
    for (const py::handle item : items) {
        const auto pair = py::reinterpret_steal<py::object>(PySequence_Fast(item.ptr(), ""));
        if (!pair || PySequence_Fast_GET_SIZE(pair.ptr()) != 2) {
            PyErr_Clear();
            refuse(input_type_error, "items: expected pairs of a term and a score, got " +
                                         std::string(py::repr(item)).substr(0, 100));
        }
        PyObject* const* const both = PySequence_Fast_ITEMS(pair.ptr());
        const double score = PyFloat_AsDouble(both[1]);
        if (score == -1.0 && PyErr_Occurred() != nullptr) {
            PyErr_Clear();
            refuse(input_type_error,
                   "items: expected a number as score, got " + std::string(py::repr(both[1])).substr(0, 100));
        }
        if (!std::isfinite(score))
            refuse(input_error, "items: expected a finite score, got " + std::to_string(score) + " for " +
                                    std::string(py::repr(both[0])).substr(0, 100));
        sorter.push(utf8(both[0], "items"), score);
    }
}

ti::Duplicates duplicates_of(const std::string& name) {
    if (name == "last") return ti::Duplicates::last;
    if (name == "sum") return ti::Duplicates::sum;
    if (name == "max") return ti::Duplicates::max;
    if (name == "error") return ti::Duplicates::refuse;
    refuse(input_error, "duplicates: expected 'last', 'sum', 'max' or 'error', got '" + name + "'");
}

void build(const py::typing::Iterable<py::typing::Tuple<py::str, py::float_>>& items, const std::string& path,
           std::uint32_t normalizer, const std::string& duplicates, std::size_t memory, bool similar) {
    ti::Sorter sorter(path + ".run-", memory, duplicates_of(duplicates));
    try {
        push_all(sorter, items);
        const py::gil_scoped_release release;
        ti::Writer writer(path, normalizer, similar);
        sorter.finish([&writer](std::string_view key, double score) { writer.push(key, score); });
        writer.finish();
    } catch (const std::invalid_argument& error) {
        refuse(input_error, std::string("items: ") + error.what());
    }
}

void concatenate(const std::vector<Holder>& files, const std::string& path, const std::string& duplicates) {
    const ti::Duplicates rule = duplicates_of(duplicates);
    try {
        const py::gil_scoped_release release;
        const bool similar = std::ranges::any_of(files, &ti::Map::similar);
        ti::Writer writer(path, files.at(0)->header().normalizer, similar);
        ti::concatenate(files, rule, writer);
    } catch (const std::invalid_argument& error) {
        refuse(input_error, std::string("paths: ") + error.what());
    }
}

// ids [n, k], scores [n, k], whether each answer is whole [n], the strings of ids that are none of the
// file's, and the file.
py::typing::Tuple<py::array_t<std::int32_t>, py::array_t<float>, py::array_t<bool>, py::typing::List<py::str>,
                  ti::Map>
answers(TermIndex& self, const py::typing::Iterable<py::str>& prefixes, std::size_t k, int edits,
        bool fix_first, bool words, std::uint64_t budget, const std::optional<std::string>& keyboard,
        int threads) {
    const ti::Query query{{}, k, edits, fix_first, extent_of(words), budget, keyboard_of(keyboard)};
    const py::tuple held(prefixes);  // a list could change while others run
    const std::size_t count = held.size();
    std::vector<std::string_view> texts(count);
    for (std::size_t i = 0; i < count; ++i) texts[i] = utf8(PyTuple_GET_ITEM(held.ptr(), i), "prefixes");
    py::array_t<std::int32_t> ids({count, k});
    py::array_t<float> scores({count, k});
    py::array_t<bool> exact(static_cast<py::ssize_t>(count));
    ti::Table table{ids.mutable_data(), scores.mutable_data(), exact.mutable_data(), {}, nullptr};
    {
        const py::gil_scoped_release release;
        self.index.answers(texts, query, threads, table);
    }
    return py::make_tuple(ids, scores, exact, table.others, std::const_pointer_cast<ti::Map>(table.map));
}

// For each text the terms that resemble it: term, score, edits, cost, share, fit.
SimilarLists similar(const TermIndex& self, const py::typing::Iterable<py::str>& texts, std::size_t k,
                     const ti::EditCosts& costs, const std::array<double, 3>& weights, bool words,
                     int threads) {
    const py::tuple held(texts);  // a list could change while others run
    std::vector<std::string_view> asked(held.size());
    for (std::size_t i = 0; i < asked.size(); ++i) asked[i] = utf8(PyTuple_GET_ITEM(held.ptr(), i), "texts");
    std::vector<std::vector<ti::Resembling>> found;
    {
        const py::gil_scoped_release release;
        self.index.similar(asked, {k, costs, {weights[0], weights[1], weights[2]}, words}, threads, found);
    }
    SimilarLists lists;
    for (const auto& of_text : found) {
        py::list list;
        for (const ti::Resembling& one : of_text)
            list.append(py::make_tuple(py::reinterpret_steal<py::object>(decoded(one.key)), one.score,
                                       one.edits, one.cost, one.share, one.fit));
        lists.append(list);
    }
    return lists;
}

// The strings of ids [n, k], without those that are -1.
Strings strings(const Holder& map, const py::array_t<std::int32_t, py::array::c_style>& ids,
                const std::vector<std::string>& others) {
    const auto view = ids.unchecked<2>();
    Strings rows(static_cast<std::size_t>(view.shape(0)));
    ti::KeyBuffer key;
    for (py::ssize_t i = 0; i < view.shape(0); ++i) {
        py::list row;
        for (py::ssize_t j = 0; j < view.shape(1) && view(i, j) >= 0; ++j) {
            const auto id = static_cast<std::uint32_t>(view(i, j));
            if (id < map->terms())
                row.append(string_of(*map, map->lex(id), key));
            else
                row.append(py::reinterpret_steal<py::object>(decoded(others.at(id - map->terms()))));
        }
        rows[static_cast<std::size_t>(i)] = std::move(row);
    }
    return rows;
}

}  // namespace

void register_term_index(py::module_& m) {
    const py::module_ errors = py::module_::import("pyfastlm.errors");
    input_error = py::object(errors.attr("InputError")).release().ptr();
    input_type_error = py::object(errors.attr("InputTypeError")).release().ptr();
    py::register_local_exception_translator([](std::exception_ptr pointer) {
        try {
            if (pointer) std::rethrow_exception(pointer);
        } catch (const ti::Damaged& error) {
            PyErr_SetString(input_error, error.what());
        } catch (const std::system_error& error) {
            errno = error.code().value();
            PyErr_SetFromErrno(PyExc_OSError);
        }
    });

    py::class_<ti::Map, std::shared_ptr<ti::Map>>(m, "TermIndexFile")
        .def_property_readonly("normalizer", [](const ti::Map& self) { return self.header().normalizer; })
        .def_property_readonly("similar", &ti::Map::similar)
        .def_property_readonly("parts", [](const ti::Map& self) {
            py::typing::Dict<py::str, py::int_> parts;
            for (std::size_t i = 0; i < ti::section_count; ++i)
                parts[ti::section_names[i]] = self.header().parts[i].bytes;
            return parts;
        });
    py::class_<ti::EditCosts>(m, "EditCosts")
        .def(py::init([](const std::array<float, 8>& prices, const std::optional<std::string>& keyboard,
                         const std::vector<std::tuple<py::str, py::str, float>>& rewrites) {
                 std::vector<ti::Rewrite> read;
                 for (const auto& [a, b, cost] : rewrites)
                     read.push_back({code_points_of(a, "rewrites"), code_points_of(b, "rewrites"), cost});
                 return ti::EditCosts(
                     {prices[0], prices[1], prices[2], prices[3], prices[4], prices[5], prices[6], prices[7]},
                     keyboard_of(keyboard), std::move(read));
             }),
             py::arg("prices"), py::arg("keyboard"), py::arg("rewrites"))
        .def(
            "cost",
            [](const ti::EditCosts& self, const py::str& written, const py::str& meant) {
                const auto from = code_points_of(meant, "meant"), to = code_points_of(written, "written");
                return ti::EditCosts::Written(self, to).from(from.data(), from.size());
            },
            py::arg("written"), py::arg("meant"));
    py::class_<TermIndex>(m, "TermIndex")
        .def(py::init<const std::string&, bool, bool>(), py::arg("path"), py::arg("verify"),
             py::arg("in_memory"), py::call_guard<py::gil_scoped_release>())
        .def("__len__", [](const TermIndex& self) { return self.index.size(); })
        .def("complete", &TermIndex::complete, py::arg("prefix"), py::arg("k"), py::arg("edits"),
             py::arg("fix_first"), py::arg("words"), py::arg("budget"), py::arg("keyboard"))
        .def("similar", &similar, py::arg("texts"), py::arg("k"), py::arg("costs"), py::arg("weights"),
             py::arg("words"), py::arg("threads"))
        .def("lookup", &TermIndex::lookup, py::arg("term"), py::arg("k"), py::arg("edits"),
             py::arg("fix_first"), py::arg("keyboard"))
        .def(
            "exact",
            [](TermIndex& self) {
                const py::capsule pointer(&self, static_cast<void (*)(void*)>(nullptr));
                return py::reinterpret_steal<py::object>(PyCFunction_New(&exact_method, pointer.ptr()));
            },
            py::keep_alive<0, 1>(), "The builtin complete(prefix, k), of this object.")
        .def(
            "__contains__",
            [](const TermIndex& self, const py::str& term) {
                return self.index.score(utf8(term.ptr(), "term")).has_value();
            },
            py::arg("term"))
        .def(
            "score",
            [](const TermIndex& self, const py::str& term) {
                return self.index.score(utf8(term.ptr(), "term"));
            },
            py::arg("term"))
        .def(
            "add",
            [](TermIndex& self, const py::str& term, double score) {
                self.index.add(utf8(term.ptr(), "term"), score);
            },
            py::arg("term"), py::arg("score"))
        .def(
            "remove",
            [](TermIndex& self, const py::str& term) { return self.index.remove(utf8(term.ptr(), "term")); },
            py::arg("term"))
        .def(
            "write",
            [](const TermIndex& self, const std::string& path) {
                const auto map = self.index.map();
                ti::Writer writer(path, map->header().normalizer, map->similar());
                self.index.write(writer);
            },
            py::arg("path"), py::call_guard<py::gil_scoped_release>())
        .def(
            "adopt",
            [](TermIndex& self, const std::string& path) {
                self.index.adopt(std::make_shared<ti::Map>(path, false, false));
            },
            py::arg("path"), py::call_guard<py::gil_scoped_release>())
        .def("file", [](const TermIndex& self) { return std::const_pointer_cast<ti::Map>(self.index.map()); })
        .def("answers", &answers, py::arg("prefixes"), py::arg("k"), py::arg("edits"), py::arg("fix_first"),
             py::arg("words"), py::arg("budget"), py::arg("keyboard"), py::arg("threads"));
    m.def("term_index_build", &build, py::arg("items"), py::arg("path"), py::arg("normalizer"),
          py::arg("duplicates"), py::arg("memory"), py::arg("similar"));
    m.def("term_index_concatenate", &concatenate, py::arg("files"), py::arg("path"), py::arg("duplicates"));
    m.def("term_index_strings", &strings, py::arg("file"), py::arg("ids"), py::arg("others"));
}
