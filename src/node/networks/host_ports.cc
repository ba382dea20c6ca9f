#include "node/networks/host_ports.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <vector>

#include <fmt/format.h>

namespace orchion::node::networks {
namespace {

namespace fs = std::filesystem;

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

std::optional<SocketAddress> socket_address(const HostPort& port) {
  SocketAddress out;
  sockaddr_in v4{};
  sockaddr_in6 v6{};
  const std::string ip = port.host_ip.empty() ? "0.0.0.0" : port.host_ip;
  if (inet_pton(AF_INET, ip.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port.port);
    std::memcpy(&out.storage, &v4, sizeof(v4));
    out.size = sizeof(v4);
  } else if (inet_pton(AF_INET6, ip.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port.port);
    std::memcpy(&out.storage, &v6, sizeof(v6));
    out.size = sizeof(v6);
  } else {
    return std::nullopt;
  }
  return out;
}

// 0, or the errno.
int bind_to(int fd, const SocketAddress& address, bool reuse) {
  const int flag = reuse ? 1 : 0;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &flag, sizeof(flag));
  return ::bind(fd, reinterpret_cast<const sockaddr*>(&address.storage), address.size) == 0 ? 0 : errno;
}

// "nginx (pid 123)" for the process that has the socket open.
std::optional<std::string> find_owner(std::uint64_t inode) {
  const std::string wanted = fmt::format("socket:[{}]", inode);
  std::error_code ignored;
  for (const auto& process : fs::directory_iterator("/proc", ignored)) {
    const std::string pid = process.path().filename();
    if (pid.find_first_not_of("0123456789") != std::string::npos) continue;
    std::error_code unreadable;
    for (const auto& open : fs::directory_iterator(process.path() / "fd", unreadable)) {
      if (fs::read_symlink(open.path(), unreadable) != wanted) continue;
      auto name = base::read_file(process.path() / "comm");
      if (!name) return fmt::format("pid {}", pid);
      while (name->ends_with('\n')) name->pop_back();
      return fmt::format("{} (pid {})", *name, pid);
    }
  }
  return std::nullopt;
}

std::string owner_of(const HostPort& port) {
  const bool v6 = port.host_ip.find(':') != std::string::npos;
  for (const char* family : {v6 ? "6" : "", v6 ? "" : "6"}) {
    const auto table = base::read_file(fmt::format("/proc/thread-self/net/{}{}", port.udp ? "udp" : "tcp", family));
    const auto inode = table ? find_socket_inode(*table, port.port) : std::nullopt;
    if (!inode) continue;
    if (auto owner = find_owner(*inode)) return *owner;
  }
  return "another program";
}

std::unexpected<base::Error> bind_error(const HostPort& port, int error) {
  switch (error) {
    case EADDRINUSE:
      return base::fail(base::Code::kFailedPrecondition,
                        fmt::format("port {} is taken on this machine by {}: publish another one, or stop it",
                                    to_string(port), owner_of(port)));
    case EADDRNOTAVAIL:
      if (port.host_ip == "::1") return base::fail(base::Code::kUnimplemented, "IPv6 is off on this machine");
      return base::fail(base::Code::kFailedPrecondition,
                        fmt::format("port {} can't be published: {} is not an address of this machine, publish on "
                                    "one that is",
                                    to_string(port), port.host_ip));
    case EACCES:
      return base::fail(
          base::Code::kPermissionDenied,
          fmt::format("port {} can't be published without root: publish one from 1024 on", to_string(port)));
    default: return base::fail_errno(error, fmt::format("publishing port {}", to_string(port)));
  }
}

std::vector<std::string_view> fields_of(std::string_view line) {
  std::vector<std::string_view> fields;
  while (true) {
    const auto start = line.find_first_not_of(' ');
    if (start == std::string_view::npos) return fields;
    line.remove_prefix(start);
    const auto end = std::min(line.find(' '), line.size());
    fields.push_back(line.substr(0, end));
    line.remove_prefix(end);
  }
}

template <class T>
std::optional<T> number(std::string_view text, int base) {
  T out{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out, base);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return out;
}

}  // namespace

std::string to_string(const HostPort& port) {
  const char* protocol = port.udp ? "udp" : "tcp";
  if (port.host_ip.empty()) return fmt::format("{}/{}", port.port, protocol);
  const bool v6 = port.host_ip.find(':') != std::string::npos;
  return fmt::format("{}{}{}:{}/{}", v6 ? "[" : "", port.host_ip, v6 ? "]" : "", port.port, protocol);
}

base::Result<base::UniqueFd> hold_port(const HostPort& port) {
  const auto address = socket_address(port);
  if (!address) {
    return base::fail(base::Code::kInvalidArgument,
                      fmt::format("\"{}\" is not an address that a port can be published on", port.host_ip));
  }
  const int type = (port.udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC | SOCK_NONBLOCK;
  base::UniqueFd fd(::socket(address->storage.ss_family, type, 0));
  if (!fd && errno == EAFNOSUPPORT) return base::fail(base::Code::kUnimplemented, "this machine has no IPv6");
  if (!fd) return base::fail_errno(errno, "opening a socket");
  if (address->storage.ss_family == AF_INET6) {
    const int on = 1;
    ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
  }
  int error = bind_to(fd.get(), *address, false);
  // Connections that linger after a server's end hold its port too; reuse passes over them, never over a listener.
  // Taken back afterwards, it keeps out others that would reuse ours.
  if (error == EADDRINUSE && !port.udp) error = bind_to(fd.get(), *address, true);
  if (error != 0) return bind_error(port, error);
  const int off = 0;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &off, sizeof(off));
  return fd;
}

std::optional<std::uint64_t> find_socket_inode(std::string_view proc_net, std::uint16_t port) {
  constexpr std::string_view kListening = "0A";
  std::optional<std::uint64_t> found;
  while (!proc_net.empty()) {
    const auto end = std::min(proc_net.find('\n'), proc_net.size());
    const auto fields = fields_of(proc_net.substr(0, end));
    proc_net.remove_prefix(std::min(end + 1, proc_net.size()));
    // "sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode …"
    if (fields.size() < 10 || number<std::uint16_t>(fields[1].substr(fields[1].rfind(':') + 1), 16) != port) continue;
    const auto inode = number<std::uint64_t>(fields[9], 10);
    if (!inode || *inode == 0) continue;
    if (fields[3] == kListening) return inode;
    if (!found) found = inode;
  }
  return found;
}

}  // namespace orchion::node::networks
