#include "node/shim/program/terminal.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace orchion::node::shim {

Terminal open_terminal() {
  Terminal terminal;
  terminal.near = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (terminal.near < 0) return {};
  if (::unlockpt(terminal.near) == 0) terminal.far = ::ioctl(terminal.near, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (terminal.far >= 0) return terminal;
  const int error = errno;
  ::close(terminal.near);
  errno = error;
  return {};
}

void set_terminal_size(int near, std::uint16_t columns, std::uint16_t rows) {
  const winsize size{rows, columns, 0, 0};
  ::ioctl(near, TIOCSWINSZ, &size);
}

int send_terminal(int near, const char* socket) {
  const int connection = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connection < 0) return errno;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::snprintf(address.sun_path, sizeof address.sun_path, "%s", socket);
  char byte = 0;
  iovec data{&byte, sizeof byte};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(header), &near, sizeof near);
  const bool sent = ::connect(connection, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
                    ::sendmsg(connection, &message, MSG_NOSIGNAL) == 1;
  const int error = sent ? 0 : errno;
  ::close(connection);
  return error;
}

}  // namespace orchion::node::shim
