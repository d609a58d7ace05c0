#include "core/ranks.hpp"

#include <pybind11/pybind11.h>

#include "bind/address.hpp"
#include "core/concordance.hpp"

namespace py = pybind11;
namespace ranks = pyfastlm::ranks;

using pyfastlm::Address;
using pyfastlm::at;

namespace {

template <class T>
pyfastlm::Columns<T> columns_of(std::size_t rows, std::size_t columns, Address x, std::size_t stride) {
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
        "rank_products",
        [](std::size_t rows, std::size_t columns, Address x, std::size_t stride, Address weights,
           std::size_t sets, Address out, Address squares, bool is_double, int threads) {
            if (is_double)
                ranks::products(columns_of<double>(rows, columns, x, stride), at<const double>(weights), sets,
                                at<double>(out), at<double>(squares), threads);
            else
                ranks::products(columns_of<float>(rows, columns, x, stride), at<const float>(weights), sets,
                                at<float>(out), at<float>(squares), threads);
        },
        py::arg("rows"), py::arg("columns"), py::arg("x"), py::arg("stride"), py::arg("weights"),
        py::arg("sets"), py::arg("out"), py::arg("squares"), py::arg("is_double"), py::arg("threads"),
        py::call_guard<py::gil_scoped_release>());
    m.def(
        "concordance",
        [](std::size_t rows, std::size_t columns, Address x, std::size_t stride, Address y, std::size_t sets,
           Address out, bool is_double, int threads) {
            if (is_double)
                pyfastlm::concordance::count(columns_of<double>(rows, columns, x, stride),
                                             at<const double>(y), sets, at<double>(out), threads);
            else
                pyfastlm::concordance::count(columns_of<float>(rows, columns, x, stride), at<const double>(y),
                                             sets, at<float>(out), threads);
        },
        py::arg("rows"), py::arg("columns"), py::arg("x"), py::arg("stride"), py::arg("y"), py::arg("sets"),
        py::arg("out"), py::arg("is_double"), py::arg("threads"), py::call_guard<py::gil_scoped_release>());
}
