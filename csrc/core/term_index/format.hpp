// The file of a term index: a header, then its sections, each on a multiple of 64 bytes and covered by a
// checksum; nothing lies between them but zeros. Little endian.
//
// Terms are numbered twice: by `lex`, their place in the order of their bytes, and by `rank`, their place in
// the order (score descending, bytes ascending). A prefix is a range of lex numbers; better is a lower rank.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <stdexcept>

namespace pyfastlm::term_index {

enum Section : std::size_t {
    keys,         // front coded: blocks of `block_terms` (entry.hpp), then `spare_bytes` zeros
    blocks,       // Packed [blocks + 1]: where each begins in `keys`, and where the last one ends
    lex_to_rank,  // Packed [terms]
    rank_to_lex,  // Packed [terms]
    minima,       // for each level: Packed, the least rank of every `fan` ranks or minima below (minima.hpp)
    nodes,        // Node: the prefixes of `node_terms` terms or more, by (length, bytes); first ""
    children,     // uint32 [nodes + 1]: the first of each node's; they end where those of the next one begin
    labels,       // one byte for each node: the last of its prefix
    lists,  // Packed [lists, listed]: the best ranks of a prefix of `list_terms` or more, the best first
    steps,  // a bit for each rank: whether its score differs from that of the rank before
    step_counts,  // uint32 for each 64 of those: how many bits are set before them
    scores,       // double: the different scores, descending

    // The words of those terms that have a space, in the order of their bytes; spaces part words. As `keys`,
    // `blocks`, `nodes`, `children` and `labels` of terms, then the ranks of the terms that have each word
    // (words.hpp).
    word_keys,
    word_blocks,
    word_nodes,
    word_children,
    word_labels,
    word_best,       // Packed [words]: the least rank
    word_minima,     // as `minima`: the least of every `fan` of those, and so on
    posting_starts,  // Packed [words + 1]: where the further ranks of each begin in `postings`
    postings,        // rising ranks: the distance from the one before less one, LEB128

    // Where the file was built to be asked for what resembles a text (similar.hpp): the words once more, by
    // (code points, best rank).
    similar_word_lengths,  // uint32 [most_code_points + 2]: the first text of so many code points, or more
    similar_word_owners,   // Packed [texts]: the word that each is
    similar_word_starts,   // Packed [texts + 1]: where each begins in `similar_word_texts`
    similar_word_texts,    // bytes
    word_gram_starts,      // uint32 [groups, buckets + 1]: where the list of each bucket of trigrams begins
    word_grams,            // uint16: rising, places of texts in their group
    word_rest_counts,      // how many rests each bucket has (unary.hpp)
    word_rests,            // Packed [rests]: the texts of each bucket; only short texts have any

    // The same for all terms; the owners are ranks.
    similar_lengths,
    similar_owners,
    similar_starts,
    similar_texts,
    gram_starts,
    grams,
    rest_counts,
    rests,
    section_count
};

constexpr std::array<const char*, section_count> section_names{"keys",
                                                               "blocks",
                                                               "lex_to_rank",
                                                               "rank_to_lex",
                                                               "minima",
                                                               "nodes",
                                                               "children",
                                                               "labels",
                                                               "lists",
                                                               "steps",
                                                               "step_counts",
                                                               "scores",
                                                               "word_keys",
                                                               "word_blocks",
                                                               "word_nodes",
                                                               "word_children",
                                                               "word_labels",
                                                               "word_best",
                                                               "word_minima",
                                                               "posting_starts",
                                                               "postings",
                                                               "similar_word_lengths",
                                                               "similar_word_owners",
                                                               "similar_word_starts",
                                                               "similar_word_texts",
                                                               "word_gram_starts",
                                                               "word_grams",
                                                               "word_rest_counts",
                                                               "word_rests",
                                                               "similar_lengths",
                                                               "similar_owners",
                                                               "similar_starts",
                                                               "similar_texts",
                                                               "gram_starts",
                                                               "grams",
                                                               "rest_counts",
                                                               "rests"};

constexpr std::uint32_t block_terms = 16, node_terms = 16, list_terms = 32, listed = 16, fan = 32;
constexpr std::uint64_t most_terms = 0x7fffffff;  // numbers reach Python as int32
constexpr std::uint64_t longest_key = 0x7ffffff;  // a block of them has less than 4 GiB
constexpr std::uint64_t most_words = 0xffffffff;  // in all terms together
constexpr std::uint32_t spare_bytes = 32;         // reads of keys may go so far beyond the last one
constexpr std::uint32_t most_code_points = 255;   // of texts with a length of their own
constexpr std::uint32_t group_texts = 1u << 15;
constexpr std::uint32_t format_version = 4, byte_order = 0x01020304;
constexpr std::array<char, 8> magic{'p', 'f', 'l', 'm', 't', 'e', 'r', 'm'};

struct Part {
    std::uint64_t offset, bytes, checksum;
};

struct Header {
    std::array<char, 8> magic;
    std::uint32_t version, byte_order;
    std::uint64_t file_bytes, terms, nodes, lists, distinct_scores, longest_key, words, word_nodes;
    std::uint64_t similar_terms, similar_words;  // all of them, where `similar` is 1, else 0
    double total_score;                          // the sum of the scores above 0, or the largest number
    std::uint32_t normalizer, similar;
    std::array<Part, section_count> parts;
    std::uint64_t checksum;  // of all bytes of the header before it
};
static_assert(sizeof(Header) == 1008);

constexpr std::uint64_t aligned(std::uint64_t offset) { return (offset + 63) / 64 * 64; }

constexpr std::uint64_t blocks_of(std::uint64_t terms) { return (terms + block_terms - 1) / block_terms; }

// Where the file has a tree of keys (tree.hpp).
struct TreeSections {
    Section keys, blocks, nodes, children, labels;
    std::uint64_t Header::*terms, Header::*node_count;
    bool has_lists;
};
constexpr TreeSections term_sections{keys,   blocks,         nodes,          children,
                                     labels, &Header::terms, &Header::nodes, true};
constexpr TreeSections word_sections{word_keys,   word_blocks,    word_nodes,          word_children,
                                     word_labels, &Header::words, &Header::word_nodes, false};

// Where the file has texts to be compared with others (similar.hpp).
struct SimilarSections {
    Section lengths, owners, starts, texts, gram_starts, grams, rest_counts, rests;
    std::uint64_t Header::*texts_count, Header::*owners_count;
};
constexpr SimilarSections similar_term_sections{
    similar_lengths, similar_owners, similar_starts, similar_texts,          gram_starts,
    grams,           rest_counts,    rests,          &Header::similar_terms, &Header::terms};
constexpr SimilarSections similar_word_sections{
    similar_word_lengths, similar_word_owners, similar_word_starts, similar_word_texts,     word_gram_starts,
    word_grams,           word_rest_counts,    word_rests,          &Header::similar_words, &Header::words};

// The terms that share a prefix, and the nodes of one byte more.
struct Node {
    std::uint32_t lo, hi;                // lex numbers
    std::uint32_t list;                  // or no_list
    std::array<std::uint32_t, 2> light;  // bit b % 64 of both: a byte b follows that leads to no node
};
static_assert(sizeof(Node) == 20);
constexpr std::uint32_t no_list = 0xffffffff;

// The file is not what `Writer` wrote.
struct Damaged : std::runtime_error {
    using std::runtime_error::runtime_error;
};

}  // namespace pyfastlm::term_index
