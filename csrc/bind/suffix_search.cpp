#include "core/suffix_search.hpp"

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <string_view>

#include "bind/address.hpp"
#include "core/term_index/xxh64.hpp"

namespace py = pybind11;
namespace suffix_search = pyfastlm::suffix_search;

using pyfastlm::Address;
using pyfastlm::at;
using suffix_search::Searcher;

namespace {

// The units of a pattern that came as bytes.
struct Units {
    Units(const py::bytes& pattern, unsigned width) {
        const std::string_view bytes = pattern;
        at = reinterpret_cast<const unsigned char*>(bytes.data());
        count = bytes.size() / width;
    }
    const unsigned char* at;
    std::uint64_t count;
};

// A searcher and its width, which says how many units the bytes of a pattern are.
struct Suffixes {
    unsigned width;
    Searcher searcher;
};

}  // namespace

void register_suffix_search(py::module_& m) {
    // Lives as long as the process.
    static PyObject* const input_error =
        py::object(py::module_::import("pyfastlm.errors").attr("InputError")).release().ptr();
    py::register_local_exception_translator([](std::exception_ptr pointer) {
        try {
            if (pointer) std::rethrow_exception(pointer);
        } catch (const suffix_search::Damaged& error) {
            PyErr_SetString(input_error, error.what());
        }
    });

    py::class_<Suffixes>(m, "SuffixSearch")
        .def(py::init([](unsigned width, std::optional<std::uint32_t> separator) {
                 return Suffixes{width, Searcher(width, separator)};
             }),
             py::arg("width"), py::arg("separator"))
        .def(
            "add",
            [](Suffixes& self, Address text, std::uint64_t units, Address suffixes, std::uint64_t count,
               Address keys) {
                self.searcher.add({at<const unsigned char>(text), units, at<const std::uint32_t>(suffixes),
                                   count, at<const std::uint64_t>(keys)});
            },
            py::arg("text"), py::arg("units"), py::arg("suffixes"), py::arg("count"), py::arg("keys"))
        .def(
            "count",
            [](const Suffixes& self, const py::bytes& pattern) {
                const Units units(pattern, self.width);
                const py::gil_scoped_release release;
                return self.searcher.count(units.at, units.count);
            },
            py::arg("pattern"))
        .def(
            "find",
            [](const Suffixes& self, const py::bytes& pattern) {
                const Units units(pattern, self.width);
                const py::gil_scoped_release release;
                return self.searcher.find(units.at, units.count);
            },
            py::arg("pattern"))
        .def(
            "count_batch",
            [](const Suffixes& self, Address patterns, Address starts, std::size_t count, Address counts,
               int threads) {
                self.searcher.count_batch(at<const unsigned char>(patterns), at<const std::uint64_t>(starts),
                                          count, at<std::uint64_t>(counts), threads);
            },
            py::arg("patterns"), py::arg("starts"), py::arg("count"), py::arg("counts"), py::arg("threads"),
            py::call_guard<py::gil_scoped_release>())
        .def(
            "longest",
            [](const Suffixes& self, Address query, std::uint64_t length, std::uint64_t most, Address lengths,
               Address counts, int threads) {
                self.searcher.longest(at<const unsigned char>(query), length, most,
                                      at<std::uint64_t>(lengths), at<std::uint64_t>(counts), threads);
            },
            py::arg("query"), py::arg("length"), py::arg("most"), py::arg("lengths"), py::arg("counts"),
            py::arg("threads"), py::call_guard<py::gil_scoped_release>())
        .def(
            "following",
            [](const Suffixes& self, const py::bytes& pattern) {
                const Units units(pattern, self.width);
                std::vector<suffix_search::Following> found;
                {
                    const py::gil_scoped_release release;
                    found = self.searcher.following(units.at, units.count);
                }
                std::vector<std::pair<std::vector<std::pair<std::uint32_t, std::uint64_t>>, std::uint64_t>>
                    parts;
                for (auto& [each, ends] : found) parts.emplace_back(std::move(each), ends);
                return parts;
            },
            py::arg("pattern"), "For each part: (unit, count) of what follows, and how often nothing does.");
    m.def(
        "suffix_keys",
        [](unsigned width, Address text, std::uint64_t units, Address suffixes, std::uint64_t count,
           Address keys) {
            suffix_search::make_keys(width, at<const unsigned char>(text), units,
                                     at<const std::uint32_t>(suffixes), count, at<std::uint64_t>(keys));
        },
        py::arg("width"), py::arg("text"), py::arg("units"), py::arg("suffixes"), py::arg("count"),
        py::arg("keys"), py::call_guard<py::gil_scoped_release>());
    m.attr("suffix_stride") = suffix_search::stride;
    m.def(
        "xxh64",
        [](Address data, std::size_t bytes) {
            return pyfastlm::term_index::xxh64(at<const char>(data), bytes);
        },
        py::arg("data"), py::arg("bytes"), py::call_guard<py::gil_scoped_release>());
}
