#pragma once

// For tests: a real etcd of three members on loopback ports, in a folder of its own, that can be killed, frozen and
// started again. Everything ends with it, and with this process.

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/process.h"
#include "control/store/conformance/test_folder.h"
#include "control/store/etcd/etcd_client.h"
#include "wire/tls/certificates.h"
#include "wire/tls/keys.h"

namespace orchion::control::store {

// A loopback port that nobody had a moment ago.
inline int free_port() {
  const base::UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  if (::bind(socket.get(), generic, size) != 0 || ::getsockname(socket.get(), generic, &size) != 0) std::abort();
  return ntohs(address.sin_port);
}

class EtcdLab {
 public:
  enum class Guard { kNone, kTlsAndUser };  // with TLS for clients both ways, and the user root

  static constexpr int kMembers = 3;
  static constexpr char kPassword[] = "lab password";

  explicit EtcdLab(Guard guard = Guard::kNone) : guard_(guard) {
    std::filesystem::create_directories(folder_.path());
    if (guard_ == Guard::kTlsAndUser) make_certificates();
    for (int i = 0; i < kMembers; ++i) members_.push_back({free_port(), free_port(), -1});
    for (int i = 0; i < kMembers; ++i) start(i);
    wait_until_ready();
    if (guard_ == Guard::kTlsAndUser) {
      control({"user", "add", std::string("root:") + kPassword});
      control({"user", "grant-role", "root", "root"});
      control({"auth", "enable"});
    }
  }
  ~EtcdLab() {
    for (int i = 0; i < kMembers; ++i) kill(i);
  }
  EtcdLab(const EtcdLab&) = delete;
  EtcdLab& operator=(const EtcdLab&) = delete;

  EtcdAccess access() const {
    EtcdAccess access;
    for (const auto& member : members_) access.endpoints.push_back(fmt::format("localhost:{}", member.client_port));
    if (guard_ == Guard::kNone) return access;
    access.tls = {read("ca.pem"), read("client.pem"), read("client.key")};
    access.user = "root";
    access.password = kPassword;
    return access;
  }
  int client_port(int i) const { return at(i).client_port; }

  void start(int i) {
    auto& member = at(i);
    if (member.pid > 0) return;
    const auto arguments = command_of(i);
    std::vector<char*> argv;
    for (const auto& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    const auto log = (folder_.path() / fmt::format("m{}.log", i)).string();
    const pid_t parent = ::getpid();
    member.pid = ::fork();
    if (member.pid != 0) return;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(127);
    const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    ::dup2(out, STDOUT_FILENO);
    ::dup2(out, STDERR_FILENO);
    ::execvp(argv[0], argv.data());
    ::_exit(127);
  }
  // Returns when it is gone.
  void kill(int i) {
    auto& member = at(i);
    if (member.pid <= 0) return;
    ::kill(member.pid, SIGKILL);
    ::waitpid(std::exchange(member.pid, -1), nullptr, 0);
  }
  void freeze(int i) { ::kill(at(i).pid, SIGSTOP); }
  void thaw(int i) { ::kill(at(i).pid, SIGCONT); }

  // Until each member that was started answers for the majority; fails the test after a minute.
  void wait_until_ready() {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!all_answer()) {
      if (std::chrono::steady_clock::now() > deadline) {
        ADD_FAILURE() << "etcd didn't get ready; its log is "
                      << base::read_file(folder_.path() / "m0.log").value_or("gone");
        return;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
  }

  // The member that leads the others.
  int leader() {
    for (int i = 0; i < kMembers; ++i) {
      if (at(i).pid <= 0) continue;
      const auto status = run_control({"endpoint", "status", "-w", "fields"}, i);
      if (!status) continue;
      const auto id = field(*status, "\"MemberID\" : ");
      if (!id.empty() && id == field(*status, "\"Leader\" : ")) return i;
    }
    ADD_FAILURE() << "no member leads";
    return 0;
  }

  // Not from its own memory: a member that is behind, or alone, gives no answer.
  bool all_answer() {
    for (int i = 0; i < kMembers; ++i)
      if (at(i).pid > 0 && !run_control({"get", "nothing"}, i)) return false;
    return true;
  }

  // etcdctl with these arguments: what it printed. The first fails the test where it fails.
  std::string control(std::vector<std::string> arguments) {
    auto output = try_to_control(std::move(arguments));
    EXPECT_TRUE(output.has_value()) << output.error().message;
    return output.value_or("");
  }
  base::Result<std::string> try_to_control(std::vector<std::string> arguments) {
    return run_control(std::move(arguments), -1);
  }

 private:
  struct Member {
    int client_port = 0;
    int peer_port = 0;
    pid_t pid = -1;
  };

  Member& at(int i) { return members_[static_cast<std::size_t>(i)]; }
  const Member& at(int i) const { return members_[static_cast<std::size_t>(i)]; }
  std::string scheme() const { return guard_ == Guard::kTlsAndUser ? "https" : "http"; }
  std::string path(const std::string& name) const { return (folder_.path() / name).string(); }
  std::string read(const std::string& name) const { return base::read_file(path(name)).value(); }

  static std::string field(const std::string& text, const std::string& name) {
    const auto begin = text.find(name);
    if (begin == std::string::npos) return "";
    return text.substr(begin + name.size(), text.find('\n', begin) - begin - name.size());
  }

  // By all members, or by one.
  base::Result<std::string> run_control(std::vector<std::string> arguments, int member) {
    base::Command command;
    std::string endpoints;
    for (int i = 0; i < kMembers; ++i) {
      if (member >= 0 && member != i) continue;
      endpoints += fmt::format("{}{}://localhost:{}", endpoints.empty() ? "" : ",", scheme(), at(i).client_port);
    }
    command.arguments = {"etcdctl", "--endpoints", endpoints, "--command-timeout", "2s"};
    if (guard_ == Guard::kTlsAndUser) {
      command.arguments.insert(command.arguments.end(),
                               {"--cacert", path("ca.pem"), "--cert", path("client.pem"), "--key", path("client.key")});
      command.environment.emplace_back("ETCDCTL_USER", std::string("root:") + kPassword);
      if (!auth_enabled_) command.environment.clear();
      if (arguments.front() == "auth") auth_enabled_ = true;
    }
    command.environment.emplace_back("ETCDCTL_API", "3");
    command.arguments.insert(command.arguments.end(), arguments.begin(), arguments.end());
    return base::run_checked(command);
  }

  std::vector<std::string> command_of(int i) const {
    std::string cluster;
    for (int k = 0; k < kMembers; ++k)
      cluster += fmt::format("{}m{}=http://127.0.0.1:{}", k == 0 ? "" : ",", k, at(k).peer_port);
    const auto client = fmt::format("{}://127.0.0.1:{}", scheme(), at(i).client_port);
    const auto advertised = fmt::format("{}://localhost:{}", scheme(), at(i).client_port);
    const auto peer = fmt::format("http://127.0.0.1:{}", at(i).peer_port);
    std::vector<std::string> command = {"etcd",
                                        "--name",
                                        fmt::format("m{}", i),
                                        "--data-dir",
                                        path(fmt::format("m{}", i)),
                                        "--listen-client-urls",
                                        client,
                                        "--advertise-client-urls",
                                        advertised,
                                        "--listen-peer-urls",
                                        peer,
                                        "--initial-advertise-peer-urls",
                                        peer,
                                        "--initial-cluster",
                                        cluster,
                                        "--initial-cluster-state",
                                        "new",
                                        "--initial-cluster-token",
                                        folder_.path().filename().string(),
                                        "--logger",
                                        "zap"};
    if (guard_ == Guard::kTlsAndUser) {
      command.insert(command.end(), {"--cert-file", path("server.pem"), "--key-file", path("server.key"),
                                     "--trusted-ca-file", path("ca.pem"), "--client-cert-auth"});
    }
    return command;
  }

  void make_certificates() {
    const auto now = base::SystemClock().wall();
    const auto plan = [now](wire::tls::Role role, std::string name) {
      wire::tls::CertificatePlan made;
      made.role = role;
      made.common_name = std::move(name);
      made.not_before = now - std::chrono::hours(1);
      made.not_after = now + std::chrono::hours(1);
      return made;
    };
    wire::tls::Issuer issuer;
    issuer.key = wire::tls::make_key().value();
    issuer.certificate = wire::tls::make_authority(issuer.key, plan(wire::tls::Role::kAuthority, "lab")).value();
    write("ca.pem", issuer.certificate);
    for (const auto& [name, role] :
         {std::pair{"server", wire::tls::Role::kServer}, {"client", wire::tls::Role::kClient}}) {
      auto certificate = plan(role, "lab");
      if (role == wire::tls::Role::kServer) certificate.dns_names = {"localhost"};
      const auto key = wire::tls::make_key().value();
      write(std::string(name) + ".key", key);
      write(std::string(name) + ".pem",
            wire::tls::issue(issuer, wire::tls::make_request(key, name).value(), certificate).value());
    }
  }
  void write(const std::string& name, const std::string& content) { base::write_file(path(name), content).value(); }

  Guard guard_;
  bool auth_enabled_ = false;
  TestFolder folder_;
  std::vector<Member> members_;
};

}  // namespace orchion::control::store
