#include "core/placement_validation.h"

#include <functional>

#include <gtest/gtest.h>

namespace orchion::core {
namespace {

std::string first_pointer(const std::function<void(v1::PlacementRules&)>& change) {
  v1::PlacementRules rules;
  change(rules);
  Violations violations;
  check_placement(rules, "/placement", violations);
  return violations.empty() ? "" : violations.front().pointer;
}

TEST(PlacementValidation, Rules) {
  EXPECT_EQ(first_pointer([](auto&) {}), "");
  EXPECT_EQ(first_pointer([](auto& r) { r.add_spread_over("node.labels.zone"); }), "");
  EXPECT_EQ(first_pointer([](auto& r) { r.add_spread_over("zone"); }), "/placement/spreadOver/0");
  EXPECT_EQ(first_pointer([](auto& r) {
              for (const char* key : {"node.labels.a", "node.labels.b", "node.labels.c"}) r.add_spread_over(key);
            }),
            "/placement/spreadOver");
  EXPECT_EQ(first_pointer([](auto& r) { r.add_affinities(); }), "/placement/affinities/0/service");
  EXPECT_EQ(first_pointer([](auto& r) {
              r.add_affinities()->set_service("db");
              r.mutable_affinities(0)->set_domain("rack");
            }),
            "/placement/affinities/0/domain");
}

TEST(PlacementValidation, Gpus) {
  const auto pointer = [](std::uint32_t count, std::uint32_t share, std::int64_t memory) {
    v1::GpuRequest request;
    request.set_count(count);
    request.set_share_milli(share);
    request.set_memory_bytes(memory);
    Violations violations;
    check_gpus(request, "/gpus", violations);
    return violations.empty() ? "" : violations.front().pointer;
  };
  EXPECT_EQ(pointer(2, 0, 1), "");
  EXPECT_EQ(pointer(0, 250, 1), "");
  EXPECT_EQ(pointer(65, 0, 0), "/gpus/count");
  EXPECT_EQ(pointer(0, 1000, 0), "/gpus/shareMilli");
  EXPECT_EQ(pointer(1, 500, 0), "/gpus/shareMilli");
  EXPECT_EQ(pointer(1, 0, -1), "/gpus/memoryBytes");
}

}  // namespace
}  // namespace orchion::core
