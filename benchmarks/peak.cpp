// What the multiply-add units of one core do when nothing waits for memory.
typedef float Vec __attribute__((vector_size(32)));

extern "C" double pyfastlm_peak() {
    constexpr int chains = 12;
    constexpr long steps = 10'000'000;
    Vec sum[chains];
#pragma GCC unroll 12
    for (int i = 0; i < chains; ++i) {
        sum[i] = Vec{} + 0.1f * static_cast<float>(i);
        asm volatile("" : "+x"(sum[i]));  // hides the number: a chain that stays at 1.0 would be left out
    }
    const Vec factor = Vec{} + 0.999f, term = Vec{} + 1e-3f;
    for (long step = 0; step < steps; ++step) {
#pragma GCC unroll 12
        for (int i = 0; i < chains; ++i) sum[i] = sum[i] * factor + term;
    }
    float total = 0;
#pragma GCC unroll 12
    for (int i = 0; i < chains; ++i) total += sum[i][0];
    return total == -1.0f ? 0.0
                          : 2.0 * 8 * chains * static_cast<double>(steps);  // FLOP; the sum must be used
}
