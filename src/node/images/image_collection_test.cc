#include "node/images/image_collector.h"

#include "base/task_group.h"
#include "node/images/registry_image.h"
#include "node/images/registry_lab.h"

namespace orchion::node::images {
namespace {

class ImageCollectionTest : public ImageStoreTest {
 protected:
  // From the registry; the later the younger.
  std::string pull(const std::string& name) {
    const auto reference = server_.host() + "/" + name + ":1";
    RegistryImage image{.layers = {{name, noise(1000)}}};
    write_image(image, folder_ / name);
    skopeo({"--insecure-policy", "--preserve-digests", "--dest-tls-verify=false", "dir:" + (folder_ / name).string(),
            "docker://" + reference});
    EXPECT_TRUE(run(io_, images_->pull(reference)).has_value());
    return reference;
  }

  std::vector<std::string> collect(CollectionLimits limits) {
    auto collected = run(io_, images_->collect(limits));
    EXPECT_TRUE(collected.has_value()) << collected.error().message;
    return collected ? collected->references : std::vector<std::string>();
  }

  std::vector<std::string> names() {
    std::vector<std::string> result;
    const auto images = run(io_, images_->list()).value();
    for (const auto& image : images) result.push_back(image.reference);
    return result;
  }

  static constexpr CollectionLimits kEverything{.unused_max = std::chrono::nanoseconds(1), .disk_high_percent = 0};

  Registry server_{Registry::Access::kOpen};
};

using Names = std::vector<std::string>;

TEST_F(ImageCollectionTest, TakesWhatARegistryCanGiveBackAndNoTaskUses) {
  const auto unused = pull("unused");
  const auto used = pull("used");
  ASSERT_TRUE(import("by-hand", small_root("x")).has_value());
  images_->set_used({used});
  EXPECT_EQ(collect({}), Names{}) << "neither is a month old";
  EXPECT_EQ(collect(kEverything), Names{unused});
  EXPECT_EQ(names(), (Names{used, "docker.io/library/by-hand:latest"}));
  reopen();
  EXPECT_EQ(collect(kEverything), Names{used}) << "where an image is from is known after a restart";
  EXPECT_EQ(names(), Names{"docker.io/library/by-hand:latest"});
}

TEST_F(ImageCollectionTest, WhatATaskLetGoCountsFromThen) {
  const auto first = pull("first");
  const auto second = pull("second");
  images_->set_used({first});
  images_->set_used({});
  int removals = 0;
  options_.disk_use = [&](const std::filesystem::path&) -> base::Result<DiskUse> {
    const auto freed = 20u * static_cast<unsigned>(removals++);
    return DiskUse{.used = 90 - freed, .available = 10 + freed};
  };
  reopen();
  EXPECT_EQ(collect({.unused_max = base::Duration::zero()}), Names{second}) << "by the times on the disk";
  EXPECT_EQ(names(), Names{first});
}

TEST_F(ImageCollectionTest, AFullDiskIsLeftAloneBelowItsWatermark) {
  const auto image = pull("image");
  options_.disk_use = [](const std::filesystem::path&) -> base::Result<DiskUse> {
    return DiskUse{.used = 85, .available = 15};
  };
  reopen();
  EXPECT_EQ(collect({}), Names{});
  EXPECT_EQ(collect({.disk_high_percent = 84, .disk_low_percent = 10}), Names{image}) << "and nothing more to take";
  const auto real = read_disk_use(folder_.path());
  ASSERT_TRUE(real.has_value()) << real.error().message;
  EXPECT_GT(real->available, 0u);
}

TEST_F(ImageCollectionTest, ACopyFromAnotherNodeIsKnownToBeTheRegistrys) {
  const auto image = pull("image");
  auto archive = run(io_, images_->export_image(image)).value();
  ASSERT_TRUE(run(io_, images_->remove(image)).has_value());
  ASSERT_TRUE(run(io_, images_->import(image, archive)).has_value());
  archive.reset();
  EXPECT_EQ(collect(kEverything), Names{image});
}

TEST_F(ImageCollectionTest, ANameGivenHereStaysWithItsContent) {
  const auto image = pull("image");
  const auto tagged = run(io_, images_->tag(image, "mine:2"));
  ASSERT_TRUE(tagged.has_value()) << tagged.error().message;
  EXPECT_EQ(tagged->reference, "docker.io/library/mine:2");
  EXPECT_EQ(collect(kEverything), Names{image});
  EXPECT_EQ(names(), Names{"docker.io/library/mine:2"});
  EXPECT_TRUE(std::filesystem::exists(tagged->layers[0] / "image"));
  reopen();
  EXPECT_EQ(names(), Names{"docker.io/library/mine:2"});
  EXPECT_EQ(run(io_, images_->tag("none", "x")).error().code, base::Code::kNotFound);
  EXPECT_EQ(run(io_, images_->tag("mine:2", "x@" + tagged->digest)).error().code, base::Code::kInvalidArgument);
}

TEST_F(ImageCollectionTest, CollectsByTheClock) {
  const auto image = pull("image");
  base::ManualClock clock;
  base::TaskGroup group(io_.get_executor());
  group.spawn("the collector", keep_collecting(images_.get(), &clock, kEverything));
  io_.restart();
  io_.poll();
  EXPECT_EQ(names(), Names{image}) << "not at once";
  clock.advance(std::chrono::minutes(10));
  while (!names().empty()) io_.poll();
  EXPECT_TRUE(run(io_, group.shutdown()).has_value());
}

}  // namespace
}  // namespace orchion::node::images
