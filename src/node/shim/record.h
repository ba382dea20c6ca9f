#pragma once

// Small files of "name=value" lines. No allocation, so that the shim can use it.

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace orchion::node::shim {

// Builds a record in place. What doesn't fit is an error that ok() tells.
class RecordWriter {
 public:
  void add(std::string_view name, std::string_view value);  // control bytes in `value` become spaces
  void add(std::string_view name, std::int64_t value);

  std::string_view text() const { return {buffer_, size_}; }
  bool ok() const { return !overflowed_; }

 private:
  void append(std::string_view text);

  char buffer_[16384];
  std::size_t size_ = 0;
  bool overflowed_ = false;
};

// Walks over every value of `name`: begin with position 0; false after the last.
bool next_value(std::string_view record, std::string_view name, std::size_t& position, std::string_view& value);

// The first value; empty where there is none.
std::string_view find_text(std::string_view record, std::string_view name);

// The same as a number; `fallback` where there is none or it isn't one.
std::int64_t find_number(std::string_view record, std::string_view name, std::int64_t fallback);

// Reads at most `capacity` bytes of a file of folder `folder_fd`; −1 and errno where that fails.
std::int64_t read_small_file(int folder_fd, const char* name, char* buffer, std::size_t capacity);

// Whether a power cut may lose the file.
enum class Durability { kPageCache, kDisk };

// Replaces the file whole: readers see old or new. 0, or an errno.
int replace_small_file(int folder_fd, const char* name, std::string_view content, Durability durability);

}  // namespace orchion::node::shim
