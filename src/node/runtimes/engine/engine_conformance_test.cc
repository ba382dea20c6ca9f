// The conformance tests with the distribution's own Docker and Podman.

#include "node/runtimes/engine/engine_test_factory.h"

namespace orchion::node::runtimes {
namespace {

using node::engine::Dialect;

// None where the engine isn't installed.
template <Dialect dialect>
std::vector<MakeRuntimeFactory> factories() {
  if (!node::engine::EngineProcess::why_missing(dialect).empty()) return {};
  return {[] { return std::make_unique<engine::EngineFactory>(dialect); }};
}

INSTANTIATE_TEST_SUITE_P(Docker, RuntimeConformance, testing::ValuesIn(factories<Dialect::kDocker>()));
INSTANTIATE_TEST_SUITE_P(Podman, RuntimeConformance, testing::ValuesIn(factories<Dialect::kPodman>()));

TEST(Engines, AreInstalled) {
  for (const auto dialect : {Dialect::kDocker, Dialect::kPodman}) {
    const auto missing = node::engine::EngineProcess::why_missing(dialect);
    if (!missing.empty()) GTEST_SKIP() << missing;
  }
}

}  // namespace
}  // namespace orchion::node::runtimes
