#include "node/images/documents.h"

#include <gtest/gtest.h>

#include "node/images/digest.h"

namespace orchion::node::images {
namespace {

const std::string kHex(64, 'a');

TEST(Manifest, RoundTrips) {
  const auto config = config_descriptor("sha256:" + kHex, 12);
  const std::vector<Descriptor> layers = {layer_descriptor("sha256:" + std::string(64, 'b'), 5, Compression::kNone),
                                          layer_descriptor("sha256:" + std::string(64, 'c'), 6, Compression::kZstd)};
  const auto parsed = parse_manifest(make_manifest(config, layers)).value();
  EXPECT_EQ(parsed.config, config);
  EXPECT_EQ(parsed.layers, layers);
}

TEST(Manifest, RefusesDigestsThatAreNone) {
  for (const std::string digest : {"", "sha256:../../etc/passwd", "sha512:aa", "sha256:ABC"}) {
    const auto text = R"({"config":{"digest":")" + digest + R"("},"layers":[]})";
    const auto result = parse_manifest(text);
    ASSERT_FALSE(result.has_value()) << digest;
    EXPECT_EQ(result.error().code, base::Code::kInvalidArgument);
  }
  for (const char* text : {"", "[]", "{", "{}", R"({"schemaVersion":1,"fsLayers":[]})"})
    EXPECT_FALSE(parse_manifest(text).has_value()) << text;
  EXPECT_FALSE(parse_manifest(std::string(100'000, '[')).has_value());
}

TEST(Config, KeepsWhatContainersNeed) {
  const auto parsed = parse_config(R"({
    "architecture": "arm64", "created": "2024-03-01T12:00:00.5Z",
    "config": {"Entrypoint": ["/bin/a"], "Cmd": ["b", "c"], "Env": ["A=1", "B="], "WorkingDir": "/w", "User": "7:8",
               "StopSignal": "SIGINT", "Volumes": {"/data": {}}, "Labels": {"k": "v"}, "ExposedPorts": {"80/tcp": {}},
               "Healthcheck": {"Test": ["CMD-SHELL", "ok"], "Interval": 1500000000, "Retries": 4}},
    "rootfs": {"type": "layers", "diff_ids": ["sha256:)" +
                                   kHex + R"("]}})");
  ASSERT_TRUE(parsed.has_value()) << parsed.error().message;
  EXPECT_EQ(parsed->architecture, "arm64");
  EXPECT_EQ(parsed->config.entrypoint, (std::vector<std::string>{"/bin/a"}));
  EXPECT_EQ(parsed->config.command, (std::vector<std::string>{"b", "c"}));
  EXPECT_EQ(parsed->config.environment, (std::vector<std::string>{"A=1", "B="}));
  EXPECT_EQ(parsed->config.working_dir, "/w");
  EXPECT_EQ(parsed->config.user, "7:8");
  EXPECT_EQ(parsed->config.stop_signal, "SIGINT");
  EXPECT_EQ(parsed->config.volumes, (std::vector<std::string>{"/data"}));
  EXPECT_EQ(parsed->config.labels, (std::map<std::string, std::string>{{"k", "v"}}));
  ASSERT_TRUE(parsed->config.health_check.has_value());
  EXPECT_EQ(parsed->config.health_check->test, (std::vector<std::string>{"CMD-SHELL", "ok"}));
  EXPECT_EQ(parsed->config.health_check->interval, 1'500'000'000);
  EXPECT_EQ(parsed->config.health_check->retries, 4);
  EXPECT_EQ(parsed->diff_ids, (std::vector<std::string>{"sha256:" + kHex}));
  EXPECT_TRUE(parsed->created_at.has_value());
}

TEST(Config, TakesNullsAndRefusesBadDiffIds) {
  EXPECT_TRUE(parse_config(R"({"config":{"Cmd":null,"Labels":null},"rootfs":{"diff_ids":null}})").has_value());
  EXPECT_FALSE(parse_config(R"({"rootfs":{"diff_ids":["sha256:../x"]}})").has_value());
  EXPECT_FALSE(parse_config(R"({"config":{}})").has_value());
}

TEST(Config, MadeTwiceIsTheSame) {
  const std::vector<std::string> diff_ids = {"sha256:" + kHex};
  EXPECT_EQ(make_config("amd64", diff_ids), make_config("amd64", diff_ids));
  EXPECT_EQ(parse_config(make_config("amd64", diff_ids)).value().diff_ids, diff_ids);
}

TEST(Index, ChoosesThePlatform) {
  const auto entries = parse_index(R"({"manifests":[
    {"digest":"sha256:)" + kHex + R"(","platform":{"architecture":"unknown","os":"unknown"}},
    {"digest":"sha256:)" + std::string(64, 'b') +
                                   R"(","platform":{"architecture":"amd64","os":"windows"}},
    {"digest":"sha256:)" + std::string(64, 'c') +
                                   R"(","platform":{"architecture":"amd64","os":"linux"}}]})");
  ASSERT_TRUE(entries.has_value());
  EXPECT_EQ(choose_platform(*entries, "amd64").value().manifest.digest, "sha256:" + std::string(64, 'c'));
  const auto missing = choose_platform(*entries, "arm64");
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().code, base::Code::kNotFound);
  EXPECT_NE(missing.error().message.find("linux/amd64"), std::string::npos);
}

TEST(Digest, OfKnownText) {
  EXPECT_EQ(digest_of("abc"), "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

}  // namespace
}  // namespace orchion::node::images
