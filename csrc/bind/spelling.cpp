// What queries may have meant.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>
#include <pybind11/typing.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "bind/term_index.hpp"
#include "core/spelling/weighing.hpp"
#include "core/term_index/words.hpp"

using namespace pyfastlm::bind;
namespace sp = pyfastlm::spelling;

namespace {

using Candidates = py::typing::List<py::typing::List<py::typing::Tuple<py::str, py::float_, py::float_>>>;
using Words = std::vector<std::string_view>;

// Python's own tables, which are read without its lock.
bool is_letter(std::uint32_t code_point) {
    return code_point < 0x110000 && Py_UNICODE_ISALPHA(static_cast<Py_UCS4>(code_point)) != 0;
}
bool is_digit(std::uint32_t code_point) {
    return code_point < 0x110000 && Py_UNICODE_ISDECIMAL(static_cast<Py_UCS4>(code_point)) != 0;
}

sp::Odds odds_of(double bias,
                 const std::vector<std::pair<std::vector<double>, std::vector<double>>>& shapes) {
    std::vector<sp::Shape> all;
    for (const auto& [knots, values] : shapes) all.push_back({knots, values});
    return {bias, std::move(all)};
}

class Spelling {
  public:
    Spelling(const TermIndex& catalogue, const TermIndex* english, const ti::EditCosts& costs,
             const std::array<double, 3>& weights, sp::Counts counts, sp::Odds odds, sp::Rules rules,
             std::unordered_set<std::string> exclude)
        : costs_(costs), odds_(std::move(odds)),
          lexicon_(catalogue.index, english == nullptr ? nullptr : &english->index, costs_,
                   {weights[0], weights[1], weights[2]}, counts, is_digit),
          weighing_(lexicon_, odds_, rules, std::move(exclude)) {}
    Spelling(const Spelling&) = delete;
    Spelling& operator=(const Spelling&) = delete;

    // For each query (text, score, cost), best first. `of_english`: its words in the normal form of the
    // dictionary, where that is another one.
    Candidates candidates(
        const py::typing::Iterable<py::str>& queries,
        const std::optional<std::vector<py::typing::Tuple<py::str, py::ellipsis>>>& of_english,
        std::size_t width, double threshold, double near, int threads) const {
        const py::tuple held(queries);
        const Words texts = utf8_of(held, "queries");
        std::vector<sp::Query> asked(texts.size());
        for (std::size_t i = 0; i < texts.size(); ++i) {
            Words& words = asked[i].words;
            ti::for_words(texts[i], [&words](std::string_view word) { words.push_back(word); });
            if (words.empty()) words.emplace_back();
            asked[i].of_english = of_english.has_value() ? utf8_of(of_english->at(i), "of_english") : words;
            if (asked[i].of_english.size() != words.size())
                throw py::value_error("of_english: expected as many words");
        }
        std::vector<std::vector<sp::Candidate>> found;
        {
            const py::gil_scoped_release release;
            found = weighing_.weigh(asked, {width, threshold, near, threads});
        }
        Candidates lists(found.size());
        for (std::size_t i = 0; i < found.size(); ++i) {
            py::list list(found[i].size());
            for (std::size_t j = 0; j < found[i].size(); ++j) {
                const sp::Candidate& one = found[i][j];
                list[j] =
                    py::make_tuple(py::reinterpret_steal<py::object>(decoded(one.text)), one.score, one.cost);
            }
            lists[i] = std::move(list);
        }
        return lists;
    }

  private:
    ti::EditCosts costs_;
    sp::Odds odds_;
    sp::Lexicon lexicon_;
    sp::Weighing weighing_;
};

}  // namespace

void register_spelling(py::module_& m) {
    py::class_<Spelling>(m, "Spelling")
        .def(py::init([](const TermIndex& catalogue, std::optional<const TermIndex*> english,
                         const ti::EditCosts& costs, const std::array<double, 3>& weights, double bias,
                         const std::vector<std::pair<std::vector<double>, std::vector<double>>>& shapes,
                         const std::unordered_set<std::string>& exclude, std::size_t asked, std::size_t kept,
                         std::size_t longest, std::size_t most_words, std::size_t shortest, double known,
                         double sure) {
                 return std::make_unique<Spelling>(
                     catalogue, english.value_or(nullptr), costs, weights, sp::Counts{asked, kept},
                     odds_of(bias, shapes), sp::Rules{longest, most_words, shortest, known, sure, is_letter},
                     exclude);
             }),
             py::arg("catalogue"), py::arg("english"), py::arg("costs"), py::arg("weights"), py::arg("bias"),
             py::arg("shapes"), py::arg("exclude"), py::kw_only(), py::arg("asked"), py::arg("kept"),
             py::arg("longest"), py::arg("most_words"), py::arg("shortest"), py::arg("known"),
             py::arg("sure"), py::keep_alive<1, 2>(), py::keep_alive<1, 3>())
        .def("candidates", &Spelling::candidates, py::arg("queries"), py::arg("of_english"), py::arg("width"),
             py::arg("threshold"), py::arg("near"), py::arg("threads"));
}
