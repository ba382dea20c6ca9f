#include "cli/pull_rows.h"

#include <fmt/core.h>

#include "base/notifier.h"
#include "core/image_reference.h"

namespace orchion::cli {

namespace {

constexpr auto kRetryInterval = std::chrono::seconds(1);
constexpr double kMegabyte = 1e6;

// How much the newest interval says about the rate: a few of them make it even.
constexpr double kNewest = 0.3;

std::string repository_of(const std::string& image) {
  const auto reference = core::parse_image_reference(image);
  return reference ? reference->name() : image;
}

double megabytes(std::uint64_t bytes) {
  return static_cast<double>(bytes) / kMegabyte;
}

base::Co<> read_once(std::shared_ptr<client::ApiClient> api, OnPull take) {
  auto request = std::make_shared<v1::WatchPullsRequest>();
  CO_ASSIGN_OR_RETURN(const auto events, co_await api->open_events("orchion.v1.ImageService.WatchPulls", request, ""));
  while (true) {
    CO_ASSIGN_OR_RETURN(const auto event, co_await events->next());
    if (!event) co_return base::Result<>{};
    v1::PullProgress progress;
    CO_RETURN_IF_ERROR(client::parse_json(event->data, progress));
    take(progress);
  }
}

}  // namespace

void PullRows::put(const v1::PullProgress& progress, base::Time now) {
  const std::pair key(repository_of(progress.reference()), progress.node());
  if (progress.ended()) {
    pulls_.erase(key);
    return;
  }
  const auto [place, added] = pulls_.try_emplace(key, Pull{progress.done_bytes(), progress.total_bytes(), 0, now});
  if (added) return;
  auto& pull = place->second;
  const auto seconds = std::chrono::duration<double>(now - pull.at).count();
  if (seconds > 0 && progress.done_bytes() >= pull.done_bytes) {
    const auto rate = static_cast<double>(progress.done_bytes() - pull.done_bytes) / seconds;
    pull.bytes_per_second = pull.bytes_per_second == 0 ? rate : kNewest * rate + (1 - kNewest) * pull.bytes_per_second;
  }
  pull.done_bytes = progress.done_bytes();
  pull.total_bytes = progress.total_bytes();
  pull.at = now;
}

std::string PullRows::text(const std::string& image, const std::string& node) const {
  const auto repository = repository_of(image);
  Pull all;
  bool any = false;
  for (const auto& [key, pull] : pulls_) {
    if (key.first != repository || (!node.empty() && key.second != node)) continue;
    any = true;
    all.done_bytes += pull.done_bytes;
    all.total_bytes += pull.total_bytes;
    all.bytes_per_second += pull.bytes_per_second;
  }
  if (!any) return "";
  if (all.total_bytes == 0) return "pulling";
  auto text = fmt::format("pulling {:.1f} of {:.1f} MB", megabytes(all.done_bytes), megabytes(all.total_bytes));
  if (all.bytes_per_second > 0) text += fmt::format("  {:.1f} MB/s", all.bytes_per_second / kMegabyte);
  return text;
}

base::Co<> read_pulls(std::shared_ptr<client::ApiClient> api, base::Clock* clock, OnPull take) {
  while (true) {
    const auto ended = co_await read_once(api, take);
    if (!ended && ended.error().code != base::Code::kUnavailable) co_return co_await base::wait_for_ever();
    CO_RETURN_IF_ERROR(co_await clock->sleep(kRetryInterval));
  }
}

}  // namespace orchion::cli
