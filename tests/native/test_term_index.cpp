// term_index against comparing every term, and against files that were damaged.
#include "core/term_index/index.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "check.hpp"
#include "core/term_index/edits.hpp"
#include "core/term_index/sorter.hpp"
#include "core/term_index/xxh64.hpp"

namespace {

using namespace pyfastlm::term_index;
using Scores = std::map<std::string, double>;
constexpr std::uint64_t budget = 1 << 22;

std::string random_text(std::mt19937& random, unsigned letters, unsigned most) {
    std::string text;
    for (auto length = random() % most; length > 0; --length)
        text.push_back(random() % 6 == 0 ? "  \0\x7f"[random() % 4]
                                         : static_cast<char>('a' + random() % letters));
    // Blocks of keys that are long, or share much.
    if (random() % 25 == 0) text.insert(0, random() % 300, 'a');
    if (random() % 25 == 0) text.append(random() % 300, 'b');
    return text;
}

Scores random_scores(std::mt19937& random, std::size_t count) {
    const auto letters = static_cast<unsigned>(2 + random() % 4);
    const unsigned most = random() % 2 == 0 ? 6 : 14;
    Scores scores;
    for (std::size_t i = 0; i < count; ++i)
        scores[random_text(random, letters, most)] = static_cast<double>(random() % 50) / 7;
    return scores;
}

void write(const Scores& scores, const std::string& path, bool similar = false) {
    Writer writer(path, 0, similar);
    for (const auto& [key, score] : scores) writer.push(key, score);
    writer.finish();
}

int edits_between(const std::string& query, const std::string& term, bool whole) {
    const std::size_t n = query.size(), m = term.size();
    std::vector<std::vector<int>> d(n + 1, std::vector<int>(m + 1));
    for (std::size_t i = 0; i <= n; ++i)
        for (std::size_t j = 0; j <= m; ++j) {
            if (i == 0 || j == 0) {
                d[i][j] = static_cast<int>(i + j);
                continue;
            }
            d[i][j] =
                std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (query[i - 1] != term[j - 1])});
            if (i > 1 && j > 1 && query[i - 1] == term[j - 2] && query[i - 2] == term[j - 1])
                d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
        }
    return whole ? d[n][m] : *std::min_element(d[n].begin(), d[n].end());
}

std::vector<std::string> words_of(const std::string& text) {
    std::istringstream words(text);
    std::vector<std::string> found;
    for (std::string word; std::getline(words, word, ' ');)
        if (!word.empty()) found.push_back(word);
    return found;
}

bool has_words(const std::string& term, const std::string& query) {
    std::vector<std::string> whole = words_of(query), further = words_of(term);
    std::string partial;
    if (!whole.empty() && query.back() != ' ') partial = whole.back(), whole.pop_back();
    for (const std::string& word : whole) {
        const auto same = std::find(further.begin(), further.end(), word);
        if (same == further.end()) return false;
        further.erase(same);
    }
    return partial.empty() || std::any_of(further.begin(), further.end(),
                                          [&](const std::string& word) { return word.starts_with(partial); });
}

std::vector<std::string> expected(const Scores& scores, const Query& query) {
    std::vector<std::tuple<int, double, std::string>> found;
    for (const auto& [key, score] : scores) {
        if (query.extent == Extent::words) {
            if (has_words(key, std::string(query.text))) found.emplace_back(0, -score, key);
            continue;
        }
        if (query.fix_first && !query.text.empty() && (key.empty() || key[0] != query.text[0])) continue;
        const int edits = edits_between(std::string(query.text), key, query.extent == Extent::whole);
        if (edits <= query.edits) found.emplace_back(edits, -score, key);
    }
    std::sort(found.begin(), found.end());
    std::vector<std::string> keys;
    for (const auto& [edits, score, key] : found)
        if (keys.size() < query.k) keys.push_back(key);
    return keys;
}

std::vector<std::string> answered(const Index& index, const Query& query) {
    std::vector<Hit> hits;
    const auto map = index.answer(query, hits);
    std::vector<std::string> keys;
    for (const Hit& hit : hits) {
        keys.push_back(hit.key);
        if (hit.rank != no_rank) map->key(map->lex(hit.rank), keys.back());
    }
    return keys;
}

void answers_are_those_of_comparing(const std::string& path) {
    std::mt19937 random(1);
    for (const std::size_t count : {0, 1, 2, 40, 300, 1500}) {
        Scores scores = random_scores(random, count);
        write(scores, path);
        Index index(std::make_shared<Map>(path, true, count % 2 == 0));
        for (int round = 0; round < 3; ++round) {
            for (int i = 0; i < 12; ++i) {
                std::string text = random_text(random, 4, 6);
                for (const Extent extent : {Extent::beginning, Extent::whole})
                    for (int edits = 0; edits <= most_edits; ++edits) {
                        const Query query{text, 1 + random() % 40, edits, random() % 2 == 0, extent};
                        CHECK(answered(index, query) == expected(scores, query));
                    }
                const Query words{text, 1 + random() % 40, 0, true, Extent::words, budget};
                CHECK(answered(index, words) == expected(scores, words));
            }
            for (int i = 0; i < 20; ++i) {
                const std::string text = random_text(random, 4, 5);
                if (random() % 3 == 0) {
                    CHECK(index.remove(text) == (scores.erase(text) > 0));
                } else {
                    index.add(text, i);
                    scores[text] = i;
                }
            }
            CHECK(index.size() == scores.size());
        }
    }
}

void sorting_in_pieces_is_sorting(const std::string& path) {
    std::mt19937 random(2);
    Scores sums;
    Sorter sorter(path, std::size_t{1} << 14, Duplicates::sum);
    for (int i = 0; i < 5000; ++i) {
        const std::string text = random_text(random, 5, 7);
        sums[text] += i;
        sorter.push(text, i);
    }
    auto next = sums.begin();
    sorter.finish([&](std::string_view key, double score) {
        CHECK(next != sums.end() && key == next->first && score == next->second);
        ++next;
    });
    CHECK(next == sums.end());
}

void checksums_are_those_of_the_specification() {
    CHECK(xxh64("", 0) == 0xef46db3751d8e999);
    CHECK(xxh64("abc", 3) == 0x44bc2cf5ad770999);
    const std::string text = "Nobody inspects the spammish repetition";
    CHECK(xxh64(text.data(), text.size()) == 0xfbcea83c8a378bf1);
    Xxh64 in_pieces;
    for (std::size_t i = 0; i < text.size(); i += 7)
        in_pieces.update(text.data() + i, std::min<std::size_t>(7, text.size() - i));
    CHECK(in_pieces.digest() == 0xfbcea83c8a378bf1);
}

std::string contents(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

// Asks in every way; with `scores`, answers must be those of them.
void ask(const Index& index, const Scores* scores, std::mt19937& random) {
    for (const Extent extent : {Extent::beginning, Extent::whole})
        for (int edits = 0; edits <= most_edits; ++edits) {
            const std::string text = random_text(random, 4, 6);
            Query query{text, random() % 2 == 0 ? 5u : 100u, edits, true, extent};
            const std::vector<std::string> keys = answered(index, query);
            if (scores != nullptr) CHECK(keys == expected(*scores, query));
            query.keyboard = keyboard_named("azerty");
            const std::size_t as_many = answered(index, query).size();
            if (scores != nullptr) CHECK(as_many == keys.size());
        }
    for (int i = 0; i < 4; ++i) {
        const std::string text = random_text(random, 4, 6);
        const Query query{text, random() % 2 == 0 ? 5u : 100u, i / 2, true, Extent::words, budget};
        const std::vector<std::string> keys = answered(index, query);
        if (scores != nullptr && query.edits == 0) CHECK(keys == expected(*scores, query));
    }
}

std::vector<Resembling> resembling(const Index& index, const std::string& text, std::size_t k, bool words) {
    static const EditCosts costs({1, 0.8f, 0.8f, 0.5f, 0.4f, 0.5f, 0.5f, 1.1f}, keyboard_named("qwerty"),
                                 {{{'a'}, {'b', 'b'}, 0.6f}, {{}, {'c'}, 0.3f}, {{'d', 'a'}, {}, 0.2f}});
    std::vector<std::vector<Resembling>> found;
    index.similar({text, text}, {k, costs, {6.5, 0.6, 1}, words}, 1, found);
    return found[1];
}

bool share_a_letter(const std::string& a, const std::string& b) {
    return a.find_first_of(b) != std::string::npos;
}

void similar_terms_are_those_of_comparing(const std::string& path) {
    std::mt19937 random(4);
    for (const std::size_t count : {0, 1, 2, 20, 40}) {
        Scores scores = random_scores(random, count);
        write(scores, path, true);
        Index index(std::make_shared<Map>(path, true, count % 2 == 0));
        for (int round = 0; round < 3; ++round) {
            for (int i = 0; i < 30; ++i) {
                const std::string text = random_text(random, 5, 9);
                std::map<std::string, int> found;
                const std::vector<Resembling> all = resembling(index, text, 1000, false);
                for (std::size_t place = 0; place < all.size(); ++place) {
                    const Resembling& one = all[place];
                    CHECK(found.emplace(one.key, one.edits).second);
                    CHECK(one.edits == edits_between(text, one.key, true));
                    const auto term = scores.find(one.key);
                    CHECK(term == scores.end() ? one.edits == 1 : one.score == term->second);
                    CHECK(place == 0 || all[place - 1].fit > one.fit ||
                          (all[place - 1].fit == one.fit && all[place - 1].key < one.key));
                }
                if (text.empty() || text.size() > most_code_points) {
                    CHECK(found.empty());
                    continue;
                }
                for (const auto& [key, score] : scores)
                    if (key.size() <= short_code_points && edits_between(text, key, true) <= 2 &&
                        share_a_letter(text, key))
                        CHECK(found.contains(key));
            }
            for (int i = 0; i < 6; ++i) {
                const std::string text = random_text(random, 4, 6);
                if (random() % 2 == 0) {
                    CHECK(index.remove(text) == (scores.erase(text) > 0));
                } else {
                    index.add(text, i);
                    scores[text] = i;
                }
            }
        }
    }
}

// Asks for similar terms; with `scores`, terms must have those.
void ask_similar(const Index& index, const Scores* scores, std::mt19937& random) {
    for (int i = 0; i < 4; ++i) {
        const bool words = i % 2 == 1;
        for (const Resembling& one : resembling(index, random_text(random, 4, 12), 20, words))
            if (scores != nullptr && !words && scores->contains(one.key))
                CHECK(one.score == scores->at(one.key));
    }
}

void damage_is_noticed(const std::string& path, int mutations, bool similar) {
    std::mt19937 random(3);
    const Scores scores = random_scores(random, similar ? 200 : 700);
    write(scores, path, similar);
    const std::string good = contents(path);
    int refused = 0;
    for (int i = 0; i < mutations; ++i) {
        std::string bad = good;
        for (auto count = random() % 8 == 0 ? 30 : 1; count > 0; --count)
            bad[random() % bad.size()] = static_cast<char>(random());
        if (random() % 8 == 0) bad.resize(random() % bad.size());
        const bool verify = random() % 4 == 0;
        if (!verify && bad.size() >= sizeof(Header)) {  // a header that was forged with care
            auto* const header = reinterpret_cast<Header*>(bad.data());
            header->file_bytes = bad.size();
            header->checksum = xxh64(header, offsetof(Header, checksum));
        }
        std::filesystem::remove(path);  // some file systems wait for the disk where a file is overwritten
        std::ofstream(path, std::ios::binary).write(bad.data(), static_cast<std::streamsize>(bad.size()));
        try {
            const Index index(std::make_shared<Map>(path, verify, true));
            (similar ? ask_similar : ask)(index, verify ? &scores : nullptr, random);
        } catch (const Damaged&) {
            ++refused;
        }
    }
    CHECK(refused > mutations / 4);
}

}  // namespace

int main() {
    const auto path =
        std::filesystem::temp_directory_path() / ("term_index_" + std::to_string(std::random_device()()));
    checksums_are_those_of_the_specification();
    answers_are_those_of_comparing(path);
    sorting_in_pieces_is_sorting(path);
    similar_terms_are_those_of_comparing(path);
    for (const bool similar : {false, true}) damage_is_noticed(path, 10'000, similar);
    std::filesystem::remove(path);
}
