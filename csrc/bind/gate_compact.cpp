#include "core/gate_compact.hpp"

#include <pybind11/pybind11.h>

#include "bind/address.hpp"

namespace py = pybind11;
namespace gate = pyfastlm::gate_compact;

namespace {

using pyfastlm::Address;
using pyfastlm::at;

template <class T>
std::size_t forward(std::size_t rows, std::size_t dim, Address x, Address weight, double bias, bool normed,
                    bool logarithmic, double scale, double threshold, Address closed, Address next,
                    double eps, Address values, Address logits, Address index, Address kept,
                    Address following, int threads) {
    const gate::Problem<T> problem{rows,
                                   dim,
                                   at<const T>(x),
                                   at<const T>(weight),
                                   static_cast<T>(bias),
                                   normed,
                                   logarithmic ? gate::Kind::log_sigmoid : gate::Kind::scaled_sigmoid,
                                   static_cast<T>(scale),
                                   static_cast<T>(threshold),
                                   at<const std::uint8_t>(closed),
                                   at<const T>(next),
                                   eps};
    const gate::Result<T> result{at<T>(values), at<T>(logits), at<std::int32_t>(index), at<T>(kept),
                                 at<T>(following)};
    return gate::forward(problem, result, threads);
}

}  // namespace

void register_gate_compact(py::module_& m) {
    m.def(
        "gate_compact",
        [](bool is_double, std::size_t rows, std::size_t dim, Address x, Address weight, double bias,
           bool normed, bool logarithmic, double scale, double threshold, Address closed, Address next,
           double eps, Address values, Address logits, Address index, Address kept, Address following,
           int threads) {
            const auto run = is_double ? forward<double> : forward<float>;
            return run(rows, dim, x, weight, bias, normed, logarithmic, scale, threshold, closed, next, eps,
                       values, logits, index, kept, following, threads);
        },
        py::arg("is_double"), py::arg("rows"), py::arg("dim"), py::arg("x"), py::arg("weight"),
        py::arg("bias"), py::arg("normed"), py::arg("logarithmic"), py::arg("scale"), py::arg("threshold"),
        py::arg("closed"), py::arg("next"), py::arg("eps"), py::arg("values"), py::arg("logits"),
        py::arg("index"), py::arg("kept"), py::arg("following"), py::arg("threads"),
        py::call_guard<py::gil_scoped_release>());
}
