#include "daemon/folders.h"

#include <cerrno>

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/random.h"
#include "daemon/rootless.h"

namespace orchion::daemon {

namespace {

std::string trimmed(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text;
}

}  // namespace

std::filesystem::path Folders::run(const std::string& short_id) const {
  return is_rootless() ? rootless_run() : std::filesystem::path("/run/orchion-" + short_id);
}

base::Result<> prepare_data_folder(const std::filesystem::path& data) {
  RETURN_IF_ERROR(base::make_folders(data));
  struct stat info{};
  if (::stat(data.c_str(), &info) != 0) return base::fail_errno(errno, "cannot look at " + data.string());
  if ((info.st_mode & 0077) != 0)
    return base::fail(base::Code::kFailedPrecondition,
                      fmt::format("others may enter the data folder {0}: `chmod 700 {0}`, or use another with --data",
                                  data.string()));
  return {};
}

base::Result<base::UniqueFd> lock_data_folder(const Folders& folders, const std::string& what) {
  const auto path = folders.lock();
  base::UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd) return base::fail_errno(errno, "cannot open " + path.string());
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    const auto pid = base::read_file(path);
    return base::fail(base::Code::kFailedPrecondition,
                      fmt::format("{} already runs on {} (pid {}): use that one, or another folder with --data", what,
                                  folders.data.string(), trimmed(pid.value_or("unknown"))));
  }
  const auto text = fmt::format("{}\n", ::getpid());
  if (::ftruncate(fd.get(), 0) != 0 || ::pwrite(fd.get(), text.data(), text.size(), 0) < 0)
    return base::fail_errno(errno, "cannot write " + path.string());
  return fd;
}

base::Result<std::string> cluster_id(const std::filesystem::path& data) {
  const auto path = data / "cluster-id";
  if (auto known = base::read_file(path)) return trimmed(*known);
  auto random = base::Random::from_system();
  auto id = base::new_uid(random);
  RETURN_IF_ERROR(base::write_file_durably(path, id + "\n"));
  return id;
}

std::string short_id(const std::string& cluster_id) {
  return cluster_id.substr(0, 6);
}

}  // namespace orchion::daemon
