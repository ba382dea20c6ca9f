#include "core/shared_message.h"

#include <gtest/gtest.h>
#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <thread>

#include "v1/watch.pb.h"

namespace orchion::core {
namespace {

SharedMessagePtr event(const std::string& id) {
  auto message = std::make_unique<v1::WatchEvent>();
  message->set_id(id);
  return std::make_shared<const SharedMessage>(std::move(message));
}

std::string id_of(const google::protobuf::Message& message) {
  return static_cast<const v1::WatchEvent&>(message).id();
}

TEST(SharedMessage, EachFormIsMadeOnceWhoeverAsks) {
  const auto shared = event("e.1");
  std::atomic<int> made = 0;
  const auto encode = [&](const auto& message) {
    ++made;
    return id_of(message);
  };
  {
    std::vector<std::jthread> readers;
    for (int i = 0; i < 8; ++i)
      readers.emplace_back([&] { EXPECT_EQ(shared->as(SharedMessage::Form::kBytes, encode), "e.1"); });
  }
  EXPECT_EQ(made, 1);
  EXPECT_EQ(shared->as(SharedMessage::Form::kEvent, [](const auto&) { return std::string("another"); }), "another");
  EXPECT_EQ(shared->as(SharedMessage::Form::kBytes, encode), "e.1");
  EXPECT_EQ(made, 1);
}

TEST(SharedMessage, AStreamThatCannotShareGetsCopies) {
  boost::asio::io_context io;
  auto [reader, made] = base::make_pipe<MessagePtr, MessagePtr>(io.get_executor(), 4);
  const std::shared_ptr<MessageStream> writer = std::move(made);
  const auto first = event("e.1");
  auto sent = boost::asio::co_spawn(io, send_shared(writer, {first, event("e.2")}), boost::asio::use_future);
  auto one = boost::asio::co_spawn(io, reader->receive(), boost::asio::use_future);
  io.run();
  EXPECT_TRUE(sent.get());
  const auto received = one.get();
  ASSERT_TRUE(received && *received);
  EXPECT_EQ(id_of(***received), "e.1");
  EXPECT_NE((**received).get(), &first->message());
}

}  // namespace
}  // namespace orchion::core
