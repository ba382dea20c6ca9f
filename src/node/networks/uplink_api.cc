#include "node/networks/uplink_api.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include <fmt/format.h>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "base/file.h"

namespace orchion::node::networks {
namespace {

namespace json = boost::json;

constexpr std::size_t kAnswerBytesMax = 1u << 20;

base::Result<base::UniqueFd> connect_to(const std::filesystem::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const auto& text = path.native();
  if (text.size() >= sizeof address.sun_path)
    return base::fail(base::Code::kFailedPrecondition,
                      fmt::format("{} is too long for a socket: use a data folder with a shorter path", text));
  std::memcpy(address.sun_path, text.data(), text.size());
  base::UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return base::fail_errno(errno, "opening a socket");
  const timeval limit{.tv_sec = 5, .tv_usec = 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return base::fail_errno(errno, "asking slirp4netns at " + text);
  return fd;
}

// It reads until the asker has ended, answers, and closes.
base::Result<std::string> ask(const std::filesystem::path& path, const std::string& request) {
  ASSIGN_OR_RETURN(const auto fd, connect_to(path));
  if (::send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size()))
    return base::fail_errno(errno, "asking slirp4netns");
  ::shutdown(fd.get(), SHUT_WR);
  std::string answer;
  char buffer[4096];
  while (answer.size() < kAnswerBytesMax) {
    const auto got = ::recv(fd.get(), buffer, sizeof buffer, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return base::fail_errno(errno, "waiting for slirp4netns");
    if (got == 0) break;
    answer.append(buffer, static_cast<std::size_t>(got));
  }
  return answer;
}

base::Result<json::value> call(const std::filesystem::path& path, const char* what, json::object arguments) {
  json::object request{{"execute", what}};
  if (!arguments.empty()) request["arguments"] = std::move(arguments);
  ASSIGN_OR_RETURN(const auto text, ask(path, json::serialize(request)));
  boost::system::error_code failure;
  auto answer = json::parse(text, failure);
  const auto* object = failure ? nullptr : answer.if_object();
  if (object != nullptr && !object->contains("error")) return answer;
  return base::fail(base::Code::kFailedPrecondition, fmt::format("slirp4netns says to {}: {}", what, text));
}

Forward to_forward(const json::object& entry) {
  const auto text = [&](const char* name) {
    const auto* value = entry.if_contains(name);
    return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
  };
  const auto number = [&](const char* name) {
    const auto* value = entry.if_contains(name);
    return value != nullptr && value->is_int64() ? value->get_int64() : 0;
  };
  const auto ip = text("host_addr");
  return {.id = number("id"),
          .port = {ip == "0.0.0.0" ? "" : ip, text("proto") == "udp", static_cast<std::uint16_t>(number("host_port"))}};
}

}  // namespace

base::Result<std::vector<Forward>> list_forwards(const std::filesystem::path& socket) {
  ASSIGN_OR_RETURN(const auto answer, call(socket, "list_hostfwd", {}));
  const auto* object = answer.if_object();
  const auto* entries = object == nullptr ? nullptr : object->if_contains("entries");
  std::vector<Forward> forwards;
  if (entries == nullptr || !entries->is_array()) return forwards;
  for (const auto& entry : entries->get_array()) {
    if (entry.is_object()) forwards.push_back(to_forward(entry.get_object()));
  }
  return forwards;
}

base::Result<> add_forward(const std::filesystem::path& socket, const PortKey& port) {
  const bool on_loopback = !port.host_ip.empty();
  RETURN_IF_ERROR(call(socket, "add_hostfwd",
                       {{"proto", port.udp ? "udp" : "tcp"},
                        {"host_addr", on_loopback ? port.host_ip : "0.0.0.0"},
                        {"host_port", port.port},
                        {"guest_addr", on_loopback ? kLoopbackApart : kMachineApart},
                        {"guest_port", port.port}}));
  return {};
}

base::Result<> remove_forward(const std::filesystem::path& socket, std::int64_t id) {
  RETURN_IF_ERROR(call(socket, "remove_hostfwd", {{"id", id}}));
  return {};
}

}  // namespace orchion::node::networks
