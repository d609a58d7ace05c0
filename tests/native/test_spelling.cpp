// spelling: broken lines, beams against every way to put a query together, and queries on several threads.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "check.hpp"
#include "core/spelling/weighing.hpp"
#include "core/term_index/words.hpp"

namespace {

using namespace pyfastlm;
using namespace pyfastlm::spelling;

void shapes_are_broken_lines() {
    const Shape shape{{0, 1, 3}, {2, 4, 0}};
    const std::map<double, double> expected{{-9, 2}, {0, 2}, {0.5, 3}, {1, 4}, {2, 2}, {3, 0}, {9, 0}};
    for (const auto& [x, y] : expected) CHECK(shape(x) == y);
    CHECK(shape(std::nan("")) == 0);
    for (const std::size_t count : {feature_count - 1, feature_count}) {
        bool refused = false;
        try {
            const Odds odds(0, std::vector<Shape>(count));
        } catch (const std::invalid_argument&) {
            refused = true;
        }
        CHECK(refused);
    }
}

void beams_find_every_way() {
    std::mt19937 random(1);
    for (int round = 0; round < 200; ++round) {
        std::vector<std::string> held;
        for (auto count = 1 + random() % 4; count > 0; --count) held.push_back("w" + std::to_string(count));
        std::string query;
        for (const std::string& word : held) query += (query.empty() ? "" : " ") + word;
        std::vector<Change> changes;
        for (std::size_t first = 0; first < held.size(); ++first)
            for (std::size_t last = first + 1; last <= held.size(); ++last) {
                if (random() % 2 == 0) continue;
                changes.push_back({first, last, {}});
                for (auto text = random() % 3; text < 5; text += 2)
                    changes.back().texts.push_back(
                        {"t" + std::to_string(text), static_cast<double>(random() % 13) - 6, 1});
            }
        std::map<std::string, double> expected;
        const std::function<void(std::size_t, const std::string&, double)> go =
            [&](std::size_t place, const std::string& text, double score) {
                const auto longer = [&](const std::string& next) {
                    return text.empty() ? next : text + ' ' + next;
                };
                if (place == held.size()) {
                    const auto [at, first] = expected.try_emplace(text, score);
                    at->second = std::max(at->second, score);
                    return;
                }
                go(place + 1, longer(held[place]), score);
                for (const Change& change : changes)
                    if (change.first == place)
                        for (const Candidate& one : change.texts)
                            go(change.last, longer(one.text), score + one.score);
            };
        go(0, "", 0);
        expected[query] = 0;
        const std::vector<std::string_view> words(held.begin(), held.end());
        const std::vector<Candidate> found = assembled(query, words, changes, 10'000);
        CHECK(found.size() == expected.size());
        for (std::size_t i = 0; i < found.size(); ++i) {
            CHECK(expected.at(found[i].text) == found[i].score);
            CHECK(i == 0 || found[i - 1].score >= found[i].score);
        }
        for (const std::size_t width : {1, 2, 5}) {
            const std::vector<Candidate> few = assembled(query, words, changes, width);
            CHECK(few.size() <= width + 1);
            CHECK(std::any_of(few.begin(), few.end(),
                              [&query](const Candidate& one) { return one.text == query; }));
            std::optional<Candidate> name;  // the best text for all of it
            for (const Change& change : changes)
                if (change.first == 0 && change.last == held.size())
                    for (const Candidate& one : change.texts)
                        if (!name || one.score > name->score ||
                            (one.score == name->score && one.text < name->text))
                            name = one;
            CHECK(!name || width == 1 || std::any_of(few.begin(), few.end(), [&name](const Candidate& one) {
                return one.text == name->text;
            }));
            CHECK(std::is_sorted(few.begin(), few.end(),
                                 [](const Candidate& a, const Candidate& b) { return a.score > b.score; }));
        }
    }
}

bool is_letter(std::uint32_t c) { return c >= 'a' && c <= 'z'; }
bool is_digit(std::uint32_t c) { return c >= '0' && c <= '9'; }

void threads_change_nothing(const std::string& path) {
    std::mt19937 random(2);
    std::map<std::string, double> terms;
    const auto text = [&random](std::uint_fast32_t words) {
        std::string all;
        for (; words > 0; --words) {
            for (auto size = 2 + random() % 6; size > 0; --size) all += static_cast<char>('a' + random() % 5);
            if (random() % 8 == 0) all += '7';
            if (words > 1) all += ' ';
        }
        return all;
    };
    for (int i = 0; i < 400; ++i) terms[text(1 + random() % 3)] = static_cast<double>(random() % 30);
    term_index::Writer writer(path, 0, true);
    for (const auto& [key, score] : terms) writer.push(key, score);
    writer.finish();
    term_index::Index index(std::make_shared<term_index::Map>(path, true, false, 4));

    const term_index::EditCosts costs({1, 0.8f, 0.8f, 0.5f, 0.4f, 0.5f, 0.5f, 1.1f}, nullptr, {});
    const Odds odds(0.5, std::vector<Shape>(feature_count, Shape{{-3, 0, 4}, {-1, 0.5, 2}}));
    const Lexicon lexicon(index, &index, costs, {6.5, 0.6, 1}, {12, 10}, is_digit);
    const Weighing weighing(lexicon, odds, {255, 32, 3, 8, 3, is_letter}, {"abc", terms.begin()->first});
    for (int round = 0; round < 2; ++round) {
        std::vector<std::string> held;
        for (int i = 0; i < 120; ++i) held.push_back(text(1 + random() % 4));
        held.emplace_back();
        std::vector<Query> queries;
        for (const std::string& one : held) {
            Query query;
            term_index::for_words(one, [&query](std::string_view word) { query.words.push_back(word); });
            if (query.words.empty()) query.words.emplace_back();
            query.of_english = query.words;
            queries.push_back(query);
        }
        const auto one = weighing.weigh(queries, {8, -0.5, 2, 1}),
                   four = weighing.weigh(queries, {8, -0.5, 2, 4});
        std::size_t several = 0;
        for (std::size_t i = 0; i < queries.size(); ++i) {
            CHECK(one[i].size() == four[i].size());
            several += one[i].size() > 1;
            for (std::size_t j = 0; j < one[i].size(); ++j) {
                CHECK(one[i][j].text == four[i][j].text);
                CHECK(one[i][j].score == four[i][j].score && one[i][j].cost == four[i][j].cost);
            }
        }
        CHECK(several > queries.size() / 3);
        index.add("abcab cdeab", 20);
        index.remove(terms.rbegin()->first);
    }
}

}  // namespace

int main() {
    const auto path =
        std::filesystem::temp_directory_path() / ("spelling_" + std::to_string(std::random_device()()));
    shapes_are_broken_lines();
    beams_find_every_way();
    threads_change_nothing(path);
    std::filesystem::remove(path);
}
