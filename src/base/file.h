#pragma once

// Files, with errors as values. All calls block.

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"

namespace orchion::base {

// Owns a file descriptor.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) reset(std::exchange(other.fd_, -1));
    return *this;
  }
  ~UniqueFd() { reset(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }
  void reset(int fd = -1);

 private:
  int fd_ = -1;
};

// At most `bytes_max`; a larger file is kResourceExhausted, a missing one kNotFound.
Result<std::string> read_file(const std::filesystem::path& path, std::size_t bytes_max = 64u << 20);

// Readers see the old content or the new, and after a return the new survives a power cut: written beside,
// fsynced, renamed, folder fsynced.
Result<> write_file_durably(const std::filesystem::path& path, std::string_view content, int mode = 0600);

// The same without the fsyncs: whole or old for readers, possibly lost in a power cut.
Result<> write_file(const std::filesystem::path& path, std::string_view content, int mode = 0600);

// Creates missing parents too, each with `mode`.
Result<> make_folders(const std::filesystem::path& path, int mode = 0700);

// Removes a file or a whole tree; nothing there is no error. Never follows a symbolic link.
Result<> remove_tree(const std::filesystem::path& path);

}  // namespace orchion::base
