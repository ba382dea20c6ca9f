#include "base/file.h"

#include <cerrno>

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/write_all.h"

namespace orchion::base {

namespace {

enum class Durability { kPageCache, kDisk };

Result<> sync_folder(const std::filesystem::path& folder) {
  UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || ::fsync(fd.get()) != 0) return fail_errno(errno, fmt::format("cannot sync folder {}", folder.string()));
  return {};
}

Result<> replace_file(const std::filesystem::path& path, std::string_view content, int mode, Durability durability) {
  std::string beside = path.string() + ".XXXXXX";
  UniqueFd fd(::mkostemp(beside.data(), O_CLOEXEC));
  if (!fd) return fail_errno(errno, fmt::format("cannot create {}", path.string()));
  auto write_beside = [&]() -> Result<> {
    if (::fchmod(fd.get(), static_cast<mode_t>(mode)) != 0)
      return fail_errno(errno, fmt::format("cannot set the mode of {}", beside));
    RETURN_IF_ERROR(write_all(fd.get(), content, fmt::format("cannot write {}", beside)));
    if (durability == Durability::kDisk && ::fsync(fd.get()) != 0)
      return fail_errno(errno, fmt::format("cannot sync {}", beside));
    if (::rename(beside.c_str(), path.c_str()) != 0)
      return fail_errno(errno, fmt::format("cannot replace {}", path.string()));
    return {};
  };
  if (auto written = write_beside(); !written) {
    ::unlink(beside.c_str());
    return written;
  }
  return durability == Durability::kDisk ? sync_folder(path.has_parent_path() ? path.parent_path() : ".") : Result<>{};
}

}  // namespace

void UniqueFd::reset(int fd) {
  if (fd_ >= 0) ::close(fd_);
  fd_ = fd;
}

Result<std::string> read_file(const std::filesystem::path& path, std::size_t bytes_max) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return fail_errno(errno, fmt::format("cannot open {}", path.string()));
  std::string content;
  char buffer[65536];
  while (true) {
    const auto n = ::read(fd.get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno(errno, fmt::format("cannot read {}", path.string()));
    if (n == 0) return content;
    if (content.size() + static_cast<std::size_t>(n) > bytes_max)
      return fail(Code::kResourceExhausted, fmt::format("{} is larger than {} bytes", path.string(), bytes_max));
    content.append(buffer, static_cast<std::size_t>(n));
  }
}

Result<> write_file_durably(const std::filesystem::path& path, std::string_view content, int mode) {
  return replace_file(path, content, mode, Durability::kDisk);
}

Result<> write_file(const std::filesystem::path& path, std::string_view content, int mode) {
  return replace_file(path, content, mode, Durability::kPageCache);
}

Result<> make_folders(const std::filesystem::path& path, int mode) {
  std::filesystem::path so_far;
  for (const auto& part : path) {
    so_far /= part;
    if (::mkdir(so_far.c_str(), static_cast<mode_t>(mode)) != 0 && errno != EEXIST && errno != EROFS && errno != EACCES)
      return fail_errno(errno, fmt::format("cannot create folder {}", so_far.string()));
  }
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) return fail_errno(errno, fmt::format("cannot create folder {}", path.string()));
  if (!S_ISDIR(info.st_mode)) return fail(Code::kFailedPrecondition, fmt::format("{} is not a folder", path.string()));
  return {};
}

Result<> remove_tree(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::remove_all(path, error);
  if (error) return fail_errno(error.value(), fmt::format("cannot remove {}", path.string()));
  return {};
}

}  // namespace orchion::base
