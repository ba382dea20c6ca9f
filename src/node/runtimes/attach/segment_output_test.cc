#include <fstream>

#include <gtest/gtest.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "node/logs/segment_writer.h"
#include "node/runtimes/attach/attach_output.h"
#include "node/runtimes/conformance/busybox_root.h"

namespace orchion::node::runtimes::attach {
namespace {

using logs::OutputStream;

class SegmentOutputTest : public testing::Test {
 protected:
  std::unique_ptr<AttachOutput> open(std::uint32_t attempt) {
    auto output = open_segment_output(io_.get_executor(), folder_.path(), attempt);
    EXPECT_TRUE(output.has_value()) << output.error().message;
    return *std::move(output);
  }

  void say(const std::string& text, std::uint16_t attempt = 1, OutputStream stream = OutputStream::kOut) {
    ASSERT_TRUE(writer_->append(stream, text, base::WallTime(), attempt).has_value());
  }

  void begin_next() {
    spawn(*output_);
    io_.restart();
    io_.poll();
  }

  // What next() came to; it is begun where it wasn't.
  base::Result<std::optional<ExecOutput>> next() {
    if (!begun_) spawn(*output_);
    io_.restart();
    while (!result_) io_.run_one();
    begun_ = false;
    return *std::exchange(result_, std::nullopt);
  }

  void spawn(AttachOutput& output) {
    begun_ = true;
    boost::asio::co_spawn(io_, output.next(), [this](std::exception_ptr, base::Result<std::optional<ExecOutput>> r) {
      result_ = std::move(r);
    });
  }

  TestFolder folder_;
  boost::asio::io_context io_;
  std::optional<logs::SegmentWriter> writer_ =
      *logs::SegmentWriter::open(folder_.path(), {.bytes_max = 4000, .segment_bytes = 1000});
  std::unique_ptr<AttachOutput> output_;
  std::optional<base::Result<std::optional<ExecOutput>>> result_;
  bool begun_ = false;
};

TEST_F(SegmentOutputTest, GivesTheAttemptsBytesAndWaitsForMore) {
  say("old\n");
  say("pro", 2);
  say("mpt> ", 2);
  say("oops", 2, OutputStream::kError);
  output_ = open(2);
  EXPECT_EQ((*next())->out, "prompt> ");
  EXPECT_EQ((*next())->error, "oops");
  begin_next();
  EXPECT_FALSE(result_.has_value());
  say(std::string("\0\xff", 2), 2);
  EXPECT_EQ((*next())->out, std::string("\0\xff", 2));
}

TEST_F(SegmentOutputTest, ComesToItsEndOnceTheAttemptHas) {
  say("said\n");
  output_ = open(1);
  EXPECT_EQ((*next())->out, "said\n");
  begin_next();
  say("last\n");
  output_->finish();
  EXPECT_EQ((*next())->out, "last\n");
  EXPECT_FALSE((*next()).has_value());
}

TEST_F(SegmentOutputTest, SaysSoWhereSomethingIsMissing) {
  say("first\n");
  output_ = open(1);
  EXPECT_EQ((*next())->out, "first\n");
  for (int i = 0; i < 20; ++i) say(std::string(900, 'x'));
  auto said = next();
  while (said && *said) said = next();
  ASSERT_FALSE(said.has_value()) << "the oldest are gone by now";
  EXPECT_EQ(said.error().code, base::Code::kDataLoss);
}

}  // namespace
}  // namespace orchion::node::runtimes::attach
