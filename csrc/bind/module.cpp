// The extension module pyfastlm._native: one register function per topic, nothing else.
#include <pybind11/pybind11.h>

#include "core/simd.hpp"

namespace py = pybind11;

void register_compact(py::module_& m);
void register_gate_compact(py::module_& m);
void register_gru_scan(py::module_& m);
void register_int8_linear(py::module_& m);
void register_int8_linear_logp(py::module_& m);
void register_linear(py::module_& m);
void register_linear_logp(py::module_& m);
void register_ranks(py::module_& m);
void register_similar(py::module_& m);
void register_spelling(py::module_& m);
void register_suffix_search(py::module_& m);
void register_term_index(py::module_& m);
void register_varlen_attention(py::module_& m);

PYBIND11_MODULE(_native, m) {
    m.doc() = "Native kernels of pyfastlm. Private: call pyfastlm.ops and the rooms above it.";
    m.def(
        "isa", [] { return pyfastlm::isa_name(pyfastlm::isa()); },
        "The instruction set in use, or ValueError where PYFASTLM_ISA names one that is not there.");
    register_compact(m);
    register_gate_compact(m);
    register_gru_scan(m);
    register_int8_linear(m);
    register_int8_linear_logp(m);
    register_linear(m);
    register_linear_logp(m);
    register_ranks(m);
    register_suffix_search(m);
    register_term_index(m);
    register_similar(m);   // of a term index
    register_spelling(m);  // of both
    register_varlen_attention(m);
}
