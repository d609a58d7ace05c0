// Terms within a few edits of a query, found by walking the prefixes of the index that can still become it.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "core/term_index/keyboard.hpp"
#include "core/term_index/map.hpp"
#include "core/term_index/search.hpp"

namespace pyfastlm::term_index {

// What is compared with the query: any beginning of a term (the best one counts), all of it, or its words in
// any order (conjunctive.hpp).
enum class Extent { beginning, whole, words };

// Of all alignments with `edits` or fewer, those with `most` or fewer substitutions of keys that do not
// touch.
struct Far {
    const Keyboard* keyboard = nullptr;
    int most = 0;
};

// The terms within `edits` of the query; finds do not overlap. `fix_first`: terms that have another first
// code point than the query are none.
std::vector<Found> within(const Tree& map, std::string_view query, int edits, bool fix_first, Extent extent,
                          Far far = {});

// The same for one term.
bool is_within(std::string_view term, std::string_view query, int edits, bool fix_first, Extent extent,
               Far far = {});

}  // namespace pyfastlm::term_index
