#include "core/log_batch.h"

#include <gtest/gtest.h>

namespace orchion::core {
namespace {

v1::LogSource source(const std::string& uid) {
  v1::LogSource result;
  result.set_task_uid(uid);
  return result;
}

TEST(LogBatch, GivesBackWhatWasAdded) {
  const auto a = source("a"), b = source("b");
  LogBatchWriter writer;
  EXPECT_TRUE(writer.empty());
  writer.add({&a, "one", 1, false});
  writer.add({&b, "", 2, true});
  writer.add({&a, "three", 3, true});
  LogBatchReader reader(writer.take());
  EXPECT_TRUE(writer.empty());
  ASSERT_TRUE(reader.has_line());
  EXPECT_EQ(reader.line().text, "one");
  EXPECT_EQ(reader.line().source->task_uid(), "a");
  reader.pass();
  LogBatchReader rest(reader.take_rest());
  EXPECT_FALSE(reader.has_line());
  EXPECT_EQ(rest.line().source->task_uid(), "b");
  EXPECT_TRUE(rest.line().is_error);
  EXPECT_EQ(rest.line().text, "");
  rest.pass();
  EXPECT_EQ(rest.line().text, "three");
  EXPECT_EQ(rest.line().time_ns, 3);
  rest.pass();
  EXPECT_FALSE(rest.has_line());
}

TEST(LogBatch, NumbersThatDoNotFitEndIt) {
  v1::LogBatch bad;
  bad.add_sources();
  bad.set_text("abc");
  bad.add_lengths(4);
  bad.add_times(1);
  bad.add_marks(0);
  EXPECT_FALSE(LogBatchReader(bad).has_line());
  bad.set_lengths(0, 3);
  EXPECT_TRUE(LogBatchReader(bad).has_line());
  bad.set_marks(0, 2);
  EXPECT_FALSE(LogBatchReader(bad).has_line()) << "no such source";
  bad.set_marks(0, 0);
  bad.clear_times();
  EXPECT_FALSE(LogBatchReader(bad).has_line());
}

}  // namespace
}  // namespace orchion::core
