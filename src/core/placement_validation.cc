#include "core/placement_validation.h"

#include <fmt/core.h>

namespace orchion::core {

namespace {

constexpr std::string_view kLabelPrefix = "node.labels.";
constexpr int kSpreadMax = 2;
constexpr int kAffinitiesMax = 16;
constexpr int kTolerationsMax = 64;
constexpr std::uint32_t kWholeGpu = 1000;
constexpr std::uint32_t kGpusMax = 64;

bool is_label(const std::string& key) {
  return key.starts_with(kLabelPrefix) && key.size() > kLabelPrefix.size();
}

}  // namespace

void check_placement(const v1::PlacementRules& rules, const std::string& at, Violations& violations) {
  const auto add = [&](const std::string& where, std::string detail) {
    violations.push_back({at + where, std::move(detail)});
  };
  if (rules.spread_over_size() > kSpreadMax)
    add("/spreadOver", fmt::format("{} labels are more than the {} over which tasks are spread",
                                   rules.spread_over_size(), kSpreadMax));
  for (int i = 0; i < rules.spread_over_size(); ++i)
    if (!is_label(rules.spread_over(i)))
      add(fmt::format("/spreadOver/{}", i),
          fmt::format("\"{}\" is no label of nodes: write node.labels.NAME", rules.spread_over(i)));
  if (rules.affinities_size() > kAffinitiesMax) add("/affinities", fmt::format("are more than {}", kAffinitiesMax));
  for (int i = 0; i < rules.affinities_size(); ++i) {
    const auto& affinity = rules.affinities(i);
    if (affinity.service().empty()) add(fmt::format("/affinities/{}/service", i), "must name a service of the stack");
    if (!affinity.domain().empty() && !is_label(affinity.domain()))
      add(fmt::format("/affinities/{}/domain", i),
          fmt::format("\"{}\" is no label of nodes: write node.labels.NAME, or leave it out for the same node",
                      affinity.domain()));
  }
  if (rules.tolerations_size() > kTolerationsMax) add("/tolerations", fmt::format("are more than {}", kTolerationsMax));
}

void check_gpus(const v1::GpuRequest& request, const std::string& at, Violations& violations) {
  const auto add = [&](const char* where, std::string detail) {
    violations.push_back({at + where, std::move(detail)});
  };
  if (request.count() > kGpusMax) add("/count", fmt::format("{} is more than {}", request.count(), kGpusMax));
  if (request.share_milli() >= kWholeGpu)
    add("/shareMilli", fmt::format("{} isn't a share: say 1 to {} thousandths, or a count of whole ones",
                                   request.share_milli(), kWholeGpu - 1));
  if (request.count() > 0 && request.share_milli() > 0)
    add("/shareMilli", "is of one GPU: leave out the count, which is of whole ones");
  if (request.all() && (request.count() > 0 || request.share_milli() > 0))
    add("/all", "is every GPU of a node: leave out the count and the share");
  if (request.memory_bytes() < 0) add("/memoryBytes", "is less than nothing");
}

}  // namespace orchion::core
