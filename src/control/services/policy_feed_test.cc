#include "control/services/policy_feed.h"

#include "control/services/assignments.h"
#include "control/services/services_fixture_test.h"

namespace orchion::control::services {
namespace {

v1::NetworkPolicy policy(const std::string& stack, const std::string& name) {
  v1::NetworkPolicy out;
  out.mutable_meta()->set_stack(stack);
  out.mutable_meta()->set_name(name);
  out.mutable_spec()->set_ingress(true);
  return out;
}

// Every commit goes to the feed, as a session's does.
class PolicyFeedTest : public ServicesFixture {
 protected:
  PolicyFeedTest() {
    subscription_ = objects_->subscribe([this](const auto& commit) {
      v1::Assignments out;
      feed_.tell_changes(view(), *commit, has_tasks_, out);
      if (out.has_policies()) told_.push_back(out.policies());
    });
  }
  ~PolicyFeedTest() override { subscription_.reset(); }

  template <class T>
  void make(const T& object) {
    store::Transaction transaction;
    store::create(transaction, object);
    commit(std::move(transaction));
  }

  PolicyFeed feed_;
  bool has_tasks_ = true;
  std::vector<v1::PolicyAssignments> told_;
  std::shared_ptr<void> subscription_;
};

TEST_F(PolicyFeedTest, AllAreToldWheneverOneChanges) {
  make(policy("shop", "b"));
  make(policy("edge", "a"));
  v1::Volume volume;
  volume.mutable_meta()->set_name("data");
  make(volume);
  ASSERT_EQ(told_.size(), 2u);
  ASSERT_EQ(told_[1].policies_size(), 2);
  EXPECT_EQ(told_[1].policies(0).stack(), "edge");
  EXPECT_EQ(told_[1].policies(0).name(), "a");
  EXPECT_TRUE(told_[1].policies(1).spec().ingress());
  store::Transaction gone;
  store::remove(gone, *view().network_policies().find("edge", "a"));
  commit(std::move(gone));
  ASSERT_EQ(told_.size(), 3u);
  EXPECT_EQ(told_[2].policies_size(), 1);
}

TEST_F(PolicyFeedTest, ANodeHearsOfThemWithItsFirstTask) {
  has_tasks_ = false;
  make(policy("shop", "a"));
  EXPECT_TRUE(told_.empty());
  has_tasks_ = true;
  v1::Volume volume;
  volume.mutable_meta()->set_name("data");
  make(volume);
  ASSERT_EQ(told_.size(), 1u);
  EXPECT_EQ(told_[0].policies_size(), 1);
}

TEST_F(PolicyFeedTest, AFullSetHasThemAlways) {
  AssignmentFeed feed("node-1");
  EXPECT_TRUE(feed.full(view()).has_policies()) << "none at all is said too";
  make(policy("shop", "a"));
  EXPECT_EQ(feed.full(view()).policies().policies_size(), 1);
}

}  // namespace
}  // namespace orchion::control::services
