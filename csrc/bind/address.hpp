// Tensors reach the extension as addresses: the module in pyfastlm/ops that calls it has checked shapes,
// dtypes and strides, and keeps the tensors alive during the call. An address of 0 stands for an absent
// tensor.
#pragma once

#include <cstdint>

namespace pyfastlm {

using Address = std::uintptr_t;

template <class T>
T* at(Address address) {
    return reinterpret_cast<T*>(address);
}

}  // namespace pyfastlm
