#include "node/probes/known_images.h"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "core/health_check.h"

namespace orchion::node::probes {
namespace {

using testing::HasSubstr;

v1::ContainerSpec container(const std::string& image, std::vector<std::uint32_t> ports = {}) {
  v1::ContainerSpec spec;
  spec.set_image(image);
  for (const auto port : ports) spec.add_ports()->set_container_port(port);
  return spec;
}

std::string error_of(std::string_view yaml) {
  const auto changed = KnownImages::embedded()->with(yaml);
  return changed ? "" : changed.error().message;
}

TEST(KnownImages, TheBuiltInOnesAreSound) {
  const auto known = KnownImages::embedded();
  ASSERT_TRUE(known) << known.error().message;
  EXPECT_GT(known->size(), 40u);
  for (const char* image : {"nginx",
                            "httpd:2.4",
                            "caddy",
                            "traefik",
                            "postgres:16",
                            "mysql",
                            "mariadb",
                            "redis",
                            "mongo",
                            "valkey/valkey",
                            "rabbitmq:3-management",
                            "memcached",
                            "minio/minio",
                            "registry:2",
                            "nats",
                            "ollama/ollama",
                            "vllm/vllm-openai",
                            "ghcr.io/ggml-org/llama.cpp:server",
                            "grafana/grafana",
                            "prom/prometheus",
                            "hashicorp/vault",
                            "hashicorp/consul",
                            "influxdb",
                            "gitea/gitea",
                            "docker.elastic.co/elasticsearch/elasticsearch:8.1.0",
                            "opensearchproject/opensearch:2"}) {
    const auto check = known->find(container(image));
    ASSERT_TRUE(check) << image;
    EXPECT_TRUE(core::is_check(*check)) << image;
    EXPECT_TRUE(core::is_of_known_image(*check)) << image;
    EXPECT_GE(check->start_period().seconds(), 60) << image;
  }
  EXPECT_FALSE(known->find(container("example/nginx")));
  EXPECT_FALSE(known->find(container("registry.example/library/nginx"))) << "nobody knows what that is";
  EXPECT_FALSE(known->find(container("")));
}

TEST(KnownImages, SaysWhereItIsFrom) {
  const auto known = KnownImages::embedded();
  EXPECT_EQ(known->find(container("docker.io/library/postgres@sha256:" + std::string(64, 'a')))->origin(),
            "known image postgres");
  EXPECT_EQ(known->find(container("bitnami/postgresql"))->origin(), "known image postgres");
}

TEST(KnownImages, FollowsThePublishedPort) {
  const auto known = KnownImages::embedded();
  EXPECT_EQ(known->find(container("nginx"))->tcp().port(), 80u);
  EXPECT_EQ(known->find(container("nginx", {8080}))->tcp().port(), 8080u);
  EXPECT_EQ(known->find(container("nginx", {8080, 80}))->tcp().port(), 80u);
  EXPECT_EQ(known->find(container("nginx", {8080, 8443}))->tcp().port(), 80u) << "which of them, nobody knows";
  EXPECT_EQ(known->find(container("minio/minio", {9001}))->http().port(), 9000u) << "its console is another thing";
}

TEST(KnownImages, ANodeReplacesAddsAndTakesOut) {
  const auto known = KnownImages::embedded()->with(R"(
nginx: {images: [nginx], http: {port: 8080, path: /ok, host: x.example}, interval: 5s, retries: 5}
postgres: {disable: true}
mine: {images: [registry.example:5000/mine], grpc: 50051, start_period: 2m}
)");
  ASSERT_TRUE(known) << known.error().message;
  EXPECT_EQ(known->find(container("nginx"))->http().path(), "/ok");
  EXPECT_EQ(known->find(container("nginx"))->interval().seconds(), 5);
  EXPECT_FALSE(known->find(container("bitnami/nginx"))) << "replaced as a whole";
  EXPECT_FALSE(known->find(container("postgres")));
  EXPECT_EQ(known->find(container("registry.example:5000/mine:7"))->grpc().port(), 50051u);
  EXPECT_TRUE(KnownImages::embedded()->with(""));
}

TEST(KnownImages, SaysWhatIsWrong) {
  EXPECT_THAT(error_of("a: ["), HasSubstr("it is no YAML"));
  EXPECT_EQ(error_of("[a]"), "it must be a map of checks by name");
  EXPECT_EQ(error_of("a: 5"), "the check `a`: it must be a map");
  EXPECT_EQ(error_of("a: {images: [b]}"), "the check `a`: it must have one of http, tcp, grpc and command");
  EXPECT_EQ(error_of("a: {images: [b], tcp: 1, grpc: 2}"),
            "the check `a`: it must have one of http, tcp, grpc and command");
  EXPECT_EQ(error_of("a: {tcp: 1}"), "the check `a`: it must name `images`");
  EXPECT_EQ(error_of("a: {images: [b], tcp: 70000}"), "the check `a`: a port is a number from 1 to 65535");
  EXPECT_EQ(error_of("a: {images: [b], tcp: 0}"), "the check `a`: a port is a number from 1 to 65535");
  EXPECT_EQ(error_of("a: {images: [b], tcp: 1, interval: soon}"),
            "the check `a`: `soon` is no duration: write a number and s, m or h");
  EXPECT_EQ(error_of("a: {images: [b], tcp: 1, often: 5s}"), "the check `a`: there is no key `often`");
  EXPECT_EQ(error_of("a: {images: [b], command: []}"), "the check `a`: its command has no words");
  EXPECT_THAT(error_of("a: {images: [b], http: {path: /}}"), HasSubstr("`http` has no `port`"));
}

TEST(KnownImages, ABadFileLeavesTheBuiltInOnes) {
  const auto path = std::filesystem::temp_directory_path() / ("checks-" + base::Random::from_system().text(8));
  EXPECT_TRUE(load_known_images(path)->find(container("nginx"))) << "there is none";
  std::ofstream(path) << "nginx: {disable: true}\n";
  EXPECT_FALSE(load_known_images(path)->find(container("nginx")));
  std::ofstream(path) << "nginx: {disable: perhaps}\n";
  EXPECT_TRUE(load_known_images(path)->find(container("nginx")));
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace orchion::node::probes
