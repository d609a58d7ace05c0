#include "core/term_index/edit_costs.hpp"

#include <algorithm>
#include <bit>
#include <limits>
#include <stdexcept>
#include <utility>

namespace pyfastlm::term_index {
namespace {

constexpr std::uint32_t ascii = 128;
constexpr std::size_t band =
    4;  // places beside the diagonal that are looked at, over the difference in length

bool ends_with(const std::uint32_t* text, std::size_t size, const CodePoints& end) {
    return size >= end.size() && std::equal(end.begin(), end.end(), text + (size - end.size()));
}

}  // namespace

EditCosts::EditCosts(const Prices& prices, const Keyboard* keyboard, std::vector<Rewrite> rewrites)
    : prices_(prices), keyboard_(keyboard), rewrites_(std::move(rewrites)) {
    if (rewrites_.size() > most_rewrites) throw std::invalid_argument("more than 64 rewrites");
    std::vector<float> table(std::size_t{ascii} * ascii);
    for (std::uint32_t a = 0; a < ascii; ++a)
        for (std::uint32_t b = 0; b < ascii; ++b) table[a * ascii + b] = substitution(a, b);
    ascii_ = std::move(table);
    for (std::size_t r = 0; r < rewrites_.size(); ++r)
        for (std::uint32_t last = 0; last < ascii; ++last)
            if (rewrites_[r].meant.empty() || rewrites_[r].meant.back() == last)
                meant_last_[last] |= std::uint64_t{1} << r;
}

float EditCosts::substitution(std::uint32_t written, std::uint32_t meant) const {
    if (written < ascii && meant < ascii && !ascii_.empty()) return ascii_[written * ascii + meant];
    if (written == meant) return 0;
    if (keyboard_ != nullptr && (keyboard_->touching(written) & keyboard_->key(meant)) != 0)
        return prices_.near_key;
    return prices_.substitution;
}

EditCosts::Written::Written(const EditCosts& costs, const CodePoints& text)
    : costs_(costs), text_(text), ends_(text.size() + 1) {
    for (std::size_t i = 0; i <= text.size(); ++i)
        for (std::size_t r = 0; r < costs.rewrites_.size(); ++r)
            if (ends_with(text.data(), i, costs.rewrites_[r].written)) ends_[i] |= std::uint64_t{1} << r;
    for (const std::uint64_t ends : ends_) possible_ |= ends;
}

// The rewrites of this text whose `meant` ends at each place of another one.
void EditCosts::Written::find_meant(const std::uint32_t* meant, std::size_t size) {
    meant_ends_.assign(size + 1, 0);
    for (std::size_t j = 0; j <= size; ++j) {
        const std::uint64_t last =
            j == 0 || meant[j - 1] >= ascii ? ~std::uint64_t{0} : costs_.meant_last_[meant[j - 1]];
        for (std::uint64_t left = possible_ & last; left != 0; left &= left - 1) {
            const int r = std::countr_zero(left);
            if (ends_with(meant, j, costs_.rewrites_[static_cast<std::size_t>(r)].meant))
                meant_ends_[j] |= std::uint64_t{1} << r;
        }
    }
}

float EditCosts::Written::from(const std::uint32_t* meant, std::size_t size) {
    const Prices& price = costs_.prices_;
    const std::size_t length = text_.size(), row = size + 1;
    const std::size_t apart = band + (length > size ? length - size : size - length);
    constexpr float never = std::numeric_limits<float>::infinity();
    table_.assign((length + 1) * row, never);
    find_meant(meant, size);
    float* const table = table_.data();

    const auto single = [&](const std::uint32_t* text, std::size_t i, float usual) {  // text[i - 1] too much
        if (text[i - 1] == ' ') return price.space;
        return i > 1 && text[i - 1] == text[i - 2] ? price.doubling : usual;
    };
    for (std::size_t i = 0; i <= length; ++i) {
        const std::size_t first = i > apart ? i - apart : 0, last = std::min(size, i + apart);
        for (std::size_t j = first; j <= last; ++j) {
            float best = i == 0 && j == 0 ? 0 : never;
            const float factor = i <= 1 && j <= 1 ? price.first : 1;
            if (i > 0)
                best = std::min(best,
                                table[(i - 1) * row + j] + single(text_.data(), i, price.insertion) * factor);
            if (j > 0)
                best = std::min(best, table[i * row + j - 1] + single(meant, j, price.omission) * factor);
            if (i > 0 && j > 0)
                best = std::min(best, table[(i - 1) * row + j - 1] +
                                          costs_.substitution(text_[i - 1], meant[j - 1]) * factor);
            if (i > 1 && j > 1 && text_[i - 1] == meant[j - 2] && text_[i - 2] == meant[j - 1])
                best = std::min(best, table[(i - 2) * row + j - 2] + price.transposition);
            for (std::uint64_t left = ends_[i] & meant_ends_[j]; left != 0; left &= left - 1) {
                const Rewrite& rewrite = costs_.rewrites_[static_cast<std::size_t>(std::countr_zero(left))];
                best = std::min(best, table[(i - rewrite.written.size()) * row + j - rewrite.meant.size()] +
                                          rewrite.cost);
            }
            table[i * row + j] = best;
        }
    }
    return table[length * row + size];
}

}  // namespace pyfastlm::term_index
