#include "bind/texts.hpp"

namespace py = pybind11;

namespace pyfastlm::bind {
namespace {

PyObject *value_error = nullptr, *type_error = nullptr;

PyObject* error_named(const char* name) {
    return py::object(py::module_::import("pyfastlm.errors").attr(name)).release().ptr();
}

}  // namespace

void load_errors() {
    value_error = error_named("InputError");
    type_error = error_named("InputTypeError");
}

PyObject* input_error() { return value_error; }
PyObject* input_type_error() { return type_error; }

void refuse(PyObject* kind, const std::string& message) {
    PyErr_SetString(kind, message.c_str());
    throw py::error_already_set();
}

std::string_view utf8(PyObject* text, const char* name) {
    if (!PyUnicode_Check(text))
        refuse(input_type_error(), std::string(name) + ": expected a string, got " + Py_TYPE(text)->tp_name);
    Py_ssize_t size = 0;
    const char* const bytes = PyUnicode_AsUTF8AndSize(text, &size);
    if (bytes == nullptr) {
        PyErr_Clear();
        refuse(input_error(), std::string(name) + ": expected Unicode, got a lone surrogate in it");
    }
    return {bytes, static_cast<std::size_t>(size)};
}

std::vector<std::string_view> utf8_of(const py::tuple& texts, const char* name) {
    std::vector<std::string_view> all(texts.size());
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = utf8(PyTuple_GET_ITEM(texts.ptr(), i), name);
    return all;
}

}  // namespace pyfastlm::bind
