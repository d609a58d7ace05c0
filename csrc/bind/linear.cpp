#include "core/linear.hpp"

#include <pybind11/pybind11.h>

#include "bind/address.hpp"
#include "bind/storage.hpp"

namespace py = pybind11;

using pyfastlm::Address;
using pyfastlm::at;

void register_linear(py::module_& m) {
    m.def(
        "linear_forward",
        [](std::size_t rows, std::size_t dim, std::size_t columns, Address x, Address weight,
           const std::string& weight_dtype, Address bias, Address out, int threads) {
            pyfastlm::linear::forward(
                {rows, dim, columns, at<const float>(x), at<const void>(weight),
                 pyfastlm::storage_of(weight_dtype), at<const float>(bias), at<float>(out)},
                threads);
        },
        py::arg("rows"), py::arg("dim"), py::arg("columns"), py::arg("x"), py::arg("weight"),
        py::arg("weight_dtype"), py::arg("bias"), py::arg("out"), py::arg("threads"),
        py::call_guard<py::gil_scoped_release>());
}
