#include "node/logs/segment_file.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

#include <dirent.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

namespace orchion::node::logs {

namespace {

constexpr std::size_t kReadBytes = 256u << 10;
constexpr std::string_view kSuffix = ".log";

RecordHeader header_at(std::string_view bytes) {
  RecordHeader header;
  std::memcpy(&header, bytes.data(), sizeof header);
  return header;
}

bool is_sound(const RecordHeader& header) {
  return header.magic == kRecordMagic && header.length <= kPayloadMax &&
         (header.stream == OutputStream::kOut || header.stream == OutputStream::kError);
}

}  // namespace

std::optional<std::uint64_t> segment_number(const std::string& name) {
  if (!name.ends_with(kSuffix) || name.size() < 8 + kSuffix.size()) return std::nullopt;
  std::uint64_t number = 0;
  const auto* end = name.data() + name.size() - kSuffix.size();
  const auto parsed = std::from_chars(name.data(), end, number);
  if (parsed.ec != std::errc() || parsed.ptr != end) return std::nullopt;
  return number;
}

std::filesystem::path segment_path(const std::filesystem::path& folder, std::uint64_t number) {
  return folder / fmt::format("{:08}.log", number);
}

base::Result<base::UniqueFd> open_folder(const std::filesystem::path& folder) {
  base::UniqueFd opened(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!opened) return base::fail_errno(errno, fmt::format("cannot list the output in {}", folder.string()));
  return opened;
}

base::Result<std::vector<std::uint64_t>> list_segments(const std::filesystem::path& folder) {
  ASSIGN_OR_RETURN(const auto opened, open_folder(folder));
  return list_segments_in(opened.get());
}

base::Result<std::vector<std::uint64_t>> list_segments_in(int folder) {
  const int again = ::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* listing = again < 0 ? nullptr : ::fdopendir(again);
  if (listing == nullptr) return base::fail_errno(errno, "cannot list captured output");
  std::vector<std::uint64_t> numbers;
  while (const dirent* entry = ::readdir(listing))
    if (const auto number = segment_number(entry->d_name)) numbers.push_back(*number);
  ::closedir(listing);
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

base::Result<SegmentFile> SegmentFile::open(const std::filesystem::path& folder, std::uint64_t number) {
  const auto path = segment_path(folder, number);
  base::UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return base::fail_errno(errno, fmt::format("cannot open {}", path.string()));
  return from(std::move(file), number);
}

base::Result<SegmentFile> SegmentFile::open_in(int folder, std::uint64_t number) {
  const auto name = segment_path({}, number);
  base::UniqueFd file(::openat(folder, name.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return base::fail_errno(errno, fmt::format("cannot open {}", name.string()));
  return from(std::move(file), number);
}

base::Result<SegmentFile> SegmentFile::from(base::UniqueFd file, std::uint64_t number) {
  ASSIGN_OR_RETURN(const bool sealed, SealedSegment::is_sealed(file.get()));
  if (!sealed) return SegmentFile(std::move(file), number);
  SegmentFile segment({}, number);
  ASSIGN_OR_RETURN(segment.sealed_, SealedSegment::open(std::move(file)));
  return segment;
}

base::Result<std::optional<base::WallTime>> SegmentFile::begins_at() {
  if (sealed_ && sealed_->blocks().empty()) return std::nullopt;
  if (sealed_) return base::WallTime(base::Duration(sealed_->blocks().front().first_ns));
  ASSIGN_OR_RETURN([[maybe_unused]] const bool more, fill());
  const auto first = next();
  if (!first) return std::nullopt;
  return base::WallTime(base::Duration(first->header.time_ns));
}

std::optional<Record> SegmentFile::next() {
  while (buffer_.size() - at_ >= sizeof(RecordHeader)) {
    const auto bytes = std::string_view(buffer_).substr(at_);
    const auto header = header_at(bytes);
    if (!is_sound(header)) {
      if (!skip_garbage()) return std::nullopt;
      continue;
    }
    if (bytes.size() < sizeof header + header.length) return std::nullopt;
    at_ += sizeof header + header.length;
    return Record{header, bytes.substr(sizeof header, header.length)};
  }
  return std::nullopt;
}

// To the next bytes that could begin a record; false where none are in memory.
bool SegmentFile::skip_garbage() {
  char magic[sizeof kRecordMagic];
  std::memcpy(magic, &kRecordMagic, sizeof magic);
  const auto found = buffer_.find(std::string_view(magic, sizeof magic), at_ + 1);
  at_ = found != std::string::npos ? found : buffer_.size() - (sizeof magic - 1);
  return found != std::string::npos;
}

base::Result<bool> SegmentFile::fill(const BlockChoice& choice) {
  buffer_.erase(0, at_);
  at_ = 0;
  if (sealed_) return sealed_->read_next(choice, buffer_);
  const auto kept = buffer_.size();
  buffer_.resize(kept + kReadBytes);
  ssize_t n = 0;
  do {
    n = ::read(file_.get(), buffer_.data() + kept, kReadBytes);
  } while (n < 0 && errno == EINTR);
  const int error_number = errno;
  buffer_.resize(kept + static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
  if (n < 0) return base::fail_errno(error_number, "cannot read captured output");
  return n > 0;
}

}  // namespace orchion::node::logs
