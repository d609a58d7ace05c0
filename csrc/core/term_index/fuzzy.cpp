#include "core/term_index/fuzzy.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "core/term_index/edits.hpp"
#include "core/term_index/key_edits.hpp"

namespace pyfastlm::term_index {
namespace {

enum class Verdict { open, accepted, dead };

// Where a walk has come to, after some bytes of a term.
struct Place {
    EditState state;
    Utf8 utf8;
};

// Automaton: Edits or KeyEdits.
template <class Automaton>
class Walk {
  public:
    Walk(const Tree& map, const std::vector<std::uint32_t>& query, const Automaton& edits, bool fix_first,
         Extent extent)
        : map_(map), query_(query), edits_(edits), extent_(extent), fix_first_(fix_first && !query_.empty()) {
    }

    std::vector<Found> run() {
        const Place start{edits_.start(), {}};
        const Inner root = map_.node(0);
        if (extent_ == Extent::beginning && edits_.accepts(start.state) && !fix_first_)
            take({root.lo, root.hi}, root.list);
        else
            stack_.push_back({0, 0, start});
        while (!stack_.empty()) {
            const Visit visit = stack_.back();
            stack_.pop_back();
            const Inner node = map_.node(visit.node);
            if (only_near(visit.place))
                follow_near(visit.node, node, visit.depth, visit.place);
            else
                follow_all(node, visit.depth, visit.place);
        }
        for (std::size_t i = 0; i < light_.size(); ++i) {
            if (i + ahead < light_.size()) map_.prefetch_block(light_[i + ahead].range.lo / block_terms);
            scan(light_[i]);
        }
        return std::move(found_);
    }

  private:
    // A node that is still to be looked into; a stack of its own, for terms longer than a stack of calls.
    struct Visit {
        std::uint32_t node;
        std::size_t depth;
        Place place;
    };

    // Terms that lead to no node, which share `depth` bytes. They lie far apart, so they are kept for the end
    // and fetched some time before they are read.
    struct Light {
        Range range;
        std::size_t depth;
        Place place;
        std::uint64_t wanted;       // bit b % 64: a byte b that comes next may lead on
        unsigned char least, most;  // of those bytes
    };
    static constexpr std::size_t ahead = 8;

    void later(Range range, std::size_t depth, Place place, std::uint64_t wanted = ~std::uint64_t{0},
               unsigned char least = 0, unsigned char most = 255) {
        if (range.size() > 0) light_.push_back({range, depth, place, wanted, least, most});
    }

    void take(Range range, std::uint32_t list) {
        if (range.size() > 0) found_.push_back({range, list});
    }

    // No code point leads on but those of the query that could come next.
    [[nodiscard]] bool only_near(Place place) const {
        if (!place.utf8.whole()) return false;
        if (fix_first_ && place.state.read == 0) return true;
        return edits_.dead(edits_.step_elsewhere(place.state));
    }

    Verdict step(Place& place, unsigned char byte) const {
        if (!place.utf8.see(byte)) return Verdict::open;
        const std::uint32_t code_point = place.utf8.value();
        if (fix_first_ && place.state.read == 0 && code_point != query_[0]) return Verdict::dead;
        place.state = edits_.step(place.state, code_point);
        if (edits_.dead(place.state)) return Verdict::dead;
        return extent_ == Extent::beginning && edits_.accepts(place.state) ? Verdict::accepted
                                                                           : Verdict::open;
    }

    [[nodiscard]] bool accepts_end(Place place) const {
        return extent_ == Extent::whole && place.utf8.whole() && edits_.accepts(place.state) &&
               !(fix_first_ && place.state.read == 0);
    }

    void enter(std::uint32_t number, const Inner& node, std::size_t depth, Verdict verdict, Place place) {
        if (verdict == Verdict::accepted) take({node.lo, node.hi}, node.list);
        if (verdict != Verdict::open) return;
        map_.prefetch_node(number);
        stack_.push_back({number, depth, place});
    }

    void follow_all(const Inner& node, std::size_t depth, Place place) {
        std::uint32_t lex = node.lo;
        for (std::uint32_t number = node.children; number < node.children + node.count; ++number) {
            const Inner child = map_.node(number);
            if (child.lo < lex || child.hi > node.hi) throw Damaged("section nodes names what is not there");
            later({lex, child.lo}, depth, place);
            lex = child.hi;
            Place next = place;
            const Verdict verdict = step(next, map_.label(number));
            enter(number, child, depth + 1, verdict, next);
        }
        later({lex, node.hi}, depth, place);
    }

    // The same where only a few bytes lead on.
    void follow_near(std::uint32_t visit, const Inner& node, std::size_t depth, Place place) {
        std::array<unsigned char, 3 * most_edits + 3> bytes{};
        std::size_t count = 0;
        const auto note = [&](std::uint32_t code_point) {
            const unsigned char byte = first_byte(code_point);
            if (std::find(bytes.data(), bytes.data() + count, byte) == bytes.data() + count)
                bytes[count++] = byte;
        };
        if (fix_first_ && place.state.read == 0)
            note(query_[0]);
        else
            edits_.for_near(place.state, note);

        std::uint64_t wanted = 0;
        unsigned char least = 255, most = 0;
        for (std::size_t i = 0; i < count; ++i) {
            wanted |= std::uint64_t{1} << bytes[i] % 64;
            least = std::min(least, bytes[i]), most = std::max(most, bytes[i]);
        }

        const std::size_t before = light_.size();
        const auto once = [&](Range gap) {
            for (std::size_t i = before; i < light_.size(); ++i)
                if (light_[i].range.lo == gap.lo) return;
            later(gap, depth, place, wanted, least, most);
        };
        if (accepts_end(place)) once({node.lo, node.count > 0 ? map_.node(node.children).lo : node.hi});
        for (std::size_t i = 0; i < count; ++i) {
            const std::uint32_t number = map_.child(visit, bytes[i]);
            if (number == no_node) {
                once(map_.gap(node, bytes[i]));
                continue;
            }
            Place next = place;
            const Verdict verdict = step(next, bytes[i]);
            enter(number, map_.node(number), depth + 1, verdict, next);
        }
    }

    // Term by term. What was found out about one holds for the next as far as they begin with the same bytes.
    void scan(const Light& light) {
        const auto& [range, depth, place, wanted, least, most] = light;
        places_[0] = place;      // places_[i] is after i more bytes
        std::size_t places = 1;  // that the last term went through
        for (std::uint32_t lex = range.lo; lex < range.hi;) {
            const std::uint32_t number = lex / block_terms, first = number * block_terms;
            const std::uint32_t end = std::min(range.hi - first, block_terms);
            // Only the first term can be no longer than its prefix.
            if (least > 0 && lex > range.lo && first + end < range.hi) {
                const std::string_view head = map_.first_key(number + 1);
                if (head.size() > depth && static_cast<unsigned char>(head[depth]) < least) {
                    lex = first + end;
                    continue;
                }
            }
            const Block block = map_.block(number);
            for (std::uint32_t i = lex - first; i < end;) {
                const Entry entry = block[i];
                const std::size_t known = std::max<std::size_t>(entry.shared, depth) - depth;
                const std::size_t skipped = depth + known - entry.shared;
                if (skipped > entry.length || known >= places)
                    throw Damaged("a key is shorter than its prefix");
                places = known + 1;
                Verdict verdict = Verdict::open;
                if (known == 0 && skipped < entry.length) {
                    const unsigned char byte = entry.suffix[skipped];
                    if (byte > most) return;
                    if ((wanted >> byte % 64 & 1) == 0) verdict = Verdict::dead;
                }
                Place at = places_[known];
                for (std::size_t j = skipped; j < entry.length && verdict == Verdict::open; ++j) {
                    verdict = step(at, entry.suffix[j]);
                    if (verdict != Verdict::open) break;
                    if (places == places_.size()) places_.resize(2 * places);
                    places_[places++] = at;
                }
                // Those that share the byte that decided go the same way.
                const std::uint32_t next =
                    verdict == Verdict::open
                        ? i + 1
                        : std::min(end,
                                   block.next_at_most(i, static_cast<std::uint32_t>(depth + places - 1)));
                if (verdict == Verdict::accepted || (verdict == Verdict::open && accepts_end(at)))
                    take({first + i, first + next}, no_list);
                i = next;
            }
            lex = first + end;
        }
    }

    const Tree& map_;
    const std::vector<std::uint32_t>& query_;
    const Automaton& edits_;
    Extent extent_;
    bool fix_first_;
    std::vector<Visit> stack_;
    std::vector<Light> light_;
    std::vector<Place> places_ = std::vector<Place>(64);
    std::vector<Found> found_;
};

// Calls `use` with the automaton that a search needs.
template <class Use>
auto with_automaton(const std::vector<std::uint32_t>& query, int edits, Far far, const Use& use) {
    if (far.keyboard != nullptr && far.most < edits) {
        if (edits == 1) return use(KeyEdits<1, 0>(query, *far.keyboard));
        if (far.most == 0) return use(KeyEdits<2, 0>(query, *far.keyboard));
        return use(KeyEdits<2, 1>(query, *far.keyboard));
    }
    switch (edits) {
        case 0: return use(Edits<0>(query));
        case 1: return use(Edits<1>(query));
        default: return use(Edits<2>(query));
    }
}

}  // namespace

std::vector<Found> within(const Tree& map, std::string_view query, int edits, bool fix_first, Extent extent,
                          Far far) {
    const std::vector<std::uint32_t> asked = code_points(query);
    return with_automaton(asked, edits, far, [&](const auto& automaton) {
        return Walk(map, asked, automaton, fix_first, extent).run();
    });
}

bool is_within(std::string_view term, std::string_view query, int edits, bool fix_first, Extent extent,
               Far far) {
    const std::vector<std::uint32_t> asked = code_points(query), read = code_points(term);
    if (fix_first && !asked.empty() && (read.empty() || read[0] != asked[0])) return false;
    return with_automaton(asked, edits, far, [&](const auto& automaton) {
        EditState state = automaton.start();
        bool accepted = automaton.accepts(state);
        for (const std::uint32_t code_point : read) {
            if (extent == Extent::beginning && accepted) return true;
            state = automaton.step(state, code_point);
            if (automaton.dead(state)) return false;
            accepted = automaton.accepts(state);
        }
        return accepted;
    });
}

}  // namespace pyfastlm::term_index
