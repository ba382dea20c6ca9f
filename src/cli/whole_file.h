#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "base/file.h"

namespace orchion::cli {

// Where a command writes bytes. A file has its name when it is whole, and not before; "-" is standard output.
class WholeFile {
 public:
  // `what` begins a sentence: "an archive". kInvalidArgument: standard output is a terminal.
  static base::Result<WholeFile> open(const std::string& file, const std::string& what, int mode = 0644);
  WholeFile(WholeFile&&) = default;
  WholeFile& operator=(WholeFile&&) = delete;
  ~WholeFile();

  base::Result<> write(std::string_view bytes) const;
  base::Result<> finish();

 private:
  WholeFile(std::string file, std::string temp, base::UniqueFd fd)
      : file_(std::move(file)), temp_(std::move(temp)), fd_(std::move(fd)) {}

  std::string file_;
  std::string temp_;  // empty: standard output
  base::UniqueFd fd_;
};

}  // namespace orchion::cli
