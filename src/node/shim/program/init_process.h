#pragma once

namespace orchion::node::shim {

// The first process of a container that asked for an init: runs the program as its child, passes signals on to it,
// waits for orphans too, and ends as the program does. Returns the exit status: 128 + signal where one ended it, 127 or
// 126 where it couldn't begin.
// Why the program could not be run goes to `failure_fd` as an errno, where that is one (it is close-on-exec); else to
// standard error.
int run_init(char** arguments, int failure_fd = -1);

// Becomes the program in `arguments` with the fifo at kHeldInputPath as its standard input, whose other end another
// process has.
constexpr char kHeldInputPath[] = "/dev/orchion-input";
int take_held_input(char** arguments);

}  // namespace orchion::node::shim
