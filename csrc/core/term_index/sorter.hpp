// Puts terms into the order of their bytes in bounded memory: what does not fit is sorted and written to
// files beside the result, which are merged at the end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/term_index/join.hpp"

namespace pyfastlm::term_index {

class Sorter {
  public:
    // Files are named `path` and a number, and removed when this object goes. `memory` in bytes.
    Sorter(std::string path, std::size_t memory, Duplicates duplicates)
        : path_(std::move(path)), memory_(memory), duplicates_(duplicates) {}

    void push(std::string_view key, double score);

    // Calls `take` for each term, in their order. Throws std::invalid_argument where duplicates are refused.
    void finish(const std::function<void(std::string_view, double)>& take);

  private:
    struct Item {
        std::uint64_t head;  // the first eight bytes, the first one highest
        std::uint64_t at;    // of the rest in `bytes_`
        std::uint32_t length;
        std::uint32_t number;  // in the order of coming
        double score;
    };
    struct Close {
        void operator()(std::FILE* file) const { std::fclose(file); }
    };
    using File = std::unique_ptr<std::FILE, Close>;
    class Run;

    [[nodiscard]] std::string_view key_of(const Item& item) const {
        return std::string_view(bytes_).substr(item.at, item.length);
    }
    void sort();
    void spill();

    std::string path_;
    std::size_t memory_;
    Duplicates duplicates_;
    std::string bytes_;
    std::vector<Item> items_;
    bool rising_ = true;
    std::vector<File> runs_;
};

}  // namespace pyfastlm::term_index
