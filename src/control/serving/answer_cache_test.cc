#include "control/serving/answer_cache.h"

#include <gtest/gtest.h>

#include "v1/control.pb.h"

namespace orchion::control::serving {
namespace {

TEST(AnswerCacheTest, OnlyListsHaveABookmark) {
  v1::ListTasksResponse list;
  list.set_revision("e.7");
  EXPECT_EQ(bookmark_of(list), "e.7");
  EXPECT_EQ(bookmark_of(v1::Stack()), "");
  v1::Service service;
  service.mutable_meta()->set_revision(7);
  EXPECT_EQ(bookmark_of(service), "");
}

TEST(AnswerCacheTest, TheNewestAnswerOfATargetIsKept) {
  AnswerCache cache(1000);
  EXPECT_EQ(cache.find("/a"), nullptr);
  cache.put("/a", {"e.1", "old"});
  cache.put("/a", {"e.2", "new"});
  ASSERT_NE(cache.find("/a"), nullptr);
  EXPECT_EQ(cache.find("/a")->bookmark, "e.2");
  EXPECT_EQ(cache.find("/a")->body, "new");
}

TEST(AnswerCacheTest, ItsSizeIsBounded) {
  AnswerCache cache(1000);
  cache.put("/large", {"e.1", std::string(250, 'x')});
  EXPECT_EQ(cache.find("/large"), nullptr) << "beyond a quarter";
  for (char c = 'a'; c < 'e'; ++c) cache.put(std::string(1, c), {"e.1", std::string(240, 'x')});
  EXPECT_NE(cache.find("a"), nullptr);
  cache.put("e", {"e.1", std::string(240, 'x')});
  EXPECT_EQ(cache.find("a"), nullptr);
  EXPECT_NE(cache.find("e"), nullptr);
  // What was replaced no longer counts.
  for (int i = 0; i < 100; ++i) cache.put("f", {"e.1", std::string(240, 'x')});
  EXPECT_NE(cache.find("e"), nullptr);
}

}  // namespace
}  // namespace orchion::control::serving
