#include "core/parallel.hpp"

#include <dlfcn.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>

namespace pyfastlm {
namespace {

void run_serially(std::size_t count, const std::function<void(std::size_t)>& task) {
    for (std::size_t i = 0; i < count; ++i) task(i);
}

// One call of parallel_for: threads take the next task until none is left or one has thrown.
class Job {
  public:
    Job(std::size_t count, const std::function<void(std::size_t)>& task) : count_(count), task_(task) {}

    void work() {
        for (std::size_t i; (i = next_.fetch_add(1)) < count_;) {
            try {
                task_(i);
            } catch (...) {
                const std::lock_guard lock(mutex_);
                if (!error_) error_ = std::current_exception();
                next_ = count_;
            }
        }
    }

    void rethrow() const {
        if (error_) std::rethrow_exception(error_);
    }

  private:
    const std::size_t count_;
    const std::function<void(std::size_t)>& task_;
    std::atomic<std::size_t> next_{0};
    std::mutex mutex_;
    std::exception_ptr error_;
};

// How an OpenMP runtime starts its threads, where the process has one: GNU's, or LLVM's under the same name.
using OpenMp = void (*)(void (*work)(void*), void* data, unsigned threads, unsigned flags);

OpenMp find_openmp() { return reinterpret_cast<OpenMp>(dlsym(RTLD_DEFAULT, "GOMP_parallel")); }

class Pool {
  public:
    // False where the threads are taken, by another thread or by a task around this one.
    bool try_run(Job& job, std::size_t helpers, int threads) {
        if (busy_.exchange(true)) return false;
        if (const OpenMp openmp = find_openmp(); openmp != nullptr) {
            // Always as many as allowed: the runtime ends threads that a smaller team leaves out.
            openmp([](void* data) { static_cast<Job*>(data)->work(); }, &job, static_cast<unsigned>(threads),
                   0);
        } else {
            run_on_own_threads(job, helpers);
        }
        busy_ = false;
        return true;
    }

    [[nodiscard]] bool forked() const { return getpid() != owner_; }

  private:
    void run_on_own_threads(Job& job, std::size_t helpers) {
        {
            const std::lock_guard lock(mutex_);
            for (; started_ < helpers; ++started_) std::thread([this] { serve(); }).detach();
            job_ = &job;
            wanted_ = helpers;
            active_ = helpers;
        }
        wake_.notify_all();
        job.work();
        {
            std::unique_lock lock(mutex_);
            active_ -= wanted_;  // helpers that never woke have nothing left to do
            wanted_ = 0;
            done_.wait(lock, [this] { return active_ == 0; });
            job_ = nullptr;
        }
    }

    void serve() {
        for (;;) {
            Job* job;
            {
                std::unique_lock lock(mutex_);
                wake_.wait(lock, [this] { return wanted_ > 0; });
                --wanted_;
                job = job_;
            }
            job->work();
            const std::lock_guard lock(mutex_);
            if (--active_ == 0) done_.notify_one();
        }
    }

    const pid_t owner_ = getpid();
    std::atomic<bool> busy_{false};
    std::mutex mutex_;
    std::condition_variable wake_;
    std::condition_variable done_;
    Job* job_ = nullptr;
    std::size_t started_ = 0;  // threads that exist
    std::size_t wanted_ = 0;   // helpers that the job still takes
    std::size_t active_ = 0;   // helpers that have not finished the job
};

}  // namespace

void parallel_for(std::size_t count, int threads, const std::function<void(std::size_t)>& task) {
    const std::size_t used = std::min(count, static_cast<std::size_t>(std::max(threads, 1)));
    if (used <= 1) return run_serially(count, task);
    static Pool& pool = *new Pool;  // never destroyed: its threads end with the process
    Job job(count, task);
    if (pool.forked() || !pool.try_run(job, used - 1, threads)) return run_serially(count, task);
    job.rethrow();
}

}  // namespace pyfastlm
