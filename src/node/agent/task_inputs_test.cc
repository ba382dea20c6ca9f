// What tasks of a run are given: fetched from the server, bound read-only, and gone with the last of them.

#include "node/agent/task_inputs.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "node/agent/agent_lab.h"
#include "node/images/digest.h"
#include "tar/pack.h"

namespace orchion::node::agent {
namespace {

namespace fs = std::filesystem;
using std::chrono::seconds;
using testing::HasSubstr;

class TaskInputsTest : public AgentLab {
 protected:
  TaskInputsTest() { EXPECT_TRUE(base::make_folders(folder)); }

  // As `orchion job run --input` sends it.
  std::string archive_of(const fs::path& what) {
    const base::UniqueFd node(::open(what.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    const auto file = folder / "archive";
    const base::UniqueFd out(::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    EXPECT_TRUE(tar::pack(node, "input", {.owned_by_root = true}, out.get()));
    return base::read_file(file).value();
  }
  std::string archive_of_text(const std::string& text) {
    EXPECT_TRUE(base::write_file(folder / "trip.mov", text));
    return archive_of(folder / "trip.mov");
  }

  static v1::TaskAssignment with_input(v1::TaskAssignment made, const std::string& archive) {
    made.mutable_task()->mutable_spec()->set_run("encode.1");
    made.mutable_restart()->set_condition(v1::RestartPolicy::NO);
    auto& input = *made.add_inputs();
    input.set_name("video");
    input.set_path("/in/video.mov");
    input.set_digest(images::digest_of(archive));
    return made;
  }

  void assign(std::vector<v1::TaskAssignment> tasks) {
    server.full = assignments(std::move(tasks));
    start_agent();
    settle();
  }

  // The input that the agent asks for.
  v1::InputFetch asked() {
    if (!server.stream) return {};
    const auto first = finish(server.stream->receive());
    return first && *first ? (*first)->input_fetch() : v1::InputFetch();
  }
  void send(const std::string& data) {
    v1::StreamToAgent message;
    message.set_data(data);
    ASSERT_TRUE(finish(server.stream->send(std::move(message))));
  }
  void send_all(const std::string& archive) {
    send(archive.substr(0, 100));
    send(archive.substr(100));
    send("");
    advance(seconds(1));
  }

  void remove(const std::string& uid) {
    v1::Assignments delta;
    delta.add_removed_tasks(uid);
    server.send_delta(std::move(delta));
    advance(seconds(1));
  }

  const runtimes::MountPoint& mount_of(const std::string& uid) {
    return runtime.containers.at(uid).config.mounts.at(0);
  }
  std::size_t kept() const {
    std::error_code none;
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(options.folder / "inputs", none), fs::directory_iterator()));
  }
};

TEST_F(TaskInputsTest, AFileIsFetchedBeforeTheStartAndGoesWithTheTask) {
  const auto archive = archive_of_text("a film");
  ASSERT_EQ(::chmod((folder / "trip.mov").c_str(), 0600), 0);
  assign({with_input(task("a"), archive)});
  const auto fetch = asked();
  EXPECT_EQ(fetch.task_uid(), "a");
  EXPECT_EQ(fetch.digest(), images::digest_of(archive));
  EXPECT_EQ(state("a"), v1::PREPARING);
  send_all(archive);
  EXPECT_EQ(state("a"), v1::RUNNING);
  const auto& mount = mount_of("a");
  EXPECT_EQ(mount.target, "/in/video.mov");
  EXPECT_TRUE(mount.read_only);
  EXPECT_EQ(base::read_file(mount.source).value(), "a film");
  struct stat info{};
  ASSERT_EQ(::stat(mount.source.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0644u) << "for whoever the container's processes are";
  remove("a");
  EXPECT_EQ(kept(), 0u);
}

TEST_F(TaskInputsTest, AFolderComesWhole) {
  fs::create_directories(folder / "album/day");
  ASSERT_TRUE(base::write_file(folder / "album/day/one", "1"));
  ASSERT_TRUE(base::write_file(folder / "album/run", "#!/bin/sh", 0700));
  fs::create_symlink("/etc/passwd", folder / "album/link");
  const auto archive = archive_of(folder / "album");
  assign({with_input(task("a"), archive)});
  asked();
  send_all(archive);
  ASSERT_EQ(state("a"), v1::RUNNING);
  const auto source = mount_of("a").source;
  EXPECT_EQ(base::read_file(source / "day/one").value(), "1");
  EXPECT_TRUE(fs::is_symlink(source / "link")) << "it leads wherever the container has it";
  struct stat info{};
  ASSERT_EQ(::stat((source / "run").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0755u);
}

TEST_F(TaskInputsTest, OneThatSeveralAreGivenIsFetchedOnce) {
  const auto archive = archive_of_text("shared");
  assign({with_input(task("a"), archive), with_input(task("b", 2), archive)});
  asked();
  const auto stream = server.stream;
  send_all(archive);
  EXPECT_EQ(server.stream, stream) << "nobody asked again";
  EXPECT_EQ(state("a"), v1::RUNNING);
  EXPECT_EQ(state("b"), v1::RUNNING);
  EXPECT_EQ(mount_of("a").source, mount_of("b").source);
  remove("a");
  EXPECT_EQ(base::read_file(mount_of("b").source).value(), "shared");
  kill_agent();
  server.full = assignments({with_input(task("b", 2), archive)});
  start_agent();
  advance(seconds(1));
  remove("b");
  EXPECT_EQ(kept(), 0u);
}

TEST_F(TaskInputsTest, WhatIsDamagedOnItsWayIsFetchedAgain) {
  const auto archive = archive_of_text("a film");
  assign({with_input(task("a"), archive)});
  asked();
  auto damaged = archive;
  damaged[600] = 'X';
  send_all(damaged);
  EXPECT_THAT(status("a").message(), HasSubstr("an input of the run was damaged on its way here; trying again in"));
  server.stream.reset();
  advance(seconds(10));
  EXPECT_EQ(asked().digest(), images::digest_of(archive));
  send_all(archive);
  EXPECT_EQ(state("a"), v1::RUNNING);
  EXPECT_EQ(base::read_file(mount_of("a").source).value(), "a film");
}

TEST_F(TaskInputsTest, WhatStopsOnItsWayIsNotWaitedForForever) {
  const auto archive = archive_of_text("a film");
  assign({with_input(task("a"), archive)});
  asked();
  send(archive.substr(0, 100));
  advance(seconds(61));
  EXPECT_THAT(status("a").message(), HasSubstr("waiting for an input of the run"));
}

// The path that is bound is one of this machine's.
TEST_F(TaskInputsTest, ALinkAtTheTopIsRefused) {
  fs::create_symlink("/etc/passwd", folder / "trick");
  const auto archive = archive_of(folder / "trick");
  assign({with_input(task("a"), archive)});
  asked();
  send_all(archive);
  EXPECT_EQ(state("a"), v1::PREPARING);
  EXPECT_THAT(status("a").message(), HasSubstr("holds no file and no folder"));
}

TEST_F(TaskInputsTest, ADigestThatIsNoneIsRefused) {
  auto made = with_input(task("a"), "x");
  made.mutable_inputs(0)->set_digest("../../etc");
  assign({made});
  advance(seconds(1));
  EXPECT_THAT(status("a").message(), HasSubstr("the input video has no digest"));
  EXPECT_EQ(server.stream, nullptr);
}

}  // namespace
}  // namespace orchion::node::agent
