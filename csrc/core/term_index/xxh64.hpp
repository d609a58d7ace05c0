// XXH64 of a stream of bytes: the checksum of every section.
// Source: the xxHash specification, https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace pyfastlm::term_index {

class Xxh64 {
  public:
    void update(const void* data, std::size_t size) {
        const auto* bytes = static_cast<const unsigned char*>(data);
        total_ += size;
        if (held_ > 0) {
            const std::size_t taken = std::min(size, sizeof rest_ - held_);
            std::memcpy(rest_ + held_, bytes, taken);
            held_ += taken, bytes += taken, size -= taken;
            if (held_ < sizeof rest_) return;
            stripe(rest_);
            held_ = 0;
        }
        for (; size >= sizeof rest_; bytes += sizeof rest_, size -= sizeof rest_) stripe(bytes);
        if (size > 0) std::memcpy(rest_, bytes, size);
        held_ = size;
    }

    [[nodiscard]] std::uint64_t digest() const {
        std::uint64_t hash = p5;
        if (total_ >= sizeof rest_) {
            hash = std::rotl(lane_[0], 1) + std::rotl(lane_[1], 7) + std::rotl(lane_[2], 12) +
                   std::rotl(lane_[3], 18);
            for (const std::uint64_t lane : lane_) hash = (hash ^ round(0, lane)) * p1 + p4;
        }
        hash += total_;
        std::size_t i = 0;
        for (; i + 8 <= held_; i += 8)
            hash = std::rotl(hash ^ round(0, load<std::uint64_t>(rest_ + i)), 27) * p1 + p4;
        for (; i + 4 <= held_; i += 4)
            hash = std::rotl(hash ^ (load<std::uint32_t>(rest_ + i) * p1), 23) * p2 + p3;
        for (; i < held_; ++i) hash = std::rotl(hash ^ (rest_[i] * p5), 11) * p1;
        hash = (hash ^ (hash >> 33)) * p2;
        hash = (hash ^ (hash >> 29)) * p3;
        return hash ^ (hash >> 32);
    }

  private:
    static constexpr std::uint64_t p1 = 0x9E3779B185EBCA87, p2 = 0xC2B2AE3D27D4EB4F, p3 = 0x165667B19E3779F9,
                                   p4 = 0x85EBCA77C2B2AE63, p5 = 0x27D4EB2F165667C5;

    template <class T>
    static T load(const unsigned char* from) {
        T value;
        std::memcpy(&value, from, sizeof value);
        return value;
    }

    static std::uint64_t round(std::uint64_t lane, std::uint64_t word) {
        return std::rotl(lane + word * p2, 31) * p1;
    }

    void stripe(const unsigned char* bytes) {
        for (int i = 0; i < 4; ++i) lane_[i] = round(lane_[i], load<std::uint64_t>(bytes + 8 * i));
    }

    std::uint64_t lane_[4] = {p1 + p2, p2, 0, 0 - p1};
    unsigned char rest_[32] = {};
    std::size_t held_ = 0;
    std::uint64_t total_ = 0;
};

inline std::uint64_t xxh64(const void* data, std::size_t size) {
    Xxh64 hash;
    hash.update(data, size);
    return hash.digest();
}

}  // namespace pyfastlm::term_index
