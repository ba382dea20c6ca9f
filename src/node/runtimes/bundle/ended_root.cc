#include "node/runtimes/bundle/ended_root.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>

#include <cerrno>
#include <thread>

#include <fmt/core.h>
#include <unistd.h>

#include "node/shim/bundle.h"
#include "node/shim/record.h"
#include "tar/pack.h"
#include "tar/tree_root.h"

namespace orchion::node::runtimes::bundle {

namespace {

using base::Result;
using base::UniqueFd;

// The kernel takes one page of options.
constexpr std::size_t kOptionsMax = 4095;

// Without an upper folder overlayfs is read-only; what the container wrote is its uppermost layer.
Result<std::string> overlay_options(const std::filesystem::path& bundle) {
  ASSIGN_OR_RETURN(const auto text, base::read_file(bundle / shim::kSettingsFile));
  std::string options = fmt::format("lowerdir={}", shim::kUpperFolder);
  const auto layers = shim::find_number(text, shim::setting::kLayers, 0);
  if (layers == 0)
    return base::fail(base::Code::kFailedPrecondition,
                      "a program of the node has the node's files and none of its own");
  for (std::int64_t i = 0; i < layers; ++i) options += fmt::format(":{}/{}", shim::kLayersFolder, i);
  if (options.size() > kOptionsMax)
    return base::fail(base::Code::kFailedPrecondition, "the image has too many layers to look into");
  return options;
}

// In a mount namespace of this thread alone, which ends with it.
Result<UniqueFd> mount_here(const std::filesystem::path& bundle, const std::string& options) {
  if (::unshare(CLONE_NEWNS) != 0) return base::fail_errno(errno, "cannot make a mount namespace");
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr) != 0)
    return base::fail_errno(errno, "cannot detach a mount namespace");
  if (::chdir(bundle.c_str()) != 0) return base::fail_errno(errno, "cannot enter " + bundle.native());
  constexpr auto kFlags = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC;
  if (::mount("overlay", shim::kRootFolder, "overlay", kFlags, options.c_str()) != 0)
    return base::fail_errno(errno, "cannot mount the files of an ended container");
  UniqueFd root(::open(shim::kRootFolder, O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root) return base::fail_errno(errno, "cannot open the files of an ended container");
  return root;
}

}  // namespace

Result<UniqueFd> open_ended_root(const std::filesystem::path& bundle) {
  ASSIGN_OR_RETURN(const auto options, overlay_options(bundle));
  Result<UniqueFd> root = base::fail(base::Code::kInternal, "nothing was mounted");
  // Namespace and working folder are the thread's: no other sees either change.
  std::thread([&] { root = mount_here(bundle, options); }).join();
  return root;
}

Result<> save_files(const std::filesystem::path& bundle, const std::string& path, std::int64_t bytes_max,
                    const std::filesystem::path& file) {
  ASSIGN_OR_RETURN(auto folder, open_ended_root(bundle));
  const tar::TreeRoot root(std::move(folder), tar::TreeRoot::Links::kInside);
  const auto node = root.open(tar::clean(path), O_PATH | O_NOFOLLOW);
  if (!node) return tar::fail_at(errno, "read", path);
  const UniqueFd out(::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!out) return base::fail_errno(errno, "cannot write " + file.native());
  tar::PackOptions options;
  options.bytes_max = bytes_max;
  const auto packed = tar::pack(node, tar::split(tar::clean(path)).name, options, out.get());
  if (packed) return {};
  ::unlink(file.c_str());
  return std::unexpected(packed.error());
}

}  // namespace orchion::node::runtimes::bundle
