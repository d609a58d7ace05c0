#include "core/int8_linear.hpp"

#include <pybind11/pybind11.h>

#include "bind/address.hpp"
#include "core/int8_quantize.hpp"

namespace py = pybind11;
namespace int8 = pyfastlm::int8;

using pyfastlm::Address;
using pyfastlm::at;

void register_int8_linear(py::module_& m) {
    py::class_<int8::Rows>(m, "Int8Rows", "Activations that C++ reads or writes.")
        .def(py::init(
                 [](std::size_t count, std::size_t dim, Address values, Address scale, std::int32_t zero) {
                     return int8::Rows{count, dim, at<std::uint8_t>(values), at<float>(scale), zero};
                 }),
             py::arg("count"), py::arg("dim"), py::arg("values"), py::arg("scale"), py::arg("zero"));
    py::class_<int8::Weights>(m, "Int8Weights", "Weights that C++ reads or writes.")
        .def(py::init([](std::size_t count, std::size_t dim, Address panels, Address scale, Address sum) {
                 return int8::Weights{count, dim, at<std::int8_t>(panels), at<float>(scale),
                                      at<std::int32_t>(sum)};
             }),
             py::arg("count"), py::arg("dim"), py::arg("panels"), py::arg("scale"), py::arg("sum"));
    m.def("int8_fours", pyfastlm::int8_linear::fours,
          "Whether a row of 8 bits costs no more than one of 7 on this processor.");
    m.def(
        "int8_quantize_rows",
        [](Address x, const int8::Rows& to, float share, std::size_t most, Address places, int threads) {
            int8::quantize(at<const float>(x), to, {share, most, at<std::int32_t>(places)}, threads);
        },
        py::arg("x"), py::arg("to"), py::arg("share"), py::arg("most"), py::arg("places"), py::arg("threads"),
        py::call_guard<py::gil_scoped_release>());
    m.def(
        "int8_quantize_weights",
        [](Address weight, const int8::Weights& to, int threads) {
            int8::quantize(at<const float>(weight), to, threads);
        },
        py::arg("weight"), py::arg("to"), py::arg("threads"), py::call_guard<py::gil_scoped_release>());
    m.def(
        "int8_linear_forward",
        [](const int8::Rows& rows, const int8::Weights& weights, Address bias, Address out, int threads) {
            pyfastlm::int8_linear::forward({rows, weights, at<const float>(bias), at<float>(out)}, threads);
        },
        py::arg("rows"), py::arg("weights"), py::arg("bias"), py::arg("out"), py::arg("threads"),
        py::call_guard<py::gil_scoped_release>());
}
