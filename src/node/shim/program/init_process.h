#pragma once

namespace orchion::node::shim {

// The first process of a container that asked for an init: runs the program as its child, passes signals on to it,
// waits for orphans too, and ends as the program does. Returns the exit status: 128 + signal where one ended it, 127 or
// 126 where it couldn't begin.
int run_init(char** arguments);

// Becomes the program in `arguments` with a standard input that never ends and has nothing in it: the program itself
// holds the other end.
int hold_input(char** arguments);

}  // namespace orchion::node::shim
