// A file written once from front to back, section by section, with a header that comes last.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/term_index/format.hpp"
#include "core/term_index/xxh64.hpp"

namespace pyfastlm::term_index {

class Output {
  public:
    // Creates or empties the file; errors of the system are thrown as std::system_error from everywhere.
    explicit Output(const std::string& path);
    ~Output();
    Output(const Output&) = delete;
    Output& operator=(const Output&) = delete;

    void begin(Section section);
    void write(std::string_view bytes);
    template <class T>
    void write(const T* items, std::size_t count) {
        write({reinterpret_cast<const char*>(items), count * sizeof(T)});
    }

    // Completes `header` with what was written, and writes it.
    void finish(Header header);

  private:
    void end_section();
    void flush();

    int file_;
    std::string buffer_;
    std::uint64_t written_ = 0;  // bytes of the file, those in the buffer included
    std::size_t section_ = section_count;
    std::array<Part, section_count> parts_{};
    Xxh64 checksum_;
};

}  // namespace pyfastlm::term_index
