#pragma once

// A container's standard input that stays open while nobody is attached, and outlives the agent: a fifo in a folder,
// which a process of ours keeps open for writing until it is told, by a byte in a second fifo, that it ends for good.
// Whoever has input opens the first, writes, and closes it. No allocation, so that the shim can use it.

namespace orchion::node::shim {

constexpr char kInputFifo[] = "input";         // readable for all: a container's user opens it, where it can see it
constexpr char kInputEndFifo[] = "input.end";  // not for containers

// Anew, in place of an earlier attempt's. 0, or an errno.
int make_input_fifos(int folder);

// One end of the fifo that a process of ours holds.
struct InputHolder {
  int held = -1;    // keeps it open
  int reader = -1;  // the container's end, for who hands it on: blocking
  int end = -1;     // to be polled for reading: the time to end() has come; −1 once it has

  // The fifos in `folder` are there. Blocks for nobody. 0, or an errno.
  int open(int folder);

  // Lets go: the container sees the end once it has read what is written.
  void close();
};

}  // namespace orchion::node::shim
