#include "node/agent/output_folder.h"

#include <fcntl.h>

#include <cerrno>

#include <fmt/core.h>

#include "base/file.h"
#include "node/agent/blocking.h"

namespace orchion::node::agent {

namespace {

base::Result<> settle(const std::filesystem::path& part, const std::filesystem::path& file) {
  std::error_code failed;
  std::filesystem::rename(part, file, failed);
  if (failed) return base::fail_errno(failed.value(), "cannot keep " + file.native());
  return {};
}

}  // namespace

base::Co<> OutputFolder::keep(runtimes::Runtime* runtime, std::string task_uid,
                              google::protobuf::RepeatedPtrField<v1::JobArtifact> outputs) {
  auto make = [path = folder_ / task_uid] { return base::make_folders(path); };
  CO_RETURN_IF_ERROR(co_await run_blocking(workers_, std::move(make)));
  base::Result<> result;
  for (const auto& output : outputs) {
    auto kept = co_await keep_one(runtime, task_uid, output);
    if (!kept && result) result = std::move(kept);
  }
  co_return result;
}

base::Co<> OutputFolder::keep_one(runtimes::Runtime* runtime, std::string task_uid, v1::JobArtifact output) {
  const auto file = file_of(task_uid, output.name());
  const auto part = file.native() + ".part";
  const auto saved = co_await runtime->save_files(task_uid, output.path(), kOutputBytesMax, part);
  if (!saved && saved.error().code == base::Code::kNotFound && output.optional()) co_return base::Result<>{};
  if (!saved && saved.error().code == base::Code::kNotFound)
    co_return base::fail(base::Code::kNotFound,
                         fmt::format("left no output {}: there is no {}", output.name(), output.path()));
  if (!saved)
    co_return base::fail(saved.error().code,
                         fmt::format("its output {} can't be kept: {}", output.name(), saved.error().message));
  auto finish = [part, file] { return settle(part, file); };
  co_return co_await run_blocking(workers_, std::move(finish));
}

base::Result<base::UniqueFd> OutputFolder::open(const std::string& task_uid, const std::string& name) const {
  base::UniqueFd file(::open(file_of(task_uid, name).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (file) return file;
  if (errno == ENOENT)
    return base::fail(base::Code::kNotFound,
                      fmt::format("the task left no output {}, or hasn't ended yet: see `orchion job history`", name));
  return base::fail_errno(errno, "cannot read the output " + name);
}

base::Co<> OutputFolder::remove(std::string task_uid) {
  auto job = [path = folder_ / task_uid] { return base::remove_tree(path); };
  co_return co_await run_blocking(workers_, std::move(job));
}

}  // namespace orchion::node::agent
