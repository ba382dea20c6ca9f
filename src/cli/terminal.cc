#include "cli/terminal.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace orchion::cli {

RawTerminal::RawTerminal() {
  termios now{};
  if (::tcgetattr(STDIN_FILENO, &now) != 0) return;
  before_ = now;
  ::cfmakeraw(&now);
  ::tcsetattr(STDIN_FILENO, TCSANOW, &now);
}

RawTerminal::~RawTerminal() {
  if (before_) ::tcsetattr(STDIN_FILENO, TCSANOW, &*before_);
}

v1::TerminalSize terminal_size() {
  v1::TerminalSize size;
  winsize window{};
  const bool known = ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 0;
  size.set_columns(known ? window.ws_col : 80);
  size.set_rows(known ? window.ws_row : 24);
  return size;
}

int open_own_input() {
  const int fd = ::open("/proc/self/fd/0", O_RDONLY | O_CLOEXEC | O_NOCTTY);
  return fd >= 0 ? fd : ::dup(STDIN_FILENO);
}

}  // namespace orchion::cli
