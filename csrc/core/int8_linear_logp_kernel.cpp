// One task of int8_linear_logp, compiled once per instruction set.
#include "core/int8_linear_logp_kernel.hpp"

#include "core/int8_tile.hpp"
#include "core/logit_statistics.hpp"
#include "core/scratch.hpp"

namespace pyfastlm::PYFASTLM_ISA {
namespace {

using int8_linear_logp::Problem;

constexpr std::size_t columns_of_block =
    256;  // columns of a block: 144 KiB of weights for a dimension of 576

// Logits of up to tile_rows rows against one block of the vocabulary. The weights are packed as they are.
template <class Dot>
class Int8Block {
  public:
    Int8Block(const Problem& p, float* bias)
        : p_(p), plain_(p.bias == nullptr && p.softcap == 0.0f && p.scale == 1.0f), bias_(bias) {}

    void pack(std::size_t first, std::size_t end) {
        first_ = first;
        count_ = smaller(columns_of_block, end - first);
        for (std::size_t j = 0; j < columns_of_block; ++j)
            bias_[j] = p_.bias != nullptr && j < count_ ? p_.bias[first + j] : 0.0f;
    }

    void logits(std::size_t n, std::size_t end, const Rows<float>& z) const {
        for (std::size_t j = 0; j < width(); j += tile_columns<float>) {
            int8_products<Dot>(p_.rows, p_.weights, n, end, first_ + j,
                               [&](std::size_t i, std::size_t v, Vec<float> products) {
                                   store(z.at[i] + j + v * lanes<float>, products);
                               });
        }
        if (!plain_) shape_logits(z, width(), p_.scale, bias_, p_.softcap);
        close_logits(z, count_, width());
    }

    [[nodiscard]] std::size_t capacity() const { return columns_of_block; }
    [[nodiscard]] std::size_t width() const {
        return ceil_div(count_, tile_columns<float>) * tile_columns<float>;
    }
    [[nodiscard]] std::size_t count() const { return count_; }
    [[nodiscard]] std::size_t column(std::int64_t target) const {
        return static_cast<std::size_t>(target) - first_;
    }

  private:
    const Problem& p_;
    const bool plain_;  // the product is the logit
    float* const bias_;
    std::size_t first_ = 0;
    std::size_t count_ = 0;
};

template <class Dot>
void statistics(const Problem& p, Range rows, Range vocab, bool argmax, bool entropy, Partial<float>* out,
                void* memory) {
    Scratch scratch(memory);
    Int8Block<Dot> block(p, scratch.take<float>(columns_of_block));
    gather_statistics(block, p.targets, rows, vocab, argmax, entropy, out,
                      scratch.take<float>(tile_rows * columns_of_block));
}

}  // namespace

template <class T>
int8_linear_logp::Kernels int8_linear_logp_kernels() {
    constexpr std::size_t scratch_bytes = (tile_rows + 1) * columns_of_block * sizeof(float);
#if defined(__AVX512F__)
    if (has_fours()) return {scratch_bytes, statistics<Fours>, statistics<Fours>};
#endif
    return {scratch_bytes, statistics<Eights>, statistics<Ones>};
}

template int8_linear_logp::Kernels int8_linear_logp_kernels<void>();

}  // namespace pyfastlm::PYFASTLM_ISA
