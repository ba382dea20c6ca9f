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

}  // namespace
}  // namespace orchion::core
