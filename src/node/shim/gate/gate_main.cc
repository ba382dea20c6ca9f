// orchion-gate [input] run|init SOCKET PROGRAM ARGUMENT…
// orchion-gate hold FOLDER
//
// A container's first program, where its network can only be made once it is there. See gate.h.

#include <cerrno>
#include <cstring>
#include <ctime>
#include <string_view>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "node/shim/gate/gate.h"
#include "node/shim/input_pipe.h"
#include "node/shim/program/init_process.h"

namespace {

using namespace orchion::node::shim;

constexpr timespec kPause{0, 20'000'000};

// A connection, or -1 where there is none now.
int connect_to(const char* path) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path, sizeof address.sun_path - 1);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return fd;
  ::close(fd);
  return -1;
}

// The word, or 0 where the other side went away without one: it may come back.
char await_word(int fd) {
  char word = 0;
  ssize_t n = 0;
  do n = ::read(fd, &word, 1);
  while (n < 0 && errno == EINTR);
  return n == 1 ? word : '\0';
}

time_t now_s() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec;
}

// The connection on which it was told to go on; -1 where it is to end.
int pass(const char* path) {
  const time_t begun = now_s();
  while (now_s() - begun < kGatePatienceS) {
    const int fd = connect_to(path);
    if (fd >= 0) {
      const char word = await_word(fd);
      if (word == kGateGo) return fd;
      ::close(fd);
      if (word == kGateLeave) return -1;
    }
    ::nanosleep(&kPause, nullptr);
  }
  return -1;
}

// Whoever holds the fifo's other end does so before a start.
bool take_input() {
  const int fd = ::open(kGateInputPath, O_RDONLY | O_CLOEXEC);
  return fd >= 0 && ::dup2(fd, STDIN_FILENO) == STDIN_FILENO;
}

// Returns at once. What stays goes when it is told to: by whoever ends the input, and at the latest by the agent that
// notices the container's end.
int hold_input(const char* folder) {
  InputHolder input;
  if (::chdir(folder) != 0 || input.open(AT_FDCWD) != 0) return 1;
  ::close(input.reader);
  if (::chdir("/") != 0 || ::fork() != 0) return 0;
  ::setsid();
  ::prctl(PR_SET_NAME, "orchion-input");
  pollfd told{input.end, POLLIN, 0};
  while (::poll(&told, 1, -1) < 0 && errno == EINTR) {
  }
  return 0;
}

int run(char** arguments, int failure_fd) {
  ::execvp(arguments[0], arguments);
  const int failure = errno;
  return ::write(failure_fd, &failure, sizeof failure) == sizeof failure ? kGateExitLeft : kGateExitLeft;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 3 && std::string_view(argv[1]) == kGateHold) return hold_input(argv[2]);
  const bool takes_input = argc > 1 && std::string_view(argv[1]) == kGateInput;
  if (takes_input) {
    ++argv;
    --argc;
  }
  if (argc < 4) {
    constexpr std::string_view kUsage = "orchion starts this program itself; see src/node/shim/gate/README.md\n";
    return ::write(STDERR_FILENO, kUsage.data(), kUsage.size()) < 0 ? 2 : 2;
  }
  ::prctl(PR_SET_NAME, kGateComm);
  const int fd = pass(argv[2]);
  if (fd < 0) return kGateExitLeft;
  if (takes_input && !take_input()) return kGateExitLeft;
  if (std::string_view(argv[1]) != kGateInit) return run(argv + 3, fd);
  ::prctl(PR_SET_NAME, "orchion-init");
  return run_init(argv + 3, fd);
}
