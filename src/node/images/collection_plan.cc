#include "node/images/collection_plan.h"

#include <algorithm>
#include <cerrno>
#include <tuple>

#include <fmt/core.h>
#include <sys/statvfs.h>

namespace orchion::node::images {

namespace {

template <class Wanted>
std::vector<std::string> least_recent_first(std::vector<CollectableImage> images, Wanted wanted) {
  std::erase_if(images,
                [&](const CollectableImage& image) { return image.in_use || !image.from_registry || !wanted(image); });
  std::ranges::sort(images, [](const CollectableImage& a, const CollectableImage& b) {
    return std::tie(a.used_at, a.reference) < std::tie(b.used_at, b.reference);
  });
  std::vector<std::string> result;
  for (auto& image : images) result.push_back(std::move(image.reference));
  return result;
}

}  // namespace

std::vector<std::string> plan_by_age(const std::vector<CollectableImage>& images, base::WallTime now,
                                     const CollectionLimits& limits) {
  if (limits.unused_max <= base::Duration::zero()) return {};
  return least_recent_first(images,
                            [&](const CollectableImage& image) { return now - image.used_at > limits.unused_max; });
}

std::vector<std::string> order_by_use(const std::vector<CollectableImage>& images) {
  return least_recent_first(images, [](const CollectableImage&) { return true; });
}

bool DiskUse::is_above(int percent) const {
  const auto total = used + available;  // doubles: a product of bytes may be too large
  return static_cast<double>(used) * 100 > static_cast<double>(total) * percent;
}

base::Result<DiskUse> read_disk_use(const std::filesystem::path& folder) {
  struct statvfs info{};
  if (::statvfs(folder.c_str(), &info) != 0)
    return base::fail_errno(errno, fmt::format("cannot see how full the disk of {} is", folder.string()));
  return DiskUse{.used = (info.f_blocks - info.f_bfree) * info.f_frsize, .available = info.f_bavail * info.f_frsize};
}

}  // namespace orchion::node::images
