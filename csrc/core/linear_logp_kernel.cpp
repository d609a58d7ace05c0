// One task of linear_logp, compiled once per instruction set.
//
// Logits are made in blocks of tile_rows x block columns. The weights of a block are packed once and serve
// all rows of the task, so they are read from memory once; the block is sized to stay in the second-level
// cache.
#include "core/linear_logp_kernel.hpp"

#include "core/logit_statistics.hpp"
#include "core/pack.hpp"
#include "core/scratch.hpp"
#include "core/tile.hpp"

namespace pyfastlm::PYFASTLM_ISA {
namespace {

using linear_logp::Problem;
using linear_logp::Upstream;

constexpr std::size_t cache_bytes = 288 * 1024;  // of packed weights in a block
constexpr std::size_t gradient_rows = 192;       // rows per step of grad_weight, whole tiles

// Vocabulary entries in a block whose weights are packed `copies` times.
template <class T>
std::size_t columns_packed(const Problem<T>& p, std::size_t copies) {
    constexpr std::size_t columns = tile_columns<T>;
    const std::size_t fits = cache_bytes / (copies * (p.dim + 1) * sizeof(T)) / columns;
    const std::size_t tiles = fits < 1 ? 1 : smaller(fits, 256 / columns);
    return smaller(tiles, ceil_div(p.vocab, columns)) * columns;
}

template <class T>
std::size_t padded_dim(const Problem<T>& p) {
    return ceil_div(p.dim, tile_columns<T>) * tile_columns<T>;
}

// Calls fn with the weights from entry `first` on, as they are stored.
template <class T, class Fn>
PYFASTLM_INLINE void with_weights(const Problem<T>& p, std::size_t first, Fn fn) {
    with_stored<T>(p.storage, p.weight, first * p.dim, fn);
}

// Logits of a group of up to tile_rows rows against one block of the vocabulary.
template <class T>
class Block {
  public:
    Block(const Problem<T>& p, std::size_t copies, Scratch& scratch)
        : p_(p), plain_(p.bias == nullptr && p.softcap == T(0) && p.scale == T(1)),
          capacity_(columns_packed(p, copies)), panels_(scratch.take<T>(capacity_ * p.dim)),
          transposed_(copies == 2 ? scratch.take<T>(capacity_ * padded_dim(p)) : nullptr),
          bias_(scratch.take<T>(capacity_)) {}

    // Packs the weights of the block that starts at `first` and ends before `end`.
    void pack(std::size_t first, std::size_t end) {
        first_ = first;
        count_ = smaller(capacity_, end - first);
        with_weights(p_, first, [this](const auto* weights) {
            for (std::size_t j = 0; j < count_; j += tile_columns<T>) {
                pack_columns(weights + j * p_.dim, smaller(tile_columns<T>, count_ - j), p_.dim, p_.dim,
                             panels_ + j * p_.dim);
            }
            if (transposed_ != nullptr) pack_rows(weights, count_, p_.dim, p_.dim, transposed_);
        });
        for (std::size_t j = 0; j < capacity_; ++j)
            bias_[j] = p_.bias != nullptr && j < count_ ? p_.bias[first + j] : T(0);
    }

    // z[i][j] for rows n + i before `end`; columns past the end of the vocabulary are -infinity.
    void logits(std::size_t n, std::size_t end, const Rows<T>& z) const {
        const Rows<const T> hidden = rows_of(p_.hidden, n, end, p_.dim);
        for (std::size_t j = 0; j < width(); j += tile_columns<T>) {
            Rows<T> out;
            for (std::size_t i = 0; i < tile_rows; ++i) out.at[i] = z.at[i] + j;
            tile_product<Into::set>(p_.dim, hidden, 1, panels_ + j * p_.dim, out);
        }
        if (!plain_) shape_logits(z, width(), p_.scale, bias_, p_.softcap);
        close_logits(z, count_, width());
    }

    // out[i] += sum over j of e[i][j] * weight[first + j].
    void add_weighted(const Rows<const T>& e, const Rows<T>& out) const {
        constexpr std::size_t columns = tile_columns<T>;
        const T* panel = transposed_;
        for (std::size_t d = 0; d < p_.dim; d += columns, panel += count_ * columns) {
            if (d + columns <= p_.dim) {
                Rows<T> to;
                for (std::size_t i = 0; i < tile_rows; ++i) to.at[i] = out.at[i] + d;
                tile_product<Into::add>(count_, e, 1, panel, to);
                continue;
            }
            T tail[tile_rows][columns];
            Rows<T> to;
            for (std::size_t i = 0; i < tile_rows; ++i) to.at[i] = tail[i];
            tile_product<Into::set>(count_, e, 1, panel, to);
            for (std::size_t i = 0; i < tile_rows; ++i) {
                for (std::size_t j = 0; d + j < p_.dim; ++j) out.at[i][d + j] += tail[i][j];
            }
        }
    }

    // d softcap(z) / d z at the capped logits x.
    [[nodiscard]] Vec<T> derivative(Vec<T> x) const {
        if (p_.softcap == T(0)) return broadcast(T(1));
        const Vec<T> t = x / broadcast(p_.softcap);
        return T(1) - t * t;
    }

    [[nodiscard]] std::size_t capacity() const { return capacity_; }
    // Columns in use, rounded up to whole tiles.
    [[nodiscard]] std::size_t width() const { return ceil_div(count_, tile_columns<T>) * tile_columns<T>; }
    [[nodiscard]] std::size_t count() const { return count_; }
    [[nodiscard]] std::size_t first() const { return first_; }
    // Column of a target in this block, or a number >= count().
    [[nodiscard]] std::size_t column(std::int64_t target) const {
        return static_cast<std::size_t>(target) - first_;
    }

  private:
    const Problem<T>& p_;
    const bool plain_;  // the product is the logit
    const std::size_t capacity_;
    T* const panels_;      // [capacity / columns][dim][columns]
    T* const transposed_;  // [padded dim / columns][count][columns] or null
    T* const bias_;
    std::size_t first_ = 0;
    std::size_t count_ = 0;
};

// Pointers to up to tile_rows rows of output; those past the end go to `spare`.
template <class T>
Rows<T> rows_to(T* to, std::size_t first, std::size_t end, std::size_t width, T* spare) {
    Rows<T> rows;
    for (std::size_t i = 0; i < tile_rows; ++i)
        rows.at[i] = first + i < end ? to + (first + i) * width : spare;
    return rows;
}

template <class T>
void statistics(const Problem<T>& p, Range rows, Range vocab, bool argmax, bool entropy, Partial<T>* out,
                void* memory) {
    Scratch scratch(memory);
    Block<T> block(p, 1, scratch);
    gather_statistics(block, p.targets, rows, vocab, argmax, entropy, out,
                      scratch.take<T>(tile_rows * block.capacity()));
}

// slope[n] = scale * (derivative at the target * weight[target] - slope[n] / sum); zero where it is ignored.
template <class T>
void finish_slope(const Problem<T>& p, const Block<T>& block, std::size_t n, const Partial<T>& row,
                  T* slope) {
    if (p.targets[n] == linear_logp::ignored) {
        __builtin_memset(slope, 0, p.dim * sizeof(T));
        return;
    }
    const T inverse = p.scale * static_cast<T>(1.0 / row.sum);
    const T at_target = p.scale * block.derivative(broadcast(row.target))[0];
    with_weights(p, static_cast<std::size_t>(p.targets[n]), [&](const auto* weight) {
        for (std::size_t d = 0; d < p.dim; ++d)
            slope[d] = at_target * T(widen(weight[d])) - slope[d] * inverse;
    });
}

template <class T>
void slope(const Problem<T>& p, Range rows, Partial<T>* out, T* slopes, void* memory) {
    Scratch scratch(memory);
    Block<T> block(p, 2, scratch);
    T* const buffer = scratch.take<T>(tile_rows * block.capacity());
    T* const spare = scratch.take<T>(padded_dim(p));
    const Rows<T> z = rows_of(buffer, 0, tile_rows, block.capacity());
    start(rows, out);
    __builtin_memset(slopes + rows.begin * p.dim, 0, rows.size() * p.dim * sizeof(T));
    __builtin_memset(spare, 0, p.dim * sizeof(T));
    for (std::size_t v = 0; v < p.vocab; v += block.capacity()) {
        block.pack(v, p.vocab);
        for (std::size_t n = rows.begin; n < rows.end; n += tile_rows) {
            block.logits(n, rows.end, z);
            for (std::size_t i = 0; n + i < rows.end && i < tile_rows; ++i) {
                Partial<T>& row = out[n + i];
                T* const x = z.at[i];
                const std::size_t column = block.column(p.targets[n + i]);
                if (column < block.count()) row.target = x[column];
                const double factor = raise(row, largest(x, block.width()));
                if (factor != 1.0) scale_row(slopes + (n + i) * p.dim, p.dim, static_cast<T>(factor));
                const Vec<T> m = broadcast(reference_of(row));
                Vec<T> sum{};
                for (std::size_t j = 0; j < block.width(); j += lanes<T>) {
                    const Vec<T> logits = load(x + j);
                    const Vec<T> e = exp(logits - m);
                    sum += e;
                    store(x + j, e * block.derivative(logits));
                }
                row.sum += static_cast<double>(sum_lanes<T>(sum));
            }
            block.add_weighted(read_only(z), rows_to(slopes, n, rows.end, p.dim, spare));
        }
    }
    for (std::size_t n = rows.begin; n < rows.end; ++n) finish_slope(p, block, n, out[n], slopes + n * p.dim);
}

// Turns the logits of row n in `x` into the gradient of the loss with respect to them, before the softcap.
template <class T>
void logit_gradients(const Problem<T>& p, const Upstream<T>& up, const Block<T>& block, std::size_t n, T* x) {
    if (p.targets[n] == linear_logp::ignored && up.grad_entropy == nullptr) {
        __builtin_memset(x, 0, block.width() * sizeof(T));
        return;
    }
    const std::size_t column = block.column(p.targets[n]);
    const T at_target =
        column < block.count() ? block.derivative(broadcast(x[column]))[0] * up.grad_logp[n] : T(0);
    const T from_logp = p.targets[n] == linear_logp::ignored ? T(0) : up.grad_logp[n];
    const T from_entropy = up.grad_entropy == nullptr ? T(0) : up.grad_entropy[n];
    const Vec<T> lse = broadcast(up.lse[n]),
                 entropy = broadcast(up.entropy == nullptr ? T(0) : up.entropy[n]);
    for (std::size_t j = 0; j < block.width(); j += lanes<T>) {
        const Vec<T> logits = max<T>(broadcast(T(lowest)), load(x + j));
        const Vec<T> logp = logits - lse;
        Vec<T> g = broadcast(-from_logp);
        if (up.grad_entropy != nullptr) g -= (logp + entropy) * from_entropy;
        store(x + j, exp(logp) * g * block.derivative(logits));
    }
    for (std::size_t j = block.count(); j < block.width(); ++j) x[j] = T(0);
    if (column < block.count()) x[column] += at_target;
}

template <class T>
void grad_hidden(const Problem<T>& p, const Upstream<T>& up, Range rows, T* grad, void* memory) {
    Scratch scratch(memory);
    Block<T> block(p, 2, scratch);
    T* const buffer = scratch.take<T>(tile_rows * block.capacity());
    T* const spare = scratch.take<T>(padded_dim(p));
    const Rows<T> z = rows_of(buffer, 0, tile_rows, block.capacity());
    __builtin_memset(grad + rows.begin * p.dim, 0, rows.size() * p.dim * sizeof(T));
    __builtin_memset(spare, 0, p.dim * sizeof(T));
    for (std::size_t v = 0; v < p.vocab; v += block.capacity()) {
        block.pack(v, p.vocab);
        for (std::size_t n = rows.begin; n < rows.end; n += tile_rows) {
            block.logits(n, rows.end, z);
            for (std::size_t i = 0; n + i < rows.end && i < tile_rows; ++i)
                logit_gradients(p, up, block, n + i, z.at[i]);
            block.add_weighted(read_only(z), rows_to(grad, n, rows.end, p.dim, spare));
        }
    }
    for (std::size_t n = rows.begin; n < rows.end; ++n) scale_row(grad + n * p.dim, p.dim, p.scale);
}

template <class T>
void store_weight_gradient(const Problem<T>& p, std::size_t entry, const T* from, void* grad) {
    // with_weights only chooses the storage type: `grad` has the layout of the weights.
    Problem<T> target = p;
    target.weight = grad;
    with_weights(target, entry, [&](const auto* at) {
        auto* const to = const_cast<std::remove_const_t<std::remove_pointer_t<decltype(at)>>*>(at);
        for (std::size_t d = 0; d < p.dim; ++d) narrow(from[d], to[d]);
    });
}

template <class T>
void grad_weight(const Problem<T>& p, const Upstream<T>& up, Range vocab, void* grad, T* grad_bias,
                 void* memory) {
    constexpr std::size_t columns = tile_columns<T>;
    Scratch scratch(memory);
    Block<T> block(p, 1, scratch);
    const std::size_t width = block.capacity(), dim = padded_dim(p),
                      entries = ceil_div(width, tile_rows) * tile_rows;
    T* const z = scratch.take<T>(gradient_rows * width);
    T* const panels = scratch.take<T>(gradient_rows * dim);
    T* const sums = scratch.take<T>((entries + 1) * dim);
    for (std::size_t v = vocab.begin; v < vocab.end; v += width) {
        block.pack(v, vocab.end);
        __builtin_memset(sums, 0, entries * dim * sizeof(T));
        for (std::size_t j = 0; grad_bias != nullptr && j < block.count(); ++j) grad_bias[v + j] = T(0);
        for (std::size_t n = 0; n < p.rows; n += gradient_rows) {
            const std::size_t end = smaller(n + gradient_rows, p.rows);
            for (std::size_t i = n; i < end; i += tile_rows) {
                const Rows<T> group = rows_of(z, i - n, gradient_rows, width);
                block.logits(i, end, group);
                for (std::size_t k = 0; i + k < end && k < tile_rows; ++k) {
                    logit_gradients(p, up, block, i + k, group.at[k]);
                    for (std::size_t j = 0; grad_bias != nullptr && j < block.count(); ++j) {
                        grad_bias[v + j] += group.at[k][j];
                    }
                }
            }
            if (grad == nullptr) continue;
            pack_rows(p.hidden + n * p.dim, end - n, p.dim, p.dim, panels);
            for (std::size_t d = 0; d < dim; d += columns) {
                for (std::size_t j = 0; j < block.count(); j += tile_rows) {
                    Rows<const T> from;
                    for (std::size_t i = 0; i < tile_rows; ++i) from.at[i] = z + smaller(j + i, width - 1);
                    tile_product<Into::add>(end - n, from, width, panels + d * (end - n),
                                            rows_of(sums + d, j, entries, dim));
                }
            }
        }
        for (std::size_t j = 0; grad != nullptr && j < block.count(); ++j) {
            scale_row(sums + j * dim, p.dim, p.scale);
            store_weight_gradient(p, v + j, sums + j * dim, grad);
        }
    }
}

template <class T>
std::size_t scratch_bytes(const Problem<T>& p) {
    const std::size_t one = columns_packed(p, 1), two = columns_packed(p, 2), dim = padded_dim(p);
    const std::size_t lines = 16 * 64;  // rounding of each piece to a cache line
    const std::size_t forward = one * p.dim + one + tile_rows * one;
    const std::size_t backward = two * (p.dim + dim) + two + tile_rows * two + dim;
    const std::size_t weight =
        one * p.dim + one + gradient_rows * one + gradient_rows * dim + (one + tile_rows + 1) * dim;
    std::size_t most = forward > backward ? forward : backward;
    most = most > weight ? most : weight;
    return most * sizeof(T) + lines;
}

template <class T>
std::size_t block_columns(const Problem<T>& p) {
    return columns_packed(p, 1);
}

}  // namespace

template <class T>
linear_logp::Kernels<T> linear_logp_kernels() {
    return {scratch_bytes<T>, block_columns<T>, statistics<T>, slope<T>, grad_hidden<T>, grad_weight<T>};
}

template linear_logp::Kernels<float> linear_logp_kernels<float>();
template linear_logp::Kernels<double> linear_logp_kernels<double>();

}  // namespace pyfastlm::PYFASTLM_ISA
