// The conformance tests with programs of this machine.

#include "node/runtimes/process/process_test_factory.h"

namespace orchion::node::runtimes {
namespace {

std::unique_ptr<RuntimeFactory> make_process() {
  return std::make_unique<process::ProcessFactory>();
}

INSTANTIATE_TEST_SUITE_P(Process, RuntimeConformance, testing::Values(MakeRuntimeFactory(make_process)));

}  // namespace
}  // namespace orchion::node::runtimes
