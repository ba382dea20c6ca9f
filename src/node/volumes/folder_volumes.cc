#include "node/volumes/folder_volumes.h"

#include <algorithm>
#include <cctype>

#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

namespace orchion::node::volumes {

namespace {

constexpr std::string_view kRemoving = ".removing-";

base::Result<> check_uid(const std::string& uid) {
  const bool plain = !uid.empty() && uid.size() <= 128 && uid[0] != '.' &&
                     std::all_of(uid.begin(), uid.end(),
                                 [](unsigned char c) { return std::isalnum(c) || c == '-' || c == '_' || c == '.'; });
  if (!plain) return base::fail(base::Code::kInvalidArgument, fmt::format("\"{}\" is not the uid of a volume", uid));
  return {};
}

base::Result<std::filesystem::path> ensure_folder(const std::filesystem::path& folder, const std::string& uid) {
  RETURN_IF_ERROR(check_uid(uid));
  const auto data = folder / uid / "data";
  RETURN_IF_ERROR(base::make_folders(folder / uid));
  // The mode is set on creation only: a container may have changed its volume's root, and that is to last.
  if (::mkdir(data.c_str(), 0755) == 0) {
    if (::chmod(data.c_str(), 0755) != 0)
      return base::fail_errno(errno, fmt::format("cannot set the mode of {}", data.string()));
  } else if (errno != EEXIST) {
    return base::fail_errno(errno, fmt::format("cannot create volume folder {}", data.string()));
  }
  return data;
}

base::Result<> remove_folder(const std::filesystem::path& folder, const std::string& uid) {
  RETURN_IF_ERROR(check_uid(uid));
  const auto removing = folder / (std::string(kRemoving) + uid);
  RETURN_IF_ERROR(base::remove_tree(removing));
  if (::rename((folder / uid).c_str(), removing.c_str()) != 0) {
    if (errno == ENOENT) return {};
    return base::fail_errno(errno, fmt::format("cannot remove volume {}", uid));
  }
  return base::remove_tree(removing);
}

base::Result<std::vector<std::string>> list_folder(const std::filesystem::path& folder) {
  std::vector<std::string> uids;
  std::error_code error;
  for (std::filesystem::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (const auto name = it->path().filename().string(); name[0] != '.') uids.push_back(name);
  }
  if (error && error != std::errc::no_such_file_or_directory)
    return base::fail_errno(error.value(), fmt::format("cannot list {}", folder.string()));
  std::sort(uids.begin(), uids.end());
  return uids;
}

}  // namespace

FolderVolumes::FolderVolumes(base::WorkerPool& workers, std::filesystem::path folder)
    : workers_(workers), folder_(std::move(folder)) {}

base::Co<std::filesystem::path> FolderVolumes::ensure(std::string uid) {
  auto job = [folder = folder_, uid] { return ensure_folder(folder, uid); };
  co_return co_await workers_.run(std::move(job));
}

base::Co<> FolderVolumes::remove(std::string uid) {
  auto job = [folder = folder_, uid] { return remove_folder(folder, uid); };
  co_return co_await workers_.run(std::move(job));
}

base::Co<std::vector<std::string>> FolderVolumes::list() {
  auto job = [folder = folder_] { return list_folder(folder); };
  co_return co_await workers_.run(std::move(job));
}

base::Co<std::filesystem::path> FakeVolumes::ensure(std::string uid) {
  CO_RETURN_IF_ERROR(check_uid(uid));
  uids_.insert(uid);
  co_return folder_ / uid / "data";
}

base::Co<> FakeVolumes::remove(std::string uid) {
  CO_RETURN_IF_ERROR(check_uid(uid));
  uids_.erase(uid);
  co_return base::Result<>{};
}

base::Co<std::vector<std::string>> FakeVolumes::list() {
  co_return std::vector<std::string>(uids_.begin(), uids_.end());
}

}  // namespace orchion::node::volumes
