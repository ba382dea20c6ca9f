#include "node/networks/netlink.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace orchion::node::networks {
namespace {

constexpr std::size_t aligned(std::size_t size) {
  return (size + NLMSG_ALIGNTO - 1) & ~std::size_t{NLMSG_ALIGNTO - 1};
}

// Calls `each(header, payload)` for every message in `bytes` until it returns false.
template <class Each>
void for_messages(std::span<const std::uint8_t> bytes, Each each) {
  while (bytes.size() >= sizeof(nlmsghdr)) {
    nlmsghdr header{};
    std::memcpy(&header, bytes.data(), sizeof(header));
    if (header.nlmsg_len < sizeof(header) || header.nlmsg_len > bytes.size()) return;
    if (!each(header, bytes.subspan(sizeof(header), header.nlmsg_len - sizeof(header)))) return;
    bytes = bytes.subspan(std::min(aligned(header.nlmsg_len), bytes.size()));
  }
}

int error_of(std::span<const std::uint8_t> payload) {
  nlmsgerr error{};
  std::memcpy(&error, payload.data(), std::min(payload.size(), sizeof(error)));
  return -error.error;
}

}  // namespace

NetlinkRequest::NetlinkRequest(std::uint16_t type, std::uint16_t flags) {
  nlmsghdr header{};
  header.nlmsg_type = type;
  header.nlmsg_flags = static_cast<std::uint16_t>(flags | NLM_F_REQUEST);
  append(&header, sizeof(header));
}

void NetlinkRequest::append(const void* data, std::size_t size) {
  const auto* from = static_cast<const std::uint8_t*>(data);
  bytes_.insert(bytes_.end(), from, from + size);
  bytes_.resize(aligned(bytes_.size()));
}

NetlinkRequest& NetlinkRequest::attribute(std::uint16_t type, const void* data, std::size_t size) {
  const rtattr header{static_cast<unsigned short>(sizeof(rtattr) + size), type};
  append(&header, sizeof(header));
  if (size > 0) append(data, size);
  return *this;
}

NetlinkRequest& NetlinkRequest::text(std::uint16_t type, std::string_view value) {
  const std::string terminated(value);
  return attribute(type, terminated.c_str(), terminated.size() + 1);
}

std::size_t NetlinkRequest::open(std::uint16_t type) {
  const std::size_t at = bytes_.size();
  const rtattr header{sizeof(rtattr), type};
  append(&header, sizeof(header));
  return at;
}

NetlinkRequest& NetlinkRequest::close(std::size_t opened) {
  const auto length = static_cast<unsigned short>(bytes_.size() - opened);
  std::memcpy(bytes_.data() + opened, &length, sizeof(length));
  return *this;
}

void NetlinkMessage::copy_body(void* out, std::size_t size) const {
  std::memcpy(out, payload.data(), std::min(size, payload.size()));
}

std::span<const std::uint8_t> NetlinkMessage::attribute(std::size_t body_size, std::uint16_t wanted) const {
  std::span<const std::uint8_t> rest(payload);
  if (rest.size() < aligned(body_size)) return {};
  rest = rest.subspan(aligned(body_size));
  while (const auto attribute = take_attribute(rest)) {
    if (attribute->first == wanted) return attribute->second;
  }
  return {};
}

std::optional<std::pair<std::uint16_t, std::span<const std::uint8_t>>> take_attribute(
    std::span<const std::uint8_t>& rest) {
  rtattr header{};
  if (rest.size() < sizeof(header)) return std::nullopt;
  std::memcpy(&header, rest.data(), sizeof(header));
  if (header.rta_len < sizeof(header) || header.rta_len > rest.size()) return std::nullopt;
  const auto value = rest.subspan(sizeof(header), header.rta_len - sizeof(header));
  rest = rest.subspan(std::min(aligned(header.rta_len), rest.size()));
  return std::pair(static_cast<std::uint16_t>(header.rta_type & NLA_TYPE_MASK), value);
}

base::Result<NetlinkSocket> NetlinkSocket::open(std::uint32_t groups) {
  return open_family(NETLINK_ROUTE, groups);
}

base::Result<NetlinkSocket> NetlinkSocket::open_generic() {
  return open_family(NETLINK_GENERIC, 0);
}

base::Result<NetlinkSocket> NetlinkSocket::open_family(int family, std::uint32_t groups) {
  base::UniqueFd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, family));
  if (!fd) return base::fail_errno(errno, "opening a netlink socket");
  // Answers without the request repeated: a batch's answers stay small.
  const int on = 1;
  ::setsockopt(fd.get(), SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = groups;
  sockaddr* generic = reinterpret_cast<sockaddr*>(&address);
  if (::bind(fd.get(), generic, sizeof(address)) != 0) return base::fail_errno(errno, "binding a netlink socket");
  return NetlinkSocket(std::move(fd));
}

base::Result<> NetlinkSocket::send(std::span<const std::uint8_t> bytes) {
  while (::send(fd_.get(), bytes.data(), bytes.size(), 0) < 0) {
    if (errno != EINTR) return base::fail_errno(errno, "sending to netlink");
  }
  return {};
}

base::Result<std::size_t> NetlinkSocket::receive() {
  buffer_.resize(std::size_t{64} << 10);
  while (true) {
    const ssize_t got = ::recv(fd_.get(), buffer_.data(), buffer_.size(), 0);
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno != EINTR) return base::fail_errno(errno, "receiving from netlink");
  }
}

base::Result<std::vector<int>> NetlinkSocket::run(std::span<NetlinkRequest> requests) {
  std::vector<std::uint8_t> bytes;
  const std::uint32_t first = sequence_ + 1;
  for (auto& request : requests) {
    nlmsghdr header{};
    std::memcpy(&header, request.bytes_.data(), sizeof(header));
    header.nlmsg_len = static_cast<std::uint32_t>(request.bytes_.size());
    header.nlmsg_flags |= NLM_F_ACK;
    header.nlmsg_seq = ++sequence_;
    std::memcpy(request.bytes_.data(), &header, sizeof(header));
    bytes.insert(bytes.end(), request.bytes_.begin(), request.bytes_.end());
  }
  RETURN_IF_ERROR(send(bytes));
  std::vector<int> errors(requests.size(), 0);
  std::size_t answered = 0;
  while (answered < requests.size()) {
    ASSIGN_OR_RETURN(const std::size_t size, receive());
    for_messages(std::span(buffer_).first(size), [&](const nlmsghdr& header, std::span<const std::uint8_t> payload) {
      const std::uint32_t index = header.nlmsg_seq - first;
      if (header.nlmsg_type == NLMSG_ERROR && index < errors.size()) {
        errors[index] = error_of(payload);
        ++answered;
      }
      return true;
    });
  }
  return errors;
}

base::Result<> NetlinkSocket::run_one(NetlinkRequest request, std::string_view action) {
  ASSIGN_OR_RETURN(const auto errors, run(std::span(&request, 1)));
  if (errors[0] != 0) return base::fail_errno(errors[0], action);
  return {};
}

base::Result<std::vector<NetlinkMessage>> NetlinkSocket::query(NetlinkRequest request, std::string_view action) {
  nlmsghdr header{};
  std::memcpy(&header, request.bytes_.data(), sizeof(header));
  const bool dump = (header.nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
  header.nlmsg_len = static_cast<std::uint32_t>(request.bytes_.size());
  header.nlmsg_seq = ++sequence_;
  std::memcpy(request.bytes_.data(), &header, sizeof(header));
  RETURN_IF_ERROR(send(request.bytes_));
  std::vector<NetlinkMessage> found;
  int error = 0;
  bool done = false;
  while (!done) {
    ASSIGN_OR_RETURN(const std::size_t size, receive());
    for_messages(std::span(buffer_).first(size), [&](const nlmsghdr& got, std::span<const std::uint8_t> payload) {
      if (got.nlmsg_seq != sequence_) return true;
      if (got.nlmsg_type == NLMSG_ERROR) error = error_of(payload);
      if (got.nlmsg_type == NLMSG_ERROR || got.nlmsg_type == NLMSG_DONE) done = true;
      if (!done) found.push_back({got.nlmsg_type, {payload.begin(), payload.end()}});
      if (!dump) done = true;
      return !done;
    });
  }
  if (error != 0) return base::fail_errno(error, action);
  return found;
}

base::Result<bool> NetlinkSocket::wait(int timeout_ms) {
  pollfd poller{fd_.get(), POLLIN, 0};
  const int ready = ::poll(&poller, 1, timeout_ms);
  if (ready < 0 && errno != EINTR) return base::fail_errno(errno, "waiting for netlink");
  if (ready <= 0) return false;
  RETURN_IF_ERROR(receive());
  return true;
}

}  // namespace orchion::node::networks
