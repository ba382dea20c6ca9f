#include "bench/server.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include <arpa/inet.h>
#include <fmt/core.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "daemon/background.h"
#include "daemon/folders.h"

namespace orchion::bench {

namespace {

// On loopback, free at this moment.
base::Result<std::string> free_address() {
  const base::UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  if (!socket || ::bind(socket.get(), any, length) != 0 || ::getsockname(socket.get(), any, &length) != 0)
    return base::fail_errno(errno, "cannot find a free port");
  return fmt::format("127.0.0.1:{}", ntohs(address.sin_port));
}

}  // namespace

ProcessUse use_of(pid_t pid) {
  ProcessUse use;
  const auto folder = fmt::format("/proc/{}/", pid);
  const auto status = base::read_file(folder + "status").value_or("");
  if (const auto at = status.find("VmHWM:"); at != std::string::npos)
    use.peak_rss_bytes = std::strtoll(status.c_str() + at + 6, nullptr, 10) * 1024;
  const auto stat = base::read_file(folder + "stat").value_or("");
  // After the name in brackets: utime and stime are the 12th and 13th.
  if (const auto at = stat.rfind(')'); at != std::string::npos) {
    unsigned long long user = 0, system = 0;
    if (std::sscanf(stat.c_str() + at + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user, &system) ==
        2)
      use.cpu_seconds = static_cast<double>(user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
  }
  return use;
}

base::Result<std::unique_ptr<BenchServer>> BenchServer::start() {
  const char* temporary = std::getenv("TMPDIR");
  const std::string parent = temporary == nullptr ? "/tmp" : temporary;
  std::string folder = (std::filesystem::path(parent) / "orchion-bench-XXXXXX").string();
  if (::mkdtemp(folder.data()) == nullptr) return base::fail_errno(errno, "cannot make a folder in " + parent);
  std::unique_ptr<BenchServer> server(new BenchServer(folder));
  ASSIGN_OR_RETURN(const auto http, free_address());
  ASSIGN_OR_RETURN(server->grpc_, free_address());
  RETURN_IF_ERROR(daemon::start_in_background(folder, {"server", "--data", folder, "--no-agent", "--http", http,
                                                       "--grpc", server->grpc_, "--log-level", "warn"}));
  ASSIGN_OR_RETURN(const auto pid, base::read_file(daemon::Folders{folder}.lock()));
  server->pid_ = std::atoi(pid.c_str());
  client::ConnectionSettings settings;
  settings.server = "unix:" + daemon::Folders{folder}.socket().string();
  ASSIGN_OR_RETURN(server->connection_, client::find_connection(settings));
  return server;
}

BenchServer::~BenchServer() {
  if (pid_ > 0)
    if (const auto stopped = daemon::stop_server(folder_); !stopped)
      fmt::print(stderr, "{}\n", stopped.error().message);
  if (const auto gone = base::remove_tree(folder_); !gone) fmt::print(stderr, "{}\n", gone.error().message);
}

std::int64_t BenchServer::disk_bytes() const {
  std::int64_t bytes = 0;
  std::error_code error;
  for (const auto& file : std::filesystem::directory_iterator(folder_, error))
    if (file.is_regular_file()) bytes += static_cast<std::int64_t>(file.file_size(error));
  return bytes;
}

}  // namespace orchion::bench
