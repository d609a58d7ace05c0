#include "core/int8_linear.hpp"

#include <pybind11/pybind11.h>

#include "bind/address.hpp"
#include "bind/storage.hpp"
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
        .def(py::init([](std::size_t count, std::size_t dim, Address panels, Address scale, Address sum,
                         std::int32_t zero) {
                 return int8::Weights{
                     count, dim, at<std::int8_t>(panels), at<float>(scale), at<std::int32_t>(sum), zero};
             }),
             py::arg("count"), py::arg("dim"), py::arg("panels"), py::arg("scale"), py::arg("sum"),
             py::arg("zero"));
    py::class_<int8::Kept>(m, "Int8Kept", "Numbers of activations that C++ reads or writes as they are.")
        .def(py::init([](std::size_t most, Address places, Address numbers) {
                 return int8::Kept{most, at<std::int32_t>(places), at<float>(numbers)};
             }),
             py::arg("most"), py::arg("places"), py::arg("numbers"));
    m.def("int8_fours", pyfastlm::int8_linear::fours,
          "Whether sums of 32 bits cost no more than those of 16 on this processor.");
    m.def(
        "int8_quantize_rows",
        [](Address x, const int8::Rows& to, float share, const int8::Kept& kept, int threads) {
            int8::quantize(at<const float>(x), to, share, kept, threads);
        },
        py::arg("x"), py::arg("to"), py::arg("share"), py::arg("kept"), py::arg("threads"),
        py::call_guard<py::gil_scoped_release>());
    m.def(
        "int8_quantize_weights",
        [](Address weight, const int8::Weights& to, int threads) {
            int8::quantize(at<const float>(weight), to, threads);
        },
        py::arg("weight"), py::arg("to"), py::arg("threads"), py::call_guard<py::gil_scoped_release>());
    m.def(
        "int8_linear_forward",
        [](const int8::Rows& rows, const int8::Weights& weights, const int8::Kept& kept, Address source,
           const std::string& source_dtype, std::size_t stride, std::size_t step, Address bias, Address out,
           int threads) {
            pyfastlm::int8_linear::forward(
                {rows,
                 weights,
                 kept,
                 {at<const void>(source), pyfastlm::storage_of(source_dtype), stride, step},
                 at<const float>(bias),
                 at<float>(out)},
                threads);
        },
        py::arg("rows"), py::arg("weights"), py::arg("kept"), py::arg("source"), py::arg("source_dtype"),
        py::arg("stride"), py::arg("step"), py::arg("bias"), py::arg("out"), py::arg("threads"),
        py::call_guard<py::gil_scoped_release>());
}
