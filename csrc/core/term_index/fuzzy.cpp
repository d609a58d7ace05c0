#include "core/term_index/fuzzy.hpp"

#include <algorithm>
#include <utility>

#include "core/term_index/edits.hpp"

namespace pyfastlm::term_index {
namespace {

// Where a walk has come to: between two bytes of a term.
struct Place {
    Utf8 utf8;
    EditState state;
};

enum class Verdict { open, accepted, dead };

class Walk {
  public:
    Walk(const Map& map, std::string_view query, int edits, bool fix_first, Extent extent)
        : map_(map), query_(code_points(query)), edits_(query_, edits), extent_(extent),
          fix_first_(fix_first && !query_.empty()) {}

    std::vector<Range> run() {
        const Place start{{}, edits_.start()};
        if (extent_ == Extent::beginning && edits_.accepts(start.state) && !fix_first_)
            take(map_.all());
        else
            visit(start);
        return std::move(found_);
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

    [[nodiscard]] bool accepts_end(const Place& place) const {
        return extent_ == Extent::whole && edits_.accepts(place.state) &&
               !(fix_first_ && place.state.read == 0);
    }

  private:
    void take(Range range) {
        if (!found_.empty() && found_.back().hi == range.lo)
            found_.back().hi = range.hi;
        else if (range.size() > 0)
            found_.push_back(range);
    }

    // A node that the walk has come to: what of its terms and children comes next.
    struct Visit {
        Node node;
        Place place;
        std::uint32_t lex, child;
    };

    void visit(const Place& start) {
        std::vector<Visit> path;  // its length is the depth: terms may be longer than a stack of calls
        const auto enter = [&path](const Node& node, const Place& place) {
            path.push_back({node, place, node.lo, node.children});
        };
        enter(map_.node(0), start);
        while (!path.empty()) {
            Visit& at = path.back();
            if (at.child == at.node.children + at.node.count) {
                scan({at.lex, at.node.hi}, path.size() - 1, at.place);
                path.pop_back();
                continue;
            }
            const std::uint32_t number = at.child++;
            const Node child = map_.node(number);
            if (child.lo < at.lex || child.hi > at.node.hi)
                throw Damaged("section nodes names what is not there");
            scan({at.lex, child.lo}, path.size() - 1, at.place);
            at.lex = child.hi;
            Place there = at.place;
            const Verdict verdict = step(there, map_.label(number));
            if (verdict == Verdict::accepted) take({child.lo, child.hi});
            if (verdict == Verdict::open) enter(child, there);
        }
    }

    // Terms one by one. They share `depth` bytes, which led to `place`.
    void scan(Range range, std::size_t depth, const Place& place) {
        if (range.size() == 0) return;
        auto number = static_cast<std::uint32_t>(range.lo / block_terms);
        Entries entries = map_.block(number);
        for (auto lex = static_cast<std::uint32_t>(number * block_terms); lex < range.lo; ++lex)
            entries.next();
        places_.assign(1, place);  // places_[i] is after i more bytes
        Verdict verdict = Verdict::open;
        for (std::uint32_t lex = range.lo; lex < range.hi; ++lex) {
            if (lex == (number + 1) * block_terms) entries = map_.block(++number);
            const Entry entry = entries.next();
            const std::size_t known = std::max(entry.shared, depth) - depth;
            const std::size_t skipped = std::max(entry.shared, depth) - entry.shared;
            if (skipped > entry.length) throw Damaged("a key is shorter than its prefix");
            if (verdict == Verdict::open || known < places_.size()) {
                if (known >= places_.size()) throw Damaged("a key shares more than there is");
                places_.resize(known + 1);
                verdict = Verdict::open;
                for (std::size_t i = skipped; i < entry.length && verdict == Verdict::open; ++i) {
                    Place next = places_.back();
                    verdict = step(next, entry.suffix[i]);
                    if (verdict == Verdict::open) places_.push_back(next);
                }
            }
            if (verdict == Verdict::accepted || (verdict == Verdict::open && accepts_end(places_.back())))
                take({lex, lex + 1});
        }
    }

    const Map& map_;
    std::vector<std::uint32_t> query_;
    Edits edits_;
    Extent extent_;
    bool fix_first_;
    std::vector<Place> places_;
    std::vector<Range> found_;
};

}  // namespace

std::vector<Range> within(const Map& map, std::string_view query, int edits, bool fix_first, Extent extent) {
    return Walk(map, query, edits, fix_first, extent).run();
}

bool is_within(std::string_view term, std::string_view query, int edits, bool fix_first, Extent extent) {
    const std::vector<std::uint32_t> asked = code_points(query), read = code_points(term);
    if (fix_first && !asked.empty() && (read.empty() || read[0] != asked[0])) return false;
    const Edits steps(asked, edits);
    EditState state = steps.start();
    bool accepted = steps.accepts(state);
    for (const std::uint32_t code_point : read) {
        if (extent == Extent::beginning && accepted) return true;
        state = steps.step(state, code_point);
        if (steps.dead(state)) return false;
        accepted = steps.accepts(state);
    }
    return accepted;
}

}  // namespace pyfastlm::term_index
