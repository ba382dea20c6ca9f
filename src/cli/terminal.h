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

}  // namespace orchion::cli
