#include "node/shim/program/report.h"

#include <cstdio>
#include <cstring>

#include <fcntl.h>
#include <sys/socket.h>

#include "node/shim/bundle.h"
#include "node/shim/record.h"

namespace orchion::node::shim {

void report(std::string_view text) {
  while (!text.empty()) {
    const auto n = ::send(kReportFd, text.data(), text.size(), MSG_NOSIGNAL);
    if (n <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
}

void report_failure(const char* action, int error_number) {
  char message[512];
  std::snprintf(message, sizeof message, "%s%s: %s", kReportError, action, std::strerror(error_number));
  report(message);
}

void report_runtime_log(const char* log_file) {
  char text[16384];
  const auto size = read_small_file(AT_FDCWD, log_file, text, sizeof text);
  std::string_view log(text, size < 0 ? 0 : static_cast<std::size_t>(size));
  while (log.ends_with('\n')) log.remove_suffix(1);
  const auto before = log.rfind('\n');
  report(kReportRuntime);
  report(before == std::string_view::npos ? log : log.substr(before + 1));
}

}  // namespace orchion::node::shim
