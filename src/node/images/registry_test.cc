#include "node/images/registry.h"

#include <csignal>
#include <cstdlib>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <boost/asio/detached.hpp>

#include "node/images/image_lab.h"

extern char** environ;

namespace orchion::node::images {
namespace {

namespace fs = std::filesystem;
using RegistryTest = ImageStoreTest;

// Debian's registry on a loopback port of its own, ended by its pid.
class Registry {
 public:
  enum class Access { kOpen, kPassword };

  explicit Registry(Access access) : port_(free_port()) {
    std::string config =
        "version: 0.1\nlog: {level: error}\nstorage: {filesystem: "
        "{rootdirectory: " +
        (folder_ / "data").string() + "}}\nhttp: {addr: \"127.0.0.1:" + std::to_string(port_) + "\"}\n";
    if (access == Access::kPassword) {
      // alice:wonder, bcrypt
      put("users", "alice:$2b$04$Z.wthmDfj2CuVUuG/YdvOul0A.2IBBWVp1Rn2nYxdr6u4/majXVy2\n");
      config += "auth: {htpasswd: {realm: test, path: " + (folder_ / "users").string() + "}}\n";
    }
    put("config.yml", config);
    std::string program = base::find_program("docker-registry").value();
    std::string verb = "serve";
    std::string file = (folder_ / "config.yml").string();
    char* arguments[] = {program.data(), verb.data(), file.data(), nullptr};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    const auto log = (folder_ / "log").string();
    posix_spawn_file_actions_addopen(&actions, 1, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    posix_spawn_file_actions_adddup2(&actions, 1, 2);
    const int spawned = ::posix_spawn(&pid_, program.c_str(), &actions, nullptr, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (spawned != 0) throw std::runtime_error("cannot start docker-registry");
    wait_until_it_answers();
  }
  ~Registry() { stop(); }

  void stop() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

  // Requests for an image's manifest answered so far.
  int manifest_requests() const {
    const auto log = base::read_file(folder_ / "log").value();
    int count = 0;
    for (auto at = log.find("\"GET /v2/"); at != std::string::npos; at = log.find("\"GET /v2/", at + 1))
      count += log.substr(at, log.find('\n', at) - at).find("/manifests/") != std::string::npos ? 1 : 0;
    return count;
  }

  std::string host() const { return "127.0.0.1:" + std::to_string(port_); }

 private:
  static sockaddr_in loopback(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
  }

  static int free_port() {
    const base::UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    auto address = loopback(0);
    socklen_t length = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    if (::bind(fd.get(), generic, length) != 0 || ::getsockname(fd.get(), generic, &length) != 0)
      throw std::runtime_error("no free port");
    return ntohs(address.sin_port);
  }

  void wait_until_it_answers() const {
    auto address = loopback(port_);
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (std::chrono::steady_clock::now() < deadline) {
      const base::UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) return;
      ::usleep(5000);
    }
    throw std::runtime_error("docker-registry does not answer: " + base::read_file(folder_ / "log").value_or(""));
  }

  void put(const std::string& name, const std::string& content) const {
    if (!base::write_file(folder_ / name, content)) throw std::runtime_error(name);
  }

  TestFolder folder_;
  int port_;
  pid_t pid_ = -1;
};

TEST_F(RegistryTest, PushesToARegistryAndPullsTheSameBack) {
  Registry registry(Registry::Access::kOpen);
  const auto name = registry.host() + "/team/box:1";
  const auto pushed = import("box", busybox_root()).value();
  const auto done = run(io_, images_->push("box", name, true));
  ASSERT_TRUE(done.has_value()) << done.error().message;
  ASSERT_TRUE(run(io_, images_->remove("box")).has_value());
  expect_empty();

  const auto pulled = run(io_, images_->ensure(name));
  ASSERT_TRUE(pulled.has_value()) << pulled.error().message;
  EXPECT_EQ(pulled->digest, pushed.digest);
  EXPECT_EQ(pulled->layers, pushed.layers);
  EXPECT_TRUE(fs::exists(pulled->layers[0] / "bin/busybox"));
  EXPECT_EQ(count(store() / "temp"), 0u);

  const auto by_digest = run(io_, images_->pull(registry.host() + "/team/box@" + pushed.digest));
  ASSERT_TRUE(by_digest.has_value()) << by_digest.error().message;
  EXPECT_EQ(by_digest->digest, pushed.digest);
  EXPECT_EQ(by_digest->layers, pushed.layers);

  const auto missing = run(io_, images_->ensure(registry.host() + "/team/none"));
  EXPECT_EQ(missing.error().code, base::Code::kNotFound);
  EXPECT_EQ(missing.error().message, "no registry has " + registry.host() +
                                         "/team/none:latest: check the name, or import "
                                         "it with `orchion image import FILE " +
                                         registry.host() + "/team/none:latest`");
  EXPECT_EQ(run(io_, images_->pull(registry.host() + "/team/box:2")).error().code, base::Code::kNotFound);
  EXPECT_EQ(run(io_, images_->push("nothing", name, true)).error().code, base::Code::kNotFound);

  registry.stop();
  const auto down = run(io_, images_->pull(name));
  EXPECT_EQ(down.error().code, base::Code::kUnavailable) << down.error().message;
  EXPECT_TRUE(run(io_, images_->ensure(name)).has_value()) << "what is here needs no registry";
  EXPECT_EQ(run(io_, images_->push(name, name, true)).error().code, base::Code::kUnavailable);
}

base::Co<> pull_into(Images& images, std::string name, std::vector<base::Result<ImageRecord>>& results) {
  results.push_back(co_await images.pull(std::move(name)));
  co_return base::Result<>{};
}

TEST_F(RegistryTest, ConcurrentPullsOfOneImageShareIt) {
  Registry registry(Registry::Access::kOpen);
  const auto name = registry.host() + "/box:1";
  ASSERT_TRUE(import("box", small_root("x")).has_value());
  ASSERT_TRUE(run(io_, images_->push("box", name, true)).has_value());
  ASSERT_TRUE(run(io_, images_->pull(name)).has_value());
  const int requests = registry.manifest_requests();
  EXPECT_GE(requests, 1);
  ASSERT_TRUE(run(io_, images_->remove(name)).has_value());
  std::vector<base::Result<ImageRecord>> results;
  for (int i = 0; i < 5; ++i) boost::asio::co_spawn(io_, pull_into(*images_, name, results), boost::asio::detached);
  io_.restart();
  const auto guard = boost::asio::make_work_guard(io_);
  while (results.size() < 5) io_.run_one();
  for (const auto& result : results) {
    ASSERT_TRUE(result.has_value()) << result.error().message;
    EXPECT_EQ(result->digest, results[0]->digest);
  }
  EXPECT_EQ(registry.manifest_requests(), 2 * requests) << "one download for all five";
}

TEST_F(RegistryTest, FindsCredentialsWhereSkopeoKeepsThem) {
  Registry registry(Registry::Access::kPassword);
  const auto name = registry.host() + "/secret:1";
  ASSERT_TRUE(import("box", small_root("x")).has_value());
  const auto auth_file = folder_ / "auth.json";
  ASSERT_TRUE(base::write_file(auth_file, "{}").has_value());
  ASSERT_EQ(::setenv("REGISTRY_AUTH_FILE", auth_file.c_str(), 1), 0);
  const auto refused_push = run(io_, images_->push("box", name, true));
  EXPECT_EQ(refused_push.error().code, base::Code::kPermissionDenied) << refused_push.error().message;
  const auto refused_pull = run(io_, images_->pull(name));
  EXPECT_EQ(refused_pull.error().code, base::Code::kPermissionDenied) << refused_pull.error().message;
  EXPECT_NE(refused_pull.error().message.find("skopeo login"), std::string::npos);

  ASSERT_TRUE(base::write_file(auth_file, R"({"auths":{")" + registry.host() + R"(":{"auth":"YWxpY2U6d29uZGVy"}}})")
                  .has_value());
  const auto pushed = run(io_, images_->push("box", name, true));
  EXPECT_TRUE(pushed.has_value()) << pushed.error().message;
  const auto pulled = run(io_, images_->pull(name));
  EXPECT_TRUE(pulled.has_value()) << pulled.error().message;
  ASSERT_EQ(::unsetenv("REGISTRY_AUTH_FILE"), 0);
}

}  // namespace
}  // namespace orchion::node::images
