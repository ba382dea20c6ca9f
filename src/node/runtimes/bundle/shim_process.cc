#include "node/runtimes/bundle/shim_process.h"

#include <cerrno>
#include <csignal>

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/spawn_actions.h"
#include "node/shim/bundle.h"

namespace orchion::node::runtimes::bundle {

using base::Result;
using base::UniqueFd;

Result<UniqueFd> spawn_shim(const std::filesystem::path& program, std::vector<std::string> arguments,
                            const std::filesystem::path& folder, ShimDescriptors descriptors) {
  int sockets[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0)
    return base::fail_errno(errno, "cannot make a socket pair");
  UniqueFd ours(sockets[0]);
  const UniqueFd theirs(sockets[1]);
  ::fcntl(ours.get(), F_SETFL, O_NONBLOCK);
  ASSIGN_OR_RETURN(const auto report, base::move_up(theirs.get()));
  UniqueFd lock;
  if (descriptors.lock >= 0) {
    ASSIGN_OR_RETURN(lock, base::move_up(descriptors.lock));
  }
  UniqueFd image;
  if (descriptors.program >= 0) {
    ASSIGN_OR_RETURN(image, base::move_up(descriptors.program));
  }

  base::SpawnActions actions;
  actions.stream(STDIN_FILENO, descriptors.in);
  actions.stream(STDOUT_FILENO, descriptors.out);
  actions.stream(STDERR_FILENO, descriptors.error);
  actions.stream(shim::kReportFd, report.get());
  if (lock) actions.stream(shim::kLockFd, lock.get());
  if (image) actions.stream(shim::kProgramFd, image.get());
  posix_spawn_file_actions_addchdir_np(&actions.files, folder.c_str());

  arguments.insert(arguments.begin(), "orchion-shim");
  std::vector<char*> argv;
  for (auto& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  // Nothing of the agent's environment: the runtime binaries hand some of it on (LISTEN_FDS).
  char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  char* environment[] = {path, nullptr};
  pid_t pid = -1;
  const int spawned =
      ::posix_spawn(&pid, program.c_str(), &actions.files, &actions.attributes, argv.data(), environment);
  if (spawned != 0)
    return base::fail_errno(spawned,
                            fmt::format("cannot start {} (its folder must allow execution)", program.string()));
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  return ours;
}

}  // namespace orchion::node::runtimes::bundle
