#pragma once

#include <optional>

#include <termios.h>

#include "v1/control.pb.h"

namespace orchion::cli {

// While it lives, standard input is raw: every key goes to the other side. Nothing happens where it is no terminal.
class RawTerminal {
 public:
  RawTerminal();
  ~RawTerminal();
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;

 private:
  std::optional<termios> before_;
};

// Of standard output; 80 by 24 where it is no terminal.
v1::TerminalSize terminal_size();

// Standard input once more, as an open file of its own: Asio makes what it waits for non-blocking, and a terminal's
// input and output, and the shell's, are one open file. What can't be opened again (a socket) is shared. -1: there is
// none.
int open_own_input();

}  // namespace orchion::cli
