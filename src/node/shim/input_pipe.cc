#include "node/shim/input_pipe.h"

#include <cerrno>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace orchion::node::shim {

namespace {

int make_fifo(int folder, const char* name, mode_t mode) {
  if (::unlinkat(folder, name, 0) != 0 && errno != ENOENT) return errno;
  // The mode apart, whatever the umask is.
  return ::mkfifoat(folder, name, mode) == 0 && ::fchmodat(folder, name, mode, 0) == 0 ? 0 : errno;
}

void close_fd(int& fd) {
  if (fd >= 0) ::close(fd);
  fd = -1;
}

}  // namespace

int make_input_fifos(int folder) {
  const int error = make_fifo(folder, kInputFifo, 0644);
  return error != 0 ? error : make_fifo(folder, kInputEndFifo, 0600);
}

int InputHolder::open(int folder) {
  end = ::openat(folder, kInputEndFifo, O_RDWR | O_NONBLOCK | O_CLOEXEC);
  reader = ::openat(folder, kInputFifo, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  held = ::openat(folder, kInputFifo, O_WRONLY | O_CLOEXEC);
  if (end < 0 || reader < 0 || held < 0) return errno;
  return ::fcntl(reader, F_SETFL, 0) == 0 ? 0 : errno;
}

void InputHolder::close() {
  close_fd(held);
  close_fd(reader);
  close_fd(end);
}

}  // namespace orchion::node::shim
