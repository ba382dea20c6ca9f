#include <atomic>
#include <thread>

#include "node/images/broken_proxy.h"
#include "node/images/registry_image.h"
#include "node/images/registry_lab.h"

namespace orchion::node::images {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kSmall = 20'000;
constexpr std::size_t kLarge = 3'000'000;

class RegistryPullTest : public ImageStoreTest {
 protected:
  RegistryPullTest() {
    options_.registry.limits = {.stall = std::chrono::seconds(2), .pause = std::chrono::milliseconds(10)};
    reopen();
  }

  // `all`: of an index, everything.
  void put(const fs::path& folder, const std::string& name, bool all = false) {
    std::vector<std::string> arguments = {"--insecure-policy", "--preserve-digests", "--dest-tls-verify=false"};
    if (all) arguments.push_back("--all");
    arguments.insert(arguments.end(), {"dir:" + folder.string(), "docker://" + name});
    skopeo(std::move(arguments));
  }

  // In the registry under `name`; its layers' digests are known then.
  RegistryImage publish(const std::string& name, RegistryImage image) {
    const auto folder = folder_ / ("published-" + base::Random::from_system().text(6));
    write_image(image, folder);
    put(folder, registry_server_.host() + "/" + name);
    return image;
  }

  base::Result<ImageRecord> pull(const std::string& name) { return run(io_, images_->pull(name)); }

  Registry registry_server_{Registry::Access::kOpen};
};

RegistryImage two_small_and_a_large() {
  return {.layers = {{"a", noise(kSmall)}, {"b", noise(kLarge)}, {"c", noise(kSmall)}}};
}

TEST_F(RegistryPullTest, WhatIsWholeWhenAConnectionBreaksIsNotFetchedAgain) {
  const auto image = publish("box:1", two_small_and_a_large());
  BrokenProxy proxy({.server_port = registry_server_.port(), .bytes_max = kLarge / 3, .faults = 2});
  const auto pulled = pull(proxy.host() + "/box:1");
  ASSERT_TRUE(pulled.has_value()) << pulled.error().message;
  EXPECT_EQ(pulled->digest, image.digest());
  EXPECT_EQ(proxy.faults(), 2);
  EXPECT_EQ(registry_server_.requests(image.digests[0]), 1);
  EXPECT_EQ(registry_server_.requests(image.digests[1]), 3);
  EXPECT_EQ(registry_server_.requests(image.digests[2]), 1);
  EXPECT_EQ(count(store() / "temp"), 0u);
}

TEST_F(RegistryPullTest, AStallEndsTheAttemptNotThePull) {
  const auto image = publish("box:1", two_small_and_a_large());
  BrokenProxy proxy({.server_port = registry_server_.port(),
                     .fault = BrokenProxy::Fault::kStall,
                     .bytes_max = kLarge / 3,
                     .faults = 1});
  const auto pulled = pull(proxy.host() + "/box:1");
  ASSERT_TRUE(pulled.has_value()) << pulled.error().message;
  EXPECT_EQ(registry_server_.requests(image.digests[0]), 1);
  EXPECT_EQ(registry_server_.requests(image.digests[1]), 2);
}

TEST_F(RegistryPullTest, ShowsHowMuchCame) {
  const auto image = publish("box:1", two_small_and_a_large());
  // It stands still for a while when a third of the large layer is here.
  BrokenProxy proxy({.server_port = registry_server_.port(),
                     .fault = BrokenProxy::Fault::kStall,
                     .bytes_max = kLarge / 3,
                     .faults = 1});
  std::atomic<bool> over = false;
  std::vector<PullState> seen;
  std::thread watcher([&] {
    while (!over) {
      for (auto& state : images_->pull_board().look()) seen.push_back(std::move(state));
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  });
  const auto pulled = pull(proxy.host() + "/box:1");
  over = true;
  watcher.join();
  ASSERT_TRUE(pulled.has_value()) << pulled.error().message;
  std::uint64_t total = 0;
  for (const auto& digest : image.digests) total += fs::file_size(store() / "blobs" / "sha256" / digest_hex(digest));
  const auto is_between = [&](const PullState& state) {
    return state.total_bytes == total && state.done_bytes > kLarge / 10 && state.done_bytes < total;
  };
  EXPECT_TRUE(std::ranges::any_of(seen, is_between));
  const auto last = images_->pull_board().look();
  ASSERT_EQ(last.size(), 1u);
  EXPECT_TRUE(last[0].ended);
  EXPECT_EQ(last[0].reference, proxy.host() + "/box:1");
  EXPECT_EQ(last[0].done_bytes, total);
  EXPECT_EQ(last[0].total_bytes, total);
}

TEST_F(RegistryPullTest, GivesUpInTheEndAndReclaimsTheDisk) {
  publish("box:1", two_small_and_a_large());
  BrokenProxy proxy({.server_port = registry_server_.port(), .bytes_max = kLarge / 3, .faults = 1000});
  const auto pulled = pull(proxy.host() + "/box:1");
  ASSERT_FALSE(pulled.has_value());
  EXPECT_EQ(pulled.error().code, base::Code::kUnavailable);
  EXPECT_NE(pulled.error().message.find("2 of 3 layers came, then none in 3 attempts: the registry " + proxy.host()),
            std::string::npos)
      << pulled.error().message;
  expect_empty();
}

TEST_F(RegistryPullTest, ARegistryThatNeverAnswersIsGivenUp) {
  publish("box:1", {.layers = {{"a", "x"}}});
  options_.registry.limits.stall = std::chrono::seconds(1);
  reopen();
  BrokenProxy proxy(
      {.server_port = registry_server_.port(), .fault = BrokenProxy::Fault::kStall, .bytes_max = 0, .faults = 1000});
  const auto pulled = pull(proxy.host() + "/box:1");
  ASSERT_FALSE(pulled.has_value());
  EXPECT_EQ(pulled.error().code, base::Code::kUnavailable);
  EXPECT_NE(pulled.error().message.find("sent nothing of "), std::string::npos) << pulled.error().message;
  expect_empty();
}

TEST_F(RegistryPullTest, LayersOfOtherImagesAreNotFetched) {
  const RegistryImage::Layer shared{"shared", noise(kSmall)};
  const auto first = publish("first:1", {.layers = {shared, {"a", "1"}}});
  ASSERT_TRUE(pull(registry_server_.host() + "/first:1").has_value());
  const auto second = publish("second:1", {.layers = {shared, {"b", "2"}}});
  const auto before = registry_server_.requests(first.digests[0]);
  const auto pulled = pull(registry_server_.host() + "/second:1");
  ASSERT_TRUE(pulled.has_value()) << pulled.error().message;
  EXPECT_EQ(registry_server_.requests(first.digests[0]), before);
  EXPECT_EQ(registry_server_.requests(second.digests[1]), 1);
  EXPECT_TRUE(fs::exists(pulled->layers[0] / "shared"));
  EXPECT_TRUE(fs::exists(pulled->layers[1] / "b"));
}

TEST_F(RegistryPullTest, EveryFormAndCompressionKeepsItsDigest) {
  using enum Compression;
  const std::vector<std::pair<RegistryImage::Form, Compression>> kinds = {{RegistryImage::Form::kDocker, kGzip},
                                                                          {RegistryImage::Form::kDocker, kNone},
                                                                          {RegistryImage::Form::kOci, kGzip},
                                                                          {RegistryImage::Form::kOci, kZstd},
                                                                          {RegistryImage::Form::kOci, kNone}};
  for (const auto& [form, compression] : kinds) {
    const auto image = publish("kind:1", {.layers = {{"file", noise(100), compression}}, .form = form});
    const auto pulled = pull(registry_server_.host() + "/kind:1");
    ASSERT_TRUE(pulled.has_value()) << pulled.error().message;
    EXPECT_EQ(pulled->digest, image.digest());
    EXPECT_EQ(base::read_file(pulled->layers[0] / "file").value_or(""), image.layers[0].content);
  }
}

TEST_F(RegistryPullTest, TheMachinesOwnPlatformIsChosenFromAnIndex) {
  std::vector<RegistryImage> images(2);
  images[0] = {.layers = {{"for-arm64", noise(kSmall)}}, .form = RegistryImage::Form::kOci, .architecture = "arm64"};
  images[1] = {.layers = {{"for-amd64", noise(kSmall)}}};
  const auto digest = write_index(images, folder_ / "both");
  put(folder_ / "both", registry_server_.host() + "/both:1", true);
  const auto pulled = pull(registry_server_.host() + "/both:1");
  ASSERT_TRUE(pulled.has_value()) << pulled.error().message;
  EXPECT_EQ(pulled->digest, images[1].digest());
  EXPECT_TRUE(fs::exists(pulled->layers[0] / "for-amd64"));
  EXPECT_EQ(registry_server_.requests(images[0].digests[0]), 0);
  const auto by_digest = pull(registry_server_.host() + "/both@" + digest);
  ASSERT_TRUE(by_digest.has_value()) << by_digest.error().message;
  EXPECT_EQ(by_digest->digest, images[1].digest());
  EXPECT_EQ(by_digest->pin, digest);
}

TEST_F(RegistryPullTest, APinMeansTheImageOnAMachineOfAnyKind) {
  std::vector<RegistryImage> images(2);
  images[0] = {.layers = {{"for-arm64", noise(kSmall)}}, .form = RegistryImage::Form::kOci, .architecture = "arm64"};
  images[1] = {.layers = {{"for-amd64", noise(kSmall)}}};
  const auto index = write_index(images, folder_ / "both");
  const auto name = registry_server_.host() + "/both:1";
  put(folder_ / "both", name, true);
  ASSERT_TRUE(pull(name).has_value());
  reopen();
  EXPECT_EQ(run(io_, images_->find(name)).value()->pin, index);

  // A node that gets it from this one knows it too.
  auto archive = run(io_, images_->export_image(name)).value();
  ASSERT_TRUE(run(io_, images_->remove(name)).has_value());
  const auto copied = run(io_, images_->import(name, archive));
  ASSERT_TRUE(copied.has_value()) << copied.error().message;
  EXPECT_EQ(copied->pin, index);
  EXPECT_EQ(copied->digest, images[1].digest());

  const auto alone = publish("alone:1", {.layers = {{"a", noise(kSmall)}}});
  EXPECT_EQ(pull(registry_server_.host() + "/alone:1").value().pin, alone.digest());
}

TEST_F(RegistryPullTest, AnImageForAnotherPlatformIsRefusedBeforeItsLayersCome) {
  const auto image = publish(
      "arm:1", {.layers = {{"a", noise(kSmall)}}, .form = RegistryImage::Form::kDocker, .architecture = "arm64"});
  const auto pulled = pull(registry_server_.host() + "/arm:1");
  ASSERT_FALSE(pulled.has_value());
  EXPECT_EQ(pulled.error().message, registry_server_.host() +
                                        "/arm:1: the image is made for linux/arm64, not for linux/amd64: use one that "
                                        "is, or another node");
  EXPECT_EQ(registry_server_.requests(image.digests[0]), 0);

  std::vector<RegistryImage> images(1);
  images[0] = {.layers = {{"b", "x"}}, .form = RegistryImage::Form::kOci, .architecture = "s390x"};
  write_index(images, folder_ / "list");
  put(folder_ / "list", registry_server_.host() + "/list:1", true);
  const auto from_list = pull(registry_server_.host() + "/list:1");
  ASSERT_FALSE(from_list.has_value());
  EXPECT_EQ(from_list.error().message,
            registry_server_.host() +
                "/list:1: the image is not made for linux/amd64 (there is: linux/s390x): use one that is, or another "
                "node");
  expect_empty();
}

TEST_F(RegistryPullTest, ALayerThatIsNotWhatItsDigestSaysIsRefused) {
  const auto image = publish("box:1", {.layers = {{"a", noise(kSmall)}}});
  const auto path = registry_server_.blob(image.digests[0]);
  auto bytes = base::read_file(path).value();
  bytes[bytes.size() / 2] ^= 1;
  put_file(path, bytes);
  const auto pulled = pull(registry_server_.host() + "/box:1");
  ASSERT_FALSE(pulled.has_value());
  EXPECT_EQ(pulled.error().code, base::Code::kDataLoss) << pulled.error().message;
  EXPECT_NE(pulled.error().message.find("sent something else than"), std::string::npos) << pulled.error().message;
  expect_empty();
}

// Which registry has it, by registries.conf: a mirror first, the registry itself where that hasn't.
TEST_F(RegistryPullTest, MirrorsAreAskedFirst) {
  Registry mirror(Registry::Access::kOpen);
  const auto image = publish("team/box:1", {.layers = {{"a", noise(kSmall)}}});
  const auto other = publish("team/other:1", {.layers = {{"b", noise(kSmall)}}});
  skopeo({"--insecure-policy", "--preserve-digests", "--src-tls-verify=false", "--dest-tls-verify=false",
          "docker://" + registry_server_.host() + "/team/box:1", "docker://" + mirror.host() + "/cache/box:1"});
  const auto before = registry_server_.requests(image.digests[0]);
  options_.registry.files.mirrors = folder_ / "registries.conf";
  put_file(options_.registry.files.mirrors,
           fmt::format("[[registry]]\nprefix = \"{0}/team\"\nlocation = \"{0}/team\"\n"
                       "[[registry.mirror]]\nlocation = \"{1}/cache\"\ninsecure = true\n",
                       registry_server_.host(), mirror.host()));
  reopen();
  const auto pulled = pull(registry_server_.host() + "/team/box:1");
  ASSERT_TRUE(pulled.has_value()) << pulled.error().message;
  EXPECT_EQ(pulled->digest, image.digest());
  EXPECT_EQ(registry_server_.requests(image.digests[0]), before);
  EXPECT_GE(mirror.requests(image.digests[0]), 1);

  const auto unmirrored = pull(registry_server_.host() + "/team/other:1");
  ASSERT_TRUE(unmirrored.has_value()) << unmirrored.error().message;
  EXPECT_EQ(registry_server_.requests(other.digests[0]), 1);
}

TEST_F(RegistryPullTest, AMirrorListThatCannotBeReadIsNamed) {
  options_.registry.files.mirrors = folder_ / "registries.conf";
  put_file(options_.registry.files.mirrors, "[[registry]\n");
  reopen();
  const auto pulled = pull(registry_server_.host() + "/box:1");
  ASSERT_FALSE(pulled.has_value());
  EXPECT_EQ(pulled.error().code, base::Code::kFailedPrecondition);
  EXPECT_NE(pulled.error().message.find("registries.conf"), std::string::npos) << pulled.error().message;
}

}  // namespace
}  // namespace orchion::node::images
