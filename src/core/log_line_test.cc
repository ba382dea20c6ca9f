#include "core/log_line.h"

#include <gtest/gtest.h>

namespace orchion::core {
namespace {

TEST(LevelOf, KnowsTheUsualWaysOfSayingIt) {
  const std::vector<std::pair<std::string, v1::LogLevel>> cases = {
      {R"({"level":"warn","msg":"x"})", v1::LOG_LEVEL_WARNING},
      {R"({"time":1,"level": 50,"msg":"pino"})", v1::LOG_LEVEL_ERROR},
      {R"({"severity":"CRITICAL"})", v1::LOG_LEVEL_FATAL},
      {R"({"log.level": "debug"})", v1::LOG_LEVEL_DEBUG},
      {R"({"msg":"no level"})", v1::LOG_LEVEL_UNKNOWN},
      {"ts=1 level=info msg=\"error in a text\"", v1::LOG_LEVEL_INFO},
      {"2026-11-22T12:00:00Z ERROR could not", v1::LOG_LEVEL_ERROR},
      {"2026-11-22 12:00:00.123 UTC [1] LOG:  database system is ready", v1::LOG_LEVEL_INFO},
      {"2026-11-22 12:00:00.123 UTC [1] FATAL:  role does not exist", v1::LOG_LEVEL_FATAL},
      {"2026/11/22 12:00:00 [warn] 1#1: conflicting server name", v1::LOG_LEVEL_WARNING},
      {"[Sun Nov 22 12:00:00 2026] [notice] Apache", v1::LOG_LEVEL_INFO},
      {"E1122 12:00:00.123 1 main.go:3] failed", v1::LOG_LEVEL_ERROR},
      {"<11>daemon said", v1::LOG_LEVEL_ERROR},
      {"error: no such file", v1::LOG_LEVEL_ERROR},
      {"WARNING: overcommit_memory is 0", v1::LOG_LEVEL_WARNING},
      {"\x1b[33mWARN\x1b[0m slow", v1::LOG_LEVEL_WARNING},
      {"the error of my ways", v1::LOG_LEVEL_UNKNOWN},
      {"INFORMAL meeting", v1::LOG_LEVEL_UNKNOWN},
      {"GET /error 200", v1::LOG_LEVEL_UNKNOWN},
      {"", v1::LOG_LEVEL_UNKNOWN},
      {"{", v1::LOG_LEVEL_UNKNOWN},
      {"<", v1::LOG_LEVEL_UNKNOWN},
      {"{\"level\":", v1::LOG_LEVEL_UNKNOWN},
      {"level=", v1::LOG_LEVEL_UNKNOWN},
  };
  for (const auto& [line, level] : cases) EXPECT_EQ(level_of(line), level) << line;
}

TEST(JsonLine, GivesTheMessageAndTheFields) {
  const auto line =
      parse_json_line(R"( {"msg":"hello","http":{"status":200,"path":"/a"},"ok":true,"tags":["x"],"n":null})");
  ASSERT_TRUE(line.has_value());
  EXPECT_EQ(line->message, "hello");
  EXPECT_EQ(line->fields,
            (std::map<std::string, std::string>{
                {"http.status", "200"}, {"http.path", "/a"}, {"ok", "true"}, {"tags", R"(["x"])"}, {"n", "null"}}));
  EXPECT_FALSE(parse_json_line("plain").has_value());
  EXPECT_FALSE(parse_json_line(R"(["a"])").has_value());
  EXPECT_FALSE(parse_json_line(R"({"cut":)").has_value());
  EXPECT_FALSE(parse_json_line(std::string(100'000, '{')).has_value()) << "nested without end";
}

TEST(JsonLine, ComparesFields) {
  const std::string line = R"({"message":"m","user":{"id":7},"path":"/x"})";
  EXPECT_TRUE(has_fields(line, {{"user.id", "7"}, {"path", "/x"}}));
  EXPECT_TRUE(has_fields(line, {{"message", "m"}}));
  EXPECT_FALSE(has_fields(line, {{"user.id", "8"}}));
  EXPECT_FALSE(has_fields("user.id=7", {{"user.id", "7"}}));
}

}  // namespace
}  // namespace orchion::core
