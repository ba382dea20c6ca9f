#include "core/policy_labels.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace orchion::core {
namespace {

using testing::Pair;
using testing::UnorderedElementsAre;

TEST(PolicyLabels, AContainersGoBeforeItsServices) {
  v1::ServiceSpec spec;
  EXPECT_TRUE(policy_labels(spec).empty());
  (*spec.mutable_labels())["tier"] = "front";
  (*spec.mutable_labels())["team"] = "red";
  auto& container = *spec.mutable_container()->mutable_labels();
  container["tier"] = "back";
  container["size"] = "";
  EXPECT_THAT(policy_labels(spec), UnorderedElementsAre(Pair("tier", "back"), Pair("team", "red"), Pair("size", "")));
}

}  // namespace
}  // namespace orchion::core
