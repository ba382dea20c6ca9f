#include "node/engine/pull_meter.h"

#include <gtest/gtest.h>

namespace orchion::node::engine {
namespace {

bool add(PullMeter& meter, const char* json) {
  return meter.add(parse_progress(json));
}

TEST(PullMeter, AddsUpWhatEachLayerSays) {
  PullMeter meter;
  EXPECT_FALSE(add(meter, R"({"status":"Pulling from library/nginx","id":"1.27"})"));
  EXPECT_FALSE(add(meter, R"({"status":"Already exists","progressDetail":{},"id":"aa"})"));
  EXPECT_FALSE(add(meter, R"({"status":"Pulling fs layer","progressDetail":{},"id":"bb"})"));
  EXPECT_TRUE(add(meter, R"({"status":"Downloading","progressDetail":{"current":10,"total":100},"id":"bb"})"));
  EXPECT_TRUE(add(meter, R"({"status":"Downloading","progressDetail":{"current":50,"total":50},"id":"cc"})"));
  EXPECT_EQ(meter.done_bytes(), 60u);
  EXPECT_EQ(meter.total_bytes(), 150u);
  EXPECT_TRUE(add(meter, R"({"status":"Download complete","progressDetail":{},"id":"bb"})"));
  EXPECT_FALSE(add(meter, R"({"status":"Extracting","progressDetail":{"current":1,"total":100},"id":"bb"})"));
  EXPECT_FALSE(add(meter, R"({"status":"Digest: sha256:ab"})"));
  EXPECT_EQ(meter.done_bytes(), 150u);
}

TEST(PullMeter, WhatIsNoProgressIsNothing) {
  PullMeter meter;
  EXPECT_FALSE(add(meter, "not json"));
  EXPECT_FALSE(add(meter, R"({"status":"Downloading","progressDetail":{"current":-5,"total":"x"},"id":"bb"})"));
  EXPECT_EQ(meter.total_bytes(), 0u);
}

}  // namespace
}  // namespace orchion::node::engine
