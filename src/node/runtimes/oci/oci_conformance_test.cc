// The conformance tests with real containers.

#include "node/runtimes/oci/oci_test_factory.h"

namespace orchion::node::runtimes {
namespace {

// All that a container can, it can with users of its own.
class OwnUsersFactory final : public oci::OciFactory {
 public:
  using oci::OciFactory::OciFactory;
  void fill(ContainerConfig& config) override {
    oci::OciFactory::fill(config);
    config.own_users = true;
  }
};

std::unique_ptr<RuntimeFactory> make_crun() {
  return std::make_unique<oci::OciFactory>("crun");
}
std::unique_ptr<RuntimeFactory> make_runc() {
  return std::make_unique<oci::OciFactory>("runc");
}

std::unique_ptr<RuntimeFactory> make_crun_with_own_users() {
  return std::make_unique<OwnUsersFactory>("crun");
}

INSTANTIATE_TEST_SUITE_P(Crun, RuntimeConformance, testing::Values(MakeRuntimeFactory(make_crun)));
INSTANTIATE_TEST_SUITE_P(Runc, RuntimeConformance, testing::Values(MakeRuntimeFactory(make_runc)));
INSTANTIATE_TEST_SUITE_P(CrunOwnUsers, RuntimeConformance,
                         testing::Values(MakeRuntimeFactory(make_crun_with_own_users)));

}  // namespace
}  // namespace orchion::node::runtimes
