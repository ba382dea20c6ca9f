#include "node/shim/record.h"

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>

#include <fcntl.h>
#include <unistd.h>

namespace orchion::node::shim {

namespace {

bool write_all(int fd, std::string_view content) {
  while (!content.empty()) {
    const auto n = ::write(fd, content.data(), content.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    content.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

// 0, or an errno.
int write_beside(int folder_fd, const char* beside, std::string_view content, Durability durability) {
  const int fd = ::openat(folder_fd, beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return errno;
  int error = write_all(fd, content) ? 0 : errno;
  if (error == 0 && durability == Durability::kDisk && ::fsync(fd) != 0) error = errno;
  if (::close(fd) != 0 && error == 0) error = errno;
  return error;
}

}  // namespace

void RecordWriter::append(std::string_view text) {
  if (text.size() > sizeof buffer_ - size_) {
    overflowed_ = true;
    return;
  }
  std::memcpy(buffer_ + size_, text.data(), text.size());
  size_ += text.size();
}

void RecordWriter::add(std::string_view name, std::string_view value) {
  append(name);
  append("=");
  const auto start = size_;
  append(value);
  for (auto i = start; i < size_; ++i) {
    if (static_cast<unsigned char>(buffer_[i]) < 0x20) buffer_[i] = ' ';
  }
  append("\n");
}

void RecordWriter::add(std::string_view name, std::int64_t value) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  add(name, std::string_view(digits, static_cast<std::size_t>(end - digits)));
}

bool next_value(std::string_view record, std::string_view name, std::size_t& position, std::string_view& value) {
  while (position < record.size()) {
    const auto end = record.find('\n', position);
    const auto line = record.substr(position, end == std::string_view::npos ? end : end - position);
    position = end == std::string_view::npos ? record.size() : end + 1;
    if (line.size() > name.size() && line.starts_with(name) && line[name.size()] == '=') {
      value = line.substr(name.size() + 1);
      return true;
    }
  }
  return false;
}

std::string_view find_text(std::string_view record, std::string_view name) {
  std::size_t position = 0;
  std::string_view value;
  return next_value(record, name, position, value) ? value : std::string_view();
}

std::int64_t find_number(std::string_view record, std::string_view name, std::int64_t fallback) {
  const auto text = find_text(record, name);
  std::int64_t value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) return fallback;
  return value;
}

std::int64_t read_small_file(int folder_fd, const char* name, char* buffer, std::size_t capacity) {
  const int fd = ::openat(folder_fd, name, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  std::size_t size = 0;
  while (size < capacity) {
    const auto n = ::read(fd, buffer + size, capacity - size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      const int error = errno;
      ::close(fd);
      errno = error;
      return -1;
    }
    if (n == 0) break;
    size += static_cast<std::size_t>(n);
  }
  ::close(fd);
  return static_cast<std::int64_t>(size);
}

int replace_small_file(int folder_fd, const char* name, std::string_view content, Durability durability) {
  char beside[64];
  std::snprintf(beside, sizeof beside, ".%s.new", name);
  if (const int error = write_beside(folder_fd, beside, content, durability); error != 0) {
    ::unlinkat(folder_fd, beside, 0);
    return error;
  }
  if (::renameat(folder_fd, beside, folder_fd, name) != 0) return errno;
  if (durability == Durability::kPageCache) return 0;
  // AT_FDCWD is no descriptor, and a folder opened with O_PATH can't be synced.
  const int folder = ::openat(folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return errno;
  const int error = ::fsync(folder) == 0 ? 0 : errno;
  ::close(folder);
  return error;
}

}  // namespace orchion::node::shim
