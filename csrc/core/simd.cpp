#include "core/simd.hpp"

#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace pyfastlm {
namespace {

// What this build holds and this processor runs, best last.
std::vector<Isa> usable() {
    std::vector<Isa> found{Isa::portable};
#ifdef PYFASTLM_HAS_neon
    found.push_back(Isa::neon);
#endif
#ifdef PYFASTLM_HAS_avx2
    if (__builtin_cpu_supports("x86-64-v3")) found.push_back(Isa::avx2);
#endif
#ifdef PYFASTLM_HAS_avx512
    if (__builtin_cpu_supports("x86-64-v4")) found.push_back(Isa::avx512);
#endif
    return found;
}

Isa choose() {
    const std::vector<Isa> found = usable();
    const char* const wanted = std::getenv("PYFASTLM_ISA");
    if (wanted == nullptr || *wanted == '\0') return found.back();
    std::string names;
    for (const Isa isa : found) {
        if (std::string_view(wanted) == isa_name(isa)) return isa;
        names += std::string(names.empty() ? "" : ", ") + isa_name(isa);
    }
    throw std::invalid_argument("PYFASTLM_ISA: expected one of " + names + " on this processor, got '" +
                                wanted + "'");
}

}  // namespace

const char* isa_name(Isa isa) {
    switch (isa) {
        case Isa::neon: return "neon";
        case Isa::avx2: return "avx2";
        case Isa::avx512: return "avx512";
        case Isa::portable: break;
    }
    return "portable";
}

Isa isa() {
    static const Isa chosen = choose();
    return chosen;
}

}  // namespace pyfastlm
