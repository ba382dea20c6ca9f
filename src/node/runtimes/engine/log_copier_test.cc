#include "node/runtimes/engine/log_copier.h"

#include <fstream>

#include <fmt/core.h>
#include <gtest/gtest.h>

#include "node/runtimes/conformance/busybox_root.h"
#include "node/runtimes/conformance/runtime_conformance.h"

namespace orchion::node::runtimes::engine {
namespace {

using node::engine::Dialect;

std::string plain(int ns, const char* stream, const char* kind, const std::string& text) {
  return fmt::format("2026-01-01T00:00:00.{:09}+00:00 {} {} {}\n", ns, stream, kind, text);
}

std::string json_line(int ns, const std::string& text) {
  return fmt::format("{{\"log\":\"{}\\n\",\"stream\":\"stdout\",\"time\":\"2026-01-01T00:00:00.{:09}Z\"}}\n", text, ns);
}

class LogCopierTest : public testing::Test {
 protected:
  void append(const std::string& text) {
    ASSERT_TRUE(base::write_file(source_, base::read_file(source_).value_or("") + text));
  }
  // As one process of ours does from its beginning to its end.
  void copy(Dialect dialect, std::uint16_t attempt = 1) {
    auto copier = LogCopier::open({.source = source_, .dialect = dialect, .folder = logs_});
    ASSERT_TRUE(copier.has_value()) << copier.error().message;
    copy_all(*copier, attempt);
  }
  static void copy_all(LogCopier& copier, std::uint16_t attempt = 1) {
    for (auto more = copier.copy(attempt); more.value(); more = copier.copy(attempt)) continue;
  }
  std::string output(bool error = false, int attempt = 0) {
    return joined_output(read_segments(logs_), error, attempt);
  }

  TestFolder folder_;
  std::filesystem::path source_ = folder_.path() / "source.log";
  std::filesystem::path logs_ = folder_.path() / "logs";
};

TEST_F(LogCopierTest, EachLineIsCopiedOnceOverTheEndsOfTheProcess) {
  copy(Dialect::kPodman);
  EXPECT_EQ(output(), "") << "nothing is there yet";
  append(plain(1, "stdout", "F", "one") + plain(1, "stdout", "F", "two") + plain(2, "stderr", "F", "error"));
  copy(Dialect::kPodman);
  copy(Dialect::kPodman);
  EXPECT_EQ(output(), "one\ntwo\n");
  // Of the same moments as those: Podman stamps a whole read.
  append(plain(1, "stdout", "F", "three") + plain(2, "stderr", "F", "again") + plain(3, "stdout", "P", "half "));
  copy(Dialect::kPodman);
  append(plain(4, "stdout", "F", "whole"));
  copy(Dialect::kPodman, 2);
  EXPECT_EQ(output(), "one\ntwo\nthree\nhalf whole\n");
  EXPECT_EQ(output(true), "error\nagain\n");
  EXPECT_EQ(output(false, 2), "whole\n");
}

TEST_F(LogCopierTest, ARotatedFileIsReadToItsEndAndWhatIsDamagedPassedOver) {
  append(json_line(1, "one"));
  auto copier = LogCopier::open({.source = source_, .folder = logs_});
  ASSERT_TRUE(copier.has_value());
  copy_all(*copier);
  // Written in place, as the engine does: the file stays the same.
  std::ofstream(source_, std::ios::app) << json_line(2, "two") << "{damaged\n" << json_line(3, "three");
  std::filesystem::rename(source_, source_.string() + ".1");
  append(json_line(4, "four"));
  copy_all(*copier);
  EXPECT_EQ(output(), "one\ntwo\nthree\nfour\n");
  copy(Dialect::kDocker);
  EXPECT_EQ(output(), "one\ntwo\nthree\nfour\n") << "the older file is known too";
}

TEST_F(LogCopierTest, ALineThatIsBeingWrittenIsWaitedFor) {
  const auto line = json_line(5, "text");
  std::ofstream file(source_, std::ios::app);
  file << line.substr(0, 20) << std::flush;
  auto copier = LogCopier::open({.source = source_, .folder = logs_});
  ASSERT_TRUE(copier.has_value());
  copy_all(*copier);
  EXPECT_EQ(output(), "");
  file << line.substr(20) << std::flush;
  copy_all(*copier);
  EXPECT_EQ(output(), "text\n");
}

}  // namespace
}  // namespace orchion::node::runtimes::engine
