// Against a socket that says what it is told to; real engines are in the rooms that use this one.

#include "node/engine/engine_client.h"

#include <atomic>
#include <deque>
#include <thread>

#include <gmock/gmock.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include "base/file.h"
#include "base/random.h"
#include "node/engine/saved_files.h"

namespace orchion::node::engine {
namespace {

using base::Code;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

constexpr const char* kPing =
    "HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nServer: Docker/20.10.24 (linux)\r\nContent-Length: 2\r\nConnection: "
    "close\r\n\r\nOK";

std::string answer(int status, const std::string& body) {
  return "HTTP/1.1 " + std::to_string(status) +
         " X\r\nConnection: close\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

// Takes a connection for each answer, notes the first line it hears, and gives the answer; an empty one is never given.
class ScriptedEngine {
 public:
  explicit ScriptedEngine(std::deque<std::string> answers)
      : folder_(std::filesystem::temp_directory_path() / ("engine-" + base::Random::from_system().text(10))),
        listener_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    std::filesystem::create_directory(folder_);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    socket().string().copy(address.sun_path, sizeof address.sun_path - 1);
    EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(listener_.get(), 8), 0);
    thread_ = std::thread([this, answers = std::move(answers)] { serve(answers); });
  }
  ~ScriptedEngine() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
    std::filesystem::remove_all(folder_);
  }

  std::filesystem::path socket() const { return folder_ / "s"; }

  // Once all answers were given.
  std::vector<std::string> heard() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    if (thread_.joinable()) thread_.join();
    thread_ = std::thread([] {});
    return heard_;
  }

 private:
  void serve(const std::deque<std::string>& answers) {
    std::vector<base::UniqueFd> silent;
    for (const auto& text : answers) {
      base::UniqueFd peer(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!peer) return;
      char bytes[8192];
      const auto n = ::recv(peer.get(), bytes, sizeof bytes, 0);
      const std::string request(bytes, static_cast<std::size_t>(n > 0 ? n : 0));
      heard_.push_back(request.substr(0, request.find(" HTTP")));
      (void)!::send(peer.get(), text.data(), text.size(), MSG_NOSIGNAL);
      if (text.empty()) silent.push_back(std::move(peer));
    }
  }

  std::filesystem::path folder_;
  base::UniqueFd listener_;
  std::vector<std::string> heard_;
  std::thread thread_;
};

class EngineClientTest : public testing::Test {
 protected:
  template <class T>
  base::Result<T> run(base::Co<T> coroutine) {
    auto future = boost::asio::co_spawn(io_, std::move(coroutine), boost::asio::use_future);
    io_.restart();
    io_.run();
    return future.get();
  }

  boost::asio::io_context io_;
  base::SystemClock clock_;
};

TEST_F(EngineClientTest, TheVersionIsSettledOnce) {
  ScriptedEngine engine({kPing, answer(404, "{}"), answer(404, "{}")});
  EngineClient client(io_.get_executor(), clock_, engine.socket());
  EXPECT_FALSE(run(client.inspect_container("a"))->has_value());
  EXPECT_FALSE(run(client.inspect_image("docker.io/library/b:1"))->has_value());
  const auto version = run(client.version());
  EXPECT_EQ(version->version, "20.10.24");
  EXPECT_EQ(version->dialect, Dialect::kDocker);
  EXPECT_THAT(engine.heard(), ElementsAre("GET /_ping", "GET /v1.41/containers/a/json",
                                          "GET /v1.41/images/docker.io/library/b%3A1/json"));
}

TEST_F(EngineClientTest, AFailingEngineIsAskedAgainAndThenGivenUp) {
  const auto broken = answer(500, R"({"message":"out of disk"})");
  ScriptedEngine engine({kPing, broken, broken, answer(200, R"([])"), broken, broken, broken, broken});
  EngineClient client(io_.get_executor(), clock_, engine.socket());
  EXPECT_TRUE(run(client.list_containers("a", "b")).has_value());
  const auto failed = run(client.list_containers("a", "b"));
  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().code, Code::kInternal);
  EXPECT_THAT(failed.error().message, HasSubstr("out of disk"));
  EXPECT_THAT(failed.error().message, HasSubstr("docker at " + engine.socket().string()));
  EXPECT_EQ(engine.heard().size(), 8u);
}

TEST_F(EngineClientTest, WhatFailedInTheEngineIsNotStartedTwice) {
  ScriptedEngine engine({kPing, answer(500, R"({"message":"no such device"})")});
  EngineClient client(io_.get_executor(), clock_, engine.socket());
  EXPECT_EQ(run(client.start_container("a")).error().code, Code::kInternal);
  EXPECT_EQ(engine.heard().size(), 2u);
}

TEST_F(EngineClientTest, WhatIsEndingIsKilledWhileItStillLooksAlive) {
  const auto refused = answer(500, R"({"message":"container state improper: stopped"})");
  const auto running = answer(200, R"({"Id":"a","State":{"Running":true,"Pid":1}})");
  const auto ended = answer(200, R"({"Id":"a","State":{"Running":false,"Pid":0}})");
  ScriptedEngine engine({kPing, refused, running, refused, ended});
  EngineClient client(io_.get_executor(), clock_, engine.socket());
  const auto killed = run(client.kill_container("a", 9));
  EXPECT_TRUE(killed.has_value()) << killed.error().message;
  EXPECT_EQ(engine.heard().size(), 5u);
}

TEST_F(EngineClientTest, AHangingEngineIsAnErrorInTime) {
  ScriptedEngine engine({kPing, ""});
  EngineClient client(io_.get_executor(), clock_, engine.socket(), {.ordinary = 100ms});
  const auto late = run(client.inspect_container("a"));
  ASSERT_FALSE(late.has_value());
  EXPECT_EQ(late.error().code, Code::kDeadlineExceeded);
  EXPECT_THAT(late.error().message, HasSubstr("hangs"));
}

TEST_F(EngineClientTest, NobodyAndAnythingElseAreToldApart) {
  EngineClient nobody(io_.get_executor(), clock_, "/nonexistent/engine.sock");
  const auto away = run(nobody.version());
  EXPECT_EQ(away.error().code, Code::kUnavailable);
  EXPECT_THAT(away.error().message, HasSubstr("/nonexistent/engine.sock does not answer"));
  ScriptedEngine other({answer(200, "hello")});
  EngineClient client(io_.get_executor(), clock_, other.socket());
  EXPECT_EQ(run(client.version()).error().code, Code::kFailedPrecondition);
  ScriptedEngine old({"HTTP/1.1 200 OK\r\nApi-Version: 1.24\r\nContent-Length: 2\r\n\r\nOK"});
  EngineClient ancient(io_.get_executor(), clock_, old.socket());
  EXPECT_EQ(run(ancient.version()).error().code, Code::kUnimplemented);
}

TEST_F(EngineClientTest, APullsErrorComesOutOfItsProgress) {
  ScriptedEngine engine({kPing, answer(200,
                                       "{\"status\":\"Pulling\",\"id\":\"1\"}\r\n{\"errorDetail\":{\"message\":"
                                       "\"manifest unknown\"},\"error\":\"manifest unknown\"}\r\n")});
  EngineClient client(io_.get_executor(), clock_, engine.socket());
  const auto pulled = run(client.pull_image("docker.io/library/x:1"));
  ASSERT_FALSE(pulled.has_value());
  EXPECT_EQ(pulled.error().code, Code::kNotFound);
  EXPECT_THAT(pulled.error().message, HasSubstr("manifest unknown"));
}

class SavedFilesTest : public EngineClientTest {
 protected:
  base::Result<> save(std::deque<std::string> answers, std::int64_t bytes_max = 0) {
    answers.push_front(kPing);
    ScriptedEngine engine(std::move(answers));
    EngineClient client(io_.get_executor(), clock_, engine.socket());
    auto saved = run(save_files(client, clock_, "a", "/out", bytes_max, file_));
    kept_ = base::read_file(file_).value_or("no file");
    return saved;
  }
  ~SavedFilesTest() override { std::filesystem::remove(file_); }

  const std::filesystem::path file_ =
      std::filesystem::temp_directory_path() / ("saved-" + base::Random::from_system().text(10));
  const std::string tar_ = std::string(512, 'h') + std::string(512, 'b') + std::string(1024, '\0');
  std::string kept_;
};

TEST_F(SavedFilesTest, AreWholeOrAskedForAgain) {
  EXPECT_TRUE(save({answer(200, tar_)}));
  EXPECT_EQ(kept_, tar_);
  const auto saved = save({answer(200, ""), answer(200, tar_.substr(0, 1024)), answer(200, tar_)});
  EXPECT_TRUE(saved) << saved.error().message;
  EXPECT_EQ(kept_, tar_);
}

TEST_F(SavedFilesTest, OfWhichOnlyPartsComeAreRefused) {
  const auto saved = save(std::deque<std::string>(12, answer(200, "")));
  EXPECT_EQ(saved.error().code, Code::kUnavailable);
  EXPECT_THAT(saved.error().message, HasSubstr("gave out only a part of /out"));
  EXPECT_EQ(kept_, "no file");
}

TEST_F(SavedFilesTest, MayBeMissingOrTooLarge) {
  EXPECT_EQ(save({answer(404, "{}")}).error().code, Code::kNotFound);
  EXPECT_EQ(kept_, "no file");
  EXPECT_EQ(save({answer(200, tar_)}, 2047).error().code, Code::kResourceExhausted);
  EXPECT_EQ(kept_, "no file");
}

}  // namespace
}  // namespace orchion::node::engine
