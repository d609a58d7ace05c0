// Writes texts so that those which resemble another can be found (similar.hpp). Memory: some 6 bytes for each
// code point of them.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "core/term_index/format.hpp"
#include "core/term_index/output.hpp"

namespace pyfastlm::term_index {

// `text(i)` and `owner(i)` of the i-th best text, for i below `count`, and how many owners there can be. The
// sections are empty where `count` is 0.
void write_similar(Output& out, const SimilarSections& sections, std::uint32_t count, std::uint64_t owners,
                   const std::function<std::string_view(std::uint32_t)>& text,
                   const std::function<std::uint32_t(std::uint32_t)>& owner);

}  // namespace pyfastlm::term_index
