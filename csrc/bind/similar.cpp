// Terms that resemble a text, and what edits cost.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>
#include <pybind11/typing.h>

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "bind/term_index.hpp"
#include "core/term_index/edit_costs.hpp"

using namespace pyfastlm::bind;

namespace {

using SimilarLists = py::typing::List<
    py::typing::List<py::typing::Tuple<py::str, py::float_, py::int_, py::float_, py::float_, py::float_>>>;

ti::CodePoints code_points_of(const py::str& text, const char* name) {
    return ti::code_points(utf8(text.ptr(), name));
}

// For each text the terms that resemble it: term, score, edits, cost, share, fit.
SimilarLists similar(const TermIndex& index, const py::typing::Iterable<py::str>& texts, std::size_t k,
                     const ti::EditCosts& costs, const std::array<double, 3>& weights, bool words,
                     int threads) {
    const py::tuple held(texts);  // a list could change while others run
    const std::vector<std::string_view> asked = utf8_of(held, "texts");
    std::vector<std::vector<ti::Resembling>> found;
    {
        const py::gil_scoped_release release;
        index.index.similar(asked, {k, costs, {weights[0], weights[1], weights[2]}, words}, threads, found);
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

}  // namespace

void register_similar(py::module_& m) {
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
    m.def("term_index_similar", &similar, py::arg("index"), py::arg("texts"), py::arg("k"), py::arg("costs"),
          py::arg("weights"), py::arg("words"), py::arg("threads"));
}
