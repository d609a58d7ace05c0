#include "core/term_index/output.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace pyfastlm::term_index {
namespace {

constexpr std::size_t buffer_bytes = std::size_t{1} << 20;

[[noreturn]] void fail(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

void write_all(int file, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t count = ::write(file, bytes.data(), bytes.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) fail("write");
        bytes.remove_prefix(static_cast<std::size_t>(count));
    }
}

}  // namespace

Output::Output(const std::string& path)
    : file_(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)) {
    if (file_ < 0) fail("open");
    buffer_.assign(aligned(sizeof(Header)), '\0');
    written_ = buffer_.size();
}

Output::~Output() { ::close(file_); }

void Output::begin(Section section) {
    end_section();
    section_ = section;
    parts_[section].offset = written_;
    checksum_ = Xxh64();
}

void Output::end_section() {
    if (section_ == section_count) return;
    Part& part = parts_[section_];
    part.bytes = written_ - part.offset;
    part.checksum = checksum_.digest();
    const std::uint64_t spare = aligned(written_) - written_;
    buffer_.append(spare, '\0');
    written_ += spare;
}

void Output::write(std::string_view bytes) {
    checksum_.update(bytes.data(), bytes.size());
    written_ += bytes.size();
    if (buffer_.size() + bytes.size() > buffer_bytes) flush();
    if (bytes.size() > buffer_bytes)
        write_all(file_, bytes);
    else
        buffer_.append(bytes);
}

void Output::flush() {
    write_all(file_, buffer_);
    buffer_.clear();
}

void Output::finish(Header header) {
    end_section();
    flush();
    header.magic = magic;
    header.version = format_version;
    header.byte_order = byte_order;
    header.file_bytes = written_;
    header.parts = parts_;
    header.checksum = xxh64(&header, offsetof(Header, checksum));
    if (::lseek(file_, 0, SEEK_SET) < 0) fail("lseek");
    write_all(file_, {reinterpret_cast<const char*>(&header), sizeof header});
}

}  // namespace pyfastlm::term_index
