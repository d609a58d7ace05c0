// The few lines of test framework that the native tests need.
#pragma once

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>

#include "core/simd.hpp"

#define CHECK(condition)                                                         \
    do {                                                                         \
        if (!(condition)) {                                                      \
            std::fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            std::exit(1);                                                        \
        }                                                                        \
    } while (false)

inline void check_near(double got, double expected, double tolerance, const char* what) {
    if (std::isnan(got) == std::isnan(expected) && !(std::fabs(got - expected) > tolerance)) return;
    std::fprintf(stderr, "%s: got %.9g, expected %.9g within %.3g\n", what, got, expected, tolerance);
    std::exit(1);
}

// Ends the test as skipped where PYFASTLM_ISA names an instruction set that this processor lacks.
inline void skip_unless_isa_runs() {
    try {
        std::printf("instruction set %s\n", pyfastlm::isa_name(pyfastlm::isa()));
    } catch (const std::invalid_argument& error) {
        std::printf("skipped: %s\n", error.what());
        std::exit(77);
    }
}
