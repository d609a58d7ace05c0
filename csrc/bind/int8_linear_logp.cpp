#include "core/int8_linear_logp.hpp"

#include <pybind11/pybind11.h>

#include "bind/address.hpp"

namespace py = pybind11;
namespace int8 = pyfastlm::int8;

using pyfastlm::Address;
using pyfastlm::at;

void register_int8_linear_logp(py::module_& m) {
    m.def(
        "int8_linear_logp_forward",
        [](const int8::Rows& rows, const int8::Weights& weights, Address bias, Address targets, float softcap,
           float logit_scale, Address logp, Address lse, Address argmax, Address entropy, int threads) {
            pyfastlm::int8_linear_logp::forward(
                {rows, weights, at<const float>(bias), at<const std::int64_t>(targets), softcap, logit_scale},
                {at<float>(logp), at<float>(lse), at<std::int64_t>(argmax), at<float>(entropy)}, threads);
        },
        py::arg("rows"), py::arg("weights"), py::arg("bias"), py::arg("targets"), py::arg("softcap"),
        py::arg("logit_scale"), py::arg("logp"), py::arg("lse"), py::arg("argmax"), py::arg("entropy"),
        py::arg("threads"), py::call_guard<py::gil_scoped_release>());
}
