// One task of int8::quantize, compiled once per instruction set, without fusing products with sums: rounding
// is the same for all.
#include "core/int8_quantize_kernel.hpp"

#include "core/rotation.hpp"
#include "core/scratch.hpp"

namespace pyfastlm::PYFASTLM_ISA {
namespace {

constexpr std::size_t n = lanes<float>;
using Int = Vec<std::int32_t>;

// A row rotated and divided, such that its largest number becomes `most`.
class Quantizer {
  public:
    Quantizer(std::size_t dim, float most, void* memory)
        : dim_(dim), most_(most), scratch_(memory), rotation_(dim, scratch_),
          row_(scratch_.take<float>(Rotation::room(dim))) {}

    void take(const float* x) {
        __builtin_memcpy(row_, x, dim_ * sizeof(float));
        __builtin_memset(row_ + dim_, 0, (Rotation::room(dim_) - dim_) * sizeof(float));
    }

    // Takes out what is to be kept, and writes its places.
    void leave_out(const int8::Kept& kept, std::int32_t* places) {
        using Wide = Vec<double>;
        Vec<float> largest{};
        Wide squares{};
        for (std::size_t j = 0; j < Rotation::room(dim_); j += lanes<double>) {
            Wide v;
            for (std::size_t l = 0; l < lanes<double>; ++l) v[l] = static_cast<double>(row_[j + l]);
            squares += v * v;
        }
        for (std::size_t j = 0; j < dim_; j += n) {
            const Vec<float> v = load(row_ + j);
            largest = max<float>(largest, max<float>(v, -v));
        }
        const double length = __builtin_sqrt(sum_lanes<double>(squares));
        const double least = static_cast<double>(kept.share) * length;
        std::size_t count = 0;
        if (static_cast<double>(max_lanes<float>(largest)) > least) {
            for (std::size_t j = 0; j < dim_ && count < kept.most; ++j) {
                if (!(static_cast<double>(row_[j] < 0.0f ? -row_[j] : row_[j]) > least)) continue;
                places[count++] = static_cast<std::int32_t>(j);
                row_[j] = 0.0f;
            }
        }
        for (; count < kept.most; ++count) places[count] = -1;
    }

    // Rotates; returns what a whole number stands for, NaN if one of the row is not finite.
    float turn() {
        rotation_.apply(row_);
        Vec<float> largest{}, nothing{};
        for (std::size_t j = 0; j < dim_; j += n) {
            const Vec<float> v = load(row_ + j);
            largest = max<float>(largest, max<float>(v, -v));
            nothing += v - v;
        }
        const float top = max_lanes<float>(largest);
        inverse_ = top > 0.0f ? most_ / top : 0.0f;
        const bool finite = sum_lanes<float>(nothing) == 0.0f && inverse_ < __builtin_inff();
        if (!finite) inverse_ = 0.0f;
        return finite ? top / most_ / rotation_.length() : __builtin_nanf("");
    }

    // Whole numbers of the row, a vector of them from place j on.
    [[nodiscard]] PYFASTLM_INLINE Int at(std::size_t j) const {
        return inverse_ > 0.0f ? nearest(load(row_ + j) * inverse_) : Int{};
    }

  private:
    std::size_t dim_;
    float most_, inverse_ = 0.0f;
    Scratch scratch_;
    Rotation rotation_;
    float* row_;
};

void quantize_rows(const float* x, const int8::Rows& to, const int8::Kept& kept, std::size_t begin,
                   std::size_t end, void* memory) {
    typedef std::uint8_t Bytes __attribute__((vector_size(n)));
    const std::size_t stride = int8::padded_dim(to.dim);
    Quantizer quantizer(to.dim, static_cast<float>(to.zero - 1), memory);
    for (std::size_t i = begin; i < end; ++i) {
        quantizer.take(x + i * to.dim);
        if (kept.places != nullptr) quantizer.leave_out(kept, kept.places + i * kept.most);
        to.scale[i] = quantizer.turn();
        std::uint8_t* const row = to.values + i * stride;
        for (std::size_t j = 0; j < stride; j += n) {
            const Bytes bytes = __builtin_convertvector(quantizer.at(j) + to.zero, Bytes);
            __builtin_memcpy(row + j, &bytes, stride - j < n ? stride - j : n);
        }
    }
}

void quantize_panel(const float* weight, const int8::Weights& to, std::size_t panel, void* memory) {
    const std::size_t steps = int8::padded_dim(to.dim) / int8::deep;
    std::int8_t* const out = to.panels + panel * steps * int8::panel_step;
    __builtin_memset(out, 0, steps * int8::panel_step);
    Quantizer quantizer(to.dim, 127.0f, memory);
    for (std::size_t c = 0; c < int8::panel_columns; ++c) {
        const std::size_t column = panel * int8::panel_columns + c;
        to.scale[column] = 0.0f;
        to.sum[column] = 0;
        if (column >= to.count) continue;
        quantizer.take(weight + column * to.dim);
        to.scale[column] = quantizer.turn();
        for (std::size_t j = 0; j < to.dim; j += n) {
            const Int values = quantizer.at(j);
            for (std::size_t l = 0; l < n && j + l < to.dim; ++l) {
                const std::size_t k = j + l;
                out[k / int8::deep * int8::panel_step + c * int8::deep + k % int8::deep] =
                    static_cast<std::int8_t>(values[l]);
                to.sum[column] += values[l];
            }
        }
    }
}

std::size_t scratch_bytes(std::size_t dim) {
    return Rotation::scratch_bytes(dim) + Rotation::room(dim) * sizeof(float) + 64;
}

}  // namespace

template <class T>
int8::QuantizeKernels int8_quantize_kernels() {
    return {scratch_bytes, quantize_rows, quantize_panel};
}

template int8::QuantizeKernels int8_quantize_kernels<void>();

}  // namespace pyfastlm::PYFASTLM_ISA
