#include "core/gru_scan.hpp"

#include <pybind11/pybind11.h>

#include "bind/address.hpp"

namespace py = pybind11;
namespace gru = pyfastlm::gru_scan;

namespace {

using pyfastlm::Address;
using pyfastlm::at;

// What both passes read.
class Inputs {
  public:
    Inputs(bool is_double, std::size_t rows, std::size_t steps, std::size_t size, std::size_t vocab,
           Address ids, Address lengths, Address weight, Address h0)
        : is_double_(is_double), shape_{rows, steps, size, vocab}, ids_(ids), lengths_(lengths),
          weight_(weight), h0_(h0) {}

    [[nodiscard]] bool is_double() const { return is_double_; }

    template <class T>
    [[nodiscard]] gru::Problem<T> problem() const {
        return {shape_, at<const std::int64_t>(ids_), at<const std::int64_t>(lengths_), at<const T>(weight_),
                at<const T>(h0_)};
    }

  private:
    bool is_double_;
    gru::Shape shape_;
    Address ids_, lengths_, weight_, h0_;
};

template <class T>
void forward(const Inputs& in, Address table, Address bias, Address states, Address last, Address gates,
             int threads) {
    gru::forward<T>(in.problem<T>(), {at<const T>(table), at<const T>(bias)},
                    {at<T>(states), at<T>(last), at<T>(gates)}, threads);
}

template <class T>
void backward(const Inputs& in, Address states, Address gates, Address grad_states, Address grad_last,
              Address h0, Address before_gates, Address before_states, Address table, int threads) {
    gru::backward<T>(
        in.problem<T>(),
        {at<const T>(states), at<const T>(gates), at<const T>(grad_states), at<const T>(grad_last)},
        {at<T>(h0), at<T>(before_gates), at<T>(before_states), at<T>(table)}, threads);
}

}  // namespace

void register_gru_scan(py::module_& m) {
    py::class_<Inputs>(m, "GruScanInputs", "Shapes and addresses that both passes of gru_scan read.")
        .def(py::init<bool, std::size_t, std::size_t, std::size_t, std::size_t, Address, Address, Address,
                      Address>(),
             py::arg("is_double"), py::arg("rows"), py::arg("steps"), py::arg("size"), py::arg("vocab"),
             py::arg("ids"), py::arg("lengths"), py::arg("weight"), py::arg("h0"));
    m.def("gru_scan_groups", gru::groups, py::arg("rows"));
    m.def(
        "gru_scan_forward",
        [](const Inputs& inputs, Address table, Address bias, Address states, Address last, Address gates,
           int threads) {
            const auto run = inputs.is_double() ? forward<double> : forward<float>;
            run(inputs, table, bias, states, last, gates, threads);
        },
        py::arg("inputs"), py::arg("table"), py::arg("bias"), py::arg("states"), py::arg("last"),
        py::arg("gates"), py::arg("threads"), py::call_guard<py::gil_scoped_release>());
    m.def(
        "gru_scan_backward",
        [](const Inputs& inputs, Address states, Address gates, Address grad_states, Address grad_last,
           Address h0, Address before_gates, Address before_states, Address table, int threads) {
            const auto run = inputs.is_double() ? backward<double> : backward<float>;
            run(inputs, states, gates, grad_states, grad_last, h0, before_gates, before_states, table,
                threads);
        },
        py::arg("inputs"), py::arg("states"), py::arg("gates"), py::arg("grad_states"), py::arg("grad_last"),
        py::arg("h0"), py::arg("before_gates"), py::arg("before_states"), py::arg("table"),
        py::arg("threads"), py::call_guard<py::gil_scoped_release>());
}
