#include "node/shim/segment_writer.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

namespace orchion::node::shim {

namespace {

struct SegmentName {
  char text[24];
};

SegmentName segment_name(std::uint32_t number) {
  SegmentName name;
  std::snprintf(name.text, sizeof name.text, "%08u.log", number);
  return name;
}

// 0 where it isn't a segment's name.
std::uint32_t segment_number(const char* name) {
  char* end = nullptr;
  const auto number = std::strtoul(name, &end, 10);
  return end != name && std::strcmp(end, ".log") == 0 ? static_cast<std::uint32_t>(number) : 0;
}

}  // namespace

std::int64_t whole_records(int segment) {
  struct stat info{};
  if (::fstat(segment, &info) != 0) return 0;
  std::int64_t at = 0;
  logs::RecordHeader header;
  while (::pread(segment, &header, sizeof header, at) == static_cast<ssize_t>(sizeof header)) {
    if (header.magic != logs::kRecordMagic || header.length > logs::kPayloadMax) break;
    const auto next = at + static_cast<std::int64_t>(sizeof header) + header.length;
    if (next > info.st_size) break;
    at = next;
  }
  return at;
}

SegmentWriter::~SegmentWriter() {
  if (segment_ >= 0) ::close(segment_);
  if (folder_ >= 0) ::close(folder_);
}

int SegmentWriter::open_segment(std::uint32_t number, int flags) {
  return ::openat(folder_, segment_name(number).text, O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW | flags, 0600);
}

// Which segments there are and what they take: others make them smaller, when they seal them.
void SegmentWriter::look_around() {
  const int again = ::openat(folder_, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* listing = again < 0 ? nullptr : ::fdopendir(again);
  if (listing == nullptr) {
    if (again >= 0) ::close(again);
    return;
  }
  std::uint32_t lowest = UINT32_MAX;
  total_ = 0;
  while (const dirent* entry = ::readdir(listing)) {
    const auto number = segment_number(entry->d_name);
    struct stat info{};
    if (number == 0 || ::fstatat(folder_, entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0) continue;
    lowest = std::min(lowest, number);
    newest_ = std::max(newest_, number);
    total_ += info.st_size;
  }
  ::closedir(listing);
  oldest_ = std::min(lowest, std::max<std::uint32_t>(newest_, 1));
}

int SegmentWriter::open(const char* folder, std::int64_t bytes_max) {
  folder_ = ::open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder_ < 0) return errno;
  total_max_ = std::max<std::int64_t>(bytes_max, 4096);
  // Two segments fit under the cap, one of them a quarter too large, so that dropping one never drops all.
  segment_size_max_ = std::min<std::int64_t>(logs::kSegmentBytes, total_max_ * 2 / 5);
  look_around();
  if (newest_ == 0) return begin_segment() ? 0 : errno;
  segment_ = open_segment(newest_, 0);
  if (segment_ < 0) return errno;
  std::uint32_t magic = 0;
  const bool sealed =
      ::pread(segment_, &magic, sizeof magic, 0) == static_cast<ssize_t>(sizeof magic) && magic == logs::kSealedMagic;
  if (sealed) return begin_segment() ? 0 : errno;
  struct stat info{};
  ::fstat(segment_, &info);
  segment_size_ = whole_records(segment_);
  if (::ftruncate(segment_, segment_size_) != 0) return errno;
  total_ -= info.st_size - segment_size_;
  return 0;
}

bool SegmentWriter::begin_segment() {
  const int fresh = open_segment(newest_ + 1, O_CREAT | O_TRUNC);
  if (fresh < 0) return false;
  if (segment_ >= 0) ::close(segment_);
  segment_ = fresh;
  segment_size_ = 0;
  ++newest_;
  look_around();
  while (total_ > total_max_ - segment_size_max_ && drop_oldest()) {
  }
  return true;
}

bool SegmentWriter::drop_oldest() {
  if (oldest_ >= newest_) return false;
  const auto name = segment_name(oldest_);
  struct stat info{};
  if (::fstatat(folder_, name.text, &info, AT_SYMLINK_NOFOLLOW) == 0 && ::unlinkat(folder_, name.text, 0) == 0)
    total_ -= info.st_size;
  ++oldest_;
  return true;
}

bool SegmentWriter::write_record(const logs::RecordHeader& header, std::string_view payload) {
  logs::RecordHeader copy = header;
  iovec parts[2] = {{&copy, sizeof copy}, {const_cast<char*>(payload.data()), payload.size()}};
  const auto size = static_cast<std::int64_t>(sizeof copy + payload.size());
  ssize_t n = -1;
  do {
    n = ::writev(segment_, parts, 2);
  } while (n < 0 && errno == EINTR);
  if (n == size) {
    segment_size_ += size;
    total_ += size;
    return true;
  }
  if (n > 0 && ::ftruncate(segment_, segment_size_) != 0) begin_segment();
  return false;
}

// In pieces that leave a small segment room for more than one of them.
bool SegmentWriter::append(logs::OutputStream stream, std::uint16_t attempt, std::int64_t time_ns,
                           std::string_view payload) {
  const auto piece_max = static_cast<std::size_t>(segment_size_max_) / 2;
  bool kept = true;
  while (payload.size() > piece_max) {
    const auto lines = payload.substr(0, piece_max).rfind('\n') + 1;
    const auto piece = payload.substr(0, lines > 0 ? lines : piece_max);
    kept = append_piece(stream, attempt, time_ns, piece) && kept;
    payload.remove_prefix(piece.size());
  }
  return append_piece(stream, attempt, time_ns, payload) && kept;
}

bool SegmentWriter::append_piece(logs::OutputStream stream, std::uint16_t attempt, std::int64_t time_ns,
                                 std::string_view payload) {
  logs::RecordHeader header;
  header.time_ns = time_ns;
  header.stream = stream;
  header.attempt = attempt;
  bool& within_line = within_line_[stream == logs::OutputStream::kError ? 1 : 0];
  header.continues = within_line ? 1 : 0;
  within_line = !payload.ends_with('\n');
  const auto size = static_cast<std::int64_t>(sizeof header + payload.size());
  if (segment_size_ > 0 && segment_size_ + size > segment_size_max_) {
    // A segment ends with a line where it can, and where that makes it little larger: it is searched by itself.
    const auto lines = payload.rfind('\n') + 1;
    const bool ends_a_line = lines > 0 && (header.continues != 0 || lines < payload.size());
    const auto finished = segment_size_ + static_cast<std::int64_t>(sizeof header + lines);
    if (ends_a_line && finished <= segment_size_max_ + segment_size_max_ / 4) {
      if (!write_piece(header, payload.substr(0, lines))) return false;
      payload.remove_prefix(lines);
      header.continues = 0;
      if (payload.empty()) return true;
    }
    begin_segment();
  }
  return write_piece(header, payload);
}

bool SegmentWriter::write_piece(logs::RecordHeader header, std::string_view payload) {
  header.length = static_cast<std::uint32_t>(payload.size());
  while (!write_record(header, payload)) {
    if (!drop_oldest()) return false;
  }
  return true;
}

}  // namespace orchion::node::shim
