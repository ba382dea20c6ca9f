// orchion-shim run ATTEMPT NAME           in a bundle; the name is for whoever lists processes
// orchion-shim exec BUNDLE 0|1 NAME       in a folder with process.json; 1: with a terminal
// orchion-shim init PROGRAM ARGUMENT…     in a container, as its first process
// orchion-shim hold PROGRAM ARGUMENT…     in a container, before its first process; or "hold init PROGRAM …"
// orchion-shim stay                       keeps the namespaces that it was started in
// orchion-shim try-users FIRST COUNT BIND…  whether a container could have these users of its own
// orchion-shim own-sysctls BUNDLE         a hook, for a container with users of its own
// orchion-shim log ATTEMPT:BUNDLE         containerd's logger of a container

#include <csignal>
#include <cstdlib>
#include <string_view>

#include <fcntl.h>
#include <unistd.h>

#include "node/shim/bundle.h"
#include "node/shim/program/exec_process.h"
#include "node/shim/program/init_process.h"
#include "node/shim/program/log_output.h"
#include "node/shim/program/own_users.h"
#include "node/shim/program/run_container.h"

namespace {

// Not for children. One that wasn't handed over is occupied all the same: its number must not become another's.
void keep_for_us(int fd) {
  if (::fcntl(fd, F_SETFD, FD_CLOEXEC) == 0) return;
  const int nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (nothing < 0 || nothing == fd) return;
  ::dup3(nothing, fd, O_CLOEXEC);
  ::close(nothing);
}

// Who is done with it kills it.
int stay() {
  ::close_range(0, ~0u, 0);
  for (const int signal : {SIGHUP, SIGINT, SIGTERM}) ::signal(signal, SIG_IGN);
  while (true) ::pause();
}

}  // namespace

int main(int argc, char** argv) {
  using namespace orchion::node::shim;
  const std::string_view mode = argc > 1 ? argv[1] : "";
  if (mode == "init" && argc > 2) return run_init(argv + 2);
  if (mode == "hold" && argc > 2) return take_held_input(argv + 2);
  if (mode == "log" && argc == 3) return log_output(argv[2]);
  if (mode == "stay") return stay();
  if (mode == "own-sysctls" && argc == 3) return set_own_sysctls(argv[2]);
  if (mode == "try-users") return try_users(argc - 2, argv + 2);
  ::close_range(kProgramFd + 1, ~0u, 0);
  for (const int fd : {kReportFd, kLockFd, kProgramFd}) keep_for_us(fd);
  if (mode == "run" && argc == 4) return run_container(static_cast<std::uint16_t>(std::atoi(argv[2])));
  if (mode == "exec" && argc == 5) return exec_process(argv[2], argv[3][0] == '1');
  constexpr std::string_view kUsage = "orchion starts this program itself; see src/node/shim/README.md\n";
  return ::write(STDERR_FILENO, kUsage.data(), kUsage.size()) < 0 ? 2 : 2;
}
