#include "node/runtimes/engine/log_copier.h"

#include <cerrno>

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include "node/logs/segment_file.h"

namespace orchion::node::runtimes::engine {

namespace {

using base::Result;

constexpr std::size_t kReadBytes = 256 << 10;
constexpr std::size_t kTurnBytes = 1 << 20;
constexpr std::size_t kLineBytesMax = 4 << 20;  // what an engine never writes
constexpr std::size_t kSegmentsLookedAt = 2;

std::size_t index_of(logs::OutputStream stream) {
  return stream == logs::OutputStream::kError ? 1 : 0;
}

bool same_file(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

}  // namespace

Result<LogCopier> LogCopier::open(LogCopierOptions options) {
  RETURN_IF_ERROR(base::make_folders(options.folder));
  ASSIGN_OR_RETURN(const auto reached, find_reached(options.folder));
  ASSIGN_OR_RETURN(auto writer, logs::SegmentWriter::open(options.folder, {.bytes_max = options.bytes_max}));
  return LogCopier(std::move(options), std::move(writer), reached);
}

// The newest segments tell. A stream that isn't in them said nothing since they begin.
Result<std::array<LogCopier::Reached, 2>> LogCopier::find_reached(const std::filesystem::path& folder) {
  std::array<Reached, 2> reached;
  ASSIGN_OR_RETURN(const auto numbers, logs::list_segments(folder));
  std::optional<base::WallTime> first;
  std::size_t with_records = 0;
  for (auto number = numbers.rbegin(); number != numbers.rend() && with_records < kSegmentsLookedAt; ++number) {
    std::array<Reached, 2> here;
    std::optional<base::WallTime> first_here;
    ASSIGN_OR_RETURN(auto segment, logs::SegmentFile::open(folder, *number));
    while (true) {
      const auto record = segment.next();
      if (!record) {
        ASSIGN_OR_RETURN(const bool more, segment.fill());
        if (!more) break;
        continue;
      }
      const base::WallTime time{base::Duration(record->header.time_ns)};
      if (!first_here) first_here = time;
      auto& mine = here[index_of(record->header.stream)];
      if (mine.time != time) mine = {time, 0, false};
      mine.bytes += record->payload.size();
    }
    if (!first_here) continue;  // begun by a process that had nothing to write
    ++with_records;
    first = first_here;
    for (std::size_t i = 0; i < reached.size(); ++i) {
      if (reached[i].bytes == 0) {
        reached[i] = here[i];
      } else if (here[i].time == reached[i].time) {
        reached[i].bytes += here[i].bytes;
      }
    }
  }
  for (auto& stream : reached) {
    if (stream.bytes == 0 && first && with_records == kSegmentsLookedAt) stream.time = *first;
    stream.passed = stream.time == base::WallTime();
  }
  return reached;
}

bool LogCopier::open_file(const std::filesystem::path& path) {
  base::UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return false;
  file_ = std::move(file);
  offset_ = 0;
  unread_.clear();
  return true;
}

bool LogCopier::was_rotated() const {
  struct stat mine{}, named{};
  if (::fstat(file_.get(), &mine) != 0 || ::stat(options_.source.c_str(), &named) != 0) return false;
  return !same_file(mine, named);
}

// What follows the file at hand, which is at its end: the one it was rotated for, or one between that was missed.
bool LogCopier::next_file() {
  struct stat mine{}, older{};
  const bool has_older = ::stat(rotated().c_str(), &older) == 0;
  if (!file_) return (has_older && open_file(rotated())) || open_file(options_.source);
  if (::fstat(file_.get(), &mine) == 0 && has_older && !same_file(mine, older)) return open_file(rotated());
  return open_file(options_.source);
}

Result<std::size_t> LogCopier::read_more() {
  struct stat info{};
  if (::fstat(file_.get(), &info) == 0 && info.st_size < offset_) {
    offset_ = 0;  // cut off in place
    unread_.clear();
  }
  const auto before = unread_.size();
  unread_.resize(before + kReadBytes);
  const auto n = ::pread(file_.get(), unread_.data() + before, kReadBytes, offset_);
  unread_.resize(before + static_cast<std::size_t>(n > 0 ? n : 0));
  if (n < 0) return base::fail_errno(errno, fmt::format("cannot read {}", options_.source.string()));
  offset_ += n;
  return static_cast<std::size_t>(n);
}

Result<bool> LogCopier::copy(std::uint16_t attempt) {
  if (!file_ && !next_file()) return false;
  for (std::size_t total = 0; total < kTurnBytes;) {
    // Asked before the read: what was written before the rotation is read then.
    const bool rotated = was_rotated();
    ASSIGN_OR_RETURN(const auto n, read_more());
    RETURN_IF_ERROR(take_lines(attempt));
    total += n;
    if (n > 0) continue;
    RETURN_IF_ERROR(flush(attempt));
    if (!rotated || !next_file()) return false;
  }
  RETURN_IF_ERROR(flush(attempt));
  return true;
}

Result<> LogCopier::take_lines(std::uint16_t attempt) {
  std::size_t at = 0;
  for (auto end = unread_.find('\n'); end != std::string::npos; end = unread_.find('\n', at)) {
    auto entry = parse_log_line(options_.dialect, std::string_view(unread_).substr(at, end - at));
    at = end + 1;
    if (entry) RETURN_IF_ERROR(take(*std::move(entry), attempt));
  }
  unread_.erase(0, at);
  if (unread_.size() > kLineBytesMax) unread_.clear();
  return {};
}

Result<> LogCopier::take(LogEntry entry, std::uint16_t attempt) {
  auto& reached = reached_[index_of(entry.stream)];
  if (!reached.passed) {
    if (entry.time < reached.time) return {};
    if (entry.time == reached.time) {
      const auto known = std::min(reached.bytes, entry.text.size());
      reached.bytes -= known;
      entry.text.erase(0, known);
    } else {
      reached.passed = true;
    }
  }
  if (entry.text.empty()) return {};
  if (gathered_ && gathered_->time == entry.time && gathered_->stream == entry.stream &&
      gathered_->text.size() + entry.text.size() <= logs::kPayloadMax) {
    gathered_->text += entry.text;
    return {};
  }
  RETURN_IF_ERROR(flush(attempt));
  gathered_ = std::move(entry);
  return {};
}

Result<> LogCopier::flush(std::uint16_t attempt) {
  if (!gathered_) return {};
  const auto entry = *std::exchange(gathered_, std::nullopt);
  return writer_.append(entry.stream, entry.text, entry.time, attempt);
}

}  // namespace orchion::node::runtimes::engine
