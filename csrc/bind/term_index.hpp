// The index as Python has it.
#pragma once

#include <pybind11/pybind11.h>
#include <pybind11/typing.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bind/pairs.hpp"
#include "core/term_index/index.hpp"
#include "core/term_index/keyboard.hpp"

namespace pyfastlm::bind {

using PairList = py::typing::List<py::typing::Tuple<py::str, py::float_>>;
using MatchList = py::typing::List<py::typing::Tuple<py::str, py::int_, py::float_>>;

inline const ti::Keyboard* keyboard_of(const std::optional<std::string>& name) {
    return name.has_value() ? ti::keyboard_named(*name) : nullptr;
}

inline ti::Extent extent_of(bool words) { return words ? ti::Extent::words : ti::Extent::beginning; }

class TermIndex {
  public:
    TermIndex(const std::string& path, bool verify, bool in_memory, int threads)
        : index(std::make_shared<ti::Map>(path, verify, in_memory, threads)) {}

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

}  // namespace pyfastlm::bind
