// One group of rows of gru_scan, compiled once per instruction set. A group goes through all steps with its
// states in the first-level cache. The columns of the weights are packed so that one register tile holds the
// three gates of `lanes` units for some rows: what the product leaves there becomes the next states at once.
#include "core/gru_scan_kernel.hpp"

#include "core/scratch.hpp"
#include "core/tile.hpp"

namespace pyfastlm::PYFASTLM_ISA {
namespace {

using gru_scan::Gradients;
using gru_scan::Group;
using gru_scan::group_rows;
using gru_scan::Input;
using gru_scan::Problem;
using gru_scan::Shape;
using gru_scan::States;
using gru_scan::Upstream;

// Three vectors a row: 24 of 32 registers, or 12 of 16.
#if defined(__AVX512F__) || defined(PYFASTLM_NEON)
constexpr std::size_t some_rows = 8;
#else
constexpr std::size_t some_rows = 4;
#endif
constexpr std::size_t gates = 3;
constexpr std::size_t most_vectors = 3;  // of a tile of the backward pass

template <class T>
std::size_t vectors_of(const Shape& s) {
    return ceil_div(s.size, lanes<T>);
}

template <class T>
std::size_t padded(const Shape& s) {
    return vectors_of<T>(s) * lanes<T>;
}

// The first `used` numbers of a vector; the others are 0.
template <class T>
PYFASTLM_INLINE Vec<T> get(const T* from, std::size_t used) {
    if (used == lanes<T>) return load(from);
    Vec<T> v{};
    for (std::size_t i = 0; i < used; ++i) v[i] = from[i];
    return v;
}

template <class T>
PYFASTLM_INLINE void put(T* to, Vec<T> v, std::size_t used) {
    if (used == lanes<T>) return store(to, v);
    for (std::size_t i = 0; i < used; ++i) to[i] = v[i];
}

template <class T>
PYFASTLM_INLINE Vec<T> exp_of_minus_size(Vec<T> x) {
    return exp(x < Vec<T>{} ? x : -x);
}

template <class T>
PYFASTLM_INLINE Vec<T> sigmoid(Vec<T> x) {
    const Vec<T> e = exp_of_minus_size<T>(x), s = T(1) / (T(1) + e);
    return x < Vec<T>{} ? e * s : s;
}

template <class T>
PYFASTLM_INLINE Vec<T> tanh(Vec<T> x) {
    const Vec<T> e = exp_of_minus_size<T>(x + x), t = (T(1) - e) / (T(1) + e);
    return x < Vec<T>{} ? -t : t;
}

// Of every vector of units: its weights [size][gates][lanes], its bias and its rows of the table
// [1 + vocab][gates][lanes].
template <class T>
struct PackedForward {
    explicit PackedForward(const Shape& s)
        : weights(s.size * gates * lanes<T>), inputs((1 + s.vocab) * gates * lanes<T>) {}
    std::size_t weights, inputs;
    [[nodiscard]] std::size_t stride() const { return weights + inputs; }
};

template <class T>
std::size_t packed_forward_bytes(const Shape& s) {
    return vectors_of<T>(s) * PackedForward<T>(s).stride() * sizeof(T);
}

template <class T>
void pack_forward(const Problem<T>& p, const Input<T>& in, void* packed) {
    const Shape& s = p.shape;
    const PackedForward<T> layout(s);
    auto* to = static_cast<T*>(packed);
    for (std::size_t u = 0; u < s.size; u += lanes<T>, to += layout.stride()) {
        const std::size_t used = smaller(lanes<T>, s.size - u);
        for (std::size_t g = 0; g < gates; ++g) {
            T* column = to + g * lanes<T>;
            for (std::size_t i = 0; i < lanes<T>; ++i) {
                const T* const row = p.weight + (g * s.size + u + i) * s.size;
                for (std::size_t k = 0; k < s.size; ++k)
                    column[k * gates * lanes<T> + i] = i < used ? row[k] : T(0);
            }
            column += layout.weights;
            store(column, get(in.bias + g * s.size + u, used));
            for (std::size_t id = 0; id < s.vocab; ++id) {
                column += gates * lanes<T>;
                store(column, get(in.table + (id * gates + g) * s.size + u, used));
            }
        }
    }
}

// One step of up to some_rows rows for one vector of units.
template <class T>
struct Step {
    const Problem<T>& p;
    const States<T>& out;
    const Group& group;
    std::size_t t, u, used;
    const T* weights;
    const T* inputs;

    // From `before` [group_rows, width] to `after`.
    PYFASTLM_INLINE void run(std::size_t first, std::size_t end, std::size_t width, const T* before,
                             T* after) const {
        T hidden[some_rows][gates][lanes<T>];
        Rows<const T, some_rows> h;
        for (std::size_t i = 0; i < some_rows; ++i) h.at[i] = before + smaller(first + i, end - 1) * width;
        tile_sums<gates>(
            p.shape.size, h, 1, weights,
            [&](std::size_t, std::size_t g) { return load(inputs + g * lanes<T>); },
            [&](std::size_t i, std::size_t g, Vec<T> sum) { store(hidden[i][g], sum); });
        for (std::size_t i = 0; i < some_rows && first + i < end; ++i) {
            const std::size_t at = group.row[first + i] * p.shape.steps + t;
            const T* const input = inputs + (1 + static_cast<std::size_t>(p.ids[at])) * gates * lanes<T>;
            const Vec<T> r = sigmoid<T>(load(input) + load(hidden[i][0]));
            const Vec<T> z = sigmoid<T>(load(input + lanes<T>) + load(hidden[i][1]));
            const Vec<T> side = load(hidden[i][2]);
            const Vec<T> n = tanh<T>(load(input + 2 * lanes<T>) + r * side);
            const Vec<T> next = n + z * (load(h.at[i] + u) - n);
            store(after + (first + i) * width + u, next);
            put<T>(out.states + at * p.shape.size + u, next, used);
            if (out.gates == nullptr) continue;
            T* const saved = out.gates + at * 4 * p.shape.size + u;
            put<T>(saved, r, used);
            put<T>(saved + p.shape.size, z, used);
            put<T>(saved + 2 * p.shape.size, n, used);
            put<T>(saved + 3 * p.shape.size, side, used);
        }
    }
};

template <class T>
void forward(const Problem<T>& p, const States<T>& out, const Group& group, const void* packed,
             void* scratch) {
    const Shape& s = p.shape;
    const PackedForward<T> layout(s);
    const std::size_t width = padded<T>(s);
    T* before = static_cast<T*>(scratch);
    T* after = before + group_rows * width;
    for (std::size_t i = 0; i < 2 * group_rows * width; ++i) before[i] = T(0);
    for (std::size_t i = 0; i < group.count && p.h0 != nullptr; ++i)
        __builtin_memcpy(before + i * width, p.h0 + group.row[i] * s.size, s.size * sizeof(T));

    std::size_t active = group.count;
    for (std::size_t t = 0;; ++t) {
        // Rows that have ended, from the back.
        for (; active > 0 && group.length[active - 1] == t; --active) {
            const std::size_t i = active - 1, row = group.row[i];
            __builtin_memcpy(out.last + row * s.size, before + i * width, s.size * sizeof(T));
            __builtin_memset(out.states + (row * s.steps + t) * s.size, 0,
                             (s.steps - t) * s.size * sizeof(T));
        }
        if (active == 0) return;
        const T* weights = static_cast<const T*>(packed);
        for (std::size_t u = 0; u < s.size; u += lanes<T>, weights += layout.stride()) {
            const Step<T> step{
                p, out, group, t, u, smaller(lanes<T>, s.size - u), weights, weights + layout.weights};
            for (std::size_t first = 0; first < active; first += some_rows)
                step.run(first, active, width, before, after);
        }
        T* const swapped = before;
        before = after;
        after = swapped;
    }
}

// The columns of the weights in blocks of up to most_vectors vectors, each [wide][its vectors * lanes].
template <class T>
std::size_t packed_backward_bytes(const Shape& s) {
    return gates * s.size * padded<T>(s) * sizeof(T);
}

// Vectors of the block that begins `left` vectors before the end: blocks of 3, but 2 and 2 for the last 4.
PYFASTLM_INLINE std::size_t block_vectors(std::size_t left) {
    return left == most_vectors + 1 ? 2 : smaller(left, most_vectors);
}

template <class T>
void pack_backward(const Problem<T>& p, void* packed) {
    const std::size_t size = p.shape.size, vectors = vectors_of<T>(p.shape);
    auto* to = static_cast<T*>(packed);
    for (std::size_t v = 0; v < vectors;) {
        const std::size_t count = block_vectors(vectors - v);
        for (std::size_t k = 0; k < gates * size; ++k) {
            for (std::size_t j = v * lanes<T>; j < (v + count) * lanes<T>; ++j)
                *to++ = j < size ? p.weight[k * size + j] : T(0);
        }
        v += count;
    }
}

// to[i][j] += from[i] @ block for up to some_rows rows.
template <std::size_t vectors, class T>
void add_product(std::size_t depth, const Rows<const T, some_rows>& from, const T* block,
                 const Rows<T, some_rows>& to) {
    tile_sums<vectors>(
        depth, from, 1, block, [&](std::size_t i, std::size_t v) { return load<T>(to.at[i] + v * lanes<T>); },
        [&](std::size_t i, std::size_t v, Vec<T> sum) { store(to.at[i] + v * lanes<T>, sum); });
}

// The gradients of one step of one row with respect to its gates; `grad` [width] holds that of the state
// after the step, and then what goes past the gates to the state before.
template <class T>
struct StepBack {
    const Problem<T>& p;
    const Upstream<T>& up;

    PYFASTLM_INLINE void run(std::size_t row, std::size_t t, T* grad, T* before_gates, T* before_state,
                             T* table) const {
        const std::size_t size = p.shape.size, at = row * p.shape.steps + t;
        const T* const state =
            t > 0 ? up.states + (at - 1) * size : (p.h0 != nullptr ? p.h0 + row * size : nullptr);
        const T* const saved = up.gates + at * 4 * size;
        const T* const incoming = up.grad_states == nullptr ? nullptr : up.grad_states + at * size;
        T* const entry =
            table == nullptr ? nullptr : table + static_cast<std::size_t>(p.ids[at]) * gates * size;
        for (std::size_t u = 0; u < size; u += lanes<T>) {
            const std::size_t used = smaller(lanes<T>, size - u);
            const Vec<T> h = state == nullptr ? Vec<T>{} : get(state + u, used);
            const Vec<T> r = get(saved + u, used), z = get(saved + size + u, used);
            const Vec<T> n = get(saved + 2 * size + u, used), side = get(saved + 3 * size + u, used);
            Vec<T> g = load(grad + u);
            if (incoming != nullptr) g += get(incoming + u, used);
            const Vec<T> to_n = g * (T(1) - z) * (T(1) - n * n);
            const Vec<T> to_z = g * (h - n) * z * (T(1) - z);
            const Vec<T> to_r = to_n * side * r * (T(1) - r);
            store(grad + u, g * z);
            put<T>(before_gates + u, to_r, used);
            put<T>(before_gates + size + u, to_z, used);
            put<T>(before_gates + 2 * size + u, to_n * r, used);
            if (before_state != nullptr) put<T>(before_state + u, h, used);
            if (entry == nullptr) continue;
            put<T>(entry + u, get<T>(entry + u, used) + to_r, used);
            put<T>(entry + size + u, get<T>(entry + size + u, used) + to_z, used);
            put<T>(entry + 2 * size + u, get<T>(entry + 2 * size + u, used) + to_n, used);
        }
    }
};

// grad[i] += before_gates[i] @ weight for `count` rows.
template <class T>
void through_weights(const Shape& s, const T* packed, std::size_t count, const T* before_gates, T* grad) {
    const std::size_t width = padded<T>(s), wide = gates * s.size, vectors = vectors_of<T>(s);
    for (std::size_t v = 0; v < vectors;) {
        const std::size_t block = block_vectors(vectors - v);
        for (std::size_t first = 0; first < count; first += some_rows) {
            T spare[most_vectors * lanes<T>];
            Rows<const T, some_rows> from;
            Rows<T, some_rows> to;
            for (std::size_t i = 0; i < some_rows; ++i) {
                from.at[i] = before_gates + smaller(first + i, count - 1) * wide;
                to.at[i] = first + i < count ? grad + (first + i) * width + v * lanes<T> : spare;
            }
            switch (block) {
                case 1: add_product<1>(wide, from, packed, to); break;
                case 2: add_product<2>(wide, from, packed, to); break;
                default: add_product<3>(wide, from, packed, to); break;
            }
        }
        packed += wide * block * lanes<T>;
        v += block;
    }
}

template <class T>
void backward(const Problem<T>& p, const Upstream<T>& up, const Gradients<T>& out, const Group& group,
              const void* packed, void* scratch) {
    const Shape& s = p.shape;
    const std::size_t width = padded<T>(s), wide = gates * s.size;
    Scratch work(scratch);
    T* const grad = work.take<T>(group_rows * width);
    T* const spare = work.take<T>(group_rows * wide);
    for (std::size_t i = 0; i < group_rows * width; ++i) grad[i] = T(0);
    for (std::size_t i = 0; i < group.count && up.grad_last != nullptr; ++i)
        __builtin_memcpy(grad + i * width, up.grad_last + group.row[i] * s.size, s.size * sizeof(T));
    T* const table = out.table == nullptr ? nullptr : out.table + group.index * s.vocab * wide;
    if (table != nullptr) __builtin_memset(table, 0, s.vocab * wide * sizeof(T));

    const StepBack<T> step{p, up};
    const std::size_t most = group.count == 0 ? 0 : group.length[0];
    std::size_t active = 0, done = 0;
    for (std::size_t t = most; t-- > 0;) {
        while (active < group.count && group.length[active] > t) ++active;
        T* const gate_rows =
            out.before_gates == nullptr ? spare : out.before_gates + (group.first_step + done) * wide;
        for (std::size_t i = 0; i < active; ++i) {
            T* const state = out.before_states == nullptr
                                 ? nullptr
                                 : out.before_states + (group.first_step + done + i) * s.size;
            step.run(group.row[i], t, grad + i * width, gate_rows + i * wide, state, table);
        }
        through_weights(s, static_cast<const T*>(packed), active, gate_rows, grad);
        done += active;
    }
    for (std::size_t i = 0; i < group.count && out.h0 != nullptr; ++i)
        __builtin_memcpy(out.h0 + group.row[i] * s.size, grad + i * width, s.size * sizeof(T));
}

template <class T>
std::size_t scratch_bytes(const Shape& s) {
    return group_rows * (2 * padded<T>(s) + gates * s.size) * sizeof(T) + 128;
}

}  // namespace

template <class T>
gru_scan::Kernels<T> gru_scan_kernels() {
    return {packed_forward_bytes<T>,
            pack_forward<T>,
            packed_backward_bytes<T>,
            pack_backward<T>,
            scratch_bytes<T>,
            forward<T>,
            backward<T>};
}

template gru_scan::Kernels<float> gru_scan_kernels<float>();
template gru_scan::Kernels<double> gru_scan_kernels<double>();

}  // namespace pyfastlm::PYFASTLM_ISA
