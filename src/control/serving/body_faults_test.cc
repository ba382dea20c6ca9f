#include "control/serving/body_faults.h"

#include <gtest/gtest.h>

#include "v1/control.pb.h"

namespace orchion::control::serving {
namespace {

// The pointers of all faults, a space between.
std::string faults(const std::string& body) {
  std::string out;
  for (const auto& fault : faults_of(body, *v1::ApplyStackRequest::descriptor())) {
    out += (out.empty() ? "" : " ") + fault.pointer;
  }
  return out;
}

std::string in_container(const std::string& json) {
  return R"({"spec":{"services":[{"name":"a"},{"spec":{"container":)" + json + "}}]}}";
}

TEST(BodyFaults, AllAtOnceAndInBothSpellings) {
  EXPECT_EQ(faults(R"({"nope":1,"dry_run":"x","baseRevision":"y","spec":{"volumes":{},"nope":null}})"),
            "/nope /dry_run /baseRevision /spec/volumes /spec/nope");
}

TEST(BodyFaults, OfEachSort) {
  const std::string at = "/spec/services/1/spec/container";
  EXPECT_EQ(faults(in_container("[]")), at);
  EXPECT_EQ(faults(in_container(R"({"image":{}})")), at + "/image");
  EXPECT_EQ(faults(in_container(R"({"command":{"values":"x"}})")), at + "/command/values");
  EXPECT_EQ(faults(in_container(R"({"command":{"values":["x",{}]}})")), at + "/command/values/1");
  EXPECT_EQ(faults(in_container(R"({"labels":{"a/b~c":[]}})")), at + "/labels/a~1b~0c") << "RFC 6901";
  EXPECT_EQ(faults(in_container(R"({"labels":[]})")), at + "/labels");
  EXPECT_EQ(faults(in_container(R"({"pullPolicy":"PERHAPS"})")), at + "/pullPolicy");
  EXPECT_EQ(faults(in_container(R"({"stopGracePeriod":5})")), at + "/stopGracePeriod");
  EXPECT_EQ(faults(in_container(R"({"init":"perhaps"})")), at + "/init");
  EXPECT_EQ(faults(in_container(R"({"cpuShares":true})")), at + "/cpuShares");
}

TEST(BodyFaults, WhatProtobufTakesIsNone) {
  EXPECT_EQ(faults(in_container(R"({"image":null,"pullPolicy":1,"shmBytes":"5","cpuShares":5,"init":"true"})")), "");
  EXPECT_EQ(faults("{"), "") << "no JSON";
}

TEST(BodyFaults, AreBoundedAndTellNoValue) {
  std::string list = "{}";
  for (int i = 0; i < 200; ++i) list += ",\"hunter2\"";
  const auto found = faults_of(R"({"spec":{"services":[)" + list + "]}}", *v1::ApplyStackRequest::descriptor());
  ASSERT_EQ(found.size(), 100u);
  EXPECT_EQ(found[0].detail, "not an object");
}

}  // namespace
}  // namespace orchion::control::serving
