#include "control/services/watch_service.h"

#include "control/services/services_fixture_test.h"
#include "v1/watch.pb.h"

namespace orchion::control::services {
namespace {

using base::Code;
using std::chrono::seconds;

// One reader of changes; goes when it is destroyed.
class Watcher {
 public:
  Watcher(store::TestLoop& loop, ServiceContext context, v1::WatchRequest request) : loop_(loop) {
    auto [mine, theirs] = base::make_pipe<core::MessagePtr, core::MessagePtr>(loop.executor(), 100);
    stream_ = std::move(mine);
    std::shared_ptr<core::MessageStream> server = std::move(theirs);
    ended = loop.start(watch(context, std::make_shared<WatchFeed>(context), std::move(request), server), &stop_);
  }
  ~Watcher() {
    stop_.emit(boost::asio::cancellation_type::all);
    loop_.poll();
  }

  v1::WatchEvent next() {
    const auto received = loop_.run(stream_->receive());
    EXPECT_TRUE(received && *received) << (received ? "the stream ended" : received.error().message);
    return received && *received ? static_cast<const v1::WatchEvent&>(***received) : v1::WatchEvent();
  }

  store::Outcome<void> ended;

 private:
  store::TestLoop& loop_;
  boost::asio::cancellation_signal stop_;
  std::unique_ptr<core::MessageStream> stream_;
};

// The name of the object that the event carries, whatever kind it is.
std::string name_of(const v1::WatchEvent& event) {
  const auto* oneof = v1::WatchEvent::descriptor()->FindOneofByName("object");
  const auto* field = event.GetReflection()->GetOneofFieldDescriptor(event, oneof);
  if (field == nullptr) return "";
  const auto& object = event.GetReflection()->GetMessage(event, field);
  const auto& meta = object.GetReflection()->GetMessage(object, object.GetDescriptor()->FindFieldByName("meta"));
  return static_cast<const v1::Meta&>(meta).name();
}

template <class T>
class WatchKindTest : public ServicesFixture {
 protected:
  std::string kind() const { return T::descriptor()->name(); }

  void make(const std::string& name) {
    T object;
    object.mutable_meta()->set_name(name);
    object.mutable_meta()->set_uid("uid-" + name);
    store::Transaction transaction;
    store::create(transaction, object);
    // What isn't asked for.
    v1::Token token;
    token.mutable_meta()->set_name("token-" + name);
    store::create(transaction, token);
    commit(std::move(transaction));
  }

  std::unique_ptr<Watcher> watch_from(const std::string& since) {
    v1::WatchRequest request;
    request.add_kinds(kind());
    request.set_since(since);
    return std::make_unique<Watcher>(loop_, context(), request);
  }

  void expect_put(const v1::WatchEvent& event, const std::string& name) {
    EXPECT_EQ(event.type(), v1::WatchEvent::PUT);
    EXPECT_EQ(event.kind(), kind());
    EXPECT_EQ(name_of(event), name);
  }
};

using Kinds = testing::Types<v1::Stack, v1::Service, v1::Revision, v1::Task, v1::Network, v1::Volume, v1::Node,
                             v1::Image, v1::Event, v1::Channel, v1::NetworkPolicy>;
TYPED_TEST_SUITE(WatchKindTest, Kinds);

TYPED_TEST(WatchKindTest, PresentObjectsThenChangesThenOnFromTheLast) {
  this->make("a");
  auto watcher = this->watch_from("");
  this->expect_put(watcher->next(), "a");
  EXPECT_EQ(watcher->next().type(), v1::WatchEvent::SYNCED);
  this->make("b");
  const auto seen = watcher->next();
  this->expect_put(seen, "b");
  watcher.reset();
  this->make("c");
  watcher = this->watch_from(seen.id());
  this->expect_put(watcher->next(), "c");
}

TYPED_TEST(WatchKindTest, ABookmarkMovesTheSilentOn) {
  const auto watcher = this->watch_from("");
  const auto synced = watcher->next();
  EXPECT_EQ(synced.type(), v1::WatchEvent::SYNCED);
  store::Transaction transaction;
  v1::Token token;
  token.mutable_meta()->set_name("unseen");
  store::create(transaction, token);
  this->commit(std::move(transaction));
  this->loop_.poll();
  this->clock_.advance(seconds(15));
  const auto bookmark = watcher->next();
  EXPECT_EQ(bookmark.type(), v1::WatchEvent::BOOKMARK);
  EXPECT_NE(bookmark.id(), synced.id());
  EXPECT_EQ(bookmark.id(), this->objects_->bookmark().text());
}

TYPED_TEST(WatchKindTest, ABookmarkOfAnotherStoreEndsTheWatch) {
  const auto watcher = this->watch_from("other.1");
  EXPECT_EQ(watcher->next().type(), v1::WatchEvent::LIST_AGAIN);
  EXPECT_TRUE(this->loop_.wait(watcher->ended));
}

using WatchTest = ServicesFixture;

TEST_F(WatchTest, WhatIsNoKindOrBookmarkIsRefused) {
  v1::WatchRequest odd;
  odd.add_kinds("Node");
  odd.add_kinds("Token");
  const auto refused = loop_.wait(Watcher(loop_, context(), odd).ended);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kInvalidArgument);
  EXPECT_EQ(refused.error().fields.at(0).pointer, "/kinds/1");
  EXPECT_NE(refused.error().message.find("Revision"), std::string::npos) << refused.error().message;
  v1::WatchRequest since;
  since.set_since("x");
  const auto no_bookmark = loop_.wait(Watcher(loop_, context(), since).ended);
  ASSERT_FALSE(no_bookmark);
  EXPECT_EQ(no_bookmark.error().code, Code::kInvalidArgument);
  EXPECT_EQ(no_bookmark.error().fields.at(0).pointer, "/since");
}

}  // namespace
}  // namespace orchion::control::services
