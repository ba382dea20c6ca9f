#include "node/runtimes/bundle/runtime_error.h"

#include <gtest/gtest.h>

namespace orchion::node::runtimes::bundle {
namespace {

using base::Code;

TEST(RuntimeError, TellsAMissingCommandFromTheRest) {
  struct Case {
    const char* report;
    Code code;
  };
  const Case cases[] = {
      {R"({"msg":"executable file `nosuch` not found in $PATH: No such file or directory","level":"error"})",
       Code::kNotFound},
      {R"({"msg":"exec: \"nosuch\": executable file not found in $PATH: unknown","level":"error"})", Code::kNotFound},
      {R"({"msg":"open executable: Permission denied","level":"error"})", Code::kPermissionDenied},
      {R"({"msg":"exec: \"/etc/passwd\": permission denied","level":"error"})", Code::kPermissionDenied},
      {R"({"msg":"mount `/no/such` to `x`: No such file or directory","level":"error"})", Code::kInternal},
      {"not JSON at all", Code::kInternal},
      {"", Code::kInternal},
  };
  for (const auto& [report, code] : cases) EXPECT_EQ(classify_start_failure(report, true).code, code) << report;
  EXPECT_EQ(classify_start_failure("cannot fork: no memory\n", false).message, "cannot fork: no memory");
}

}  // namespace
}  // namespace orchion::node::runtimes::bundle
