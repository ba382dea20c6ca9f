#include "daemon/folders.h"

#include <cerrno>

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/random.h"
#include "base/read_line.h"
#include "daemon/rootless.h"

namespace orchion::daemon {

namespace {

constexpr std::size_t kServerIdCharacters = 10;

// Random, made at first use and kept in this file. Of a file that can't be read nobody may make another.
base::Result<std::string> kept_id(const std::filesystem::path& file, std::string (*make)(base::Random&)) {
  auto known = base::read_line(file);
  if (known || known.error().code != base::Code::kNotFound) return known;
  auto random = base::Random::from_system();
  auto id = make(random);
  RETURN_IF_ERROR(base::write_file_durably(file, id + "\n"));
  return id;
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
    const auto pid = base::read_line(path);
    return base::fail(base::Code::kFailedPrecondition,
                      fmt::format("{} already runs on {} (pid {}): use that one, or another folder with --data", what,
                                  folders.data.string(), pid.value_or("unknown")));
  }
  const auto text = fmt::format("{}\n", ::getpid());
  if (::ftruncate(fd.get(), 0) != 0 || ::pwrite(fd.get(), text.data(), text.size(), 0) < 0)
    return base::fail_errno(errno, "cannot write " + path.string());
  return fd;
}

base::Result<std::string> cluster_id(const std::filesystem::path& data) {
  return kept_id(data / "cluster-id", base::new_uid);
}

base::Result<std::string> server_id(const std::filesystem::path& data) {
  return kept_id(data / "server-id", [](base::Random& random) { return random.text(kServerIdCharacters); });
}

std::string short_id(const std::string& cluster_id) {
  return cluster_id.substr(0, 6);
}

}  // namespace orchion::daemon
