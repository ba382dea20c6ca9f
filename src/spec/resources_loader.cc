// The figures of processor, memory and disk that stand in a service itself.

#include <algorithm>
#include <limits>

#include <fmt/core.h>

#include "spec/keys.h"
#include "spec/service_loader.h"
#include "spec/values.h"

namespace orchion::spec {

namespace {

constexpr std::int64_t kPidsMax = std::int64_t{1} << 22;  // the kernel's own limit
constexpr std::int64_t kCpuPeriodUs = 100'000;            // the kernel's default
constexpr std::int64_t kCpuPeriodLeastUs = 1'000, kCpuPeriodMostUs = 1'000'000;

class ResourcesLoader {
 public:
  ResourcesLoader(const Node& node, v1::ContainerSpec& container, LoadContext& context)
      : node_(node), container_(container), context_(context), problems_(context.problems) {}

  void run() {
    load_limits();
    load_cpus();
    load_memory();
    if (const auto* node = find("blkio_config")) load_block_io(*node);
    if (container_.limits().ByteSizeLong() == 0) container_.clear_limits();
    if (container_.reservations().ByteSizeLong() == 0) container_.clear_reservations();
  }

 private:
  const Node* find(std::string_view key) const { return find_value(node_, key); }
  v1::Resources& limits() { return *container_.mutable_limits(); }

  void set_cpus(std::int64_t nano_cpus, const Node& at, std::string_view what) {
    set_resource(nano_cpus, at, what, limits().nano_cpus(), &v1::Resources::set_nano_cpus, limits(), context_);
  }

  void load_limits() {
    if (const auto* node = find("cpus"))
      if (const auto cpus = read_nano_cpus(*node, "cpus", problems_)) set_cpus(*cpus, *node, "cpus");
    if (const auto* node = find("mem_limit"))
      if (const auto bytes = read_bytes(*node, "mem_limit", problems_))
        set_resource(*bytes, *node, "mem_limit", limits().memory_bytes(), &v1::Resources::set_memory_bytes, limits(),
                     context_);
    if (const auto* node = find("pids_limit"))
      if (const auto pids = read_integer(*node, "pids_limit", -1, kPidsMax, problems_))
        set_resource(std::max<std::int64_t>(*pids, 0), *node, "pids_limit", limits().pids(), &v1::Resources::set_pids,
                     limits(), context_);
  }

  void load_cpus() {
    const auto* quota = find("cpu_quota");
    const auto* period = find("cpu_period");
    std::int64_t period_us = kCpuPeriodUs;
    if (period)
      period_us =
          read_integer(*period, "cpu_period", kCpuPeriodLeastUs, kCpuPeriodMostUs, problems_).value_or(period_us);
    if (quota) {
      constexpr std::int64_t kMost = std::int64_t{1} << 40;
      const auto quota_us = read_integer(*quota, "cpu_quota", -1, kMost, problems_).value_or(0);
      if (quota_us > 0)
        set_cpus(static_cast<std::int64_t>(static_cast<double>(quota_us) / static_cast<double>(period_us) * 1e9),
                 *quota, "cpu_quota");
    }
    if (const auto* node = find("cpu_shares"))
      container_.set_cpu_shares(
          static_cast<std::uint64_t>(read_integer(*node, "cpu_shares", 0, 262'144, problems_).value_or(0)));
    const auto* cpuset = find("cpuset");
    const auto text = cpuset ? read_text(*cpuset, "cpuset", problems_) : std::nullopt;
    if (text && text->find_first_not_of("0123456789,-") != std::string::npos)
      problems_.add(cpuset->at, fmt::format("`{}` isn't a set of processors: write it as 0-2,4", *text));
    container_.set_cpuset(text.value_or(""));
  }

  void load_memory() {
    if (const auto* node = find("mem_reservation"))
      if (const auto bytes = read_bytes(*node, "mem_reservation", problems_)) {
        auto& reserved = *container_.mutable_reservations();
        set_resource(*bytes, *node, "mem_reservation", reserved.memory_bytes(), &v1::Resources::set_memory_bytes,
                     reserved, context_);
      }
    if (const auto* node = find("shm_size"))
      container_.set_shm_bytes(read_bytes(*node, "shm_size", problems_).value_or(0));
    const auto* swap = find("memswap_limit");
    if (!swap) return;
    const auto bytes = swap->text == "-1" ? -1 : read_bytes(*swap, "memswap_limit", problems_).value_or(0);
    if (bytes > 0 && limits().memory_bytes() == 0)
      problems_.add(swap->at, "`memswap_limit` counts memory and swap together: set `mem_limit` too");
    if (bytes > 0 && bytes < limits().memory_bytes())
      problems_.add(swap->at, "`memswap_limit` counts memory and swap together: raise it to `mem_limit` at least");
    container_.set_memory_swap_bytes(bytes);
  }

  void load_block_io(const Node& node) {
    if (!expect_map(node, "blkio_config", problems_)) return;
    check_keys(node, kBlockIoKeys, problems_);
    auto& out = *container_.mutable_block_io();
    if (const auto* weight = find_value(node, "weight"))
      out.set_weight(static_cast<std::uint32_t>(read_integer(*weight, "weight", 0, 1'000, problems_).value_or(0)));
    load_rates(node, "weight_device", "weight", *out.mutable_weights());
    load_rates(node, "device_read_bps", "rate", *out.mutable_read_bytes());
    load_rates(node, "device_read_iops", "rate", *out.mutable_read_operations());
    load_rates(node, "device_write_bps", "rate", *out.mutable_write_bytes());
    load_rates(node, "device_write_iops", "rate", *out.mutable_write_operations());
  }

  void load_rates(const Node& node, std::string_view key, std::string_view figure,
                  google::protobuf::RepeatedPtrField<v1::BlockDeviceRate>& out) {
    const auto* list = find_value(node, key);
    if (!list || !expect_list(*list, key, problems_)) return;
    for (const auto& item : list->items) {
      if (!item.is_map()) {
        problems_.add(item.at, fmt::format("an entry of `{}` must be a map with `path` and `{}`, not {}", key, figure,
                                           item.describe()));
        continue;
      }
      check_keys(item, figure == "rate" ? kBlockRateKeys : kBlockWeightKeys, problems_);
      const auto* path = find_value(item, "path");
      const auto* rate = find_value(item, figure);
      if (!path || !rate || !path->text.starts_with('/')) {
        problems_.add(item.at, fmt::format("an entry of `{}` needs a `path` such as /dev/sda, and `{}`", key, figure));
        continue;
      }
      auto& entry = *out.Add();
      entry.set_path(path->text);
      entry.set_rate(static_cast<std::uint64_t>(
          std::max<std::int64_t>(figure == "rate" ? read_bytes(*rate, figure, problems_).value_or(0)
                                                  : read_integer(*rate, figure, 0, 1'000, problems_).value_or(0),
                                 0)));
    }
  }

  const Node& node_;
  v1::ContainerSpec& container_;
  LoadContext& context_;
  Problems& problems_;
};

}  // namespace

void load_resources(const Node& service, v1::ContainerSpec& container, LoadContext& context) {
  ResourcesLoader(service, container, context).run();
}

}  // namespace orchion::spec
