// Strings between Python and the core, and the errors of pyfastlm.
#pragma once

#include <pybind11/pybind11.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "core/term_index/format.hpp"

namespace pyfastlm::bind {

// InputError and InputTypeError of pyfastlm.errors, from `load_errors` on as long as the process lives.
void load_errors();
PyObject* input_error();
PyObject* input_type_error();

[[noreturn]] void refuse(PyObject* kind, const std::string& message);

// The bytes of a Python string, which must outlive them. `name` is the argument that it came by.
std::string_view utf8(PyObject* text, const char* name);
// Those of each string of a tuple.
std::vector<std::string_view> utf8_of(const pybind11::tuple& texts, const char* name);

inline bool is_ascii(std::string_view text) {
    std::uint64_t bits = 0, word;
    std::size_t i = 0;
    for (; i + sizeof word <= text.size(); i += sizeof word) {
        std::memcpy(&word, text.data() + i, sizeof word);
        bits |= word;
    }
    for (; i < text.size(); ++i) bits |= static_cast<unsigned char>(text[i]);
    return (bits & 0x8080808080808080) == 0;
}

// A new string; throws Damaged where the bytes are not UTF-8.
inline PyObject* decoded(std::string_view key) {
    if (is_ascii(key)) {
        PyObject* const text = PyUnicode_New(static_cast<Py_ssize_t>(key.size()), 127);
        if (text == nullptr) throw pybind11::error_already_set();
        if (!key.empty()) std::memcpy(PyUnicode_1BYTE_DATA(text), key.data(), key.size());
        return text;
    }
    PyObject* const text = PyUnicode_DecodeUTF8(key.data(), static_cast<Py_ssize_t>(key.size()), nullptr);
    if (text != nullptr) return text;
    PyErr_Clear();
    throw term_index::Damaged("a key is not UTF-8");
}

}  // namespace pyfastlm::bind
