#include "core/compact.hpp"

#include <pybind11/pybind11.h>

#include "bind/address.hpp"

namespace py = pybind11;
namespace compact = pyfastlm::compact;

using pyfastlm::Address;
using pyfastlm::at;

void register_compact(py::module_& m) {
    m.def(
        "compact_count",
        [](Address keep, std::size_t sequences, std::size_t length, Address starts) {
            compact::count(at<const std::uint8_t>(keep), sequences, length, at<std::int32_t>(starts));
        },
        py::arg("keep"), py::arg("sequences"), py::arg("length"), py::arg("starts"),
        py::call_guard<py::gil_scoped_release>());
    m.def(
        "compact_index",
        [](Address keep, std::size_t sequences, std::size_t length, Address starts, Address positions) {
            compact::index(at<const std::uint8_t>(keep), sequences, length, at<const std::int32_t>(starts),
                           at<std::int32_t>(positions));
        },
        py::arg("keep"), py::arg("sequences"), py::arg("length"), py::arg("starts"), py::arg("positions"),
        py::call_guard<py::gil_scoped_release>());
    m.def(
        "compact_gather",
        [](std::size_t sequences, std::size_t length, Address starts, Address positions, std::size_t bytes,
           Address batch, Address packed, int threads) {
            const compact::Layout layout{sequences, length, at<const std::int32_t>(starts),
                                         at<const std::int32_t>(positions)};
            compact::gather(layout, bytes, at<const void>(batch), at<void>(packed), threads);
        },
        py::arg("sequences"), py::arg("length"), py::arg("starts"), py::arg("positions"), py::arg("bytes"),
        py::arg("batch"), py::arg("packed"), py::arg("threads"), py::call_guard<py::gil_scoped_release>());
    m.def(
        "compact_scatter",
        [](std::size_t sequences, std::size_t length, Address starts, Address positions, std::size_t bytes,
           Address packed, Address fill, Address batch, int threads) {
            const compact::Layout layout{sequences, length, at<const std::int32_t>(starts),
                                         at<const std::int32_t>(positions)};
            compact::scatter(layout, bytes, at<const void>(packed), at<const void>(fill), at<void>(batch),
                             threads);
        },
        py::arg("sequences"), py::arg("length"), py::arg("starts"), py::arg("positions"), py::arg("bytes"),
        py::arg("packed"), py::arg("fill"), py::arg("batch"), py::arg("threads"),
        py::call_guard<py::gil_scoped_release>());
}
