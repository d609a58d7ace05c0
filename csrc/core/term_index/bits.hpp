// Whole numbers of `width` bits each, one after the other, lowest bit first.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>

namespace pyfastlm::term_index {

static_assert(std::endian::native == std::endian::little, "the file is read as it lies in memory");

// Without an instruction for it, which not every processor has: a few operations and no call.
inline std::uint32_t count_bits(std::uint64_t word) {
    word -= word >> 1 & 0x5555555555555555;
    word = (word & 0x3333333333333333) + (word >> 2 & 0x3333333333333333);
    word = (word + (word >> 4)) & 0x0f0f0f0f0f0f0f0f;
    return static_cast<std::uint32_t>(word * 0x0101010101010101 >> 56);
}

inline unsigned width_of(std::uint64_t largest) { return static_cast<unsigned>(std::bit_width(largest)); }

// A read loads eight bytes from where the number begins, so every packed section ends with eight spare ones.
inline std::uint64_t packed_bytes(std::uint64_t count, unsigned width) { return (count * width + 7) / 8 + 8; }

class Packed {
  public:
    static constexpr unsigned widest = 56;

    Packed() = default;
    Packed(const unsigned char* bytes, std::uint64_t count, unsigned width)
        : bytes_(bytes), count_(count), width_(width), mask_((std::uint64_t{1} << width) - 1) {}

    [[nodiscard]] std::uint64_t size() const { return count_; }

    std::uint64_t operator[](std::uint64_t i) const {
        const std::uint64_t bit = i * width_;
        std::uint64_t word;
        std::memcpy(&word, bytes_ + (bit >> 3), sizeof word);
        return (word >> (bit & 7)) & mask_;
    }

    void prefetch(std::uint64_t i) const { __builtin_prefetch(bytes_ + ((i * width_) >> 3)); }

  private:
    const unsigned char* bytes_ = nullptr;
    std::uint64_t count_ = 0;
    unsigned width_ = 0;
    std::uint64_t mask_ = 0;
};

class Packer {
  public:
    explicit Packer(unsigned width) : width_(width) {}

    void push(std::uint64_t value) {
        word_ |= value << used_;
        used_ += width_;
        while (used_ >= 8) {
            bytes_.push_back(static_cast<char>(word_));
            word_ >>= 8;
            used_ -= 8;
        }
    }

    // The packed numbers so far, whole bytes only until `finish`; the caller may take them away at any time.
    std::string& bytes() { return bytes_; }

    void finish() {
        if (used_ > 0) bytes_.push_back(static_cast<char>(word_));
        bytes_.append(8, '\0');
        word_ = 0, used_ = 0;
    }

  private:
    unsigned width_;
    std::uint64_t word_ = 0;
    unsigned used_ = 0;  // below 8 between calls, and a value has 56 bits at most
    std::string bytes_;
};

}  // namespace pyfastlm::term_index
