#include "daemon/loop_thread.h"

#include <csignal>

namespace orchion::daemon {

namespace {

sigset_t end_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  return set;
}

}  // namespace

EndSignals::EndSignals() {
  const auto set = end_signals();
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
}

void EndSignals::wait() {
  const auto set = end_signals();
  int number = 0;
  while (::sigwait(&set, &number) != 0) {
  }
}

bool EndSignals::pending() {
  sigset_t come;
  ::sigpending(&come);
  return ::sigismember(&come, SIGTERM) == 1 || ::sigismember(&come, SIGINT) == 1;
}

}  // namespace orchion::daemon
