// The lists of (term, score) that answer a prefix.
#pragma once

#include <pybind11/pybind11.h>

#include <memory>
#include <utility>
#include <vector>

#include "bind/texts.hpp"
#include "core/term_index/search.hpp"

namespace pyfastlm::bind {

namespace py = pybind11;
namespace ti = term_index;

using MapPointer = std::shared_ptr<const ti::Map>;

inline py::object string_of(const ti::Map& map, std::uint32_t lex, ti::KeyBuffer& buffer) {
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

}  // namespace pyfastlm::bind
