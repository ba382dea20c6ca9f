#pragma once

#include <sys/types.h>

namespace orchion::node::shim {

// Standard streams of a child; −1: /dev/null.
struct ChildStreams {
  int in = -1;
  int out = -1;
  int error = -1;
};

// Blocks SIGCHLD and takes the signals that would end the shim out of play.
void guard_signals();

// Forks and executes with the signals as they were before guard_signals(). The child's other descriptors must be
// close-on-exec. −1 and errno where there was no fork; 127 is the child's exit code where the program would not run.
// `program`, where it is an open file, is executed in place of what the first argument names.
pid_t start_child(char* const* arguments, ChildStreams streams, int program);

// As the signals were before guard_signals(). In the child.
void restore_signals();

// The exit code of a wait status: 128 + signal where a signal ended it.
int exit_code(int wait_status);

// Takes leave of every child, waiting for those that are still dying. What dies unseen in a container's pid namespace
// would keep the namespace, and so the container, from ending.
void reap_children();

// The pid in a pid file of the working folder; 0 where there is none.
pid_t read_pid_file(const char* name);

}  // namespace orchion::node::shim
