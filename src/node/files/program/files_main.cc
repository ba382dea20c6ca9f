// Copies files from or into a container; see this folder's README.

#include <cerrno>
#include <charconv>
#include <csignal>
#include <span>
#include <string_view>

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include "node/files/program/container_root.h"
#include "tar/pack.h"
#include "tar/unpack.h"

namespace orchion::node::files {

namespace {

using base::Code;
using base::Result;

constexpr int kPidfd = 3;

std::string absolute(const ContainerRoot& container, std::string_view path) {
  if (path.starts_with('/')) return std::string(path);
  return container.working_folder + "/" + std::string(path);
}

// "/etc/" and "/etc/." are what a link there leads to: a folder.
bool means_folder(std::string_view path) {
  return path.ends_with('/') || path == "." || path.ends_with("/.");
}

Result<> copy_from(const ContainerRoot& container, std::string_view wanted, bool follow_link) {
  const auto path = tar::clean(absolute(container, wanted));
  std::uint64_t flags = O_PATH;
  if (!follow_link && !means_folder(wanted)) flags |= O_NOFOLLOW;
  if (means_folder(wanted)) flags |= O_DIRECTORY;
  const auto node = container.root.open(path, flags);
  if (!node && (errno == ENOENT || errno == ENOTDIR))
    return base::fail(Code::kNotFound, fmt::format("there is no /{} in the container", path));
  if (!node) return tar::fail_at(errno, "read", "/" + path);
  const bool content_only = path.empty() || wanted == "." || wanted.ends_with("/.");
  RETURN_IF_ERROR(tar::pack(node, content_only ? "." : tar::split(path).name, {}, STDOUT_FILENO));
  return {};
}

Result<> copy_into(const ContainerRoot& container, std::string_view wanted) {
  const auto path = tar::clean(absolute(container, wanted));
  const auto folder = container.root.open(path, O_PATH);
  struct stat info{};
  if (!folder && (errno == ENOENT || errno == ENOTDIR))
    return base::fail(Code::kNotFound, fmt::format("there is no folder /{} in the container: make it first", path));
  if (!folder || ::fstat(folder.get(), &info) != 0) return tar::fail_at(errno, "write to", "/" + path);
  if (!S_ISDIR(info.st_mode))
    return base::fail(Code::kFailedPrecondition, fmt::format("/{} is no folder in the container", path));
  const tar::Place place{"/" + path, {}};
  const auto here = [&place](const std::string&, bool) -> Result<tar::Place> { return place; };
  RETURN_IF_ERROR(tar::unpack(STDIN_FILENO, container.root, here, {.as_archived = true}));
  return {};
}

Result<> run(std::span<char*> arguments) {
  pid_t pid = 0;
  const std::string_view number(arguments.size() > 3 ? arguments[2] : "");
  if (std::from_chars(number.data(), number.data() + number.size(), pid).ec != std::errc())
    return base::fail(Code::kInvalidArgument, "usage: orchion-files from|into PID PATH [follow]");
  ASSIGN_OR_RETURN(const auto container, enter_container(pid, kPidfd));
  if (arguments[1] == std::string_view("into")) return copy_into(container, arguments[3]);
  return copy_from(container, arguments[3], arguments.size() > 4);
}

}  // namespace

}  // namespace orchion::node::files

int main(int count, char** arguments) {
  // Modes are the archive's.
  ::umask(0);
  const auto done = orchion::node::files::run({arguments, static_cast<std::size_t>(count)});
  if (done) return 0;
  const auto line = fmt::format("{} {}\n", static_cast<int>(done.error().code), done.error().message);
  (void)!::write(STDERR_FILENO, line.data(), line.size());
  return 1;
}
