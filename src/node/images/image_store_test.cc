#include "node/images/image_store.h"

#include <cstdlib>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "node/images/content_store.h"
#include "node/images/digest.h"
#include "node/images/documents.h"
#include "node/images/fake_images.h"
#include "node/images/image_lab.h"

namespace orchion::node::images {
namespace {

namespace fs = std::filesystem;

std::string add_blob(TarMaker& tar, const std::string& content) {
  const auto digest = digest_of(content);
  tar.file("blobs/sha256/" + digest_hex(digest), content);
  return digest;
}

// One image's blobs; returns its manifest's descriptor as JSON without the closing brace.
std::string add_image(TarMaker& tar, const std::string& architecture, const std::string& layer) {
  const auto layer_digest = add_blob(tar, layer);
  const auto config = make_config(architecture, {layer_digest});
  const auto config_digest = add_blob(tar, config);
  const auto manifest =
      make_manifest(config_descriptor(config_digest, static_cast<std::int64_t>(config.size())),
                    {layer_descriptor(layer_digest, static_cast<std::int64_t>(layer.size()), Compression::kNone)});
  return R"({"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":")" + add_blob(tar, manifest) +
         R"(","size":)" + std::to_string(manifest.size());
}

void add_layout(TarMaker& tar, const std::string& index) {
  tar.file("oci-layout", R"({"imageLayoutVersion":"1.0.0"})").file("index.json", index);
}

TEST_F(ImageStoreTest, ImportsARootFileSystemThatLasts) {
  const auto archive = busybox_root();
  const auto image = import("hello-web:latest", archive);
  ASSERT_TRUE(image.has_value()) << image.error().message;
  EXPECT_EQ(image->reference, "docker.io/library/hello-web:latest");
  EXPECT_EQ(image->architecture, "amd64");
  EXPECT_TRUE(is_digest(image->digest));
  ASSERT_EQ(image->layers.size(), 1u);
  EXPECT_EQ(fs::read_symlink(image->layers[0] / "bin/sh"), "busybox");
  EXPECT_GT(image->size_bytes, 1'000'000);
  const auto ran = base::run_process({.arguments = {(image->layers[0] / "bin/busybox").string(), "echo", "it runs"}});
  EXPECT_EQ(ran.value().standard_output, "it runs\n");

  reopen();
  for (const char* name : {"hello-web", "docker.io/library/hello-web:latest"}) {
    const auto found = run(io_, images_->ensure(name));
    ASSERT_TRUE(found.has_value()) << found.error().message;
    EXPECT_EQ(found->digest, image->digest);
    EXPECT_EQ(found->layers, image->layers);
    EXPECT_EQ(found->size_bytes, image->size_bytes);
    EXPECT_EQ(found->created_at, image->created_at);
  }
  EXPECT_EQ(count(store() / "temp"), 0u);
  const auto by_digest = run(io_, images_->ensure("hello-web@" + image->digest));
  EXPECT_EQ(by_digest.value().reference, image->reference);
}

std::string read_all(boost::asio::io_context& io, ByteSource& source) {
  std::string all;
  while (auto piece = run(io, source.read()).value()) all += *piece;
  return all;
}

TEST_F(ImageStoreTest, WhatIsExportedIsTheSameImageElsewhere) {
  const auto image = import("hello-web:latest", busybox_root()).value();
  EXPECT_EQ(run(io_, images_->find("hello-web")).value()->pin, run(io_, images_->find("hello-web")).value()->digest);
  const auto source = run(io_, images_->export_image("hello-web")).value();
  const auto archive = read_all(io_, *source);
  const auto there =
      ImageStore::open(io_.get_executor(), *workers_, {.folder = folder_ / "there", .architecture = "amd64"}).value();
  const auto copy = run(io_, there->import("hello-web:latest", std::make_shared<StringSource>(archive)));
  ASSERT_TRUE(copy.has_value()) << copy.error().message;
  EXPECT_EQ(copy->digest, image.digest);
  EXPECT_EQ(copy->reference, image.reference);
  EXPECT_EQ(fs::read_symlink(copy->layers[0] / "bin/sh"), "busybox");
  // Others read it too.
  base::write_file(folder_ / "image.tar", archive).value();
  skopeo({"oci-archive:" + (folder_ / "image.tar").string(), "dir:" + (folder_ / "unpacked").string()});
}

TEST_F(ImageStoreTest, WhatIsExportedStaysUntilItIsRead) {
  const auto image = import("hello-web:latest", busybox_root()).value();
  const auto source = run(io_, images_->export_image("hello-web")).value();
  run(io_, images_->remove("hello-web")).value();
  EXPECT_GT(read_all(io_, *source).size(), 100'000u);
  EXPECT_EQ(run(io_, images_->export_image("hello-web")).error().code, base::Code::kNotFound);
}

TEST_F(ImageStoreTest, GivesTheSameContentTheSameDigestAndSharesIt) {
  const auto first = import("a", small_root("x")).value();
  const auto second = import("b", small_root("x")).value();
  EXPECT_EQ(first.digest, second.digest);
  EXPECT_EQ(first.layers, second.layers);
  EXPECT_EQ(count(store() / "layers"), 1u);
  const auto packed = import("c", small_root("x", Compression::kGzip)).value();
  EXPECT_NE(packed.digest, first.digest);
  EXPECT_EQ(packed.layers, first.layers) << "unpacked they are one";
  ASSERT_TRUE(run(io_, images_->remove("a")).has_value());
  EXPECT_TRUE(fs::exists(second.layers[0] / "etc/content"));
  ASSERT_TRUE(run(io_, images_->remove("b")).has_value());
  ASSERT_TRUE(run(io_, images_->remove("c")).has_value());
  expect_empty();
}

TEST_F(ImageStoreTest, ImportsEveryCompression) {
  for (const auto compression : {Compression::kNone, Compression::kGzip, Compression::kZstd}) {
    const auto image = import("a", small_root("same", compression));
    ASSERT_TRUE(image.has_value()) << image.error().message;
    EXPECT_EQ(base::read_file(image->layers[0] / "etc/content").value(), "same");
  }
}

TEST_F(ImageStoreTest, ImportsADockerArchiveAndAnOciArchiveMadeBySkopeo) {
  const auto original = import("localhost/box:1", busybox_root()).value();
  // Out of the store by way of skopeo's directory layout, as a push does it.
  const auto out = folder_ / "out";
  fs::create_directories(out);
  for (const auto& blob : fs::directory_iterator(store() / "blobs/sha256"))
    fs::copy(blob.path(), out / blob.path().filename());
  fs::copy(out / digest_hex(original.digest), out / "manifest.json");
  ASSERT_TRUE(base::write_file(out / "version", "Directory Transport Version: 1.1\n").has_value());
  skopeo({"dir:" + out.string(), "docker-archive:" + (folder_ / "docker.tar").string() + ":example.com/box:2"});
  skopeo({"dir:" + out.string(), "oci-archive:" + (folder_ / "oci.tar").string() + ":example.com/box:3"});

  const auto docker = import("", base::read_file(folder_ / "docker.tar").value());
  ASSERT_TRUE(docker.has_value()) << docker.error().message;
  EXPECT_EQ(docker->reference, "example.com/box:2");
  EXPECT_EQ(docker->layers, original.layers);
  const auto oci = import("", base::read_file(folder_ / "oci.tar").value());
  ASSERT_TRUE(oci.has_value()) << oci.error().message;
  EXPECT_EQ(oci->reference, "example.com/box:3");
  EXPECT_EQ(oci->layers, original.layers);
  EXPECT_EQ(count(store() / "layers"), 1u);
}

TEST_F(ImageStoreTest, TakesItsPlatformFromAnIndex) {
  TarMaker tar;
  const auto arm = add_image(tar, "arm64", small_root("arm"));
  const auto amd = add_image(tar, "amd64", small_root("amd"));
  const auto index = R"({"schemaVersion":2,"manifests":[)" + arm +
                     R"(,"platform":{"architecture":"arm64","os":"linux"}},)" + amd +
                     R"(,"platform":{"architecture":"amd64","os":"linux"}}]})";
  const auto digest = add_blob(tar, index);
  add_layout(tar,
             R"({"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.index.v1+json","digest":")" +
                 digest + R"(","size":1,"annotations":{"org.opencontainers.image.ref.name":"example.com/m:1"}}]})");
  const auto image = import("", tar.finish());
  ASSERT_TRUE(image.has_value()) << image.error().message;
  EXPECT_EQ(image->reference, "example.com/m:1");
  EXPECT_EQ(base::read_file(image->layers[0] / "etc/content").value(), "amd");
}

TEST_F(ImageStoreTest, AsksForANameWhereThereIsNoneOrSeveral) {
  EXPECT_NE(import("", small_root("x")).error().message.find("give the image a name"), std::string::npos);
  TarMaker tar;
  const auto one = add_image(tar, "amd64", small_root("1"));
  const auto two = add_image(tar, "amd64", small_root("2"));
  add_layout(tar, R"({"manifests":[)" + one + R"(,"annotations":{"org.opencontainers.image.ref.name":"a.io/x:1"}},)" +
                      two + R"(,"annotations":{"org.opencontainers.image.ref.name":"a.io/x:2"}}]})");
  const auto archive = tar.finish();
  EXPECT_NE(import("", archive).error().message.find("several images (a.io/x:1, a.io/x:2)"), std::string::npos);
  expect_empty();
  const auto chosen = import("a.io/x:2", archive);
  ASSERT_TRUE(chosen.has_value()) << chosen.error().message;
  EXPECT_EQ(base::read_file(chosen->layers[0] / "etc/content").value(), "2");
}

TEST_F(ImageStoreTest, LeavesNothingOfWhatItRefuses) {
  const auto whole = busybox_root();
  TarMaker wrong_layer;
  wrong_layer.file("blobs/sha256/" + std::string(64, 'a'), "not what the name says");
  add_layout(wrong_layer, R"({"manifests":[{"digest":"sha256:)" + std::string(64, 'a') + R"(","size":1}]})");
  TarMaker evil_digest;
  add_layout(evil_digest, R"({"manifests":[{"digest":"sha256:../../../../etc/passwd","size":1}]})");
  TarMaker docker_missing;
  docker_missing.file("manifest.json",
                      R"([{"Config":"../../etc/passwd","RepoTags":["a:1"],"Layers":["/etc/passwd"]}])");
  TarMaker wrong_diff;
  const auto layer = small_root("layer");
  const auto config = make_config("amd64", {"sha256:" + std::string(64, 'd')});
  wrong_diff.file("config.json", config).file("layer.tar", layer);
  wrong_diff.file("manifest.json", R"([{"Config":"config.json","RepoTags":null,"Layers":["layer.tar"]}])");
  TarMaker climbing;
  climbing.file("etc/ok", "").file("../../../escape", "");

  const std::pair<std::string, base::Code> cases[] = {
      {whole.substr(0, whole.size() / 2), base::Code::kInvalidArgument},
      {whole.substr(0, whole.size() - 1024), base::Code::kInvalidArgument},
      {"", base::Code::kInvalidArgument},
      {"hello", base::Code::kInvalidArgument},
      {std::string(10240, '\0'), base::Code::kInvalidArgument},
      {wrong_layer.finish(), base::Code::kDataLoss},
      {evil_digest.finish(), base::Code::kInvalidArgument},
      {docker_missing.finish(), base::Code::kInvalidArgument},
      {wrong_diff.finish(), base::Code::kDataLoss},
      {climbing.finish(), base::Code::kInvalidArgument},
  };
  for (const auto& [archive, code] : cases) {
    const auto result = import("a", archive);
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().code, code) << result.error().message;
    expect_empty();
  }
  const auto broken = run(io_, images_->import("a", std::make_shared<StringSource>(whole, 1000, 3)));
  EXPECT_EQ(broken.error().code, base::Code::kUnavailable);
  expect_empty();
}

TEST_F(ImageStoreTest, RemovesOnlyWhatNobodyUses) {
  const auto kept = import("kept", small_root("1")).value();
  ASSERT_TRUE(import("by-digest", small_root("2")).has_value());
  ASSERT_TRUE(import("unused", small_root("3")).has_value());
  images_->set_used({"kept", run(io_, images_->find("by-digest")).value()->digest});
  EXPECT_EQ(run(io_, images_->remove("kept")).error().code, base::Code::kFailedPrecondition);
  EXPECT_EQ(run(io_, images_->remove("by-digest")).error().code, base::Code::kFailedPrecondition);
  EXPECT_EQ(run(io_, images_->remove("nothing")).error().code, base::Code::kNotFound);
  const auto pruned = run(io_, images_->prune()).value();
  EXPECT_EQ(pruned.references, (std::vector<std::string>{"docker.io/library/unused:latest"}));
  EXPECT_GT(pruned.freed_bytes, 512);
  EXPECT_EQ(run(io_, images_->list()).value().size(), 2u);
  EXPECT_EQ(count(store() / "layers"), 2u);
  EXPECT_EQ(count(store() / "temp"), 0u);
  EXPECT_TRUE(fs::exists(kept.layers[0]));
  images_->set_used({});
  EXPECT_EQ(run(io_, images_->prune()).value().references.size(), 2u);
  expect_empty();
}

TEST_F(ImageStoreTest, KeepsTheOldImageWhenItsNameGoesToANewOne) {
  const auto old = import("app", small_root("1")).value();
  const auto newer = import("app", small_root("2")).value();
  EXPECT_NE(old.digest, newer.digest);
  EXPECT_TRUE(fs::exists(old.layers[0] / "etc/content")) << "a container may run from it";
  EXPECT_EQ(run(io_, images_->ensure("app")).value().digest, newer.digest);
  EXPECT_EQ(run(io_, images_->ensure("app@" + old.digest)).value().digest, old.digest);
  reopen();
  images_->set_used({"app"});
  EXPECT_EQ(run(io_, images_->prune()).value().references,
            (std::vector<std::string>{"docker.io/library/app@" + old.digest}));
  EXPECT_FALSE(fs::exists(old.layers[0]));
  EXPECT_TRUE(fs::exists(newer.layers[0]));
}

TEST_F(ImageStoreTest, SweepsWhatACrashLeftAndDropsWhatIsDamaged) {
  const auto good = import("good", small_root("1")).value();
  const auto bad = import("bad", small_root("2")).value();
  images_.reset();
  fs::create_directories(store() / "temp/half/layer/etc");
  fs::create_directories(store() / "layers" / std::string(64, 'e') / "etc");
  ASSERT_TRUE(base::write_file(store() / "blobs/sha256" / std::string(64, 'e'), "orphan").has_value());
  ASSERT_TRUE(base::write_file(store() / "references/half.json.abc", "{").has_value());
  fs::remove_all(bad.layers[0]);
  reopen();
  EXPECT_EQ(count(store() / "temp"), 0u);
  EXPECT_EQ(count(store() / "layers"), 1u);
  EXPECT_EQ(count(store() / "blobs/sha256"), 3u);
  EXPECT_EQ(count(store() / "references"), 1u);
  EXPECT_TRUE(run(io_, images_->find("good")).value().has_value());
  EXPECT_FALSE(run(io_, images_->find("bad")).value().has_value());
}

TEST_F(ImageStoreTest, FreesTheSpaceAgainWhenTheDiskIsFull) {
  // A file system of its own, seen by this thread and the workers it starts only.
  ASSERT_EQ(::unshare(CLONE_NEWNS), 0);
  ASSERT_EQ(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
  images_.reset();
  workers_ = std::make_unique<base::WorkerPool>(1);
  ASSERT_EQ(::mount("tmpfs", store().c_str(), "tmpfs", 0, "size=3m"), 0);
  reopen();
  // The archive fits, the archive and its content don't.
  const auto result = import("a", small_root(std::string(2 << 20, 'x')));
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, base::Code::kResourceExhausted);
  EXPECT_NE(result.error().message.find("orchion image prune"), std::string::npos);
  expect_empty();
  EXPECT_FALSE(import("a", small_root(std::string(8 << 20, 'x'))).has_value());
  expect_empty();
  EXPECT_TRUE(import("a", small_root("small")).has_value());
  images_.reset();
  ASSERT_EQ(::umount2(store().c_str(), MNT_DETACH), 0);
}

TEST_F(ImageStoreTest, SaysWhatToInstallWithoutSkopeo) {
  const auto program = base::find_program("skopeo").value();
  ASSERT_EQ(::unshare(CLONE_NEWNS), 0);
  ASSERT_EQ(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
  workers_ = std::make_unique<base::WorkerPool>(1);
  reopen();
  ASSERT_EQ(::mount("/dev/null", program.c_str(), nullptr, MS_BIND, nullptr), 0);
  const auto result = run(io_, images_->pull("localhost:1/a"));
  ASSERT_EQ(::umount2(program.c_str(), MNT_DETACH), 0);
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, base::Code::kFailedPrecondition);
  EXPECT_NE(result.error().message.find("apt-get install skopeo"), std::string::npos);
}

TEST(FakeImages, BehavesLikeTheRealOneWithoutDiskOrNetwork) {
  boost::asio::io_context io;
  FakeImages images;
  const auto nginx = images.add_to_registry("nginx", {.entrypoint = {"/nginx"}});
  EXPECT_FALSE(run(io, images.find("nginx")).value().has_value());
  EXPECT_EQ(run(io, images.ensure("nginx:latest")).value().digest, nginx.digest);
  EXPECT_EQ(run(io, images.ensure("nginx")).value().config.entrypoint, (std::vector<std::string>{"/nginx"}));
  EXPECT_EQ(images.pulls(), 1);
  EXPECT_EQ(run(io, images.ensure("other")).error().code, base::Code::kNotFound);
  images.fail_pulls(base::Error{base::Code::kUnavailable, "down", {}});
  EXPECT_EQ(run(io, images.ensure("other")).error().code, base::Code::kUnavailable);
  EXPECT_TRUE(run(io, images.import("mine", std::make_shared<StringSource>("bytes"))).has_value());
  EXPECT_TRUE(run(io, images.push("mine", "example.com/mine", false)).has_value());
  images.set_used({"nginx"});
  EXPECT_EQ(run(io, images.remove("nginx")).error().code, base::Code::kFailedPrecondition);
  EXPECT_EQ(run(io, images.prune()).value().references, (std::vector<std::string>{"docker.io/library/mine:latest"}));
  EXPECT_EQ(run(io, images.list()).value().size(), 1u);
}

}  // namespace
}  // namespace orchion::node::images
