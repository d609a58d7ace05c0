#include "core/term_index/concatenate.hpp"

#include <cstddef>
#include <queue>
#include <string_view>

namespace pyfastlm::term_index {

void concatenate(const std::vector<std::shared_ptr<Map>>& maps, Duplicates duplicates, Writer& writer) {
    std::vector<Terms> streams;
    for (const std::shared_ptr<Map>& map : maps) streams.emplace_back(*map);
    const auto later = [&streams](std::size_t a, std::size_t b) {
        const int order = streams[a].key().compare(streams[b].key());
        return order != 0 ? order > 0 : a > b;
    };
    std::priority_queue<std::size_t, std::vector<std::size_t>, decltype(later)> queue(later);
    for (std::size_t i = 0; i < streams.size(); ++i)
        if (streams[i].next()) queue.push(i);
    const std::function<void(std::string_view, double)> take = [&writer](std::string_view key, double score) {
        writer.push(key, score);
    };
    Join join(duplicates, take);
    while (!queue.empty()) {
        const std::size_t i = queue.top();
        queue.pop();
        join.push(streams[i].key(), maps[i]->score(maps[i]->rank(streams[i].lex())));
        if (streams[i].next()) queue.push(i);
    }
    join.finish();
    writer.finish();
}

}  // namespace pyfastlm::term_index
