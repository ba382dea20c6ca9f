// WireGuard as a program beside this one: wireguard-go, told what to do over its socket.

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>

#include "base/file.h"
#include "node/networks/lasting_program.h"
#include "node/networks/links.h"
#include "node/networks/wireguard.h"
#include "node/networks/wireguard_uapi.h"
#include "node/networks/wiring.h"

namespace orchion::node::networks {
namespace {

namespace fs = std::filesystem;

constexpr auto kReadyLimit = std::chrono::seconds(10);
constexpr int kReadyLookMs = 2;
constexpr timeval kAnswerLimit{.tv_sec = 5, .tv_usec = 0};

// Some hundred bytes a peer: more than any cluster's.
constexpr std::size_t kAnswerBytesMax = 64u << 20;

// Where the program makes it, and `wg` looks for it.
fs::path socket_path(const std::string& device) {
  return fs::path("/var/run/wireguard") / (device + ".sock");
}

base::Result<base::UniqueFd> connect_to(const std::string& device) {
  const auto path = socket_path(device).string();
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) return base::fail_errno(ENAMETOOLONG, path);
  std::memcpy(address.sun_path, path.data(), path.size());
  base::UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return base::fail_errno(errno, "opening a socket");
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &kAnswerLimit, sizeof(kAnswerLimit));
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &kAnswerLimit, sizeof(kAnswerLimit));
  const void* raw = &address;
  if (::connect(fd.get(), static_cast<const sockaddr*>(raw), sizeof(address)) != 0)
    return base::fail_errno(errno, "cannot reach wireguard-go at " + path);
  return fd;
}

base::Result<> send_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const auto sent = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno != EINTR) return base::fail_errno(errno, "speaking to wireguard-go");
    if (sent > 0) text.remove_prefix(static_cast<std::size_t>(sent));
  }
  return {};
}

// Up to the empty line that ends every answer.
base::Result<std::string> receive_answer(int fd) {
  std::string answer;
  char piece[16384];
  while (!answer.ends_with("\n\n")) {
    const auto got = ::recv(fd, piece, sizeof(piece), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return base::fail_errno(errno, "waiting for wireguard-go's answer");
    if (got == 0) return base::fail(base::Code::kUnavailable, "wireguard-go ended while it was asked");
    answer.append(piece, static_cast<std::size_t>(got));
    if (answer.size() > kAnswerBytesMax)
      return base::fail(base::Code::kResourceExhausted, "wireguard-go's answer has no end");
  }
  return answer;
}

base::Result<std::string> ask(const std::string& device, std::string_view question) {
  ASSIGN_OR_RETURN(const auto fd, connect_to(device));
  RETURN_IF_ERROR(send_all(fd.get(), question));
  ASSIGN_OR_RETURN(auto answer, receive_answer(fd.get()));
  ASSIGN_OR_RETURN(const int error, parse_uapi_errno(answer));
  if (error != 0) return base::fail_errno(error, "wireguard-go does not do what it is told");
  return answer;
}

class WireguardGo final : public WireguardEngine {
 public:
  explicit WireguardGo(fs::path folder) : notes_(std::move(folder) / "wireguard") {}

  std::string name() const override { return "wireguard-go"; }

  // The device goes with the program, however that ends.
  base::Result<> ensure(const std::string& device) override {
    if (ask(device, kUapiGet)) return {};
    ASSIGN_OR_RETURN(NetlinkSocket socket, NetlinkSocket::open());
    if (const auto link = find_link(socket, device); link && link->kind == "wireguard")
      RETURN_IF_ERROR(delete_if_there(socket, device));
    RETURN_IF_ERROR(base::make_folders(notes_.parent_path()));
    const LastingProgram program{notes_, {"wireguard-go", "-f", device}};
    ASSIGN_OR_RETURN(const bool started, start_lasting(program, [&](int pipe) { return wait_for(device, pipe); }));
    if (started) return {};
    // It lives and doesn't answer.
    RETURN_IF_ERROR(remove(device));
    return base::fail(base::Code::kUnavailable, "wireguard-go did not answer and was ended: it is started again");
  }

  base::Result<WireguardDevice> read(const std::string& device) override {
    ASSIGN_OR_RETURN(const auto answer, ask(device, kUapiGet));
    return parse_uapi_device(answer);
  }

  base::Result<> apply(const std::string& device, const WireguardChange& change) override {
    ASSIGN_OR_RETURN(const auto answer, ask(device, uapi_set_text(change)));
    return {};
  }

  base::Result<> remove(const std::string& device) override {
    RETURN_IF_ERROR(end_lasting(notes_));
    std::error_code ignored;
    fs::remove(socket_path(device), ignored);  // one that was killed leaves it
    fs::remove(notes_.string() + ".pid", ignored);
    fs::remove(notes_.string() + ".log", ignored);
    return {};
  }

 private:
  // `pipe` is closed when the program ends.
  static base::Result<> wait_for(const std::string& device, int pipe) {
    const auto deadline = std::chrono::steady_clock::now() + kReadyLimit;
    while (!ask(device, kUapiGet)) {
      pollfd ended{pipe, 0, 0};
      if (::poll(&ended, 1, kReadyLookMs) != 0 || std::chrono::steady_clock::now() > deadline)
        return base::fail(base::Code::kFailedPrecondition, "wireguard-go does not start");
    }
    return {};
  }

  const fs::path notes_;
};

}  // namespace

std::unique_ptr<WireguardEngine> make_wireguard_go(fs::path folder) {
  return std::make_unique<WireguardGo>(std::move(folder));
}

}  // namespace orchion::node::networks
