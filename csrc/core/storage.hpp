// How numbers are stored that kernels compute with in float or double.
#pragma once

namespace pyfastlm {

enum class Storage { f32, f64, bf16, f16 };

}  // namespace pyfastlm
