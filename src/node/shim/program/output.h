#pragma once

#include <cstdint>

#include "node/shim/input_pipe.h"
#include "node/shim/program/child.h"
#include "node/shim/program/settings.h"
#include "node/shim/segment_writer.h"

namespace orchion::node::shim {

// The container's standard streams as the shim holds them: two pipes, or a terminal.
class Output {
 public:
  explicit Output(std::uint16_t attempt) : attempt_(attempt) {}

  // Makes the streams and the log; 0, or an errno.
  int open(const Settings& settings);

  // The log for streams that are another's: `out` and `error` (−1: none) are taken over. 0, or an errno.
  int open_log(const Settings& settings, int out, int error);

  // Keeps the input open whose fifos are in the working folder. 0, or an errno.
  int hold_input();

  // Writes until all streams have ended.
  void carry_to_the_end();

  // For the runtime binary, which hands them on; it gets the terminal's socket by name instead.
  // A program of the node itself gets the terminal.
  ChildStreams child_streams() const { return child_; }

  // After the runtime binary has ended: gives up the child's ends, takes the terminal. False: no terminal came.
  bool take_over();

  // What poll should wait for: −1 where a stream has ended.
  int out() const { return out_; }
  int error() const { return error_; }
  int input_end() const { return input_.end; }

  // Nobody will have input any more.
  void end_input() { input_.close(); }

  // Writes what has arrived on that stream to the log.
  void drain_out() { drain(out_, logs::OutputStream::kOut); }
  void drain_error() { drain(error_, logs::OutputStream::kError); }

  // Once the container is dead: all that is still underway.
  void drain_rest();

 private:
  void drain(int& fd, logs::OutputStream stream);
  bool drain_once(int& fd, logs::OutputStream stream);
  int open_pipes(bool stdin_open);
  int open_console();
  int open_own_terminal();

  std::uint16_t attempt_;
  SegmentWriter log_;
  ChildStreams child_;
  InputHolder input_;  // keeps an open standard input open
  int out_ = -1;
  int error_ = -1;
  int listener_ = -1;
  int terminal_held_ = -1;  // keeps the terminal from hanging up while the container reopens it
};

}  // namespace orchion::node::shim
