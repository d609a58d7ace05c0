#include "core/term_index/map.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <numeric>
#include <system_error>

#include "core/parallel.hpp"
#include "core/term_index/grams.hpp"
#include "core/term_index/minima.hpp"
#include "core/term_index/xxh64.hpp"

namespace pyfastlm::term_index {
namespace {

constexpr std::uint64_t worth_threads = 1 << 22;  // bytes of a file whose checksums take several

[[noreturn]] void fail(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

struct File {
    explicit File(const std::string& path) : descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
        if (descriptor < 0) fail("open");
    }
    ~File() { ::close(descriptor); }
    File(const File&) = delete;
    File& operator=(const File&) = delete;
    int descriptor;
};

void read_all(int file, unsigned char* to, std::uint64_t bytes) {
    for (std::uint64_t done = 0; done < bytes;) {
        const ssize_t count = ::read(file, to + done, bytes - done);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) fail("read");
        if (count == 0) throw Damaged("the file shrank while it was read");
        done += static_cast<std::uint64_t>(count);
    }
}

std::uint64_t similar_bytes(const Header& header, const SimilarSections& sections, std::size_t section) {
    const std::uint64_t texts = header.*sections.texts_count;
    if (texts == 0) return 0;
    constexpr std::uint64_t number = sizeof(std::uint32_t);
    if (section == sections.lengths) return (most_code_points + 2) * number;
    if (section == sections.owners) return packed_bytes(texts, width_of(header.*sections.owners_count));
    if (section == sections.starts)
        return packed_bytes(texts + 1, width_of(header.parts[sections.texts].bytes));
    const std::uint64_t groups = (texts + group_texts - 1) / group_texts;
    return groups * ((std::uint64_t{1} << gram_bits(texts)) + 1) * number;
}

// What the section of a file with this header must have; 0 for those whose own part says so.
std::uint64_t expected_bytes(const Header& header, std::size_t section) {
    const std::uint64_t terms = header.terms, words = header.words;
    const unsigned width = width_of(terms);
    switch (section) {
        case blocks: return packed_bytes(blocks_of(terms) + 1, width_of(header.parts[keys].bytes));
        case lex_to_rank:
        case rank_to_lex: return packed_bytes(terms, width);
        case minima: return level_bytes(terms, width);
        case nodes: return header.nodes * sizeof(Node);
        case children: return (header.nodes + 1) * sizeof(std::uint32_t);
        case labels: return header.nodes;
        case lists: return packed_bytes(header.lists * listed, width);
        case steps: return (terms + 63) / 64 * sizeof(std::uint64_t);
        case step_counts: return (terms + 63) / 64 * sizeof(std::uint32_t);
        case scores: return header.distinct_scores * sizeof(double);
        case similar_lengths:
        case similar_owners:
        case similar_starts:
        case gram_starts: return similar_bytes(header, similar_term_sections, section);
        case similar_word_lengths:
        case similar_word_owners:
        case similar_word_starts:
        case word_gram_starts: return similar_bytes(header, similar_word_sections, section);
        case word_blocks: return packed_bytes(blocks_of(words) + 1, width_of(header.parts[word_keys].bytes));
        case word_nodes: return header.word_nodes * sizeof(Node);
        case word_children: return (header.word_nodes + 1) * sizeof(std::uint32_t);
        case word_labels: return header.word_nodes;
        case word_best: return packed_bytes(words, width);
        case word_minima: return level_bytes(words, width);
        case posting_starts: return packed_bytes(words + 1, width_of(header.parts[postings].bytes));
        default: return 0;
    }
}

constexpr bool says_its_own_size(std::size_t section) {
    for (const Section own : {keys, word_keys, postings, similar_texts, grams, rest_counts, rests,
                              similar_word_texts, word_grams, word_rest_counts, word_rests})
        if (section == own) return true;
    return false;
}

}  // namespace

Map::Map(const std::string& path, bool verify, bool in_memory, int threads) {
    const File file(path);
    struct stat status;
    if (::fstat(file.descriptor, &status) < 0) fail("fstat");
    if (!S_ISREG(status.st_mode)) throw Damaged("not a regular file");
    const auto bytes = static_cast<std::uint64_t>(status.st_size);
    if (bytes < sizeof(Header)) throw Damaged("shorter than the header of a term index");
    if (in_memory) {
        copy_ = std::make_unique<unsigned char[]>(bytes);
        read_all(file.descriptor, copy_.get(), bytes);
        bytes_ = copy_.get();
    } else {
#ifdef MAP_POPULATE
        const int flags = verify ? MAP_SHARED | MAP_POPULATE : MAP_SHARED;
#else
        const int flags = MAP_SHARED;
#endif
        void* const mapped = ::mmap(nullptr, bytes, PROT_READ, flags, file.descriptor, 0);
        if (mapped == MAP_FAILED) fail("mmap");
        bytes_ = static_cast<const unsigned char*>(mapped);
        mapped_ = bytes;
    }
    try {
        check_header(bytes);
        check_parts();
        if (verify) check_sums(threads);
        attach();
    } catch (...) {
        if (mapped_ > 0) ::munmap(const_cast<unsigned char*>(bytes_), mapped_);
        throw;
    }
}

// Where things lie.
void Map::attach() {
    static_cast<Tree&>(*this) = Tree(bytes_, term_sections);
    words_ = Words(bytes_);
    similar_terms_ = Similar(bytes_, similar_term_sections);
    similar_words_ = Similar(bytes_, similar_word_sections);
    const std::uint64_t terms = header().terms;
    const unsigned width = width_of(terms);
    lex_to_rank_ = {at(lex_to_rank), terms, width};
    rank_to_lex_ = {at(rank_to_lex), terms, width};
    levels_ = levels_at(at(minima), terms, width);
    lists_ = {at(lists), header().lists * listed, width};
    steps_ = reinterpret_cast<const std::uint64_t*>(at(steps));
    step_counts_ = reinterpret_cast<const std::uint32_t*>(at(step_counts));
    scores_ = reinterpret_cast<const double*>(at(scores));
}

Map::~Map() {
    if (mapped_ > 0) ::munmap(const_cast<unsigned char*>(bytes_), mapped_);
}

void Map::check_header(std::uint64_t file_bytes) const {
    const Header& h = header();
    if (h.magic != magic) throw Damaged("not the file of a term index");
    if (h.byte_order != byte_order) throw Damaged("written on a machine of another byte order");
    if (h.version != format_version)
        throw Damaged("of format version " + std::to_string(h.version) + "; this library reads version " +
                      std::to_string(format_version));
    if (h.checksum != xxh64(&h, offsetof(Header, checksum))) throw Damaged("the header is damaged");
    if (h.file_bytes != file_bytes)
        throw Damaged("of " + std::to_string(file_bytes) + " bytes; " + std::to_string(h.file_bytes) +
                      " were written");
    // Every prefix ends with a byte that is in `keys`; every word but "" has an entry of a byte or more.
    if (h.terms > most_terms || h.nodes == 0 || h.nodes > h.file_bytes || h.nodes >= no_node ||
        h.lists > h.nodes || h.distinct_scores > h.terms || h.parts[keys].bytes > h.file_bytes ||
        h.parts[keys].bytes < spare_bytes || h.words > most_terms || (h.words > 0 && h.terms == 0) ||
        h.word_nodes == 0 || h.word_nodes > h.file_bytes || h.word_nodes >= no_node ||
        h.parts[word_keys].bytes > h.file_bytes || h.parts[word_keys].bytes < spare_bytes ||
        h.parts[postings].bytes > h.file_bytes || h.similar > 1 || h.similar_terms != h.similar * h.terms ||
        h.similar_words != h.similar * h.words || h.parts[similar_texts].bytes > h.file_bytes ||
        h.parts[similar_word_texts].bytes > h.file_bytes)
        throw Damaged("the header makes no sense");
}

void Map::check_parts() const {
    std::uint64_t offset = aligned(sizeof(Header));
    for (std::size_t section = 0; section < section_count; ++section) {
        const Part& part = header().parts[section];
        if (part.offset != offset || part.bytes > header().file_bytes - offset ||
            (!says_its_own_size(section) && part.bytes != expected_bytes(header(), section)))
            throw Damaged(std::string("section ") + section_names[section] + " lies where it cannot");
        offset = aligned(offset + part.bytes);
    }
    if (offset != header().file_bytes) throw Damaged("there is more in the file than its sections");
}

void Map::check_sums(int threads) const {
    std::array<std::size_t, section_count> order;  // the longest first, so that threads end together
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(), [this](std::size_t a, std::size_t b) {
        return header().parts[a].bytes > header().parts[b].bytes;
    });
    parallel_for(section_count, header().file_bytes < worth_threads ? 1 : threads, [&](std::size_t i) {
        const Part& part = header().parts[order[i]];
        if (part.checksum != xxh64(bytes_ + part.offset, part.bytes))
            throw Damaged(std::string("section ") + section_names[order[i]] + " is damaged");
    });
}

void Map::list(std::uint32_t number, std::uint32_t count, std::uint32_t* ranks) const {
    for (std::uint32_t i = 0; i < count; ++i)
        ranks[i] = checked(lists_[std::uint64_t{number} * listed + i], terms(), lists);
}

}  // namespace pyfastlm::term_index
