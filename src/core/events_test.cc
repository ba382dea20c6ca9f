#include "core/events.h"

#include <set>

#include <gtest/gtest.h>

namespace orchion::core {
namespace {

TEST(Events, NamesAreUniqueAndSortByTime) {
  base::Random random(1);
  std::set<std::string> names;
  std::string last;
  for (int second = 0; second < 50; ++second) {
    const base::WallTime now{std::chrono::seconds(1767225600 + second)};
    const std::string first = make_event({}, now, random).meta().name();
    const std::string second_name = make_event({}, now, random).meta().name();
    EXPECT_LT(last, first);
    EXPECT_TRUE(names.insert(first).second);
    EXPECT_TRUE(names.insert(second_name).second);
    last = std::max(first, second_name);
  }
}

TEST(Events, CarryWhatTheDraftSays) {
  base::Random random(1);
  const auto event = make_event({v1::Event::WARNING, "Task", "shop", "web.1.x", "u1", "TaskFailed", "it failed", "nas"},
                                base::WallTime(std::chrono::seconds(7)), random);
  EXPECT_EQ(event.meta().stack(), "shop");
  EXPECT_FALSE(event.meta().uid().empty());
  EXPECT_EQ(event.time().seconds(), 7);
  EXPECT_EQ(event.severity(), v1::Event::WARNING);
  EXPECT_EQ(event.kind(), "Task");
  EXPECT_EQ(event.subject(), "web.1.x");
  EXPECT_EQ(event.subject_uid(), "u1");
  EXPECT_EQ(event.reason(), "TaskFailed");
  EXPECT_EQ(event.message(), "it failed");
  EXPECT_EQ(event.node(), "nas");
}

v1::Event event_of(const std::string& kind, const std::string& subject, const std::string& node, int second) {
  base::Random random(1);
  return make_event({v1::Event::INFO, kind, kind == "Node" ? "" : "shop", subject, "u1", "TaskFailed", "", node},
                    base::WallTime(std::chrono::seconds(second)), random);
}

TEST(Events, AListLeavesOutWhatIsNotWanted) {
  const auto event = event_of("Task", "web.1.k3f9qa", "nas", 100);
  v1::ListEventsRequest request;
  EXPECT_TRUE(is_wanted(event, request));
  request.set_stack("shop");
  request.set_subject("web");
  request.set_node("nas");
  request.set_reason("taskfailed");
  request.mutable_since()->set_seconds(100);
  EXPECT_TRUE(is_wanted(event, request));
  for (const char* subject : {"web.1", "web.1.k3f9qa"}) {
    request.set_subject(subject);
    EXPECT_TRUE(is_wanted(event, request)) << subject;
  }
  const auto refuses = [&](auto change) {
    auto other = request;
    change(other);
    return !is_wanted(event, other);
  };
  EXPECT_TRUE(refuses([](auto& other) { other.set_stack("blog"); }));
  EXPECT_TRUE(refuses([](auto& other) { other.set_subject("we"); }));
  EXPECT_TRUE(refuses([](auto& other) { other.set_subject("web.1.k3f9qa.x"); }));
  EXPECT_TRUE(refuses([](auto& other) { other.set_subject("web.11"); }));
  EXPECT_TRUE(refuses([](auto& other) { other.set_node("attic"); }));
  EXPECT_TRUE(refuses([](auto& other) { other.set_reason("TaskFail"); }));
  EXPECT_TRUE(refuses([](auto& other) { other.mutable_since()->set_nanos(1); }));
}

TEST(Events, WhatHappensToANodeHappensThere) {
  v1::ListEventsRequest request;
  request.set_node("nas");
  EXPECT_TRUE(is_wanted(event_of("Node", "nas", "", 1), request));
  EXPECT_FALSE(is_wanted(event_of("Service", "nas", "", 1), request));
}

}  // namespace
}  // namespace orchion::core
