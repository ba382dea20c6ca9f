// `orchion cp`: files between this machine and a container, by the rules of cp(1) and `docker cp`.

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

#include <fmt/core.h>
#include <google/protobuf/empty.pb.h>
#include <unistd.h>
#include <boost/asio/io_context.hpp>

#include "base/file.h"
#include "cli/archive_body.h"
#include "cli/commands.h"
#include "cli/copy_end.h"
#include "cli/local_files.h"
#include "core/quantities.h"
#include "v1/control.pb.h"

namespace orchion::cli {

namespace {

using Api = std::shared_ptr<client::ApiClient>;
using Body = std::shared_ptr<wire::BodyReader>;

constexpr const char* kCopyFrom = "orchion.v1.TaskService.CopyFrom";
constexpr const char* kCopyInto = "orchion.v1.TaskService.CopyInto";

base::Co<Body> open_copy(Api api, core::Address task, std::string path, bool follow_link) {
  auto request = std::make_shared<v1::CopyFromRequest>();
  request->set_stack(task.stack);
  request->set_task(task_reference(task));
  request->set_path(path);
  request->set_follow_link(follow_link);
  CO_ASSIGN_OR_RETURN(auto body, co_await api->download(kCopyFrom, std::move(request)));
  co_return Body(std::move(body));
}

base::Co<> send_copy(Api api, core::Address task, std::string path, Body body) {
  auto first = std::make_shared<v1::CopyIntoRequest>();
  first->set_stack(task.stack);
  first->set_task(task_reference(task));
  first->set_path(path);
  CO_RETURN_IF_ERROR(co_await api->upload(kCopyInto, std::move(first), std::move(body)));
  co_return base::Result<>{};
}

base::Co<> copy_to_output(Api api, CopyEnd from, bool follow_link) {
  CO_ASSIGN_OR_RETURN(const auto body, co_await open_copy(api, *from.task, from.path, follow_link));
  co_return co_await print_body(body);
}

base::Co<tar::Unpacked> copy_out(Api api, CopyEnd from, CopyEnd to, CpOptions options) {
  CO_ASSIGN_OR_RETURN(const auto target, LocalTarget::find(to.path));
  CO_ASSIGN_OR_RETURN(const auto body, co_await open_copy(api, *from.task, from.path, options.follow_link));
  co_return co_await unpack_files(body, target, {.as_archived = options.archive});
}

enum class InContainer { kFolder, kOther, kNothing };

// Asked by beginning to copy it: where that begins well, it is there.
base::Co<InContainer> look_up(Api api, CopyEnd end) {
  const auto folder = co_await open_copy(api, *end.task, end.path + "/.", true);
  if (folder) co_return InContainer::kFolder;
  if (folder.error().code != base::Code::kNotFound) co_return std::unexpected(folder.error());
  const auto other = co_await open_copy(api, *end.task, end.path, true);
  if (other) co_return InContainer::kOther;
  if (other.error().code != base::Code::kNotFound) co_return std::unexpected(other.error());
  co_return InContainer::kNothing;
}

// The folder of the container that it goes to, and what it is called there; empty: as what it is here.
base::Co<NamedPath> find_target(Api api, CopyEnd to, bool is_folder) {
  CO_ASSIGN_OR_RETURN(const auto found, co_await look_up(api, to));
  if (found == InContainer::kFolder) co_return NamedPath{to.path, ""};
  const auto target = split_path(to.path);
  if (target.name.empty() || (found == InContainer::kNothing && !is_folder && to.path.ends_with('/')))
    co_return base::fail(base::Code::kNotFound,
                         fmt::format("there is no folder {} in the container: make it first", to.path));
  if (found == InContainer::kOther && (is_folder || to.path.ends_with('/')))
    co_return base::fail(base::Code::kFailedPrecondition,
                         fmt::format("{} is no folder in the container: a folder is copied to a folder", to.path));
  co_return target;
}

struct LocalSource {
  base::UniqueFd node;
  std::string name;
  bool is_folder = false;
};

base::Result<LocalSource> open_source(const std::string& path, bool follow_link) {
  const bool follow = follow_link || path.ends_with('/') || means_content(path);
  LocalSource source;
  source.node.reset(::open(path.c_str(), O_PATH | O_CLOEXEC | (follow ? 0 : O_NOFOLLOW)));
  struct stat info{};
  if (!source.node || ::fstat(source.node.get(), &info) != 0) {
    if (errno == ENOENT) return base::fail(base::Code::kNotFound, fmt::format("there is no {} on this machine", path));
    return base::fail_errno(errno, "cannot read " + path);
  }
  source.is_folder = S_ISDIR(info.st_mode);
  source.name = means_content(path) ? "." : split_path(path).name;
  if (source.name.empty()) source.name = ".";  // "/" and "..": what is in them
  return source;
}

base::Co<> copy_in(Api api, base::Executor executor, CopyEnd from, CopyEnd to, CpOptions options) {
  CO_ASSIGN_OR_RETURN(auto source, open_source(from.path, options.follow_link));
  CO_ASSIGN_OR_RETURN(const auto target, co_await find_target(api, to, source.is_folder));
  auto body = pack_files(executor, std::move(source.node), target.name.empty() ? source.name : target.name,
                         {.owned_by_root = !options.archive});
  co_return co_await send_copy(api, *to.task, target.folder, std::move(body));
}

base::Result<CopyEnd> find_end(Context& context, const std::string& text) {
  ASSIGN_OR_RETURN(auto end, parse_copy_end(text));
  if (end.task && end.task->stack.empty()) {
    ASSIGN_OR_RETURN(end.task->stack, find_stack(context));
  }
  return end;
}

int run_out(Context& context, Api api, const CopyEnd& from, const CopyEnd& to, const CpOptions& options) {
  if (to.path == "-") {
    if (::isatty(STDOUT_FILENO) != 0)
      return context.refuse({base::Code::kInvalidArgument,
                             "an archive is nothing for a terminal: send it on, as in `orchion cp … - | tar x`",
                             {}});
    const auto copied = context.run(copy_to_output(api, from, options.follow_link));
    return copied ? int{kExitOk} : context.fail(copied.error());
  }
  const auto copied = context.run(copy_out(api, from, to, options));
  if (!copied) return context.fail(copied.error());
  if (copied->devices_left_out > 0)
    context.say(fmt::format("{} devices were left out: -a copies them too", copied->devices_left_out));
  context.tell(fmt::format("copied {} to {}", core::format_bytes(copied->bytes), to.path));
  return kExitOk;
}

int run_in(Context& context, Api api, const CopyEnd& from, const CopyEnd& to, const CpOptions& options) {
  const auto executor = context.io().get_executor();
  base::Result<> copied;
  if (from.path == "-") {
    auto archive = open_archive(executor, "-", std::make_shared<Sent>());
    if (!archive) return context.fail(archive.error());
    copied = context.run(send_copy(api, *to.task, to.path, std::move(*archive)));
  } else {
    copied = context.run(copy_in(api, executor, from, to, options));
  }
  if (!copied) return context.fail(copied.error());
  context.tell(fmt::format("copied {} to {}", from.path == "-" ? "the archive" : from.path, options.destination));
  return kExitOk;
}

}  // namespace

int run_cp(Context& context, const CpOptions& options) {
  const auto from = find_end(context, options.source);
  if (!from) return context.refuse(from.error());
  const auto to = find_end(context, options.destination);
  if (!to) return context.refuse(to.error());
  if (from->task.has_value() == to->task.has_value())
    return context.refuse({base::Code::kInvalidArgument,
                           "one of the two is to be in a container, like shop/web:/etc/hosts, and the other on this "
                           "machine: copy in two steps where both are",
                           {}});
  auto api = context.api();
  if (!api) return context.fail(api.error());
  return from->task ? run_out(context, *api, *from, *to, options) : run_in(context, *api, *from, *to, options);
}

}  // namespace orchion::cli
