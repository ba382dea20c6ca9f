#include "node/logs/segment_writer.h"

#include <cerrno>
#include <ranges>

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "node/logs/segment_file.h"

namespace orchion::node::logs {

base::Result<SegmentWriter> SegmentWriter::open(std::filesystem::path folder, SegmentWriterOptions options) {
  RETURN_IF_ERROR(base::make_folders(folder));
  ASSIGN_OR_RETURN(const auto present, list_segments(folder));
  SegmentWriter writer(std::move(folder), options, present.empty() ? 0 : present.back());
  RETURN_IF_ERROR(writer.begin_segment());
  return writer;
}

base::Result<> SegmentWriter::begin_segment() {
  ++number_;
  const auto path = segment_path(folder_, number_);
  file_.reset(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600));
  if (!file_) return base::fail_errno(errno, fmt::format("cannot create {}", path.string()));
  written_ = 0;
  return {};
}

base::Result<> SegmentWriter::append(OutputStream stream, std::string_view payload, base::WallTime time,
                                     std::uint16_t attempt) {
  while (!payload.empty()) {
    const auto piece = payload.substr(0, kPayloadMax);
    payload.remove_prefix(piece.size());
    RecordHeader header;
    header.length = static_cast<std::uint32_t>(piece.size());
    header.time_ns = time.time_since_epoch().count();
    header.stream = stream;
    header.attempt = attempt;
    bool& within_line = within_line_[stream == OutputStream::kError ? 1 : 0];
    header.continues = within_line && attempt == attempt_ ? 1 : 0;
    const auto total = static_cast<std::int64_t>(sizeof header + piece.size());
    if (written_ > 0 && written_ + total > options_.segment_bytes) {
      RETURN_IF_ERROR(begin_segment());
      RETURN_IF_ERROR(remove_oldest());
    }
    // One call for both: a reader, or a kill, sees at most one record half.
    const iovec parts[] = {{&header, sizeof header}, {const_cast<char*>(piece.data()), piece.size()}};
    if (::writev(file_.get(), parts, 2) != total) return base::fail_errno(errno, "cannot write captured output");
    written_ += total;
    within_line = !piece.ends_with('\n');
    attempt_ = attempt;
  }
  return {};
}

base::Result<> SegmentWriter::remove_oldest() {
  ASSIGN_OR_RETURN(const auto numbers, list_segments(folder_));
  std::int64_t total = options_.segment_bytes;  // what the newest will grow to
  for (const auto number : std::views::reverse(numbers)) {
    if (number == number_) continue;
    struct stat info{};
    const auto path = segment_path(folder_, number);
    if (::stat(path.c_str(), &info) != 0) continue;
    total += info.st_size;
    if (total > options_.bytes_max && ::unlink(path.c_str()) != 0)
      return base::fail_errno(errno, fmt::format("cannot remove {}", path.string()));
  }
  return {};
}

}  // namespace orchion::node::logs
