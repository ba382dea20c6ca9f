#include "mesh/ingress/haproxy.h"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <thread>

#include <arpa/inet.h>
#include <fmt/core.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/file.h"
#include "base/process.h"
#include "mesh/ingress/server_changes.h"

namespace orchion::mesh::ingress {

using base::Code;

namespace {

constexpr auto kAnswerLimit = std::chrono::seconds(5);
constexpr auto kStartLimit = std::chrono::seconds(10);
constexpr auto kLook = std::chrono::milliseconds(5);
constexpr auto kSilenceMax = std::chrono::seconds(1);
constexpr std::size_t kAnswerBytesMax = 16u << 20;

// Commands sent at a time: HAProxy takes a line of 16 KiB.
constexpr std::size_t kCommandsMax = 64;

constexpr char kConfigFile[] = "haproxy.cfg";
constexpr char kNextFile[] = "next.cfg";
constexpr char kMasterSocket[] = "master.sock";

// The first line of an alert, without its frame: "[ALERT]    (123) : config : …".
std::string alert_of(const std::string& output) {
  auto at = output.find("[ALERT]");
  if (at == std::string::npos) at = 0;
  auto line = output.substr(at, output.find('\n', at) - at);
  if (const auto text = line.find(" : "); text != std::string::npos) line.erase(0, text + 3);
  return line;
}

base::Result<> fail_start(const HaproxySettings& settings, const std::string& output) {
  for (const auto& [address, option] :
       {std::pair(settings.http, "--ingress-http"), std::pair(settings.https, "--ingress-https")})
    if (auto free = check_address(address, option); !free) return free;
  return base::fail(Code::kInternal, fmt::format("HAProxy doesn't start: {}", alert_of(output)));
}

// PEM as a payload ends at the first empty line.
std::string without_empty_lines(std::string_view pem) {
  std::string text;
  while (!pem.empty()) {
    const auto end = pem.find('\n');
    auto line = pem.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!line.empty()) text.append(line).append("\n");
    pem = end == std::string_view::npos ? std::string_view() : pem.substr(end + 1);
  }
  return text;
}

base::Result<base::UniqueFd> connect_to(const std::filesystem::path& socket) {
  base::UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return base::fail_errno(errno, "cannot create a socket");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket.string().size() >= sizeof address.sun_path)
    return base::fail(Code::kInvalidArgument, fmt::format("the path {} is too long for a socket", socket.string()));
  socket.string().copy(address.sun_path, sizeof address.sun_path - 1);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return base::fail_errno(errno, "HAProxy doesn't answer on " + socket.string());
  return fd;
}

}  // namespace

base::Result<std::string> ask_haproxy(const std::filesystem::path& socket, const std::string& commands,
                                      std::chrono::milliseconds limit) {
  ASSIGN_OR_RETURN(const auto fd, connect_to(socket));
  const timeval patience{static_cast<time_t>(limit.count() / 1000), 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  for (std::string_view rest = commands; !rest.empty();) {
    const auto sent = ::send(fd.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return base::fail_errno(errno, "cannot tell HAProxy");
    rest.remove_prefix(static_cast<std::size_t>(sent));
  }
  ::shutdown(fd.get(), SHUT_WR);
  const auto deadline = std::chrono::steady_clock::now() + limit;
  std::string answer;
  char buffer[16384];
  while (true) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    pollfd ready{fd.get(), POLLIN, 0};
    const int found = left > 0 ? ::poll(&ready, 1, static_cast<int>(left)) : 0;
    if (found < 0 && errno == EINTR) continue;
    if (found == 0) return base::fail(Code::kDeadlineExceeded, "HAProxy doesn't answer");
    const auto got = ::recv(fd.get(), buffer, sizeof buffer, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return base::fail_errno(errno, "cannot hear HAProxy");
    if (got == 0) return answer;
    answer.append(buffer, static_cast<std::size_t>(got));
    if (answer.size() > kAnswerBytesMax) return base::fail(Code::kResourceExhausted, "HAProxy says too much");
  }
}

base::Result<> check_address(const std::string& address, const std::string& option) {
  const auto colon = address.rfind(':');
  sockaddr_in where{};
  where.sin_family = AF_INET;
  const auto port = colon == std::string::npos ? 0 : std::atoi(address.c_str() + colon + 1);
  if (port < 1 || port > 65535 || ::inet_pton(AF_INET, address.substr(0, colon).c_str(), &where.sin_addr) != 1)
    return base::fail(Code::kInvalidArgument,
                      fmt::format("\"{}\" is no place to listen: write {} as 0.0.0.0:80", address, option));
  where.sin_port = htons(static_cast<std::uint16_t>(port));
  const base::UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  if (!fd || ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0)
    return base::fail_errno(errno, "cannot create a socket");
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&where), sizeof where) == 0 && ::listen(fd.get(), 1) == 0)
    return {};
  if (errno == EADDRINUSE)
    return base::fail(Code::kFailedPrecondition,
                      fmt::format("HTTP can't be taken on {0}: another program listens there; end it (`ss -ltnp` names "
                                  "it), or choose another address with {1}",
                                  address, option));
  if (errno == EADDRNOTAVAIL)
    return base::fail(
        Code::kFailedPrecondition,
        fmt::format("HTTP can't be taken on {0}: that address isn't this machine's; choose another with {1}", address,
                    option));
  return base::fail_errno(errno, fmt::format("HTTP can't be taken on {}", address));
}

base::Result<std::string> haproxy_version(const std::string& program) {
  ASSIGN_OR_RETURN(const auto output, base::run_checked({.arguments = {program, "-v"}}));
  // "HAProxy version 2.6.12-1+deb12u4 2026/…"
  constexpr std::string_view kFront = "HAProxy version ";
  int major = 0, minor = 0, patch = 0;
  if (!output.starts_with(kFront) ||
      std::sscanf(output.c_str() + kFront.size(), "%d.%d.%d", &major, &minor, &patch) < 2)
    return base::fail(Code::kFailedPrecondition, fmt::format("{} is no HAProxy that is known here", program));
  if (std::pair(major, minor) < std::pair(2, 6))
    return base::fail(Code::kFailedPrecondition,
                      fmt::format("{} is HAProxy {}.{}: install 2.6 or newer", program, major, minor));
  return fmt::format("HAProxy {}.{}.{}", major, minor, patch);
}

// A master executes itself anew after a start and in a reload, and doesn't answer for a moment: only one that stays
// silent isn't there.
base::Result<std::string> Haproxy::ask_master(const std::string& command) const {
  const auto deadline = std::chrono::steady_clock::now() + kSilenceMax;
  while (true) {
    auto answer = ask_haproxy(path(kMasterSocket), command, kAnswerLimit);
    if (answer && !answer->empty()) return answer;
    std::error_code error;
    if (!std::filesystem::exists(path(kMasterSocket), error) || std::chrono::steady_clock::now() > deadline)
      return answer ? base::fail(Code::kUnavailable, "HAProxy's master says nothing") : answer;
    std::this_thread::sleep_for(kLook);
  }
}

std::optional<int> Haproxy::master_pid() const {
  const auto answer = ask_master("show proc\n");
  if (!answer) return std::nullopt;
  // "5968            master          0 [failed: 0]   …" behind a line of headings
  for (std::string_view rest = *answer; !rest.empty();) {
    const auto line = rest.substr(0, rest.find('\n'));
    if (line.find(" master ") != std::string_view::npos) return std::atoi(std::string(line).c_str());
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
  }
  return std::nullopt;
}

base::Result<std::string> Haproxy::ask_worker(const std::string& commands) const {
  return ask_haproxy(worker_socket(settings_), commands, kAnswerLimit);
}

// What the worker that takes requests was started with; empty: there is none.
std::string Haproxy::running_structure() const {
  const auto answer = ask_worker("get var proc.structure\n");
  if (!answer) return "";
  // "proc.structure: type=str value=<…>"
  const auto begin = answer->find("value=<");
  const auto end = answer->find('>');
  if (begin == std::string::npos || end == std::string::npos || end < begin) return "";
  return answer->substr(begin + 7, end - begin - 7);
}

base::Result<bool> Haproxy::apply(const Config& config) {
  const std::lock_guard turn(turn_);
  if (!master_pid()) {
    RETURN_IF_ERROR(start(config));
  } else if (running_structure() != config.structure) {
    RETURN_IF_ERROR(reload(config));
  } else {
    RETURN_IF_ERROR(change_certificates(config));
  }
  ASSIGN_OR_RETURN(const bool done, change_servers(config));
  const auto written = base::read_file(path(kConfigFile));
  if (!written || *written != config.text) RETURN_IF_ERROR(base::write_file(path(kConfigFile), config.text));
  return done;
}

base::Result<> Haproxy::write_files(const Config& config) const {
  RETURN_IF_ERROR(base::make_folders(settings_.folder));
  RETURN_IF_ERROR(base::make_folders(empty_folder(settings_)));
  RETURN_IF_ERROR(base::make_folders(path("certificates")));
  RETURN_IF_ERROR(base::make_folders(path(config.structure)));
  for (const auto& [name, content] : config.files) RETURN_IF_ERROR(base::write_file(path(name), content));
  for (const auto& [name, pem] : config.certificates)
    RETURN_IF_ERROR(base::write_file(path(name), without_empty_lines(pem)));
  return {};
}

// Before anything that runs hears of it.
base::Result<> Haproxy::check(const Config& config) const {
  RETURN_IF_ERROR(base::write_file(path(kNextFile), config.text));
  ASSIGN_OR_RETURN(const auto output, base::run_process({.arguments = {program_, "-c", "-q", "-f", path(kNextFile)},
                                                         .limit = kStartLimit}));
  if (output.exit_code != 0)
    return base::fail(Code::kInternal, "HAProxy refuses its configuration: " + alert_of(output.standard_error));
  if (::rename(path(kNextFile).c_str(), path(kConfigFile).c_str()) != 0)
    return base::fail_errno(errno, "cannot write " + path(kConfigFile).string());
  return {};
}

base::Result<> Haproxy::start(const Config& config) {
  RETURN_IF_ERROR(write_files(config));
  RETURN_IF_ERROR(check(config));
  // Its parent ends when it listens, or says why it can't.
  ASSIGN_OR_RETURN(
      const auto output,
      base::run_process({.arguments = {program_, "-W", "-D", "-S",
                                       path(kMasterSocket).string() + ",mode,600,level,admin", "-f", path(kConfigFile)},
                         .limit = kStartLimit}));
  if (output.exit_code != 0) return fail_start(settings_, output.standard_error);
  RETURN_IF_ERROR(await_structure(config.structure, false));
  remove_old_files(config);
  return {};
}

base::Result<> Haproxy::reload(const Config& config) {
  RETURN_IF_ERROR(write_files(config));
  RETURN_IF_ERROR(check(config));
  RETURN_IF_ERROR(ask_haproxy(path(kMasterSocket), "reload\n", kAnswerLimit));
  RETURN_IF_ERROR(await_structure(config.structure, true));
  remove_old_files(config);
  return {};
}

// HAProxy 2.6 doesn't answer a reload: its new worker tells what it was started with, its master that it failed.
base::Result<> Haproxy::await_structure(const std::string& structure, bool is_reload) const {
  const auto deadline = std::chrono::steady_clock::now() + kStartLimit;
  while (running_structure() != structure) {
    if (std::chrono::steady_clock::now() > deadline)
      return base::fail(Code::kDeadlineExceeded, "HAProxy doesn't take its new configuration");
    if (is_reload) {
      const auto processes = ask_master("show proc\n");
      const auto failed = processes ? processes->find("[failed: ") : std::string::npos;
      if (failed != std::string::npos && (*processes)[failed + 9] != '0')
        return base::fail(Code::kInternal, "HAProxy could not be reloaded and goes on with the routes it had");
    }
    std::this_thread::sleep_for(kLook);
  }
  return {};
}

// The disk has what the worker has: what differs there is told.
base::Result<> Haproxy::change_certificates(const Config& config) const {
  for (const auto& [name, pem] : config.certificates) {
    const auto text = without_empty_lines(pem);
    const auto file = path(name);
    if (const auto present = base::read_file(file); present && *present == text) continue;
    ASSIGN_OR_RETURN(const auto set, ask_worker(fmt::format("set ssl cert {} <<\n{}\n", file.string(), text)));
    if (set.find("Transaction") == std::string::npos)
      return base::fail(Code::kInternal, fmt::format("HAProxy refuses the certificate {}: {}", name, set));
    ASSIGN_OR_RETURN(const auto committed, ask_worker(fmt::format("commit ssl cert {}\n", file.string())));
    if (committed.find("Success!") == std::string::npos) {
      std::ignore = ask_worker(fmt::format("abort ssl cert {}\n", file.string()));
      return base::fail(Code::kInternal, fmt::format("HAProxy refuses the certificate {}: {}", name, committed));
    }
    RETURN_IF_ERROR(base::write_file(file, text));
  }
  return {};
}

base::Result<bool> Haproxy::change_servers(const Config& config) const {
  ASSIGN_OR_RETURN(const auto text, ask_worker("show servers state\n"));
  ASSIGN_OR_RETURN(const auto running, parse_servers(text));
  const auto commands = server_changes(config.backends, running);
  if (commands.empty()) return true;
  for (std::size_t i = 0; i < commands.size(); i += kCommandsMax) {
    std::string line;
    for (std::size_t j = i; j < std::min(i + kCommandsMax, commands.size()); ++j)
      line += (line.empty() ? "" : "; ") + commands[j];
    RETURN_IF_ERROR(ask_worker(line + "\n"));
  }
  // What it made of them says the state, not its answers.
  ASSIGN_OR_RETURN(const auto after, ask_worker("show servers state\n"));
  ASSIGN_OR_RETURN(const auto changed, parse_servers(after));
  return server_changes(config.backends, changed).empty();
}

void Haproxy::remove_old_files(const Config& config) const {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(settings_.folder, error)) {
    const auto name = entry.path().filename().string();
    if (!entry.is_directory(error) || name == "empty" || name == "certificates" || name == config.structure) continue;
    std::ignore = base::remove_tree(entry.path());
  }
  for (const auto& entry : std::filesystem::directory_iterator(path("certificates"), error))
    if (!config.certificates.contains("certificates/" + entry.path().filename().string()))
      std::ignore = base::remove_tree(entry.path());
}

base::Result<> Haproxy::end() {
  const std::lock_guard turn(turn_);
  const auto pid = master_pid();
  const base::UniqueFd process(pid ? static_cast<int>(::syscall(SYS_pidfd_open, *pid, 0)) : -1);
  // To the master and, by it, to its workers: all at once, with what they have open.
  if (pid && ::kill(*pid, SIGTERM) != 0 && errno != ESRCH) return base::fail_errno(errno, "cannot end HAProxy");
  if (pid) {
    pollfd ended{process.get(), POLLIN, 0};
    constexpr int kLimitMs = static_cast<int>(std::chrono::milliseconds(kStartLimit).count());
    if (process && ::poll(&ended, 1, kLimitMs) == 0)
      return base::fail(Code::kDeadlineExceeded, fmt::format("HAProxy (process {}) doesn't end", *pid));
  }
  return base::remove_tree(settings_.folder);
}

}  // namespace orchion::mesh::ingress
