// Scores of queries against a block of keys, with their biases: what both passes of varlen_attention begin
// with. For kernel sources only (see simd.hpp).
#pragma once

#include "core/pack.hpp"
#include "core/scratch.hpp"
#include "core/tile.hpp"
#include "core/varlen_attention.hpp"
#include "core/varlen_attention_kernel.hpp"

namespace pyfastlm::PYFASTLM_ISA {

using attention::Problem;
using attention::Task;

template <class T>
constexpr T infinity = static_cast<T>(__builtin_inf());

template <class T>
std::size_t whole_tiles(std::size_t size) {
    return ceil_div(size, tile_columns<T>) * tile_columns<T>;
}

template <class T>
std::size_t block_keys(std::size_t most, const Task& t) {
    return smaller(most, whole_tiles<T>(t.keys()));
}

// Positions of the queries of a tile; those past the end repeat the last one.
struct Group {
    std::int64_t at[tile_rows], low, high;
};

// Scores of a group of queries against one block of keys.
template <class T>
class Scores {
  public:
    Scores(const Problem<T>& p, const Task& t, std::size_t keys, Scratch& scratch)
        : p_(p), t_(t), capacity_(keys), panels_(scratch.take<T>(keys * p.dim)), bias_(scratch.take<T>(keys)),
          positions_(scratch.take<std::int32_t>(keys)), tiles_(scratch.take<Tile>(keys / tile_columns<T>)),
          slots_(scratch.take<std::ptrdiff_t>(tile_rows * keys / tile_columns<T>)),
          pieces_(scratch.take<Piece>(keys)), table_(scratch.take<T>(table_size(p))),
          mixed_(scratch.take<T>(tile_rows * mixed_stride)) {
        for (std::size_t i = 0; i < table_size(p); ++i) {
            const std::size_t last = 2 * p.radius, r = i < margin ? 0 : smaller(i - margin, last);
            table_[i] = p.rel_bias == nullptr ? T(0) : p.rel_bias[r * p.heads + t.head];
        }
    }

    // What the constructor takes of the scratch, without rounding.
    static std::size_t bytes(const Problem<T>& p, std::size_t keys) {
        const std::size_t tiles = keys / tile_columns<T>;
        return (keys * (p.dim + 1) + table_size(p) + tile_rows * mixed_stride) * sizeof(T) +
               keys * (sizeof(std::int32_t) + sizeof(Piece)) +
               tiles * (sizeof(Tile) + tile_rows * sizeof(std::ptrdiff_t));
    }

    // The bias by distance, with a tile's width of its ends repeated on both sides: a tile of neighbouring
    // keys takes a slice of it wherever it lies.
    static std::size_t table_size(const Problem<T>& p) { return 2 * (p.radius + margin) + 1; }

    // Takes the block of keys that starts with row `first` of k.
    void pack(std::size_t first) {
        constexpr std::size_t columns = tile_columns<T>;
        first_ = first;
        count_ = smaller(capacity_, t_.key_end - first);
        for (std::size_t j = 0; j < capacity_; ++j) {
            const std::size_t key = first + j;
            positions_[j] = p_.positions_k == nullptr ? static_cast<std::int32_t>(key - t_.key)
                                                      : p_.positions_k[smaller(key, t_.key_end - 1)];
            bias_[j] = j >= count_ ? -infinity<T> : p_.key_bias == nullptr ? T(0) : p_.key_bias[key];
        }
        for (std::size_t j = 0; j < count_; j += columns) {
            const std::size_t used = smaller(columns, count_ - j);
            T* const panel = panels_ + j * p_.dim;
            pack_columns(p_.k.start(first + j, t_.head), used, p_.dim, p_.k.row, panel);
            if (p_.scale != T(1)) scale_row(panel, p_.dim * columns, p_.scale);
            Tile& tile = tiles_[j / columns];
            tile = tile_of(positions_ + j, used, used < columns || p_.key_bias != nullptr);
            tile.pieces = cut(positions_ + j, used, pieces_ + j);
        }
    }

    [[nodiscard]] Group group(std::size_t query) const {
        Group g;
        for (std::size_t i = 0; i < tile_rows; ++i) {
            const std::size_t n = smaller(query + i, t_.query_end - 1);
            g.at[i] =
                p_.positions_q == nullptr ? static_cast<std::int64_t>(n - t_.origin) : p_.positions_q[n];
            g.low = i == 0 || g.at[i] < g.low ? g.at[i] : g.low;
            g.high = i == 0 || g.at[i] > g.high ? g.at[i] : g.high;
        }
        return g;
    }

    // z[i][j] for the queries from row `query` on, -infinity for keys that they do not see. Returns how many
    // columns there are up to the last tile that they see something of: 0, where z is not written, to
    // width().
    std::size_t logits(std::size_t query, const Rows<T>& z) {
        constexpr std::size_t columns = tile_columns<T>;
        const Group g = group(query);
        const Rows<const T> q = rows_of(p_.q.start(0, t_.head), query, t_.query_end, p_.q.row);
        std::size_t seen = 0;
        for (std::size_t j = 0; j < count_; j += columns) {
            if (!hidden(tiles_[j / columns], g)) seen = j + columns;
        }
        if (seen == 0) return 0;
        for (std::size_t j = 0; j < count_; j += columns) {
            const Tile& tile = tiles_[j / columns];
            std::ptrdiff_t* const slots = slots_ + j / columns * tile_rows;
            if (hidden(tile, g)) {
                for (std::size_t i = 0; i < tile_rows; ++i) {
                    slots[i] = 0;
                    for (std::size_t c = 0; c < columns; ++c) z.at[i][j + c] = -infinity<T>;
                }
                continue;
            }
            Rows<const T> start;
            if (place(tile, g, slots)) {
                for (std::size_t i = 0; i < tile_rows; ++i) start.at[i] = table_ + slots[i];
            } else {
                mix(j, g);
                for (std::size_t i = 0; i < tile_rows; ++i) start.at[i] = mixed_ + i * mixed_stride;
            }
            const T* const panel = panels_ + j * p_.dim;
            const T* const bias = bias_ + j;
            const auto by_distance = [&](std::size_t i, std::size_t v) {
                return load(start.at[i] + v * lanes<T>);
            };
            const auto by_key_too = [&](std::size_t i, std::size_t v) {
                return by_distance(i, v) + load(bias + v * lanes<T>);
            };
            const auto to_z = [&](std::size_t i, std::size_t v, Vec<T> sum) {
                store(z.at[i] + j + v * lanes<T>, sum);
            };
            if (tile.biased) {
                tile_sums(p_.dim, q, 1, panel, by_key_too, to_z);
            } else {
                tile_sums(p_.dim, q, 1, panel, by_distance, to_z);
            }
        }
        return seen;
    }

    // Adds the slopes of the scores that `logits` has last made to the gradient of the bias by distance:
    // tile_rows tables of table_size(), so that neighbouring rows do not wait for each other's sums.
    void collect(std::size_t query, const Rows<T>& slopes, T* tables) const {
        constexpr std::size_t columns = tile_columns<T>;
        const Group g = group(query);
        const std::size_t rows = smaller(tile_rows, t_.query_end - query);
        for (std::size_t j = 0; j < count_; j += columns) {
            const std::ptrdiff_t* const slots = slots_ + j / columns * tile_rows;
            for (std::size_t i = 0; slots[0] >= 0 && i < rows; ++i) {
                T* const table = tables + i * table_size(p_) + slots[i];
                for (std::size_t c = 0; c < columns; c += lanes<T>)
                    store(table + c, load<T>(table + c) + load<T>(slopes.at[i] + j + c));
            }
            if (slots[0] >= 0) continue;
            for (const Piece* piece = pieces_ + j; piece < pieces_ + j + tiles_[j / columns].pieces;
                 ++piece) {
                for (std::size_t i = 0; i < rows; ++i)
                    give<T>(slopes.at[i] + j + piece->column, piece->taken,
                            tables + i * table_size(p_) + slot(piece->first, g.at[i]));
            }
        }
    }

    // Entry of the gradient of the bias for one distance, from what `collect` has gathered.
    [[nodiscard]] T collected(std::size_t entry, const T* tables) const {
        const std::size_t last = 2 * p_.radius;
        T sum = 0;
        for (std::size_t i = 0; i < tile_rows; ++i) {
            const T* const table = tables + i * table_size(p_);
            sum += table[entry + margin];
            for (std::size_t m = 0; entry == 0 && m < margin; ++m) sum += table[m];
            for (std::size_t m = 0; entry == last && m < margin; ++m) sum += table[last + margin + 1 + m];
        }
        return sum;
    }

    [[nodiscard]] std::size_t count() const { return count_; }
    // Columns in use, rounded up to whole tiles.
    [[nodiscard]] std::size_t width() const { return whole_tiles<T>(count_); }

  private:
    // Positions of the keys of a tile, and whether a bias by key or the end of the block comes on top.
    struct Tile {
        std::int64_t low, high;
        bool neighbours, biased;
        std::size_t pieces;
    };
    static constexpr std::size_t margin = tile_columns<T>;
    static constexpr std::size_t mixed_stride = tile_columns<T> + lanes<T>;  // `take` writes past the tile

    // Keys whose positions rise within the width of a register: for every query they take entries of one
    // slice of the table, the i-th of it where bit i is set.
    struct Piece {
        std::int32_t first;           // position of the first key
        std::uint16_t column, taken;  // column: of that key in its tile
    };

    // Cuts `count` keys into at most as many pieces; returns how many.
    static std::size_t cut(const std::int32_t* positions, std::size_t count, Piece* pieces) {
        std::size_t cuts = 0;
        for (std::size_t c = 0; c < count; ++cuts) {
            const std::size_t column = c;
            const std::int64_t first = positions[c];
            std::uint32_t taken = 0;
            do {
                taken |= 1u << (positions[c] - first);
                ++c;
            } while (c < count && positions[c] > positions[c - 1] &&
                     positions[c] - first < static_cast<std::int64_t>(lanes<T>));
            pieces[cuts] = {positions[column], static_cast<std::uint16_t>(column),
                            static_cast<std::uint16_t>(taken)};
        }
        return cuts;
    }

    static Tile tile_of(const std::int32_t* positions, std::size_t count, bool biased) {
        Tile tile{positions[0], positions[0], true, biased, 0};
        for (std::size_t j = 1; j < count; ++j) {
            const std::int64_t at = positions[j];
            tile.low = at < tile.low ? at : tile.low;
            tile.high = at > tile.high ? at : tile.high;
            tile.neighbours = tile.neighbours && at == positions[0] + static_cast<std::int64_t>(j);
        }
        return tile;
    }

    // Where in the table the biases of a key at `position` and of the positions after it start: within a
    // margin of the ends, beyond which all entries are the same.
    [[nodiscard]] std::ptrdiff_t slot(std::int64_t position, std::int64_t query) const {
        const auto last = static_cast<std::int64_t>(2 * p_.radius + margin);
        const std::int64_t at = position - query + static_cast<std::int64_t>(p_.radius + margin);
        return at < 0 ? 0 : at > last ? last : at;
    }

    [[nodiscard]] bool hidden(const Tile& tile, const Group& g) const {
        return p_.causal && tile.low > g.high;
    }

    // Finds the slice of the table that each row of the tile starts from; false where there is none.
    bool place(const Tile& tile, const Group& g, std::ptrdiff_t* slots) const {
        const auto radius = static_cast<std::int64_t>(p_.radius);
        if (!(p_.causal && tile.high > g.low)) {
            const bool before = p_.rel_bias == nullptr || tile.high - g.low <= -radius;
            if (before || tile.low - g.high >= radius) {
                for (std::size_t i = 0; i < tile_rows; ++i)
                    slots[i] = before ? 0 : 2 * radius + static_cast<std::int64_t>(margin);
                return true;
            }
            if (tile.neighbours) {
                for (std::size_t i = 0; i < tile_rows; ++i) slots[i] = slot(tile.low, g.at[i]);
                return true;
            }
        }
        for (std::size_t i = 0; i < tile_rows; ++i) slots[i] = -1;
        return false;
    }

    // The bias piece by piece for the tile that starts with key j of the block, -infinity for what causality
    // hides, and 0 past the end of the block.
    void mix(std::size_t j, const Group& g) {
        const Tile& tile = tiles_[j / tile_columns<T>];
        for (std::size_t i = 0; i < tile_rows; ++i) {
            T* const to = mixed_ + i * mixed_stride;
            for (const Piece* piece = pieces_ + j; piece < pieces_ + j + tile.pieces; ++piece)
                take<T>(table_ + slot(piece->first, g.at[i]), piece->taken, to + piece->column);
            for (std::size_t c = count_ - j; c < tile_columns<T>; ++c) to[c] = 0;
            for (std::size_t c = 0; p_.causal && c < tile_columns<T>; ++c) {
                if (positions_[j + c] > g.at[i]) to[c] = -infinity<T>;
            }
        }
    }

    const Problem<T>& p_;
    const Task& t_;
    const std::size_t capacity_;
    T* const panels_;  // [capacity / columns][dim][columns]
    T* const bias_;
    std::int32_t* const positions_;
    Tile* const tiles_;
    std::ptrdiff_t* const slots_;  // [tiles][tile_rows]: start of the slice in the table, or -1
    Piece* const pieces_;          // [keys], those of a tile from its first key on
    T* const table_;
    T* const mixed_;  // [tile_rows][mixed_stride]
    std::size_t first_ = 0;
    std::size_t count_ = 0;
};

}  // namespace pyfastlm::PYFASTLM_ISA
