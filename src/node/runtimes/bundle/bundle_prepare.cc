// The half of BundleStore that makes bundles.

#include <fcntl.h>

#include "node/runtimes/bundle/bundle_store.h"
#include "node/shim/bundle.h"
#include "node/shim/record.h"

namespace orchion::node::runtimes::bundle {

using base::Code;
using base::Result;
using base::UniqueFd;

namespace {

// What a power cut would leave empty. The kernel is only asked to write; that of the record after these waits for all.
void write_back(const std::filesystem::path& folder) {
  std::error_code error;
  for (std::filesystem::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (!it->is_regular_file(error)) continue;
    const UniqueFd file(::open(it->path().c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (file) ::sync_file_range(file.get(), 0, 0, SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
  }
}

}  // namespace

Result<> BundleStore::prepare(const ContainerConfig& config) {
  ASSIGN_OR_RETURN(const auto before, read(config.id));
  RETURN_IF_ERROR(maker_->check(config));
  // Memory doesn't outlive the machine's run, the bundle does.
  if (before && before->whole) return maker_->refill(place(config.id), config);
  auto filled = fill_bundle(config);
  if (!filled) {
    [[maybe_unused]] const auto removed = remove(config.id, /*keep_logs=*/false);
  }
  return filled;
}

Result<> BundleStore::fill_bundle(const ContainerConfig& config) {
  {
    const std::lock_guard lock(parents_mutex_);
    RETURN_IF_ERROR(base::make_folders(bundle(config.id)));
  }
  RETURN_IF_ERROR(base::make_folders(log_folder(config.id)));
  RETURN_IF_ERROR(maker_->fill(place(config.id), config));
  return write_settings(config);
}

Result<> BundleStore::write_settings(const ContainerConfig& config) const {
  namespace setting = shim::setting;
  shim::RecordWriter record;
  record.add(setting::kRuntimeRoot, runtime_root_.native());
  record.add(setting::kId, config.id);
  record.add(setting::kLogFolder, log_folder(config.id).native());
  record.add(setting::kLogBytesMax, config.log_bytes_max);
  record.add(setting::kStopGraceMs, config.stop_grace.count());
  record.add(setting::kTty, config.tty ? 1 : 0);
  record.add(setting::kStdinOpen, config.stdin_open ? 1 : 0);
  record.add(setting::kCgroup, cgroup(config.id));
  record.add(setting::kShimCgroup, options_.cgroup_parent + "/shims");
  record.add(setting::kMemoryEvents, cgroups_.memory_events(cgroup(config.id)));
  for (const auto& hierarchy : cgroups_.hierarchies) record.add(setting::kHierarchy, hierarchy);
  maker_->add_settings(place(config.id), config, record);
  if (!record.ok())
    return base::fail(Code::kInvalidArgument, "the data folder's path is too long: choose a shorter one");
  write_back(bundle(config.id));
  return base::write_file_durably(bundle(config.id) / shim::kSettingsFile, record.text());
}

}  // namespace orchion::node::runtimes::bundle
