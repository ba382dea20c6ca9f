#pragma once

// Whole commands, from the arguments to the exit code, against a server whose answers are canned.

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <thread>

#include <fmt/core.h>
#include <gtest/gtest.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include "base/random.h"
#include "cli/cli.h"
#include "wire/http_server.h"

namespace orchion::cli {

// Answers "VERB /path" (without the query) from a table, on a thread of its own; remembers what was asked.
class CannedServer {
 public:
  CannedServer()
      : guard_(context_.get_executor()),
        server_(context_.get_executor(),
                [this](std::shared_ptr<wire::Exchange> e) { return answer(this, std::move(e)); }),
        port_(*server_.listen_tcp("127.0.0.1", 0)),
        thread_([this] { context_.run(); }) {}

  ~CannedServer() {
    (void)boost::asio::co_spawn(context_, server_.shutdown(std::chrono::seconds(0)), boost::asio::use_future).get();
    guard_.reset();
    thread_.join();
  }

  std::string url() const { return fmt::format("http://127.0.0.1:{}", port_); }

  // Before the first request. The last answer of a route is given again and again.
  void on(const std::string& route, int status, const std::string& body) { answers_[route].push_back({status, body}); }

  std::vector<std::string> asked() {
    const std::lock_guard lock(mutex_);
    return asked_;
  }

 private:
  struct Answer {
    int status;
    std::string body;
  };

  Answer take(const wire::Request& request, const std::string& body) {
    const std::lock_guard lock(mutex_);
    asked_.push_back(request.method + " " + request.target + (body.empty() ? "" : " " + body));
    const auto found = answers_.find(request.method + " " + request.target.substr(0, request.target.find('?')));
    if (found == answers_.end()) return {404, R"({"code":"NOT_FOUND","detail":"nothing of that name is here"})"};
    Answer answer = found->second.front();
    if (found->second.size() > 1) found->second.erase(found->second.begin());
    return answer;
  }

  static base::Co<> answer(CannedServer* self, std::shared_ptr<wire::Exchange> exchange) {
    CO_ASSIGN_OR_RETURN(const auto body, co_await wire::read_whole(exchange->body(), 1u << 20));
    Answer answer = self->take(exchange->request(), body);
    wire::Response response;
    response.status = answer.status;
    response.body = std::move(answer.body);
    const bool events = response.body.starts_with("data:") || response.body.starts_with("id:");
    response.headers.add("Content-Type", events ? "text/event-stream" : "application/json");
    co_return co_await exchange->respond(std::move(response));
  }

  boost::asio::io_context context_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard_;
  std::mutex mutex_;
  std::map<std::string, std::vector<Answer>> answers_;
  std::vector<std::string> asked_;
  wire::HttpServer server_;
  std::uint16_t port_;
  std::thread thread_;
};

struct Outcome {
  int code = -1;
  std::string out;
  std::string err;
};

// Commands run in a folder of their own, with nothing set that would lead to a real server.
class CliTest : public testing::Test {
 protected:
  CliTest() : before_(std::filesystem::current_path()) {
    auto random = base::Random::from_system();
    folder_ = std::filesystem::temp_directory_path() / ("cli-" + random.text(8)) / "shop";
    std::filesystem::create_directories(folder_);
    std::filesystem::current_path(folder_);
    for (const auto* name : {"ORCHION_TOKEN", "ORCHION_DATA", "COMPOSE_PROJECT_NAME"}) ::unsetenv(name);
    ::setenv("ORCHION_SERVER", server_.url().c_str(), 1);
    ::setenv("XDG_CONFIG_HOME", (folder_ / "config").c_str(), 1);
    hooks_.version = "1.2.3";
  }
  ~CliTest() override {
    std::filesystem::current_path(before_);
    std::filesystem::remove_all(folder_.parent_path());
    for (const auto* name : {"ORCHION_SERVER", "ORCHION_DATA", "XDG_CONFIG_HOME"}) ::unsetenv(name);
  }

  Outcome run(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "orchion");
    std::vector<char*> argv;
    for (auto& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    Outcome outcome;
    outcome.code = run_cli(static_cast<int>(arguments.size()), argv.data(), hooks_);
    outcome.out = testing::internal::GetCapturedStdout();
    outcome.err = testing::internal::GetCapturedStderr();
    return outcome;
  }

  void write(const std::string& name, const std::string& text) { std::ofstream(folder_ / name) << text; }

  CannedServer server_;
  CliHooks hooks_;
  std::filesystem::path before_;
  std::filesystem::path folder_;
};

inline constexpr const char* kCompose = "services: {web: {image: web:1, ports: [\"8080:80\"]}}\n";

inline constexpr const char* kTasks =
    R"({"tasks":[{"meta":{"name":"web.1.abc","stack":"shop","uid":"u1"},"spec":{"service":"web","slot":1,)"
    R"("assignment":{"node":"nas","ports":[{"hostPort":8080,"containerPort":80,"protocol":"tcp"}]}},)"
    R"("status":{"state":"RUNNING"}}],"nextPageToken":"","revision":"e.1"})";

}  // namespace orchion::cli
