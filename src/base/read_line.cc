#include "base/read_line.h"

#include "base/file.h"

namespace orchion::base {

Result<std::string> read_line(const std::filesystem::path& path, std::size_t bytes_max) {
  ASSIGN_OR_RETURN(auto text, read_file(path, bytes_max));
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) text.pop_back();
  return text;
}

}  // namespace orchion::base
