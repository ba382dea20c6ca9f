// What the conformance tests found, one file for each runtime, from which scripts/capability_table.py composes the
// guide's table: with ORCHION_WRITE_RESULTS=DIR, after a run of all of them. A line is a feature, "yes", "no" or "here"
// (this node's kernel lacks it) and why, with tabs between them.

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <map>
#include <optional>
#include <string>

#include <fmt/core.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "node/runtimes/conformance/result_rows.h"
#include "node/runtimes/conformance/runtime_conformance.h"

namespace orchion::node::runtimes {

namespace {

constexpr std::string_view kSuite = "/RuntimeConformance";

using Results = std::map<std::string, const testing::TestInfo*, std::less<>>;

std::optional<std::string> property(const testing::TestResult& result, const char* name) {
  for (int i = 0; i < result.test_property_count(); ++i) {
    if (result.GetTestProperty(i).key() == std::string_view(name)) return result.GetTestProperty(i).value();
  }
  return std::nullopt;
}

// Nothing where not all its tests passed.
std::optional<std::string> line_of(const ResultRow& row, const Results& results) {
  for (const auto name : row.tests) {
    const auto found = results.find(name);
    if (found == results.end() || !found->second->result()->Passed()) return std::nullopt;
    const auto& result = *found->second->result();
    if (const auto why = property(result, kLacks)) return fmt::format("{}\tno\t{}\n", row.feature, *why);
    if (const auto why = property(result, kLacksHere)) return fmt::format("{}\there\t{}\n", row.feature, *why);
  }
  return fmt::format("{}\tyes\t\n", row.feature);
}

class ResultsWriter final : public testing::Environment {
 public:
  void TearDown() override {
    const auto& unit = *testing::UnitTest::GetInstance();
    for (int i = 0; i < unit.total_test_suite_count(); ++i) {
      const auto& suite = *unit.GetTestSuite(i);
      const std::string name = suite.name();
      if (!name.ends_with(kSuite)) continue;
      const auto results = results_of(suite);
      if (const char* folder = std::getenv("ORCHION_WRITE_RESULTS"))
        write(folder, name.substr(0, name.size() - kSuite.size()), results);
    }
  }

 private:
  static Results results_of(const testing::TestSuite& suite) {
    Results results;
    for (int i = 0; i < suite.total_test_count(); ++i) {
      const auto& test = *suite.GetTestInfo(i);
      const std::string name = test.name();
      results[name.substr(0, name.find('/'))] = &test;
    }
    const auto known = [&](const auto& test) {
      return std::ranges::any_of(result_rows(), [&](const ResultRow& row) {
        return std::ranges::find(row.tests, test.first) != row.tests.end();
      });
    };
    for (const auto& test : results) EXPECT_TRUE(known(test)) << test.first << " needs a row in result_rows.cc";
    return results;
  }

  static void write(const std::filesystem::path& folder, std::string runtime, const Results& results) {
    for (const auto& [name, test] : results) {
      if (!test->should_run() || test->result()->Skipped()) return;
    }
    std::string text;
    for (const auto& row : result_rows()) text += line_of(row, results).value_or("");
    std::ranges::transform(runtime, runtime.begin(), [](unsigned char c) { return std::tolower(c); });
    EXPECT_TRUE(base::make_folders(folder, 0755) && base::write_file(folder / (runtime + ".tsv"), text, 0644));
  }
};

[[maybe_unused]] const auto* const kWriter = testing::AddGlobalTestEnvironment(new ResultsWriter);

}  // namespace

}  // namespace orchion::node::runtimes
