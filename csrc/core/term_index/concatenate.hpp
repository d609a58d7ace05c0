// Several files become one.
#pragma once

#include <memory>
#include <vector>

#include "core/term_index/join.hpp"
#include "core/term_index/map.hpp"
#include "core/term_index/writer.hpp"

namespace pyfastlm::term_index {

// Writes the terms of all maps, merged in the order of their bytes; nothing but the writer's own memory
// grows. Of equal terms that of a later map counts as the later one. Throws std::invalid_argument where
// duplicates are refused.
void concatenate(const std::vector<std::shared_ptr<Map>>& maps, Duplicates duplicates, Writer& writer);

}  // namespace pyfastlm::term_index
