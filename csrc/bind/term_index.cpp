#include "bind/term_index.hpp"

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

using namespace pyfastlm::bind;

namespace {

using Strings = py::typing::List<py::typing::List<py::str>>;
using Holder = std::shared_ptr<ti::Map>;  // pybind11 has no holder of what is constant

std::size_t count_of(PyObject* k) {
    if (PyLong_Check(k) && !PyBool_Check(k)) {
        const Py_ssize_t count = PyLong_AsSsize_t(k);
        if (count >= 1) return static_cast<std::size_t>(count);
        if (count == -1) PyErr_Clear();
    }
    refuse(input_error(), "k: expected a whole number >= 1, got " + std::string(py::repr(k)));
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
        PyErr_SetString(input_error(), error.what());
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
            refuse(input_type_error(), "items: expected pairs of a term and a score, got " +
                                           std::string(py::repr(item)).substr(0, 100));
        }
        PyObject* const* const both = PySequence_Fast_ITEMS(pair.ptr());
        const double score = PyFloat_AsDouble(both[1]);
        if (score == -1.0 && PyErr_Occurred() != nullptr) {
            PyErr_Clear();
            refuse(input_type_error(),
                   "items: expected a number as score, got " + std::string(py::repr(both[1])).substr(0, 100));
        }
        if (!std::isfinite(score))
            refuse(input_error(), "items: expected a finite score, got " + std::to_string(score) + " for " +
                                      std::string(py::repr(both[0])).substr(0, 100));
        sorter.push(utf8(both[0], "items"), score);
    }
}

ti::Duplicates duplicates_of(const std::string& name) {
    if (name == "last") return ti::Duplicates::last;
    if (name == "sum") return ti::Duplicates::sum;
    if (name == "max") return ti::Duplicates::max;
    if (name == "error") return ti::Duplicates::refuse;
    refuse(input_error(), "duplicates: expected 'last', 'sum', 'max' or 'error', got '" + name + "'");
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
        refuse(input_error(), std::string("items: ") + error.what());
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
        refuse(input_error(), std::string("paths: ") + error.what());
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
    const std::vector<std::string_view> texts = utf8_of(held, "prefixes");
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
    load_errors();
    py::register_local_exception_translator([](std::exception_ptr pointer) {
        try {
            if (pointer) std::rethrow_exception(pointer);
        } catch (const ti::Damaged& error) {
            PyErr_SetString(input_error(), error.what());
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
    py::class_<TermIndex>(m, "TermIndex")
        .def(py::init<const std::string&, bool, bool, int>(), py::arg("path"), py::arg("verify"),
             py::arg("in_memory"), py::arg("threads"), py::call_guard<py::gil_scoped_release>())
        .def("__len__", [](const TermIndex& self) { return self.index.size(); })
        .def("complete", &TermIndex::complete, py::arg("prefix"), py::arg("k"), py::arg("edits"),
             py::arg("fix_first"), py::arg("words"), py::arg("budget"), py::arg("keyboard"))
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
