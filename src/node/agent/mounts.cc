#include "node/agent/mounts.h"

#include <algorithm>
#include <string>
#include <utility>

#include <fmt/core.h>

#include "base/file.h"
#include "node/agent/blocking.h"

namespace orchion::node::agent {

namespace {

constexpr int kHostFolderMode = 0755;  // as Docker makes them

base::Result<> check_bind_source(const std::filesystem::path& source, bool create) {
  std::error_code error;
  if (std::filesystem::exists(source, error)) return {};
  if (create) return base::make_folders(source, kHostFolderMode);
  return base::fail(base::Code::kFailedPrecondition,
                    fmt::format("{} is to be mounted, but doesn't exist on this node: create it there, or set "
                                "`create_host_path: true`",
                                source.string()));
}

base::Result<std::string> volume_uid(const v1::TaskAssignment& assignment, const std::string& name) {
  const auto found = std::find_if(assignment.volumes().begin(), assignment.volumes().end(),
                                  [&](const v1::Volume& volume) { return volume.meta().name() == name; });
  if (found == assignment.volumes().end())
    return base::fail(base::Code::kFailedPrecondition,
                      fmt::format("the volume {} isn't among the stack's volumes: declare it below `volumes:`", name));
  return found->meta().uid();
}

base::Co<std::filesystem::path> source_of(v1::TaskAssignment assignment, v1::Mount mount, volumes::Volumes& volumes,
                                          base::WorkerPool* workers) {
  if (mount.type() == v1::Mount::VOLUME) {
    CO_ASSIGN_OR_RETURN(auto uid, volume_uid(assignment, mount.source()));
    co_return co_await volumes.ensure(std::move(uid));
  }
  const std::filesystem::path source = mount.source();
  auto check = [source, create = mount.create_host_path()] { return check_bind_source(source, create); };
  CO_RETURN_IF_ERROR(co_await run_blocking(workers, std::move(check)));
  co_return source;
}

}  // namespace

base::Co<std::vector<runtimes::MountPoint>> resolve_mounts(v1::TaskAssignment assignment, volumes::Volumes& volumes,
                                                           base::WorkerPool* workers) {
  std::vector<runtimes::MountPoint> result;
  for (const auto& mount : assignment.container().mounts()) {
    runtimes::MountPoint point;
    point.target = mount.target();
    point.read_only = mount.read_only();
    if (!mount.propagation().empty()) point.propagation = mount.propagation();
    point.recursive = !mount.not_recursive();
    if (mount.type() == v1::Mount::TMPFS) {
      point.type = runtimes::MountPoint::Type::kTmpfs;
      point.tmpfs_bytes = mount.tmpfs_bytes();
      point.tmpfs_mode = mount.tmpfs_mode();
      point.tmpfs_options.assign(mount.tmpfs_options().begin(), mount.tmpfs_options().end());
    } else {
      CO_ASSIGN_OR_RETURN(point.source, co_await source_of(assignment, mount, volumes, workers));
    }
    result.push_back(std::move(point));
  }
  co_return result;
}

}  // namespace orchion::node::agent
