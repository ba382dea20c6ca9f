#pragma once

namespace orchion::node::shim {

// Runs one more process in a container: the working folder holds its process.json, the streams are the caller's
// (a terminal's socket instead where `tty`). Reports its start and its exit; kills it when the caller goes away.
// Returns the shim's own exit code.
int exec_process(const char* bundle, bool tty);

}  // namespace orchion::node::shim
