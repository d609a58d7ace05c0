// Strings held together, by number.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pyfastlm::term_index {

class Texts {
  public:
    void push(std::string_view text) {
        bytes_.append(text);
        ends_.push_back(bytes_.size());
    }
    [[nodiscard]] std::uint32_t size() const { return static_cast<std::uint32_t>(ends_.size()); }
    [[nodiscard]] std::string_view operator[](std::uint32_t number) const {
        const std::uint64_t first = number == 0 ? 0 : ends_[number - 1];
        return std::string_view(bytes_).substr(first, ends_[number] - first);
    }

  private:
    std::string bytes_;
    std::vector<std::uint64_t> ends_;
};

}  // namespace pyfastlm::term_index
