#include "control/services/image_holders.h"

#include <gmock/gmock.h>

namespace orchion::control::services {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

v1::NodeImages list(const std::map<std::string, std::string>& digests) {
  v1::NodeImages images;
  for (const auto& [name, digest] : digests) {
    auto& image = *images.add_images();
    image.mutable_meta()->set_name(name);
    image.mutable_status()->set_digest(digest);
  }
  return images;
}

class ImageHoldersTest : public testing::Test {
 protected:
  // Computes what the list changes, and plays it into the view; how many operations that was.
  std::size_t report(const std::string& node, const std::map<std::string, std::string>& digests) {
    std::size_t operations = 0;
    for (const auto& transaction : image_changes(view_, node, list(digests), random_, {})) {
      EXPECT_LE(transaction.operations.size(), store::kOperationsMax);
      store::Commit commit;
      commit.revision = view_.revision() + 1;
      for (const auto& operation : transaction.operations) commit.changes.push_back({operation.key, operation.value});
      EXPECT_TRUE(view_.apply(commit).has_value());
      operations += transaction.operations.size();
    }
    return operations;
  }

  std::vector<std::string> holders(const std::string& name) const {
    const auto image = view_.images().find(name);
    if (!image) return {};
    return {image->status().nodes().begin(), image->status().nodes().end()};
  }

  store::View view_;
  base::Random random_{1};
};

TEST_F(ImageHoldersTest, NodesComeAndGo) {
  report("a", {{"web", "sha256:1"}});
  EXPECT_THAT(holders("web"), ElementsAre("a"));
  report("b", {{"web", "sha256:1"}, {"db", "sha256:2"}});
  EXPECT_THAT(holders("web"), ElementsAre("a", "b"));
  EXPECT_EQ(report("b", {{"web", "sha256:1"}, {"db", "sha256:2"}}), 0u) << "nothing new";
  report("a", {});
  EXPECT_THAT(holders("web"), ElementsAre("b"));
  report("b", {{"db", "sha256:2"}});
  EXPECT_EQ(view_.images().find("web"), nullptr) << "nobody holds it";
  EXPECT_THAT(holders("db"), ElementsAre("b"));
}

TEST_F(ImageHoldersTest, ANameMovesToANewDigest) {
  report("a", {{"web", "sha256:1"}});
  report("a", {{"web", "sha256:2"}});
  EXPECT_EQ(view_.images().find("web")->status().digest(), "sha256:2");
  EXPECT_THAT(holders("web"), ElementsAre("a"));
}

TEST_F(ImageHoldersTest, ManyImagesAreSpreadOverTransactions) {
  std::map<std::string, std::string> many;
  for (int i = 0; i < 500; ++i) many["image" + std::to_string(i)] = "sha256:" + std::to_string(i);
  EXPECT_EQ(report("a", many), 1000u);
  EXPECT_THAT(holders("image499"), ElementsAre("a"));
  report("a", {});
  EXPECT_THAT(view_.images().all(), IsEmpty());
}

}  // namespace
}  // namespace orchion::control::services
