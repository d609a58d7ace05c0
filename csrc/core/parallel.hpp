// The only threading in pyfastlm: one small pool, shared by all kernels of the process.
#pragma once

#include <cstddef>
#include <functional>

namespace pyfastlm {

// Runs task(0) ... task(count - 1), each exactly once, on at most `threads` threads (the caller is one).
// Which thread runs which task is not fixed, and results must not depend on it. Tasks are started in their
// order; one may wait for an earlier one, if none throws. The first exception stops the tasks not yet started
// and is rethrown here.
//
// The threads are those of the process's OpenMP runtime where there is one: torch's spin for milliseconds
// after each of its loops, and would keep other threads from their cores. Else they are the pool's own.
//
// Runs serially in a forked child (the pool's threads did not survive the fork), inside another task,
// and while another thread uses the pool. A task should last 50 us or more.
void parallel_for(std::size_t count, int threads, const std::function<void(std::size_t)>& task);

}  // namespace pyfastlm
