#include "cli/port_check.h"

#include <chrono>
#include <thread>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/file.h"

namespace orchion::cli {

namespace {

constexpr auto kPause = std::chrono::milliseconds(10);

bool connects(std::uint16_t port) {
  base::UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const timeval patience{1, 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

}  // namespace

bool takes_connections(std::uint16_t port, int times, base::Duration limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  for (int in_a_row = 0; in_a_row < times;) {
    if (connects(port)) {
      ++in_a_row;
      continue;
    }
    if (std::chrono::steady_clock::now() > deadline) return false;
    in_a_row = 0;
    std::this_thread::sleep_for(kPause);
  }
  return true;
}

}  // namespace orchion::cli
