// Every starter of `orchion init` loads without a warning and is what the published schema describes.

#include <filesystem>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "spec/loader.h"
#include "spec/schema_validator.h"
#include "spec/yaml_reader.h"

namespace orchion::spec {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> starter_names() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(ORCHION_STARTERS)) names.push_back(entry.path().filename().string());
  std::ranges::sort(names);
  return names;
}

class StarterFiles : public testing::TestWithParam<std::string> {
 protected:
  StarterFiles() : folder_(fs::path(ORCHION_STARTERS) / GetParam()) {
    for (const auto& entry : fs::recursive_directory_iterator(folder_))
      if (entry.is_regular_file()) files_.files[entry.path()] = base::read_file(entry.path()).value_or("");
    tree_ = read_yaml(files_.files[folder_ / "compose.yaml"], "compose.yaml").value_or(Node());
    if (const auto* secrets = tree_.find("secrets"))
      for (const auto& secret : secrets->entries)
        files_.files[(folder_ / secret.value.find("file")->text).lexically_normal()] = "made by init";
    options_.working_folder = folder_;
  }

  fs::path folder_;
  MemoryFileSystem files_;
  Node tree_;
  LoadOptions options_;
};

TEST_P(StarterFiles, LoadsWithoutAWarning) {
  const auto stack = load(files_, options_);
  ASSERT_TRUE(stack) << stack.error().message;
  EXPECT_THAT(stack->warnings, testing::IsEmpty());
  EXPECT_EQ(stack->name, GetParam());
}

TEST_P(StarterFiles, FitsThePublishedSchema) {
  const auto schema = base::read_file(fs::path(ORCHION_REFERENCE) / "compose.schema.json");
  ASSERT_TRUE(schema);
  EXPECT_TRUE(SchemaValidator(*schema).accepts(tree_));
}

TEST_P(StarterFiles, IsGoodPractice) {
  const auto stack = load(files_, options_);
  ASSERT_TRUE(stack) << stack.error().message;
  for (const auto& service : tree_.find("services")->entries) {
    SCOPED_TRACE(service.key);
    EXPECT_TRUE(service.value.find("healthcheck"));
    EXPECT_TRUE(service.value.find("restart"));
    EXPECT_TRUE(service.value.find("deploy"));
    const auto image = service.value.find("image")->text;
    EXPECT_NE(image.rfind(':'), std::string::npos) << image;
    EXPECT_FALSE(image.ends_with(":latest")) << image;
  }
  for (const auto& service : stack->spec.services()) EXPECT_GT(service.spec().container().limits().memory_bytes(), 0);
}

// Interfaces whose first visitor, or whose one password, rules the rest.
TEST_P(StarterFiles, AdministratorsComeFromThisMachine) {
  const std::multimap<std::string, std::uint32_t> kAdministrators = {
      {"prometheus-grafana", 9090}, {"prometheus-grafana", 3000}, {"minio", 9001}, {"ollama-open-webui", 8080}};
  const auto stack = load(files_, options_);
  ASSERT_TRUE(stack) << stack.error().message;
  const auto [begin, end] = kAdministrators.equal_range(GetParam());
  for (auto it = begin; it != end; ++it)
    for (const auto& service : stack->spec.services())
      for (const auto& port : service.spec().container().ports())
        if (port.container_port() == it->second) {
          EXPECT_EQ(port.host_ip(), "127.0.0.1") << it->second;
        }
}

INSTANTIATE_TEST_SUITE_P(All, StarterFiles, testing::ValuesIn(starter_names()), [](const auto& starter) {
  std::string name = starter.param;
  std::ranges::replace(name, '-', '_');
  return name;
});

}  // namespace
}  // namespace orchion::spec
