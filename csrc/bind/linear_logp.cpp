#include "core/linear_logp.hpp"

#include <pybind11/pybind11.h>

#include <cstdint>
#include <string>

#include "bind/address.hpp"
#include "bind/storage.hpp"

namespace py = pybind11;
namespace logp = pyfastlm::linear_logp;

namespace {

using pyfastlm::Address;
using pyfastlm::at;

// The inputs that every pass shares.
class Inputs {
  public:
    Inputs(std::size_t rows, std::size_t dim, std::size_t vocab, Address hidden, Address weight,
           const std::string& weight_dtype, Address bias, Address targets, double softcap, double logit_scale)
        : rows_(rows), dim_(dim), vocab_(vocab), hidden_(hidden), weight_(weight),
          storage_(pyfastlm::storage_of(weight_dtype)), bias_(bias), targets_(targets), softcap_(softcap),
          scale_(logit_scale) {}

    [[nodiscard]] bool is_double() const { return storage_ == pyfastlm::Storage::f64; }

    template <class T>
    [[nodiscard]] logp::Problem<T> problem() const {
        return {rows_,
                dim_,
                vocab_,
                at<const T>(hidden_),
                at<const void>(weight_),
                storage_,
                at<const T>(bias_),
                at<const std::int64_t>(targets_),
                static_cast<T>(softcap_),
                static_cast<T>(scale_)};
    }

  private:
    std::size_t rows_, dim_, vocab_;
    Address hidden_, weight_;
    pyfastlm::Storage storage_;
    Address bias_, targets_;
    double softcap_, scale_;
};

template <class T>
void forward(const Inputs& in, Address out_logp, Address lse, Address argmax, Address entropy, Address slope,
             int threads) {
    const logp::Result<T> result{at<T>(out_logp), at<T>(lse), at<std::int64_t>(argmax), at<T>(entropy)};
    if (slope == 0) return logp::forward(in.problem<T>(), result, threads);
    logp::forward_slope(in.problem<T>(), result, at<T>(slope), threads);
}

template <class T>
void backward(const Inputs& in, Address lse, Address entropy, Address grad_logp, Address grad_entropy,
              Address grad_hidden, Address grad_weight, Address grad_bias, int threads) {
    const logp::Upstream<T> upstream{at<const T>(lse), at<const T>(entropy), at<const T>(grad_logp),
                                     at<const T>(grad_entropy)};
    if (grad_hidden != 0) logp::grad_hidden(in.problem<T>(), upstream, at<T>(grad_hidden), threads);
    if (grad_weight != 0 || grad_bias != 0) {
        logp::grad_weight(in.problem<T>(), upstream, at<void>(grad_weight), at<T>(grad_bias), threads);
    }
}

}  // namespace

void register_linear_logp(py::module_& m) {
    py::class_<Inputs>(m, "LinearLogpInputs", "Shapes and addresses that the passes of linear_logp share.")
        .def(py::init<std::size_t, std::size_t, std::size_t, Address, Address, const std::string&, Address,
                      Address, double, double>(),
             py::arg("rows"), py::arg("dim"), py::arg("vocab"), py::arg("hidden"), py::arg("weight"),
             py::arg("weight_dtype"), py::arg("bias"), py::arg("targets"), py::arg("softcap"),
             py::arg("logit_scale"));
    m.def(
        "linear_logp_forward",
        [](const Inputs& inputs, Address out_logp, Address lse, Address argmax, Address entropy,
           Address slope, int threads) {
            const auto run = inputs.is_double() ? forward<double> : forward<float>;
            run(inputs, out_logp, lse, argmax, entropy, slope, threads);
        },
        py::arg("inputs"), py::arg("logp"), py::arg("lse"), py::arg("argmax"), py::arg("entropy"),
        py::arg("slope"), py::arg("threads"), py::call_guard<py::gil_scoped_release>());
    m.def(
        "linear_logp_backward",
        [](const Inputs& inputs, Address lse, Address entropy, Address grad_logp, Address grad_entropy,
           Address grad_hidden, Address grad_weight, Address grad_bias, int threads) {
            const auto run = inputs.is_double() ? backward<double> : backward<float>;
            run(inputs, lse, entropy, grad_logp, grad_entropy, grad_hidden, grad_weight, grad_bias, threads);
        },
        py::arg("inputs"), py::arg("lse"), py::arg("entropy"), py::arg("grad_logp"), py::arg("grad_entropy"),
        py::arg("grad_hidden"), py::arg("grad_weight"), py::arg("grad_bias"), py::arg("threads"),
        py::call_guard<py::gil_scoped_release>());
}
