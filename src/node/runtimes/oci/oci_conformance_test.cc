// The conformance tests with real containers.

#include "node/runtimes/oci/oci_test_factory.h"

namespace orchion::node::runtimes {
namespace {

std::unique_ptr<RuntimeFactory> make_crun() {
  return std::make_unique<oci::OciFactory>("crun");
}
std::unique_ptr<RuntimeFactory> make_runc() {
  return std::make_unique<oci::OciFactory>("runc");
}

INSTANTIATE_TEST_SUITE_P(Crun, RuntimeConformance, testing::Values(MakeRuntimeFactory(make_crun)));
INSTANTIATE_TEST_SUITE_P(Runc, RuntimeConformance, testing::Values(MakeRuntimeFactory(make_runc)));

}  // namespace
}  // namespace orchion::node::runtimes
