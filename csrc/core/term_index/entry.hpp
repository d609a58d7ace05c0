// One front-coded key: how many bytes it shares with the key before it, and the bytes after those. A byte
// holds both lengths, four bits each, shared above; fifteen means that a LEB128 number with the excess
// follows, that of the shared length first. The first key of a block shares nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/term_index/format.hpp"

namespace pyfastlm::term_index {

struct Entry {
    std::size_t shared, length;  // `length` of the suffix
    const unsigned char* suffix;
};

// Reads the entries of a block in their order, and never beyond its end.
class Entries {
  public:
    Entries(const unsigned char* at, const unsigned char* end) : at_(at), end_(end) {}

    Entry next() {
        if (at_ == end_) throw Damaged("a block of keys ends early");
        const unsigned head = *at_++;
        std::size_t shared = head >> 4, length = head & 15;
        if (shared == 15) shared += varint();
        if (length == 15) length += varint();
        if (length > static_cast<std::size_t>(end_ - at_)) throw Damaged("a key is longer than its block");
        if (shared > previous_) throw Damaged("a key shares more than there is");
        const Entry entry{shared, length, at_};
        at_ += length;
        previous_ = shared + length;
        return entry;
    }

  private:
    std::size_t varint() {
        std::size_t value = 0;
        for (unsigned shift = 0; shift < 35; shift += 7) {
            if (at_ == end_) break;
            const unsigned char byte = *at_++;
            value |= static_cast<std::size_t>(byte & 0x7f) << shift;
            if (byte < 0x80) return value;
        }
        throw Damaged("a length of a key does not end");
    }

    const unsigned char *at_, *end_;
    std::size_t previous_ = 0;
};

inline void append_entry(std::string& to, std::size_t shared, std::string_view suffix) {
    const auto varint = [&to](std::size_t value) {
        for (; value >= 0x80; value >>= 7) to.push_back(static_cast<char>(value | 0x80));
        to.push_back(static_cast<char>(value));
    };
    const std::size_t high = shared < 15 ? shared : 15, low = suffix.size() < 15 ? suffix.size() : 15;
    to.push_back(static_cast<char>(high << 4 | low));
    if (high == 15) varint(shared - 15);
    if (low == 15) varint(suffix.size() - 15);
    to.append(suffix);
}

}  // namespace pyfastlm::term_index
