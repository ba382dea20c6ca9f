#include "control/services/peer_feed.h"

#include "control/services/assignments.h"
#include "control/services/services_fixture_test.h"
#include "core/events.h"

namespace orchion::control::services {
namespace {

v1::Node node(const std::string& name, const std::string& number) {
  v1::Node out;
  out.mutable_meta()->set_name(name);
  out.mutable_meta()->set_uid("uid-" + name);
  out.mutable_status()->set_address("192.0.2." + number);
  out.mutable_status()->set_host_address("10.255.0." + number);
  return out;
}

// Every commit goes to the feed of "nas", as a session's does.
class PeerFeedTest : public ServicesFixture {
 protected:
  PeerFeedTest() {
    subscription_ = objects_->subscribe([this](const auto& commit) {
      v1::Assignments out;
      feed_.tell_changes(view(), *commit, needed_, out);
      if (out.has_peers()) told_.push_back(out.peers());
    });
  }
  ~PeerFeedTest() override { subscription_.reset(); }

  void make(const v1::Node& node) {
    store::Transaction transaction;
    store::create(transaction, node);
    store::put_status(transaction, node);
    commit(std::move(transaction));
  }

  void write(const v1::Node& node) {
    store::Transaction transaction;
    store::put_status(transaction, node);
    commit(std::move(transaction));
  }

  PeerFeed feed_{"uid-nas"};
  bool needed_ = true;
  std::vector<v1::Peers> told_;
  std::shared_ptr<void> subscription_;
};

TEST_F(PeerFeedTest, AllOthersAreToldWheneverOneIsReachedOtherwise) {
  make(node("nas", "1"));
  make(node("pi", "2"));
  make(node("desk", "3"));
  ASSERT_EQ(told_.size(), 3u);
  ASSERT_EQ(told_[2].peers_size(), 2);
  EXPECT_EQ(told_[2].peers(0).node_uid(), "uid-desk");
  EXPECT_EQ(told_[2].peers(1).address(), "192.0.2.2");
  EXPECT_EQ(told_[2].peers(1).host_address(), "10.255.0.2");

  v1::Node busy = *view().nodes().find("pi");
  busy.mutable_status()->mutable_capabilities()->set_hostname("pi");
  write(busy);
  EXPECT_EQ(told_.size(), 3u) << "nothing that others need";
  busy.mutable_status()->set_address("192.0.2.22");
  write(busy);
  ASSERT_EQ(told_.size(), 4u);
  EXPECT_EQ(told_[3].peers(1).address(), "192.0.2.22");

  store::Transaction gone;
  store::remove(gone, *view().nodes().find("pi"));
  commit(std::move(gone));
  ASSERT_EQ(told_.size(), 5u);
  EXPECT_EQ(told_[4].peers_size(), 1);
}

TEST_F(PeerFeedTest, TheMeshIsForThoseThatAreInIt) {
  make(node("nas", "1"));
  auto pi = node("pi", "2");
  pi.mutable_status()->mutable_mesh()->set_public_key("of the Pi");
  make(pi);
  make(node("desk", "3"));
  EXPECT_FALSE(told_.back().peers(1).has_mesh()) << "the NAS isn't";
  v1::Node own = *view().nodes().find("nas");
  own.mutable_status()->mutable_mesh()->set_public_key("of the NAS");
  write(own);
  ASSERT_EQ(told_.size(), 4u);
  EXPECT_FALSE(told_.back().peers(0).has_mesh());
  EXPECT_EQ(told_.back().peers(1).mesh().public_key(), "of the Pi");
  v1::Node other = *view().nodes().find("pi");
  other.mutable_status()->mutable_mesh()->set_public_key("its next");
  write(other);
  EXPECT_EQ(told_.back().peers(1).mesh().public_key(), "its next");
}

TEST_F(PeerFeedTest, WhoSendsNothingIsToldNothingAndAllWhenItBegins) {
  needed_ = false;
  make(node("nas", "1"));
  make(node("pi", "2"));
  EXPECT_EQ(told_.size(), 0u);
  needed_ = true;
  store::Transaction other;
  store::create(other,
                core::make_event({v1::Event::INFO, "Node", "", "nas", "", "Reason", "anything else", ""}, {}, random_));
  commit(std::move(other));
  ASSERT_EQ(told_.size(), 1u);
  EXPECT_EQ(told_[0].peers_size(), 1);
}

TEST_F(PeerFeedTest, AFullSetHasThemAlways) {
  AssignmentFeed feed("uid-nas");
  EXPECT_TRUE(feed.full(view()).has_peers()) << "none at all is said too";
  make(node("pi", "2"));
  EXPECT_EQ(feed.full(view()).peers().peers_size(), 1);
}

}  // namespace
}  // namespace orchion::control::services
