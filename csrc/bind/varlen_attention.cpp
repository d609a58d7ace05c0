#include "core/varlen_attention.hpp"

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <array>
#include <string>

#include "bind/address.hpp"

namespace py = pybind11;
namespace attention = pyfastlm::attention;

namespace {

using pyfastlm::Address;
using pyfastlm::at;

using Tensor = std::array<std::size_t, 3>;  // address, distance of rows and of heads in numbers

// The inputs that both passes share.
struct Inputs {
    std::size_t sequences, heads, dim;
    Tensor q, k, v;
    Address starts_q, starts_k, positions_q, positions_k, rel_bias;
    std::size_t radius;
    Address key_bias;
    bool causal, softmax1;
    double scale;
    bool is_double;

    template <class T>
    [[nodiscard]] attention::Problem<T> problem() const {
        const auto matrix = [](const Tensor& t) {
            return attention::Matrix<const T>{at<const T>(t[0]), t[1], t[2]};
        };
        return {sequences,
                heads,
                dim,
                matrix(q),
                matrix(k),
                matrix(v),
                at<const std::int32_t>(starts_q),
                at<const std::int32_t>(starts_k),
                at<const std::int32_t>(positions_q),
                at<const std::int32_t>(positions_k),
                at<const T>(rel_bias),
                radius,
                at<const T>(key_bias),
                causal,
                softmax1,
                static_cast<T>(scale)};
    }
};

template <class T>
void forward(const Inputs& in, Address out, Address lse, int threads) {
    attention::forward(in.problem<T>(), at<T>(out), at<T>(lse), threads);
}

template <class T>
void backward(const Inputs& in, Address out, Address lse, Address grad_out, Address grad_q, Address grad_k,
              Address grad_v, Address grad_rel_bias, Address grad_key_bias, int threads) {
    const attention::Gradients<T> grads{at<T>(grad_q), at<T>(grad_k), at<T>(grad_v), at<T>(grad_rel_bias),
                                        at<T>(grad_key_bias)};
    attention::backward(in.problem<T>(), at<const T>(out), at<const T>(lse), at<const T>(grad_out), grads,
                        threads);
}

}  // namespace

void register_varlen_attention(py::module_& m) {
    py::class_<Inputs>(m, "VarlenAttentionInputs",
                       "Shapes and addresses that both passes of varlen_attention share.")
        .def(py::init([](std::size_t sequences, std::size_t heads, std::size_t dim, Tensor q, Tensor k,
                         Tensor v, Address starts_q, Address starts_k, Address positions_q,
                         Address positions_k, Address rel_bias, std::size_t radius, Address key_bias,
                         bool causal, bool softmax1, double scale, bool is_double) {
                 return Inputs{sequences, heads,    dim,         q,           k,        v,
                               starts_q,  starts_k, positions_q, positions_k, rel_bias, radius,
                               key_bias,  causal,   softmax1,    scale,       is_double};
             }),
             py::arg("sequences"), py::arg("heads"), py::arg("dim"), py::arg("q"), py::arg("k"), py::arg("v"),
             py::arg("starts_q"), py::arg("starts_k"), py::arg("positions_q"), py::arg("positions_k"),
             py::arg("rel_bias"), py::arg("radius"), py::arg("key_bias"), py::arg("causal"),
             py::arg("softmax1"), py::arg("scale"), py::arg("is_double"));
    m.def(
        "varlen_attention_forward",
        [](const Inputs& inputs, Address out, Address lse, int threads) {
            const auto run = inputs.is_double ? forward<double> : forward<float>;
            run(inputs, out, lse, threads);
        },
        py::arg("inputs"), py::arg("out"), py::arg("lse"), py::arg("threads"),
        py::call_guard<py::gil_scoped_release>());
    m.def(
        "varlen_attention_backward",
        [](const Inputs& inputs, Address out, Address lse, Address grad_out, Address grad_q, Address grad_k,
           Address grad_v, Address grad_rel_bias, Address grad_key_bias, int threads) {
            const auto run = inputs.is_double ? backward<double> : backward<float>;
            run(inputs, out, lse, grad_out, grad_q, grad_k, grad_v, grad_rel_bias, grad_key_bias, threads);
        },
        py::arg("inputs"), py::arg("out"), py::arg("lse"), py::arg("grad_out"), py::arg("grad_q"),
        py::arg("grad_k"), py::arg("grad_v"), py::arg("grad_rel_bias"), py::arg("grad_key_bias"),
        py::arg("threads"), py::call_guard<py::gil_scoped_release>());
}
