#include "core/parallel.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "check.hpp"

using pyfastlm::parallel_for;

namespace {

void runs_each_task_once() {
    for (const int threads : {1, 2, 7}) {
        for (const std::size_t count : {0u, 1u, 2u, 1000u}) {
            std::vector<std::atomic<int>> seen(count);
            parallel_for(count, threads, [&](std::size_t i) { ++seen[i]; });
            for (const auto& times : seen) CHECK(times == 1);
        }
    }
}

void carries_the_exception_back_and_goes_on() {
    for (int round = 0; round < 50; ++round) {
        std::atomic<int> after{0};
        bool caught = false;
        try {
            parallel_for(1000, 4, [&](std::size_t i) {
                if (i == 3) throw std::runtime_error("task 3");
                ++after;
            });
        } catch (const std::runtime_error& error) {
            caught = std::string(error.what()) == "task 3";
        }
        CHECK(caught);
        CHECK(after < 1000);
    }
    runs_each_task_once();
}

void nests_and_shares() {
    std::atomic<int> inner{0};
    parallel_for(8, 4, [&](std::size_t) { parallel_for(8, 4, [&](std::size_t) { ++inner; }); });
    CHECK(inner == 64);
    std::atomic<int> total{0};
    std::vector<std::thread> callers;
    for (int c = 0; c < 4; ++c) {
        callers.emplace_back([&] {
            for (int r = 0; r < 200; ++r) parallel_for(16, 3, [&](std::size_t) { ++total; });
        });
    }
    for (auto& caller : callers) caller.join();
    CHECK(total == 4 * 200 * 16);
}

void survives_a_fork() {
    runs_each_task_once();  // the pool exists now
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        alarm(20);  // a hang becomes a failure
        int sum = 0;
        parallel_for(100, 4, [&](std::size_t i) { sum += static_cast<int>(i); });  // serial here: no race
        _exit(sum == 4950 ? 0 : 1);
    }
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

}  // namespace

int main() {
    skip_unless_isa_runs();
    runs_each_task_once();
    carries_the_exception_back_and_goes_on();
    nests_and_shares();
    survives_a_fork();
}
