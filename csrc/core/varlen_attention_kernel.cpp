// One task of varlen_attention, compiled once per instruction set.
//
// Keys are packed in blocks that stay in the second-level cache and serve all queries of the task. Scores of
// tile_rows queries against one block are made in the first-level cache; the bias is where the sums of a tile
// start, so that it costs a load each. The softmax is online: a block that raises the maximum of a row scales
// what the row has collected.
#include "core/varlen_attention_kernel.hpp"

#include "core/varlen_attention_scores.hpp"

namespace pyfastlm::PYFASTLM_ISA {
namespace {

using attention::Gradients;
using attention::Shared;

constexpr std::size_t forward_keys = 256;     // in a block: 128 KiB of keys and values with 64 numbers each
constexpr std::size_t backward_keys = 256;    // four packed copies and two products of scores
constexpr std::size_t backward_queries = 48;  // whole tiles; rows of the products that serve keys and values

// out[i] += sum over k < depth of a[i][k * step] * panels[.][k][.], for the tile_rows rows of `out`. A panel
// has `packed` rows.
template <class T>
void add_product(std::size_t depth, std::size_t packed, const Rows<const T>& a, std::size_t step,
                 const T* panels, std::size_t width, const Rows<T>& out) {
    for (std::size_t d = 0; d < width; d += tile_columns<T>, panels += packed * tile_columns<T>) {
        Rows<T> to;
        for (std::size_t i = 0; i < tile_rows; ++i) to.at[i] = out.at[i] + d;
        tile_product<Into::add>(depth, a, step, panels, to);
    }
}

// What a row of the softmax knows: the largest score m and the sum of e^(score - m).
template <class T>
struct Row {
    T max;
    double sum;
};

// Turns the scores of a row into e^(score - m); a larger m scales what the row has collected.
template <class T>
PYFASTLM_INLINE void exponentials(T* x, std::size_t count, Row<T>& r, T* collected, std::size_t width) {
    if (const T best = largest(x, count); best > r.max) {
        const double factor = __builtin_exp(static_cast<double>(r.max) - static_cast<double>(best));
        r.sum *= factor;
        r.max = best;
        scale_row(collected, width, static_cast<T>(factor));
    }
    const Vec<T> m = broadcast(r.max == -infinity<T> ? T(0) : r.max);
    Vec<T> sum{};
    for (std::size_t j = 0; j < count; j += lanes<T>) {
        const Vec<T> e = exp(load(x + j) - m);
        sum += e;
        store(x + j, e);
    }
    r.sum += static_cast<double>(sum_lanes<T>(sum));
}

template <class T>
void finish(const Row<T>& r, const T* collected, std::size_t dim, T* out, T& lse) {
    const T inverse = r.sum == 0.0 ? T(0) : static_cast<T>(1.0 / r.sum);
    for (std::size_t d = 0; d < dim; ++d) out[d] = collected[d] * inverse;
    lse = static_cast<T>(static_cast<double>(r.max) + __builtin_log(r.sum));
}

template <class T>
std::size_t forward_scratch(const Problem<T>& p, std::size_t queries) {
    const std::size_t width = whole_tiles<T>(p.dim), rows = queries + tile_rows;
    const std::size_t lines = 16 * 64;  // rounding of each piece to a cache line
    return Scores<T>::bytes(p, forward_keys) +
           (width * forward_keys + tile_rows * forward_keys + rows * width) * sizeof(T) +
           rows * sizeof(Row<T>) + lines;
}

template <class T>
void forward(const Problem<T>& p, const Task& t, T* out, T* lse, void* memory) {
    Scratch scratch(memory);
    const std::size_t keys = block_keys<T>(forward_keys, t), width = whole_tiles<T>(p.dim),
                      rows = t.queries() + tile_rows;
    Scores<T> scores(p, t, keys, scratch);
    T* const values = scratch.take<T>(width * keys);
    T* const buffer = scratch.take<T>(tile_rows * keys);
    T* const sums = scratch.take<T>(rows * width);
    Row<T>* const row = scratch.take<Row<T>>(rows);
    const Rows<T> z = rows_of(buffer, 0, tile_rows, keys);
    __builtin_memset(sums, 0, rows * width * sizeof(T));
    for (std::size_t n = 0; n < rows; ++n)
        row[n] = p.softmax1 ? Row<T>{T(0), 1.0} : Row<T>{-infinity<T>, 0.0};
    const auto row_of = [&](std::size_t n) { return out + ((t.query + n) * p.heads + t.head) * p.dim; };
    for (std::size_t key = t.key; key < t.key_end; key += keys) {
        scores.pack(key);
        pack_rows(p.v.start(key, t.head), scores.count(), p.dim, p.v.row, values);
        // What the last block completes is written at once; its place is fetched while the scores are made.
        const bool last = key + keys >= t.key_end;
        for (std::size_t n = 0; n < t.queries(); n += tile_rows) {
            const std::size_t n_end = last ? smaller(n + tile_rows, t.queries()) : n;
            for (std::size_t i = n; i < n_end; ++i) {
                for (std::size_t d = 0; d < p.dim; d += 64 / sizeof(T)) __builtin_prefetch(row_of(i) + d, 1);
            }
            if (const std::size_t seen = scores.logits(t.query + n, z); seen > 0) {
                for (std::size_t i = 0; i < tile_rows; ++i)
                    exponentials(z.at[i], seen, row[n + i], sums + (n + i) * width, width);
                add_product(smaller(seen, scores.count()), scores.count(), read_only(z), 1, values, width,
                            rows_of(sums, n, rows, width));
            }
            for (std::size_t i = n; i < n_end; ++i)
                finish(row[i], sums + i * width, p.dim, row_of(i), lse[i]);
        }
    }
    for (std::size_t n = 0; t.keys() == 0 && n < t.queries(); ++n)
        finish(row[n], sums + n * width, p.dim, row_of(n), lse[n]);
}

// The part of a backward pass that belongs to one sequence and one head.
template <class T>
class Backward {
  public:
    Backward(const Problem<T>& p, const Task& t, const T* out, const T* lse, const T* grad_out,
             const Shared<T>& shared, Scratch& scratch)
        : p_(p), t_(t), lse_(lse), shared_(shared), keys_(block_keys<T>(backward_keys, t)),
          width_(whole_tiles<T>(p.dim)), stride_(keys_ + tile_columns<T>), scores_(p, t, keys_, scratch),
          upstream_{grad_out + (t.query * p.heads + t.head) * p.dim, p.heads * p.dim, 0},
          value_panels_(scratch.take<T>(keys_ * p.dim)), key_rows_(scratch.take<T>(keys_ * width_)),
          query_rows_(scratch.take<T>(backward_queries * width_)),
          upstream_rows_(scratch.take<T>(backward_queries * width_)),
          probabilities_(scratch.take<T>(backward_queries * stride_)),
          slopes_(scratch.take<T>(backward_queries * stride_)),
          sums_q_(scratch.take<T>((t.queries() + tile_rows) * width_)),
          sums_k_(scratch.take<T>((keys_ + tile_rows) * width_)),
          sums_v_(scratch.take<T>((keys_ + tile_rows) * width_)),
          delta_(scratch.take<T>(t.queries() + tile_columns<T>)), key_sums_(scratch.take<T>(keys_)),
          tables_(scratch.take<T>(tile_rows * Scores<T>::table_size(p))) {
        __builtin_memset(sums_q_, 0, (t.queries() + tile_rows) * width_ * sizeof(T));
        // In the order of a tile's sums: where one key has all the probability, the slope is exactly 0.
        constexpr std::size_t columns = tile_columns<T>;
        for (std::size_t n = 0; t.keys() > 0 && n < t.queries(); n += columns) {
            const std::size_t used = smaller(columns, t.queries() - n);
            pack_columns(out + ((t.query + n) * p.heads + t.head) * p.dim, used, p.dim, p.heads * p.dim,
                         value_panels_);
            pack_columns(upstream_.start(n, 0), used, p.dim, upstream_.row, key_rows_);
            for (std::size_t c = 0; c < columns; c += lanes<T>) {
                Vec<T> sum{};
                for (std::size_t at = c; at < p.dim * columns; at += columns)
                    sum += load(value_panels_ + at) * load(key_rows_ + at);
                store(delta_ + n + c, sum);
            }
        }
    }

    static std::size_t bytes(const Problem<T>& p, std::size_t queries) {
        const std::size_t width = whole_tiles<T>(p.dim), lines = 24 * 64;
        const std::size_t numbers =
            backward_keys * (p.dim + width) + 2 * backward_queries * width +
            2 * backward_queries * (backward_keys + tile_columns<T>)+(queries + tile_rows) * width +
            2 * (backward_keys + tile_rows) * width + backward_keys + queries + tile_columns<T> +
            tile_rows * Scores<T>::table_size(p);
        return Scores<T>::bytes(p, backward_keys) + numbers * sizeof(T) + lines;
    }

    void run(const Gradients<T>& grads) {
        for (std::size_t key = t_.key; key < t_.key_end; key += keys_) {
            pack(key);
            for (std::size_t n = 0; n < t_.queries(); n += backward_queries) block(n);
            for (std::size_t j = 0; shared_.key_bias != nullptr && j < scores_.count(); ++j)
                shared_.key_bias[key - t_.key + j] = key_sums_[j];
            write(sums_k_, scores_.count(), p_.scale, grads.k, key);
            write(sums_v_, scores_.count(), T(1), grads.v, key);
            for (std::size_t r = 0; shared_.rel_bias != nullptr && r < 2 * p_.radius + 1; ++r)
                shared_.rel_bias[r] += static_cast<double>(scores_.collected(r, tables_));
        }
        write(sums_q_, t_.queries(), p_.scale, grads.q, t_.query);
    }

  private:
    void pack(std::size_t key) {
        constexpr std::size_t columns = tile_columns<T>;
        scores_.pack(key);
        const std::size_t count = scores_.count();
        for (std::size_t j = 0; j < count; j += columns)
            pack_columns(p_.v.start(key + j, t_.head), smaller(columns, count - j), p_.dim, p_.v.row,
                         value_panels_ + j * p_.dim);
        pack_rows(p_.k.start(key, t_.head), count, p_.dim, p_.k.row, key_rows_);
        __builtin_memset(sums_k_, 0, (keys_ + tile_rows) * width_ * sizeof(T));
        __builtin_memset(key_sums_, 0, keys_ * sizeof(T));
        __builtin_memset(sums_v_, 0, (keys_ + tile_rows) * width_ * sizeof(T));
        __builtin_memset(tables_, 0, tile_rows * Scores<T>::table_size(p_) * sizeof(T));
    }

    // The queries from the n-th of the task on against the packed keys.
    void block(std::size_t n) {
        const std::size_t rows = smaller(backward_queries, t_.queries() - n);
        std::size_t seen = 0;  // columns, by any of the queries
        for (std::size_t i = 0; i < rows; i += tile_rows) {
            const Rows<T> e = rows_of(probabilities_, i, backward_queries, stride_);
            const Rows<T> s = rows_of(slopes_, i, backward_queries, stride_);
            const std::size_t by_these = group(n + i, e, s);
            seen = by_these > seen ? by_these : seen;
        }
        if (seen == 0) return;
        pack_rows(p_.q.start(t_.query + n, t_.head), rows, p_.dim, p_.q.row, query_rows_);
        pack_rows(upstream_.start(n, 0), rows, p_.dim, upstream_.row, upstream_rows_);
        for (std::size_t j = 0; j < smaller(seen, scores_.count()); j += tile_rows) {
            add_product(rows, rows, columns_of(probabilities_, j), stride_, upstream_rows_, width_,
                        rows_of(sums_v_, j, keys_ + tile_rows, width_));
            add_product(rows, rows, columns_of(slopes_, j), stride_, query_rows_, width_,
                        rows_of(sums_k_, j, keys_ + tile_rows, width_));
        }
    }

    // Probabilities and slopes of the scores of one group, and what they give to the queries and the biases.
    // Returns how many columns it sees; behind them there are zeros.
    std::size_t group(std::size_t n, const Rows<T>& e, const Rows<T>& s) {
        const std::size_t seen = scores_.logits(t_.query + n, e);
        for (std::size_t i = 0; i < tile_rows; ++i) {
            __builtin_memset(e.at[i] + seen, 0, (scores_.width() - seen) * sizeof(T));
            __builtin_memset(s.at[i] + seen, 0, (scores_.width() - seen) * sizeof(T));
        }
        if (seen == 0) return 0;
        const Rows<const T> upstream = rows_of(upstream_.at, n, t_.queries(), upstream_.row);
        for (std::size_t j = 0; j < seen; j += tile_columns<T>) {
            Rows<T> to;
            for (std::size_t i = 0; i < tile_rows; ++i) to.at[i] = s.at[i] + j;
            tile_product<Into::set>(p_.dim, upstream, 1, value_panels_ + j * p_.dim, to);
        }
        for (std::size_t i = 0; i < tile_rows; ++i) {
            const std::size_t row = smaller(n + i, t_.queries() - 1);
            const Vec<T> m = broadcast(lse_[row] == -infinity<T> ? T(0) : lse_[row]),
                         delta = broadcast(delta_[row]);
            for (std::size_t j = 0; j < seen; j += lanes<T>) {
                const Vec<T> p = exp(load<T>(e.at[i] + j) - m);
                store(e.at[i] + j, p);
                store(s.at[i] + j, p * (load<T>(s.at[i] + j) - delta));
            }
        }
        add_product(smaller(seen, scores_.count()), scores_.count(), read_only(s), 1, key_rows_, width_,
                    rows_of(sums_q_, n, t_.queries() + tile_rows, width_));
        if (shared_.rel_bias != nullptr) scores_.collect(t_.query + n, s, tables_);
        if (shared_.key_bias != nullptr) {
            for (std::size_t j = 0; j < seen; j += lanes<T>) {
                Vec<T> sum = load<T>(key_sums_ + j);
                for (std::size_t i = 0; i < smaller(tile_rows, t_.queries() - n); ++i)
                    sum += load<T>(s.at[i] + j);
                store(key_sums_ + j, sum);
            }
        }
        return seen;
    }

    // Columns j to j + tile_rows of a product of scores, as the rows of a tile.
    [[nodiscard]] Rows<const T> columns_of(const T* scores, std::size_t j) const {
        Rows<const T> columns;
        for (std::size_t i = 0; i < tile_rows; ++i) columns.at[i] = scores + smaller(j + i, keys_ - 1);
        return columns;
    }

    void write(const T* sums, std::size_t count, T scale, T* grad, std::size_t first) const {
        for (std::size_t n = 0; n < count; ++n) {
            T* const to = grad + ((first + n) * p_.heads + t_.head) * p_.dim;
            for (std::size_t d = 0; d < p_.dim; ++d) to[d] = sums[n * width_ + d] * scale;
        }
    }

    const Problem<T>& p_;
    const Task& t_;
    const T* const lse_;  // of the first query of the task on
    const Shared<T> shared_;
    const std::size_t keys_, width_;
    const std::size_t stride_;  // of the products of scores: not a power of two, for the caches' sake
    Scores<T> scores_;
    const attention::Matrix<const T> upstream_;
    T* const value_panels_;                       // [keys / columns][dim][columns]
    T* const key_rows_;                           // [width / columns][count][columns]
    T *const query_rows_, *const upstream_rows_;  // [width / columns][rows][columns]
    T *const probabilities_, *const slopes_;      // [backward_queries][stride]
    T *const sums_q_, *const sums_k_, *const sums_v_;
    T* const delta_;     // sum of out * grad_out by query
    T* const key_sums_;  // [keys], of the slopes by key
    T* const tables_;    // [tile_rows][table_size]
};

template <class T>
std::size_t backward_scratch(const Problem<T>& p, std::size_t queries) {
    return Backward<T>::bytes(p, queries);
}

template <class T>
void backward(const Problem<T>& p, const Task& t, const T* out, const T* lse, const T* grad_out,
              const Gradients<T>& grads, const Shared<T>& shared, void* memory) {
    Scratch scratch(memory);
    Backward<T>(p, t, out, lse, grad_out, shared, scratch).run(grads);
}

}  // namespace

template <class T>
attention::Kernels<T> varlen_attention_kernels() {
    return {forward_scratch<T>, backward_scratch<T>, forward<T>, backward<T>};
}

template attention::Kernels<float> varlen_attention_kernels<float>();
template attention::Kernels<double> varlen_attention_kernels<double>();

}  // namespace pyfastlm::PYFASTLM_ISA
