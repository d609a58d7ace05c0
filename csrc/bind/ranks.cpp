#include "core/ranks.hpp"

#include <pybind11/pybind11.h>

#include "bind/address.hpp"

namespace py = pybind11;
namespace ranks = pyfastlm::ranks;

using pyfastlm::Address;
using pyfastlm::at;

namespace {

template <class T>
ranks::Columns<T> columns_of(std::size_t rows, std::size_t columns, Address x, std::size_t stride) {
    return {rows, columns, at<const T>(x), stride};
}

}  // namespace

void register_ranks(py::module_& m) {
    m.def(
        "centred_ranks",
        [](std::size_t rows, std::size_t columns, Address x, std::size_t stride, Address out, bool is_double,
           int threads) {
            if (is_double)
                ranks::centred(columns_of<double>(rows, columns, x, stride), at<double>(out), threads);
            else
                ranks::centred(columns_of<float>(rows, columns, x, stride), at<float>(out), threads);
        },
        py::arg("rows"), py::arg("columns"), py::arg("x"), py::arg("stride"), py::arg("out"),
        py::arg("is_double"), py::arg("threads"), py::call_guard<py::gil_scoped_release>());
    m.def(
        "signed_pairs",
        [](std::size_t rows, std::size_t columns, Address x, std::size_t stride, Address weights,
           std::size_t sets, Address out, bool is_double, int threads) {
            if (is_double)
                ranks::signed_pairs(columns_of<double>(rows, columns, x, stride), at<const double>(weights),
                                    sets, at<double>(out), threads);
            else
                ranks::signed_pairs(columns_of<float>(rows, columns, x, stride), at<const float>(weights),
                                    sets, at<float>(out), threads);
        },
        py::arg("rows"), py::arg("columns"), py::arg("x"), py::arg("stride"), py::arg("weights"),
        py::arg("sets"), py::arg("out"), py::arg("is_double"), py::arg("threads"),
        py::call_guard<py::gil_scoped_release>());
}
