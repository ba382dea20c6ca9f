// The machine of one's own that the tests beside this file use.

#include "node/networks/network_lab.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <stdexcept>
#include <vector>

#include "base/random.h"
#include "node/networks/links.h"
#include "node/networks/namespaces.h"

namespace orchion::node::networks::lab {
namespace {

void check(bool ok, const std::string& what) {
  if (!ok) throw std::runtime_error(what + ": " + std::strerror(errno));
}

template <class T>
T value(base::Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

struct Address {
  sockaddr_storage storage{};
  socklen_t size = sizeof(sockaddr_storage);
  sockaddr* generic() { return reinterpret_cast<sockaddr*>(&storage); }
};

Address address_of(const std::string& ip, std::uint16_t port) {
  Address out;
  sockaddr_in v4{};
  sockaddr_in6 v6{};
  if (inet_pton(AF_INET, ip.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    std::memcpy(&out.storage, &v4, sizeof(v4));
    out.size = sizeof(v4);
  } else {
    check(inet_pton(AF_INET6, ip.c_str(), &v6.sin6_addr) == 1, ip);
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    std::memcpy(&out.storage, &v6, sizeof(v6));
    out.size = sizeof(v6);
  }
  return out;
}

std::string text_of(const Address& address) {
  char text[INET6_ADDRSTRLEN] = {};
  if (address.storage.ss_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, &address.storage, sizeof(v6));
    inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof(text));
    return text;
  }
  sockaddr_in v4{};
  std::memcpy(&v4, &address.storage, sizeof(v4));
  inet_ntop(AF_INET, &v4.sin_addr, text, sizeof(text));
  return text;
}

base::UniqueFd socket_in(const Place& place, const Address& address, bool udp) {
  base::UniqueFd fd;
  in_place(place, [&] {
    fd = base::UniqueFd(::socket(address.storage.ss_family, (udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0));
    check(static_cast<bool>(fd), "socket");
  });
  return fd;
}

// What arrives within half a second, "" for nothing.
std::string receive(int fd) {
  pollfd poller{fd, POLLIN, 0};
  if (::poll(&poller, 1, 500) != 1) return "";
  char text[512];
  const ssize_t size = ::recv(fd, text, sizeof(text), 0);
  return size > 0 ? std::string(text, static_cast<std::size_t>(size)) : "";
}

}  // namespace

Machine::Machine()
    : folder_(std::filesystem::temp_directory_path() / ("orchion-lab-" + base::Random::from_system().text(8))) {
  check(::unshare(CLONE_NEWNET | CLONE_NEWNS) == 0, "unshare (these tests take root)");
  check(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0, "mount");
  value(base::make_folders(folder_));
  NamespaceWork work;
  auto host = value(NetlinkSocket::open());
  work.inside = [&](int fd) -> base::Result<> {
    auto inside = value(NetlinkSocket::open());
    const Ipv4 here = value(parse_ipv4(kHostAddress));
    const Ipv4 there = value(parse_ipv4(kOutsideAddress));
    value(host.run_one(
        make_veth({.name = "up0", .mac = mac_of(here), .peer = "up0", .peer_mac = mac_of(there), .namespace_fd = fd}),
        "veth"));
    for (auto* side : {&inside, &host}) {
      const Link link = value(find_link(*side, "up0"));
      value(side->run_one(bring_up("lo"), "lo"));
      value(side->run_one(add_address(link.index, side == &host ? here : there, 24), "address"));
      value(side->run_one(bring_up("up0"), "up0"));
    }
    value(wait_until_usable(inside, "up0"));
    return wait_until_usable(host, "up0");
  };
  value(run_in_namespace(outside(), std::move(work)));
}

Machine::~Machine() {
  std::vector<std::filesystem::path> mounted;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_)) {
    if (is_namespace(entry.path())) mounted.push_back(entry.path());
  }
  for (const auto& path : mounted) EXPECT_TRUE(remove_namespace(path).has_value());
  EXPECT_TRUE(base::remove_tree(folder_).has_value());
}

void in_place(const Place& place, const std::function<void()>& work) {
  if (place.empty()) return work();
  check(is_namespace(place), place.string() + " is no namespace");
  NamespaceWork inside;
  inside.inside = [&](int) -> base::Result<> {
    work();
    return {};
  };
  value(run_in_namespace(place, std::move(inside)));
}

Server::Server(const Place& place, const std::string& address, std::uint16_t port, bool udp)
    : stop_(::eventfd(0, EFD_CLOEXEC)), udp_(udp) {
  Address at = address_of(address, port);
  socket_ = socket_in(place, at, udp);
  const int on = 1;
  ::setsockopt(socket_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  check(::bind(socket_.get(), at.generic(), at.size) == 0, "bind " + address);
  if (!udp) check(::listen(socket_.get(), 64) == 0, "listen");
  thread_ = std::thread([this] { serve(); });
}

Server::~Server() {
  const std::uint64_t one = 1;
  (void)!::write(stop_.get(), &one, sizeof(one));
  thread_.join();
}

void Server::serve() {
  while (true) {
    pollfd pollers[] = {{socket_.get(), POLLIN, 0}, {stop_.get(), POLLIN, 0}};
    if (::poll(pollers, 2, -1) < 0) continue;
    if (pollers[1].revents != 0) return;
    Address from;
    if (udp_) {
      char text[512];
      const ssize_t size = ::recvfrom(socket_.get(), text, sizeof(text), 0, from.generic(), &from.size);
      if (size < 0) continue;
      const std::string reply = text_of(from) + " " + std::string(text, static_cast<std::size_t>(size));
      ::sendto(socket_.get(), reply.data(), reply.size(), 0, from.generic(), from.size);
      continue;
    }
    const base::UniqueFd client(::accept4(socket_.get(), from.generic(), &from.size, SOCK_CLOEXEC));
    if (!client) continue;
    const std::string reply = text_of(from);
    ::send(client.get(), reply.data(), reply.size(), MSG_NOSIGNAL);
  }
}

std::string ask(const Place& place, const std::string& address, std::uint16_t port) {
  Address to = address_of(address, port);
  const base::UniqueFd fd = socket_in(place, to, false);
  const timeval limit{0, 500'000};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
  if (::connect(fd.get(), to.generic(), to.size) != 0) return "";
  return receive(fd.get());
}

std::string ask_udp(const Place& place, const std::string& address, std::uint16_t port, const std::string& text) {
  Address to = address_of(address, port);
  const base::UniqueFd fd = socket_in(place, to, true);
  if (::connect(fd.get(), to.generic(), to.size) != 0) return "";
  if (::send(fd.get(), text.data(), text.size(), 0) < 0) return "";
  return receive(fd.get());
}

}  // namespace orchion::node::networks::lab
