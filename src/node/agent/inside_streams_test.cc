// Files and ports of running tasks. The tasks' first process is a real one, so that there is something inside: this
// test.

#include <csignal>
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

#include "node/agent/agent_lab.h"

namespace orchion::node::agent {
namespace {

namespace fs = std::filesystem;
using boost::asio::ip::tcp;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

class InsideStreamsTest : public AgentLab {
 protected:
  using Message = base::Result<std::optional<v1::StreamFromAgent>>;

  InsideStreamsTest() : files(folder / "files") {
    std::signal(SIGPIPE, SIG_IGN);
    fs::create_directories(files / "into");
    std::ofstream(files / "notes") << "some text";
    server.full = assignments({task("a"), task("b", 2)});
    // The namespace is this test's: nothing is to leave its loopback.
    auto& assignment = *server.full.mutable_tasks(0)->mutable_task()->mutable_spec()->mutable_assignment();
    assignment.mutable_addresses(0)->set_address("127.0.0.9");
    runtime.real_pids = {{"a", ::getpid()}, {"b", 1 << 30}};
    start_agent();
    advance(seconds(1));
  }

  void want(v1::StreamRequest request) {
    request.set_id("stream-1");
    v1::ToAgent message;
    *message.mutable_stream() = std::move(request);
    server.send(std::move(message));
    settle();
    ASSERT_NE(server.stream, nullptr);
    const auto first = finish(server.stream->receive());
    ASSERT_TRUE(first.has_value() && first->has_value());
  }

  template <class T>
  T wait_for(const std::optional<T>& result) {
    // Another process takes its own time, and the clock stands still meanwhile.
    while (!result) {
      io.restart();
      io.run_for(milliseconds(20));
    }
    return *result;
  }

  Message next() {
    std::optional<Message> result;
    boost::asio::co_spawn(io, server.stream->receive(),
                          [&](std::exception_ptr, Message message) { result = std::move(message); });
    return wait_for(result);
  }

  base::Result<> send(v1::StreamToAgent message) {
    std::optional<base::Result<>> result;
    boost::asio::co_spawn(io, server.stream->send(std::move(message)),
                          [&](std::exception_ptr, base::Result<> sent) { result = std::move(sent); });
    return wait_for(result);
  }

  void send_piece(const std::string& data) {
    v1::StreamToAgent message;
    message.set_data(data);
    ASSERT_TRUE(send(std::move(message)).has_value());
  }

  void want_copy(const std::string& uid, const fs::path& path) {
    v1::StreamRequest request;
    request.mutable_copy_from()->set_task_uid(uid);
    request.mutable_copy_from()->mutable_request()->set_path(path.string());
    want(std::move(request));
  }

  // To its end.
  std::string copied() {
    std::string archive;
    while (true) {
      const auto message = next();
      EXPECT_TRUE(message.has_value() && message->has_value());
      if (!message || !*message || (*message)->data().empty()) return archive;
      archive += (*message)->data();
    }
  }

  const fs::path files;
};

TEST_F(InsideStreamsTest, AFileGoesOutAndIn) {
  want_copy("a", files / "notes");
  const auto archive = copied();
  EXPECT_THAT(archive, HasSubstr("some text"));
  EXPECT_THAT(archive, HasSubstr("notes"));
  server.stream.reset();

  v1::StreamRequest request;
  request.mutable_copy_into()->set_task_uid("a");
  request.mutable_copy_into()->set_path((files / "into").string());
  want(std::move(request));
  send_piece(archive.substr(0, 700));
  send_piece(archive.substr(700));
  send_piece("");
  const auto answer = next();
  ASSERT_TRUE(answer.has_value() && answer->has_value()) << (answer ? "" : answer.error().message);
  EXPECT_TRUE((*answer)->has_data());
  std::ifstream copy(files / "into/notes");
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(copy), {}), "some text");
}

TEST_F(InsideStreamsTest, HalfAnArchiveIsNoArchive) {
  v1::StreamRequest request;
  request.mutable_copy_into()->set_task_uid("a");
  request.mutable_copy_into()->set_path((files / "into").string());
  want(std::move(request));
  send_piece(std::string(512, '\0'));
  server.stream->finish();
  EXPECT_EQ(next().error().code, base::Code::kUnavailable);
}

TEST_F(InsideStreamsTest, WhatIsNotThereIsSaid) {
  want_copy("a", files / "nothing");
  EXPECT_EQ(next().error().code, base::Code::kNotFound);
}

TEST_F(InsideStreamsTest, ATaskWhoseProcessIsGoneIsNotEntered) {
  want_copy("b", files);
  EXPECT_EQ(next().error().code, base::Code::kFailedPrecondition);
}

TEST_F(InsideStreamsTest, APidThatIsAnothersNowIsNotEntered) {
  // The agent hasn't heard yet that the container has ended, its runtime has.
  runtime.containers.at("a").info.phase = runtimes::ContainerPhase::kExited;
  want_copy("a", files);
  EXPECT_EQ(next().error().code, base::Code::kFailedPrecondition);
}

TEST_F(InsideStreamsTest, APortCarriesBothWaysAndEndsHalfByHalf) {
  tcp::acceptor listening(io, {boost::asio::ip::make_address("127.0.0.1"), 0});
  v1::StreamRequest request;
  request.mutable_forward()->set_task_uid("a");
  request.mutable_forward()->set_port(listening.local_endpoint().port());
  want(std::move(request));
  EXPECT_TRUE((*next())->forward().connected());
  auto peer = listening.accept();

  v1::StreamToAgent message;
  message.mutable_forward()->set_data("ping");
  ASSERT_TRUE(send(message).has_value());
  message.mutable_forward()->set_end(true);
  ASSERT_TRUE(send(message).has_value());
  settle();
  std::string heard;
  boost::system::error_code error;
  std::optional<bool> ended;
  boost::asio::async_read(peer, boost::asio::dynamic_buffer(heard),
                          [&](const boost::system::error_code&, std::size_t) { ended = true; });
  wait_for(ended);
  EXPECT_EQ(heard, "ping");

  boost::asio::write(peer, boost::asio::buffer(std::string("pong")));
  EXPECT_EQ((*next())->forward().data(), "pong");
  peer.close();
  EXPECT_TRUE((*next())->forward().end());
  const auto last = next();
  EXPECT_TRUE(last.has_value() && !last->has_value());
}

TEST_F(InsideStreamsTest, APortThatNobodyListensOnIsNamed) {
  tcp::acceptor closed(io, {boost::asio::ip::make_address("127.0.0.1"), 0});
  const auto port = closed.local_endpoint().port();
  closed.close();
  v1::StreamRequest request;
  request.mutable_forward()->set_task_uid("a");
  request.mutable_forward()->set_port(port);
  want(std::move(request));
  const auto refused = next();
  EXPECT_EQ(refused.error().code, base::Code::kFailedPrecondition);
  EXPECT_EQ(refused.error().message, "nothing listens on port " + std::to_string(port) + " of shop/web.1");
}

}  // namespace
}  // namespace orchion::node::agent
