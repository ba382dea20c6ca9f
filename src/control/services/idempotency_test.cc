#include "control/services/idempotency.h"

#include "control/services/services_fixture_test.h"
#include "control/services/stack_service.h"

namespace orchion::control::services {
namespace {

using base::Code;

class IdempotencyTest : public ServicesFixture {
 protected:
  IdempotencyTest() {
    service_ = std::make_unique<StackService>(context(), std::make_shared<StackManifests>(context()));
  }

  void restart() {
    service_.reset();
    stop();
    start();
    service_ = std::make_unique<StackService>(context(), std::make_shared<StackManifests>(context()));
  }

  static core::CallContext with_key(const std::string& key, const std::string& identity = "admin") {
    core::CallContext call;
    call.identity = identity;
    call.idempotency_key = key;
    return call;
  }

  static v1::ApplyStackRequest stack(const std::string& image) {
    v1::ApplyStackRequest request;
    request.set_name("shop");
    auto& service = *request.mutable_spec()->add_services();
    service.set_name("web");
    service.mutable_spec()->mutable_container()->set_image(image);
    for (const char* label : {"a", "b", "c"}) (*service.mutable_spec()->mutable_labels())[label] = label;
    return request;
  }

  base::Result<v1::ApplyStackResponse> apply(core::CallContext call, const std::string& image = "app:1") {
    return loop_.run(service_->apply(std::move(call), stack(image)));
  }

  std::uint64_t generation() const { return view().stacks().find("shop")->meta().generation(); }
  std::size_t records() { return loop_.run(objects_->list("idempotency/")).value().entries.size(); }

  std::unique_ptr<StackService> service_;
};

TEST_F(IdempotencyTest, TheSameCallIsDoneOnceAndAnsweredTheSame) {
  const auto first = apply(with_key("k1"));
  ASSERT_TRUE(first) << first.error().message;
  const auto second = apply(with_key("k1"));
  ASSERT_TRUE(second) << second.error().message;
  EXPECT_EQ(second->SerializeAsString().size(), first->SerializeAsString().size());
  EXPECT_EQ(second->stack().meta().revision(), first->stack().meta().revision());
  EXPECT_EQ(second->plan().changes(0).action(), v1::Change::CREATE) << "the first answer, not one about the present";
  EXPECT_EQ(generation(), 1u);
  ASSERT_TRUE(apply(with_key("k2")));
  EXPECT_EQ(generation(), 2u) << "another key is another call";
}

TEST_F(IdempotencyTest, AKeyIsForOneRequestOfOneCaller) {
  ASSERT_TRUE(apply(with_key("k1")));
  const auto other = apply(with_key("k1"), "app:2");
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, Code::kFailedPrecondition);
  EXPECT_EQ(other.error().message, "the Idempotency-Key k1 was used for another request: choose a new one");
  EXPECT_TRUE(apply(with_key("k1", "somebody"), "app:2"));
  EXPECT_EQ(generation(), 2u);
}

TEST_F(IdempotencyTest, WithoutAKeyNothingIsRemembered) {
  ASSERT_TRUE(apply({}));
  ASSERT_TRUE(apply({}));
  EXPECT_EQ(generation(), 2u);
  EXPECT_EQ(records(), 0u);
  for (const std::string& key : {std::string(), std::string(201, 'x'), std::string("a b"), std::string("\x07")})
    EXPECT_EQ(apply(with_key(key)).error().code, Code::kInvalidArgument) << key;
}

TEST_F(IdempotencyTest, ADryRunUsesNoKeyUp) {
  auto dry = stack("app:1");
  dry.set_dry_run(true);
  ASSERT_TRUE(loop_.run(service_->apply(with_key("k1"), dry)));
  ASSERT_TRUE(apply(with_key("k1")));
  EXPECT_EQ(generation(), 1u);
}

TEST_F(IdempotencyTest, ARestartForgetsNothing) {
  const auto first = apply(with_key("k1"));
  ASSERT_TRUE(first);
  restart();
  const auto second = apply(with_key("k1"));
  ASSERT_TRUE(second) << second.error().message;
  EXPECT_EQ(second->stack().meta().revision(), first->stack().meta().revision());
  EXPECT_EQ(generation(), 1u);
}

// As after a crash between the effect and the answer.
TEST_F(IdempotencyTest, AnAnswerThatIsNotKnownIsFoundOutWithoutDoingTheWorkAgain) {
  ASSERT_TRUE(apply(with_key("k1")));
  auto entry = loop_.run(objects_->list("idempotency/")).value().entries.at(0);
  v1::IdempotencyRecord record;
  ASSERT_TRUE(record.ParseFromString(entry.value));
  record.clear_response();
  store::Transaction transaction;
  transaction.put(entry.key, record.SerializeAsString());
  commit(std::move(transaction));
  const auto second = apply(with_key("k1"));
  ASSERT_TRUE(second) << second.error().message;
  EXPECT_EQ(second->stack().meta().name(), "shop");
  EXPECT_EQ(generation(), 1u);
}

TEST_F(IdempotencyTest, TwoAtTheSameMomentAreOne) {
  const auto first = loop_.start(service_->apply(with_key("k1"), stack("app:1")));
  const auto second = loop_.start(service_->apply(with_key("k1"), stack("app:1")));
  const auto a = loop_.wait(first), b = loop_.wait(second);
  ASSERT_TRUE(a) << a.error().message;
  ASSERT_TRUE(b) << b.error().message;
  EXPECT_EQ(generation(), 1u);
}

TEST_F(IdempotencyTest, WhatFailedMayBeTriedAgain) {
  EXPECT_FALSE(apply(with_key("k1"), ""));
  EXPECT_EQ(records(), 0u);
  EXPECT_TRUE(apply(with_key("k1")));
}

TEST_F(IdempotencyTest, OldOnesGoByAgeAndByCount) {
  ASSERT_TRUE(apply(with_key("old")));
  clock_.advance(kIdempotencyAgeMax + std::chrono::seconds(1));
  ASSERT_TRUE(apply(with_key("old"))) << "a key may be used again after a day";
  EXPECT_EQ(generation(), 2u);
  for (std::size_t i = 0; i < kIdempotencyRecordsMax + 5; ++i) {
    clock_.advance(std::chrono::seconds(1));
    ASSERT_TRUE(apply(with_key("k" + std::to_string(i))));
  }
  EXPECT_EQ(records(), kIdempotencyRecordsMax);
  const auto before = generation();
  ASSERT_TRUE(apply(with_key("old")));
  EXPECT_EQ(generation(), before + 1) << "it was the oldest";
  restart();
  clock_.advance(std::chrono::seconds(1));
  ASSERT_TRUE(apply(with_key("new")));
  EXPECT_EQ(records(), kIdempotencyRecordsMax);
}

}  // namespace
}  // namespace orchion::control::services
