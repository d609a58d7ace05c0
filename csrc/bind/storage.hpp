// Names of dtypes, as torch has them.
#pragma once

#include <pybind11/pybind11.h>

#include <string>

#include "core/storage.hpp"

namespace pyfastlm {

inline Storage storage_of(const std::string& dtype) {
    if (dtype == "float32") return Storage::f32;
    if (dtype == "float64") return Storage::f64;
    if (dtype == "bfloat16") return Storage::bf16;
    if (dtype == "float16") return Storage::f16;
    throw pybind11::value_error("weight_dtype: expected float32, float64, bfloat16 or float16, got " + dtype);
}

}  // namespace pyfastlm
