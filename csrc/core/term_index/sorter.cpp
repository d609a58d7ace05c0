#include "core/term_index/sorter.hpp"

#include <algorithm>
#include <cerrno>
#include <queue>
#include <stdexcept>
#include <system_error>

#include "core/term_index/format.hpp"
#include "core/term_index/join.hpp"

namespace pyfastlm::term_index {
namespace {

[[noreturn]] void fail(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

std::uint64_t head_of(std::string_view key) {
    std::uint64_t head = 0;
    for (std::size_t i = 0; i < 8; ++i)
        head = head << 8 | (i < key.size() ? static_cast<unsigned char>(key[i]) : 0u);
    return head;
}

}  // namespace

// A sorted file, read from its beginning.
class Sorter::Run {
  public:
    explicit Run(std::FILE* file) : file_(file) {
        if (std::fseek(file_, 0, SEEK_SET) != 0) fail("fseek");
    }
    bool next() {
        std::uint32_t length;
        if (std::fread(&length, sizeof length, 1, file_) != 1) {
            if (std::ferror(file_) != 0) fail("fread");
            return false;
        }
        key.resize(length);
        if (std::fread(&score, sizeof score, 1, file_) != 1 ||
            std::fread(key.data(), 1, length, file_) != length)
            fail("fread");
        return true;
    }
    std::string key;
    double score = 0;

  private:
    std::FILE* file_;
};

void Sorter::push(std::string_view key, double score) {
    if (key.size() > longest_key) throw std::invalid_argument("a term of more than 134,217,727 bytes");
    if (rising_ && !items_.empty() && key <= key_of(items_.back())) rising_ = false;
    items_.push_back({head_of(key), bytes_.size(), static_cast<std::uint32_t>(key.size()),
                      static_cast<std::uint32_t>(items_.size()), score});
    bytes_.append(key);
    if (bytes_.size() + items_.size() * sizeof(Item) >= memory_ || items_.size() == most_terms) spill();
}

void Sorter::sort() {
    if (rising_) return;
    std::sort(items_.begin(), items_.end(), [this](const Item& a, const Item& b) {
        if (a.head != b.head) return a.head < b.head;
        const int order = key_of(a).compare(key_of(b));
        return order != 0 ? order < 0 : a.number < b.number;
    });
}

void Sorter::spill() {
    sort();
    const std::string name = path_ + std::to_string(runs_.size());
    File file(std::fopen(name.c_str(), "w+bx"));
    if (file == nullptr) fail("fopen");
    std::remove(name.c_str());  // it lives as long as it is open, and no longer
    for (const Item& item : items_)
        if (std::fwrite(&item.length, sizeof item.length, 1, file.get()) != 1 ||
            std::fwrite(&item.score, sizeof item.score, 1, file.get()) != 1 ||
            std::fwrite(bytes_.data() + item.at, 1, item.length, file.get()) != item.length)
            fail("fwrite");
    if (std::fflush(file.get()) != 0) fail("fflush");
    runs_.push_back(std::move(file));
    items_.clear(), bytes_.clear();
    rising_ = true;
}

void Sorter::finish(const std::function<void(std::string_view, double)>& take) {
    Join join(duplicates_, take);
    if (runs_.empty()) {
        sort();
        for (const Item& item : items_) join.push(key_of(item), item.score);
        join.finish();
        return;
    }
    if (!items_.empty()) spill();
    std::vector<Item>().swap(items_);
    std::string().swap(bytes_);

    std::vector<Run> runs;
    for (const File& file : runs_) runs.emplace_back(file.get());
    const auto later = [&runs](std::size_t a, std::size_t b) {
        const int order = runs[a].key.compare(runs[b].key);
        return order != 0 ? order > 0 : a > b;
    };
    std::priority_queue<std::size_t, std::vector<std::size_t>, decltype(later)> queue(later);
    for (std::size_t i = 0; i < runs.size(); ++i)
        if (runs[i].next()) queue.push(i);
    while (!queue.empty()) {
        const std::size_t i = queue.top();
        queue.pop();
        join.push(runs[i].key, runs[i].score);
        if (runs[i].next()) queue.push(i);
    }
    join.finish();
}

}  // namespace pyfastlm::term_index
