#pragma once

// What a child process is given, for posix_spawn: its descriptors, and signals as a program expects to find them.

#include <cerrno>
#include <csignal>

#include <fcntl.h>
#include <spawn.h>

#include "base/file.h"

namespace orchion::base {

// Released on every path.
struct SpawnActions {
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;

  // Nothing is blocked, and SIGPIPE isn't ignored, whatever this process does.
  SpawnActions() {
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
    sigset_t signals;
    sigemptyset(&signals);
    posix_spawnattr_setsigmask(&attributes, &signals);
    sigaddset(&signals, SIGPIPE);
    posix_spawnattr_setsigdefault(&attributes, &signals);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  ~SpawnActions() {
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
  }
  SpawnActions(const SpawnActions&) = delete;
  SpawnActions& operator=(const SpawnActions&) = delete;

  // The child's descriptor `number`; −1: /dev/null.
  void stream(int number, int source) {
    if (source < 0)
      posix_spawn_file_actions_addopen(&files, number, "/dev/null", O_RDWR, 0);
    else
      posix_spawn_file_actions_adddup2(&files, source, number);
  }
};

// `fd` once more, above every number that a child's descriptor gets, so that no stream() overwrites the source of a
// later one.
inline Result<UniqueFd> move_up(int fd) {
  constexpr int kLowestSource = 10;
  UniqueFd high(::fcntl(fd, F_DUPFD_CLOEXEC, kLowestSource));
  if (!high) return fail_errno(errno, "cannot duplicate a descriptor");
  return high;
}

}  // namespace orchion::base
