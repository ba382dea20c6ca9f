#include "node/agent/task_inputs.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

#include <fmt/core.h>
#include <unistd.h>

#include "base/file.h"
#include "base/timeout.h"
#include "base/write_all.h"
#include "core/jobs.h"
#include "node/agent/blocking.h"
#include "node/images/digest.h"
#include "tar/unpack.h"

namespace orchion::node::agent {

namespace fs = std::filesystem;

namespace {

constexpr auto kDialLimit = std::chrono::seconds(10);

// Between two pieces.
constexpr auto kPieceLimit = std::chrono::seconds(60);

constexpr const char* kContent = "content";
constexpr const char* kTasks = "tasks";

// An archive on its way in, checked against its name.
struct Arrival {
  fs::path file;
  base::UniqueFd out;
  images::Sha256 hash;
};

base::Result<std::shared_ptr<Arrival>> begin_arrival(const fs::path& part) {
  RETURN_IF_ERROR(base::remove_tree(part));
  RETURN_IF_ERROR(base::make_folders(part));
  auto arrival = std::make_shared<Arrival>();
  arrival->file = part / "archive.tar";
  arrival->out.reset(::open(arrival->file.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!arrival->out) return base::fail_errno(errno, "cannot keep an input of the run");
  return arrival;
}

base::Result<> append(Arrival& arrival, const std::string& bytes) {
  arrival.hash.update(bytes);
  return base::write_all(arrival.out.get(), bytes, "cannot keep an input of the run");
}

// Whoever the container's processes are, they may read it, and run what was runnable.
void make_readable(const fs::path& path, const struct stat& info) {
  const bool runs = S_ISDIR(info.st_mode) || (info.st_mode & 0111) != 0;
  ::chmod(path.c_str(), (info.st_mode & 0777) | 0444 | (runs ? 0111 : 0));
}

// kInvalidArgument: its top is no file and no folder. A link there would lead to files of this machine.
base::Result<> make_all_readable(const fs::path& content) {
  struct stat info{};
  if (::lstat(content.c_str(), &info) != 0 || (!S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode)))
    return base::fail(base::Code::kInvalidArgument,
                      "an input of the run holds no file and no folder: give it again, with a new run");
  make_readable(content, info);
  std::error_code failed;
  if (!S_ISDIR(info.st_mode)) return {};
  for (fs::recursive_directory_iterator it(content, failed), end; !failed && it != end; it.increment(failed))
    if (::lstat(it->path().c_str(), &info) == 0 && !S_ISLNK(info.st_mode)) make_readable(it->path(), info);
  if (failed) return base::fail_errno(failed.value(), "cannot look through an input of the run");
  return {};
}

base::Result<> unpack(Arrival& arrival, const fs::path& part) {
  if (::lseek(arrival.out.get(), 0, SEEK_SET) < 0) return base::fail_errno(errno, "cannot read an input of the run");
  base::UniqueFd folder(::open(part.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!folder) return base::fail_errno(errno, "cannot keep an input of the run");
  const tar::TreeRoot root(std::move(folder), tar::TreeRoot::Links::kRefused);
  auto choose = [](const std::string&, bool) -> base::Result<tar::Place> { return tar::Place{"", kContent}; };
  RETURN_IF_ERROR(tar::unpack(arrival.out.get(), root, choose, {.as_archived = false}));
  ::unlink(arrival.file.c_str());
  return make_all_readable(part / kContent);
}

// In the place where it is looked for, with its first task.
base::Result<> settle(Arrival& arrival, const std::string& digest, const fs::path& part, const fs::path& folder) {
  if (arrival.hash.finish() != digest)
    return base::fail(base::Code::kDataLoss, "an input of the run was damaged on its way here");
  RETURN_IF_ERROR(unpack(arrival, part));
  RETURN_IF_ERROR(base::make_folders(part / kTasks));
  RETURN_IF_ERROR(base::remove_tree(folder));
  if (::rename(part.c_str(), folder.c_str()) != 0) return base::fail_errno(errno, "cannot keep an input of the run");
  return {};
}

// Whether the input is there; then the task is one of its tasks.
base::Result<bool> note_task(const fs::path& folder, const std::string& task_uid) {
  std::error_code failed;
  if (!fs::exists(folder / kTasks, failed)) return false;
  const base::UniqueFd mark(::open((folder / kTasks / task_uid).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  if (!mark) return base::fail_errno(errno, "cannot keep an input of the run");
  return true;
}

base::Result<> forget_task(const fs::path& folder, const std::string& task_uid) {
  std::error_code failed;
  fs::remove(folder / kTasks / task_uid, failed);
  const bool is_last = fs::is_empty(folder / kTasks, failed);
  if (failed || !is_last) return {};
  return base::remove_tree(folder);
}

base::Co<std::optional<v1::StreamToAgent>> next_message(std::shared_ptr<DataStream> stream) {
  co_return co_await stream->receive();
}

}  // namespace

struct TaskInputs::Turn {
  Turn(TaskInputs& owner, std::string wanted) : inputs(owner), digest(std::move(wanted)) {
    inputs.busy_.insert(digest);
  }
  ~Turn() {
    inputs.busy_.erase(digest);
    inputs.changed_.notify();
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  TaskInputs& inputs;
  const std::string digest;
};

base::Co<> TaskInputs::wait_for_turn(std::string digest) {
  while (busy_.contains(digest)) CO_RETURN_IF_ERROR(co_await changed_.wait());
  co_return base::Result<>{};
}

base::Co<std::vector<runtimes::MountPoint>> TaskInputs::provide(std::string task_uid, List inputs) {
  std::vector<runtimes::MountPoint> mounts;
  for (const auto& input : inputs) {
    // It becomes part of a path.
    if (!core::is_input_digest(input.digest()))
      co_return base::fail(base::Code::kInvalidArgument, fmt::format("the input {} has no digest", input.name()));
    CO_RETURN_IF_ERROR(co_await wait_for_turn(input.digest()));
    const Turn turn(*this, input.digest());
    runtimes::MountPoint mount;
    CO_ASSIGN_OR_RETURN(mount.source, co_await provide_one(task_uid, input.digest()));
    mount.target = input.path();
    mount.read_only = true;
    mounts.push_back(std::move(mount));
  }
  co_return mounts;
}

base::Co<fs::path> TaskInputs::provide_one(std::string task_uid, std::string digest) {
  const auto folder = folder_ / images::digest_hex(digest);
  auto note = [folder, task_uid] { return note_task(folder, task_uid); };
  CO_ASSIGN_OR_RETURN(const bool is_there, co_await run_blocking(workers_, note));
  if (is_there) co_return folder / kContent;
  CO_RETURN_IF_ERROR(co_await fetch(task_uid, digest, folder.native() + ".part"));
  CO_RETURN_IF_ERROR(co_await run_blocking(workers_, note));
  co_return folder / kContent;
}

base::Co<> TaskInputs::fetch(std::string task_uid, std::string digest, fs::path part) {
  auto begin = [part] { return begin_arrival(part); };
  CO_ASSIGN_OR_RETURN(const auto arrival, co_await run_blocking(workers_, std::move(begin)));
  CO_ASSIGN_OR_RETURN(auto dialled, co_await base::with_timeout(clock_, kDialLimit, "asking for an input of the run",
                                                                link_.open_stream()));
  std::shared_ptr<DataStream> stream = std::move(dialled);
  v1::StreamFromAgent first;
  first.mutable_input_fetch()->set_task_uid(task_uid);
  first.mutable_input_fetch()->set_digest(digest);
  CO_RETURN_IF_ERROR(co_await stream->send(std::move(first)));
  stream->finish();
  while (true) {
    CO_ASSIGN_OR_RETURN(
        auto message,
        co_await base::with_timeout(clock_, kPieceLimit, "waiting for an input of the run", next_message(stream)));
    if (!message) co_return base::fail(base::Code::kUnavailable, "an input of the run was cut off on its way here");
    if (message->data().empty()) break;
    auto write = [arrival, bytes = std::move(*message->mutable_data())] { return append(*arrival, bytes); };
    CO_RETURN_IF_ERROR(co_await run_blocking(workers_, std::move(write)));
  }
  auto finish = [arrival, digest, part, folder = folder_ / images::digest_hex(digest)] {
    return settle(*arrival, digest, part, folder);
  };
  co_return co_await run_blocking(workers_, std::move(finish));
}

base::Co<> TaskInputs::release(std::string task_uid, List inputs) {
  for (const auto& input : inputs)
    if (core::is_input_digest(input.digest())) CO_RETURN_IF_ERROR(co_await release_one(task_uid, input.digest()));
  co_return base::Result<>{};
}

base::Co<> TaskInputs::release_one(std::string task_uid, std::string digest) {
  CO_RETURN_IF_ERROR(co_await wait_for_turn(digest));
  const Turn turn(*this, digest);
  auto forget = [folder = folder_ / images::digest_hex(digest), task_uid] { return forget_task(folder, task_uid); };
  co_return co_await run_blocking(workers_, std::move(forget));
}

}  // namespace orchion::node::agent
