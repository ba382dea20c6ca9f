#include "node/images/engine/engine_images.h"

#include "node/engine/engine_process.h"
#include "node/images/docker_archive.h"
#include "node/images/image_lab.h"

namespace orchion::node::images::engine {
namespace {

using base::Code;
using node::engine::Dialect;
using node::engine::EngineProcess;

class EngineImagesTest : public ImageStoreTest, public testing::WithParamInterface<Dialect> {
 protected:
  void SetUp() override {
    const auto missing = EngineProcess::why_missing(GetParam());
    if (!missing.empty()) GTEST_SKIP() << missing;
    engine_ = std::make_unique<EngineProcess>(GetParam());
    source_ = std::make_unique<EngineImages>(io_.get_executor(), clock_, engine_->socket(), *images_);
  }

  base::SystemClock clock_;
  std::unique_ptr<EngineProcess> engine_;
  std::unique_ptr<EngineImages> source_;
};

INSTANTIATE_TEST_SUITE_P(Engines, EngineImagesTest, testing::Values(Dialect::kDocker, Dialect::kPodman),
                         [](const auto& of) { return std::string(node::engine::dialect_name(of.param)); });

TEST_P(EngineImagesTest, WhatOurStoreHasIsLoadedIntoTheEngineAndFoundThere) {
  const auto own = import("tools/busybox:1", busybox_root());
  ASSERT_TRUE(own.has_value()) << own.error().message;
  EXPECT_FALSE(run(io_, source_->find("tools/busybox:1"))->has_value());
  const auto image = run(io_, source_->ensure("tools/busybox:1"));
  ASSERT_TRUE(image.has_value()) << image.error().message;
  EXPECT_TRUE(image->digest.starts_with("sha256:"));
  EXPECT_TRUE(image->layers.empty());
  EXPECT_EQ(image->architecture, "amd64");
  const auto found = run(io_, source_->find("docker.io/tools/busybox:1"));
  ASSERT_TRUE(found.has_value() && found->has_value());
  EXPECT_EQ((*found)->digest, image->digest);

  const auto by_digest = "docker.io/tools/busybox@" + own->digest;
  const auto fixed = run(io_, source_->ensure(by_digest));
  ASSERT_TRUE(fixed.has_value()) << fixed.error().message;
  EXPECT_EQ(fixed->digest, image->digest);
  ASSERT_TRUE(run(io_, images_->remove("tools/busybox:1")).has_value());
  EXPECT_TRUE(run(io_, source_->ensure(by_digest)).has_value()) << "the engine has it by now";
}

TEST_P(EngineImagesTest, AnEnginesFailureToPullIsASentence) {
  const auto pulled = run(io_, source_->ensure("127.0.0.1:1/nobody/there:1"));
  ASSERT_FALSE(pulled.has_value());
  EXPECT_EQ(pulled.error().code, Code::kUnavailable) << pulled.error().message;
  EXPECT_NE(pulled.error().message.find("127.0.0.1:1/nobody/there:1"), std::string::npos) << pulled.error().message;
  EXPECT_EQ(run(io_, source_->ensure("Not A Name")).error().code, Code::kInvalidArgument);
}

TEST_F(ImageStoreTest, TheArchiveForDockerIsTheSameHoweverItIsCut) {
  ASSERT_TRUE(import("a:1", small_root("x")).has_value());
  std::string whole;
  const auto source = run(io_, images_->export_image("a:1")).value();
  for (auto piece = run(io_, source->read()).value(); piece; piece = run(io_, source->read()).value()) whole += *piece;
  DockerArchiveMaker at_once("docker.io/library/a:1"), by_bytes("docker.io/library/a:1");
  const auto expected = at_once.pass(whole).value();
  EXPECT_NE(expected.find(R"("RepoTags":["docker.io/library/a:1"])"), std::string::npos);
  EXPECT_EQ(expected.size() % 512, 0u);
  std::string got;
  for (const char byte : whole) got += by_bytes.pass(std::string_view(&byte, 1)).value();
  EXPECT_EQ(got, expected);
  EXPECT_TRUE(at_once.config_digest().starts_with("sha256:"));
  EXPECT_EQ(DockerArchiveMaker("a:1").pass(std::string(512, 'x')).error().code, Code::kDataLoss);
}

}  // namespace
}  // namespace orchion::node::images::engine
