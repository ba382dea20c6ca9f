#include "node/shim/program/output.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "node/shim/bundle.h"
#include "node/shim/program/terminal.h"

namespace orchion::node::shim {

namespace {

// Between a pipe's page and its capacity: one copy of it is private memory of every shim.
char read_buffer[32 << 10];

std::int64_t now_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

void close_fd(int& fd) {
  if (fd >= 0) ::close(fd);
  fd = -1;
}

// The descriptor that the runtime binary sent; −1 where none came.
int receive_descriptor(int connection) {
  char byte[256];
  iovec data{byte, sizeof byte};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  if (::recvmsg(connection, &message, MSG_CMSG_CLOEXEC) < 0) return -1;
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header == nullptr || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) return -1;
  int fd = -1;
  std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
  return fd;
}

}  // namespace

int Output::open(const Settings& settings) {
  if (const int error = log_.open(settings.log_folder, settings.log_bytes_max); error != 0) return error;
  if (!settings.tty) return open_pipes(settings.stdin_open);
  return settings.is_program ? open_own_terminal() : open_console();
}

int Output::open_log(const Settings& settings, int out, int error) {
  out_ = out;
  error_ = error;
  for (const int fd : {out_, error_}) {
    if (fd >= 0) ::fcntl(fd, F_SETFL, O_NONBLOCK);
  }
  return log_.open(settings.log_folder, settings.log_bytes_max);
}

int Output::hold_input() {
  const int error = input_.open(AT_FDCWD);
  close_fd(input_.reader);
  return error;
}

void Output::carry_to_the_end() {
  while (out_ >= 0 || error_ >= 0) {
    pollfd fds[] = {{out_, POLLIN, 0}, {error_, POLLIN, 0}, {input_.end, POLLIN, 0}};
    if (::poll(fds, 3, -1) < 0) continue;
    if (fds[0].revents != 0) drain_out();
    if (fds[1].revents != 0) drain_error();
    if (fds[2].revents != 0) end_input();
  }
}

int Output::open_pipes(bool stdin_open) {
  int out[2];
  int error[2];
  if (::pipe2(out, O_CLOEXEC) != 0 || ::pipe2(error, O_CLOEXEC) != 0) return errno;
  out_ = out[0];
  error_ = error[0];
  child_.out = out[1];
  child_.error = error[1];
  ::fcntl(out_, F_SETFL, O_NONBLOCK);
  ::fcntl(error_, F_SETFL, O_NONBLOCK);
  if (!stdin_open) return 0;
  if (const int failed = make_input_fifos(AT_FDCWD); failed != 0) return failed;
  if (const int failed = input_.open(AT_FDCWD); failed != 0) return failed;
  child_.in = input_.reader;
  input_.reader = -1;
  return 0;
}

int Output::open_console() {
  ::unlink(kConsoleSocket);
  listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::snprintf(address.sun_path, sizeof address.sun_path, "%s", kConsoleSocket);
  if (listener_ < 0 || ::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener_, 1) != 0)
    return errno;
  return 0;
}

int Output::open_own_terminal() {
  const auto terminal = open_terminal();
  if (terminal.near < 0) return errno;
  out_ = terminal.near;
  terminal_held_ = terminal.far;
  child_.in = ::fcntl(terminal.far, F_DUPFD_CLOEXEC, 0);
  child_.out = ::fcntl(terminal.far, F_DUPFD_CLOEXEC, 0);
  child_.error = ::fcntl(terminal.far, F_DUPFD_CLOEXEC, 0);
  ::fcntl(out_, F_SETFL, O_NONBLOCK);
  return 0;
}

bool Output::take_over() {
  close_fd(child_.in);
  close_fd(child_.out);
  close_fd(child_.error);
  if (listener_ < 0) return true;
  int connection = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
  close_fd(listener_);
  ::unlink(kConsoleSocket);
  if (connection < 0) return false;
  out_ = receive_descriptor(connection);
  close_fd(connection);
  if (out_ < 0) return false;
  ::fcntl(out_, F_SETFL, O_NONBLOCK);
  terminal_held_ = ::ioctl(out_, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  return true;
}

// False when there is nothing more now.
bool Output::drain_once(int& fd, logs::OutputStream stream) {
  const auto n = ::read(fd, read_buffer, sizeof read_buffer);
  if (n > 0) {
    log_.append(stream, attempt_, now_ns(), {read_buffer, static_cast<std::size_t>(n)});
    return true;
  }
  if (n < 0 && errno == EINTR) return true;
  if (n < 0 && errno == EAGAIN) return false;
  close_fd(fd);  // the end; a terminal says it by EIO
  return false;
}

void Output::drain(int& fd, logs::OutputStream stream) {
  if (fd >= 0) drain_once(fd, stream);
}

void Output::drain_rest() {
  while (out_ >= 0 && drain_once(out_, logs::OutputStream::kOut)) {
  }
  while (error_ >= 0 && drain_once(error_, logs::OutputStream::kError)) {
  }
}

}  // namespace orchion::node::shim
