#include "node/agent/streams.h"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "core/log_batch.h"
#include "node/agent/agent_lab.h"
#include "node/logs/segment.h"

namespace orchion::node::agent {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;

class StreamsTest : public AgentLab {
 protected:
  StreamsTest() {
    server.full = assignments({task("a"), task("b", 2)});
    start_agent();
    advance(seconds(1));
  }

  void want(v1::StreamRequest request) {
    request.set_id("stream-1");
    v1::ToAgent message;
    *message.mutable_stream() = std::move(request);
    server.send(std::move(message));
    settle();
    ASSERT_NE(server.stream, nullptr);
    const auto first = finish(server.stream->receive());
    ASSERT_TRUE(first.has_value() && first->has_value());
    EXPECT_EQ((*first)->id(), "stream-1");
  }

  // The next message; nullopt at the end.
  base::Result<std::optional<v1::StreamFromAgent>> next() {
    std::optional<base::Result<std::optional<v1::StreamFromAgent>>> result;
    boost::asio::co_spawn(
        io, server.stream->receive(),
        [&](std::exception_ptr, base::Result<std::optional<v1::StreamFromAgent>> value) { result = std::move(value); });
    // Files are watched by the kernel, whose word may take a moment.
    while (!result) {
      io.restart();
      if (io.run_for(milliseconds(20)) == 0) advance(seconds(1));
    }
    return std::move(*result);
  }

  void send(v1::StreamToAgent message) { ASSERT_TRUE(finish(server.stream->send(std::move(message))).has_value()); }

  void say(const std::string& uid, int second, const std::string& text,
           logs::OutputStream stream = logs::OutputStream::kOut) {
    ASSERT_TRUE(base::make_folders(runtime.log_folder(uid)).has_value());
    logs::RecordHeader header;
    header.length = static_cast<std::uint32_t>(text.size());
    header.time_ns = (clock.wall().time_since_epoch() + seconds(second)).count();
    header.stream = stream;
    header.attempt = 1;
    std::ofstream file(runtime.log_folder(uid) / "00000001.log", std::ios::app | std::ios::binary);
    file.write(reinterpret_cast<const char*>(&header), sizeof header).write(text.data(), std::ssize(text));
  }

  std::vector<std::string> lines_to_end() {
    std::vector<std::string> result;
    while (true) {
      auto message = next();
      if (!message || !*message) return result;
      for (core::LogBatchReader lines((*message)->logs()); lines.has_line(); lines.pass()) {
        const auto& source = *lines.line().source;
        result.push_back(source.stack() + "/" + source.service() + "." + std::to_string(source.slot()) + " " +
                         std::string(lines.line().text));
      }
    }
  }

  // Of the next message.
  std::vector<std::string> next_lines() {
    std::vector<std::string> result;
    for (core::LogBatchReader lines((*next())->logs()); lines.has_line(); lines.pass())
      result.emplace_back(lines.line().text);
    return result;
  }
};

TEST_F(StreamsTest, LogsOfSeveralTasksComeInTheOrderOfTime) {
  say("a", 1, "one\n");
  say("b", 2, "two\n", logs::OutputStream::kError);
  say("a", 3, "three\n");
  v1::StreamRequest request;
  for (const char* uid : {"a", "b", "unknown"}) request.mutable_logs()->add_task_uids(uid);
  want(request);
  EXPECT_THAT(lines_to_end(), ElementsAre("shop/web.1 one", "shop/web.2 two", "shop/web.1 three"));
}

TEST_F(StreamsTest, LogsTakeTailAndGrep) {
  for (const char* text : {"x1\n", "y\n", "x2\n", "x3\n"}) say("a", 1, text);
  v1::StreamRequest request;
  request.mutable_logs()->add_task_uids("a");
  request.mutable_logs()->mutable_request()->set_grep("^x");
  request.mutable_logs()->mutable_request()->set_tail(2);
  want(request);
  EXPECT_THAT(lines_to_end(), ElementsAre("shop/web.1 x2", "shop/web.1 x3"));
}

TEST_F(StreamsTest, LogsFollowUntilTheTaskEnds) {
  say("a", 1, "before\n");
  v1::StreamRequest request;
  request.mutable_logs()->add_task_uids("a");
  request.mutable_logs()->add_task_uids("b");  // silent
  request.mutable_logs()->mutable_request()->set_follow(true);
  want(request);
  EXPECT_THAT(next_lines(), ElementsAre("before"));
  EXPECT_TRUE((*next())->caught_up());
  say("a", 2, "after\n");
  EXPECT_THAT(next_lines(), ElementsAre("after"));
  runtime.end("a", 0);
  runtime.end("b", 0);
  const auto end = next();
  EXPECT_TRUE(end.has_value() && !end->has_value());
}

TEST_F(StreamsTest, AFollowerGetsThePastInTheOrderOfTime) {
  say("a", 1, "one\n");
  say("b", 2, "two\n");
  say("a", 3, "three\n");
  say("b", 4, "four\n");
  v1::StreamRequest request;
  for (const char* uid : {"a", "b"}) request.mutable_logs()->add_task_uids(uid);
  request.mutable_logs()->mutable_request()->set_follow(true);
  want(request);
  EXPECT_THAT(next_lines(), ElementsAre("one", "two", "three", "four"));
  EXPECT_TRUE((*next())->caught_up());
  say("b", 1, "late\n");
  EXPECT_THAT(next_lines(), ElementsAre("late")) << "what follows comes as it comes";
}

TEST_F(StreamsTest, AFollowerThatLeavesIsLetGo) {
  v1::StreamRequest request;
  request.mutable_logs()->add_task_uids("a");
  request.mutable_logs()->mutable_request()->set_follow(true);
  want(request);
  server.stream.reset();
  advance(seconds(20));
  kill_agent();  // nothing of it is left to wait for
}

TEST_F(StreamsTest, ABadExpressionIsRefused) {
  say("a", 1, "one\n");
  v1::StreamRequest request;
  request.mutable_logs()->add_task_uids("a");
  request.mutable_logs()->mutable_request()->set_grep("(");
  want(request);
  EXPECT_EQ(next().error().code, base::Code::kInvalidArgument);
}

TEST_F(StreamsTest, ExecCarriesBothWays) {
  v1::StreamRequest request;
  auto& start = *request.mutable_exec()->mutable_start();
  request.mutable_exec()->set_task_uid("a");
  start.add_command("sh");
  start.set_tty(true);
  start.set_stdin(true);
  start.set_user("www");
  start.mutable_size()->set_columns(120);
  auto& variable = *start.add_environment();
  variable.set_name("A");
  variable.set_value("1");
  want(request);
  EXPECT_THAT(runtime.execs.at(0).arguments, ElementsAre("sh"));
  EXPECT_THAT(runtime.execs.at(0).environment, ElementsAre("A=1"));
  EXPECT_EQ(runtime.execs.at(0).user, "www");
  EXPECT_EQ(runtime.execs.at(0).columns, 120);
  EXPECT_EQ(runtime.execs.at(0).rows, 24);
  EXPECT_TRUE(runtime.execs.at(0).tty);
  v1::StreamToAgent message;
  message.mutable_exec()->set_data("hello");
  send(message);
  EXPECT_EQ((*next())->exec().stdout(), "hello");
  message.mutable_exec()->mutable_resize()->set_rows(50);
  send(message);
  EXPECT_EQ((*next())->exec().stderr(), "resized");
  message.mutable_exec()->set_end(true);
  send(message);
  EXPECT_EQ((*next())->exec().exit_code(), 7);
  const auto end = next();
  EXPECT_TRUE(end.has_value() && !end->has_value());
}

TEST_F(StreamsTest, AttachCarriesBothWays) {
  v1::StreamRequest request;
  request.mutable_attach()->set_task_uid("a");
  request.mutable_attach()->mutable_start()->set_stdin(true);
  request.mutable_attach()->mutable_start()->mutable_size()->set_columns(120);
  request.mutable_attach()->mutable_start()->mutable_size()->set_rows(30);
  want(request);
  EXPECT_TRUE(runtime.attachments.at(0).stdin);
  EXPECT_EQ(runtime.attachments.at(0).columns, 120);
  EXPECT_EQ(runtime.attachments.at(0).rows, 30);
  v1::StreamToAgent message;
  message.mutable_attach()->set_data("hello");
  send(message);
  EXPECT_EQ((*next())->exec().stdout(), "hello");
  message.mutable_attach()->mutable_resize()->set_rows(50);
  send(message);
  EXPECT_EQ((*next())->exec().stderr(), "resized");
  message.mutable_attach()->set_end(true);
  send(message);
  EXPECT_EQ((*next())->exec().exit_code(), 7);
}

TEST_F(StreamsTest, AttachToWhatHasEndedTellsWhatIsKeptOfIt) {
  auto once = task("c", 3);
  once.mutable_restart()->set_condition(v1::RestartPolicy::NO);
  v1::Assignments delta;
  *delta.add_tasks() = once;
  server.send_delta(std::move(delta));
  advance(seconds(1));
  say("c", 1, "half a line");
  runtime.end("c", 4);
  advance(seconds(20));
  v1::StreamRequest request;
  request.mutable_attach()->set_task_uid("c");
  want(request);
  EXPECT_EQ((*next())->exec().stdout(), "half a line");
  EXPECT_EQ((*next())->exec().exit_code(), 4);
}

TEST_F(StreamsTest, AttachWantsATaskThatWasStarted) {
  v1::StreamRequest request;
  request.mutable_attach()->set_task_uid("nobody");
  want(request);
  EXPECT_EQ(next().error().code, base::Code::kFailedPrecondition);
}

TEST_F(StreamsTest, ExecWantsARunningTask) {
  v1::StreamRequest request;
  request.mutable_exec()->set_task_uid("nobody");
  want(request);
  EXPECT_EQ(next().error().message, "the task isn't running on its node: see `orchion ps`, and try one that is");
}

TEST_F(StreamsTest, ImportTakesPiecesUntilAnEmptyOne) {
  v1::StreamRequest request;
  request.mutable_import()->set_name("mine:1");
  want(request);
  v1::StreamToAgent message;
  for (const char* piece : {"abc", "def", ""}) {
    message.set_data(piece);
    send(message);
  }
  EXPECT_EQ((*next())->image().meta().name(), "mine:1");
  EXPECT_EQ(images.uploaded, "abcdef");
  server.stream.reset();
  settle();
  EXPECT_EQ(server.images->images().size(), 2);
}

TEST_F(StreamsTest, RefusedAndBrokenUploadsSaySo) {
  v1::StreamRequest request;
  request.mutable_import()->set_name("mine:1");
  want(request);
  v1::StreamToAgent message;
  message.set_data("rubbish");
  send(message);
  EXPECT_EQ(next().error().message, "this is no archive");
  want(request);
  server.stream->finish();
  EXPECT_EQ(next().error().message, "the upload was cut off: import the archive again");
  EXPECT_FALSE(images.records.contains("mine:1"));
}

TEST_F(StreamsTest, ImagesArePulledPushedRemovedAndPruned) {
  v1::StreamRequest request;
  request.mutable_pull()->set_reference("db:2");
  want(request);
  EXPECT_EQ((*next())->image().status().digest(), "sha256:db:2");
  request.mutable_push()->set_reference("db:2");
  request.mutable_push()->set_destination("registry:5000/db");
  want(request);
  EXPECT_EQ(next().error().message, "registry:5000/db does not answer");
  request.mutable_push()->set_plain_http(true);
  want(request);
  EXPECT_EQ((*next())->image().meta().name(), "db:2");
  request.mutable_tag()->set_reference("db:2");
  request.mutable_tag()->set_name("db:new");
  want(request);
  EXPECT_EQ((*next())->image().meta().name(), "db:new");
  EXPECT_TRUE(images.records.contains("db:2"));
  request.mutable_remove_image()->set_reference("db:2");
  want(request);
  EXPECT_EQ((*next())->image().meta().name(), "db:2");
  EXPECT_FALSE(images.records.contains("db:2"));
  request.mutable_prune_images();
  want(request);
  EXPECT_EQ((*next())->pruned().freed_bytes(), 42);
  server.stream.reset();
  settle();
  EXPECT_EQ(server.images->images().size(), 0);
}

TEST_F(StreamsTest, AnExportComesInPiecesAndEndsWithAnEmptyOne) {
  images.add("nginx");
  v1::StreamRequest request;
  request.mutable_export_()->set_reference("nginx");
  want(request);
  for (const std::string piece : {"one ", "two", ""}) {
    const auto message = next();
    ASSERT_TRUE(message.has_value() && message->has_value());
    EXPECT_TRUE((*message)->has_data());
    EXPECT_EQ((*message)->data(), piece);
  }
  server.stream.reset();
  request.mutable_export_()->set_reference("nothing");
  want(request);
  EXPECT_EQ(next().error().code, base::Code::kNotFound);
}

class FetchTest : public StreamsTest {
 protected:
  // A task whose image another node holds, up to the wish for it.
  void assign(v1::PullPolicy policy = v1::PULL_MISSING) {
    auto wanted = task("c", 3);
    wanted.mutable_container()->set_pull_policy(policy);
    wanted.mutable_container()->set_image("elsewhere:1");
    wanted.set_image_elsewhere(true);
    v1::Assignments delta;
    *delta.add_tasks() = wanted;
    server.stream.reset();
    server.send_delta(delta);
    settle();
    ASSERT_NE(server.stream, nullptr);
    const auto first = finish(server.stream->receive());
    ASSERT_TRUE(first.has_value() && first->has_value());
    EXPECT_EQ((*first)->fetch().reference(), "elsewhere:1");
  }

  void send_piece(const std::string& data) {
    v1::StreamToAgent message;
    message.set_data(data);
    send(std::move(message));
  }
};

TEST_F(FetchTest, AnImageComesFromTheNodeThatHasIt) {
  const int ensured = images.ensured;
  assign();
  send_piece("an ");
  send_piece("image");
  EXPECT_EQ(state("c"), v1::PREPARING);
  send_piece("");
  advance(seconds(1));
  EXPECT_EQ(state("c"), v1::RUNNING);
  EXPECT_EQ(images.uploaded, "an image");
  EXPECT_EQ(images.ensured, ensured) << "no registry was asked";
}

TEST_F(FetchTest, WhereNoNodeHasItAnyMoreTheRegistryIsAsked) {
  const int ensured = images.ensured;
  assign();
  server.stream->finish(base::Error{base::Code::kNotFound, "no other node has it", {}});
  advance(seconds(1));
  EXPECT_EQ(state("c"), v1::RUNNING);
  EXPECT_EQ(images.ensured, ensured + 1);
}

TEST_F(FetchTest, WhatMustNotBePulledMayStillComeFromAnotherNode) {
  assign(v1::PULL_NEVER);
  send_piece("an image");
  send_piece("");
  advance(seconds(1));
  EXPECT_EQ(state("c"), v1::RUNNING);
}

TEST_F(FetchTest, WhatMustNotBePulledIsAskedOfNoRegistry) {
  const int ensured = images.ensured;
  assign(v1::PULL_NEVER);
  server.stream->finish(base::Error{base::Code::kNotFound, "no other node has it", {}});
  advance(seconds(1));
  EXPECT_NE(state("c"), v1::RUNNING);
  EXPECT_THAT(status("c").message(), testing::HasSubstr("`pull_policy: never` forbids to fetch it"));
  EXPECT_EQ(images.ensured, ensured);
}

TEST_F(FetchTest, AnImageThatStopsOnItsWayIsNotWaitedForForever) {
  assign();
  send_piece("an ");
  advance(seconds(90));
  EXPECT_EQ(state("c"), v1::RUNNING) << "its registry had it";
}

TEST_F(FetchTest, AnImageThatIsPinnedIsNoOther) {
  images.add("moved:1");
  images.records.at("moved:1").pin = "sha256:new";
  images.add("moved:1@sha256:old");
  images.add("here:1");
  images.records.at("here:1").pin = "sha256:here";
  const int ensured = images.ensured;
  v1::Assignments delta;
  const auto assign_pinned = [&](const std::string& uid, std::uint32_t slot, const char* image, const char* digest) {
    auto& wanted = *delta.add_tasks() = task(uid, slot);
    wanted.mutable_container()->set_image(image);
    wanted.mutable_container()->set_image_digest(digest);
  };
  assign_pinned("c", 3, "moved:1", "sha256:old");
  assign_pinned("d", 4, "here:1", "sha256:here");
  server.send_delta(delta);
  advance(seconds(1));
  EXPECT_EQ(status("c").image_digest(), "sha256:moved:1@sha256:old");
  EXPECT_EQ(status("d").image_digest(), "sha256:here:1");
  EXPECT_EQ(status("d").image_pin(), "sha256:here");
  EXPECT_EQ(images.ensured, ensured) << "both are here";

  delta.clear_tasks();
  assign_pinned("e", 5, "here:1", "sha256:elsewhere");
  server.send_delta(delta);
  advance(seconds(1));
  EXPECT_EQ(images.ensured, ensured + 1);
  EXPECT_EQ(status("e").image_digest(), "sha256:here:1@sha256:elsewhere");
}

TEST_F(StreamsTest, PullsAreTheirsWhoLook) {
  auto earlier = images.board.begin("gone:1");
  earlier.reset();
  auto pull = images.board.begin("nginx:1");
  v1::StreamRequest request;
  request.mutable_pulls();
  want(request);
  const auto expect = [&](std::uint64_t done, std::uint64_t total, bool ended) {
    const auto message = next();
    ASSERT_TRUE(message.has_value() && message->has_value());
    const auto& progress = (*message)->pull_progress();
    EXPECT_EQ(progress.reference(), "nginx:1");
    EXPECT_EQ(progress.done_bytes(), done);
    EXPECT_EQ(progress.total_bytes(), total);
    EXPECT_EQ(progress.ended(), ended);
  };
  expect(0, 0, false);
  pull->set(3, 10);
  expect(3, 10, false);
  pull->complete();
  pull.reset();
  expect(10, 10, true);
}

TEST_F(StreamsTest, AnUnknownWishIsRefused) {
  want({});
  EXPECT_EQ(next().error().code, base::Code::kUnimplemented);
}

}  // namespace
}  // namespace orchion::node::agent
