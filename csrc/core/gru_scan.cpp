#include "core/gru_scan.hpp"

#include <algorithm>
#include <vector>

#include "core/aligned.hpp"
#include "core/gru_scan_kernel.hpp"
#include "core/parallel.hpp"

PYFASTLM_KERNELS(gru_scan::Kernels<T>, gru_scan_kernels)

namespace pyfastlm::gru_scan {
namespace {

// All rows by falling length, equal ones in their order: those of a group end about together.
class Groups {
  public:
    template <class T>
    explicit Groups(const Problem<T>& p) : row_(p.shape.rows), length_(p.shape.rows) {
        const auto length_of = [&](std::size_t b) {
            return p.lengths == nullptr ? p.shape.steps : static_cast<std::size_t>(p.lengths[b]);
        };
        std::vector<std::size_t> place(p.shape.steps + 2);
        for (std::size_t b = 0; b < row_.size(); ++b) ++place[p.shape.steps - length_of(b) + 1];
        for (std::size_t i = 1; i < place.size(); ++i) place[i] += place[i - 1];
        for (std::size_t b = 0; b < row_.size(); ++b) {
            const std::size_t to = place[p.shape.steps - length_of(b)]++;
            row_[to] = b;
            length_[to] = length_of(b);
        }
        std::size_t steps = 0;
        for (std::size_t first = 0; first < row_.size(); first += group_rows) {
            const std::size_t count = std::min(group_rows, row_.size() - first);
            groups_.push_back({&row_[first], &length_[first], count, groups_.size(), steps});
            for (std::size_t i = 0; i < count; ++i) steps += length_[first + i];
        }
    }

    template <class Work>
    void each(int threads, std::size_t scratch_bytes, const Work& work) const {
        parallel_for(groups_.size(), threads, [&](std::size_t i) {
            const Aligned scratch(scratch_bytes);
            work(groups_[i], scratch.get());
        });
    }

  private:
    std::vector<std::size_t> row_, length_;
    std::vector<Group> groups_;
};

}  // namespace

std::size_t groups(std::size_t rows) { return (rows + group_rows - 1) / group_rows; }

template <class T>
void forward(const Problem<T>& problem, const Input<T>& input, const States<T>& out, int threads) {
    const Kernels<T> kernels = gru_scan_kernels<T>();
    const Aligned packed(kernels.packed_forward_bytes(problem.shape));
    kernels.pack_forward(problem, input, packed.get());
    Groups(problem).each(threads, kernels.scratch_bytes(problem.shape),
                         [&](const Group& group, void* scratch) {
                             kernels.forward(problem, out, group, packed.get(), scratch);
                         });
}

template <class T>
void backward(const Problem<T>& problem, const Upstream<T>& up, const Gradients<T>& out, int threads) {
    const Kernels<T> kernels = gru_scan_kernels<T>();
    const Aligned packed(kernels.packed_backward_bytes(problem.shape));
    kernels.pack_backward(problem, packed.get());
    Groups(problem).each(threads, kernels.scratch_bytes(problem.shape),
                         [&](const Group& group, void* scratch) {
                             kernels.backward(problem, up, out, group, packed.get(), scratch);
                         });
}

template void forward(const Problem<float>&, const Input<float>&, const States<float>&, int);
template void forward(const Problem<double>&, const Input<double>&, const States<double>&, int);
template void backward(const Problem<float>&, const Upstream<float>&, const Gradients<float>&, int);
template void backward(const Problem<double>&, const Upstream<double>&, const Gradients<double>&, int);

}  // namespace pyfastlm::gru_scan
