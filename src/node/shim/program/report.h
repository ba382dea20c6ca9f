#pragma once

#include <string_view>

namespace orchion::node::shim {

// Answers to the runtime on the inherited socket. That nobody listens any more is no error: what happened also
// stands in the bundle.
void report(std::string_view text);

// "error\nACTION: reason of error_number"; then the start is over.
void report_failure(const char* action, int error_number);

// The last line of the runtime binary's log.
void report_runtime_log(const char* log_file);

}  // namespace orchion::node::shim
