#include "cli/whole_file.h"

#include <cerrno>

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include "base/random.h"
#include "base/write_all.h"

namespace orchion::cli {

base::Result<WholeFile> WholeFile::open(const std::string& file, const std::string& what, int mode) {
  if (file == "-" && ::isatty(STDOUT_FILENO) != 0)
    return base::fail(base::Code::kInvalidArgument,
                      fmt::format("{} is nothing for a terminal: name a file with -o, or send it into a pipe", what));
  if (file == "-") return WholeFile("", "", base::UniqueFd(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0)));
  const auto temp = fmt::format("{}.{}", file, base::Random::from_system().text(10));
  base::UniqueFd fd(::open(temp.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  if (!fd) return base::fail_errno(errno, "cannot write " + file);
  return WholeFile(file, temp, std::move(fd));
}

WholeFile::~WholeFile() {
  if (fd_ && !temp_.empty()) ::unlink(temp_.c_str());
}

base::Result<> WholeFile::write(std::string_view bytes) const {
  return base::write_all(fd_.get(), bytes, "cannot write " + (file_.empty() ? "to standard output" : file_));
}

base::Result<> WholeFile::finish() {
  if (!temp_.empty()) {
    if (::fsync(fd_.get()) != 0 || ::rename(temp_.c_str(), file_.c_str()) != 0)
      return base::fail_errno(errno, "cannot write " + file_);
  }
  fd_.reset();
  return {};
}

}  // namespace orchion::cli
