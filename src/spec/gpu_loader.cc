// What a service asks of GPUs: `gpus`, `deploy.resources.reservations.devices` and `x-orchion.gpus`, of which one may
// stand.

#include <algorithm>
#include <cmath>

#include <fmt/core.h>

#include "core/cdi_name.h"
#include "spec/keys.h"
#include "spec/service_loader.h"
#include "spec/values.h"

namespace orchion::spec {

namespace {

constexpr std::int64_t kGpusMax = 64;
constexpr double kWhole = 1000;  // thousandths

// What an image may want of a GPU's driver; whoever is given one has all of it.
constexpr std::string_view kDriverParts[] = {"compute", "compat32", "graphics", "utility",
                                             "video",   "display",  "nvidia"};

class GpuLoader {
 public:
  GpuLoader(v1::ContainerSpec& container, Problems& problems) : container_(container), problems_(problems) {}

  // `gpus`: "all", or requests.
  void load_gpus(const Node& node) {
    if (node.is_list()) {
      for (const auto& item : node.items) load_request(item, false);
    } else if (const auto text = read_text(node, "gpus", problems_); text && *text == "all") {
      v1::GpuRequest request;
      request.set_all(true);
      put(node, request);
    } else if (text) {
      problems_.add(node.at,
                    fmt::format("`{}` isn't a request for GPUs: write all, or a list as [{{count: 1}}]", *text));
    }
  }

  void load_devices(const Node& node) {
    if (!expect_list(node, "devices", problems_)) return;
    for (const auto& item : node.items) load_request(item, true);
  }

  void load_own(const Node& node) {
    if (!node.is_map()) return load_gpus(node);
    check_keys(node, kGpuKeys, problems_);
    v1::GpuRequest request;
    read_count(node, request);
    if (const auto* share = find_value(node, "share")) read_share(*share, request);
    if (const auto* memory = find_value(node, "memory"))
      request.set_memory_bytes(read_bytes(*memory, "memory", problems_).value_or(0));
    if (const auto* models = find_value(node, "models"))
      for (auto& model : read_list(*models, "models", Single::kIsAList, problems_))
        request.add_models(std::move(model));
    if (const auto* vendor = find_value(node, "vendor"))
      request.set_vendor(read_text(*vendor, "vendor", problems_).value_or(""));
    if (request.count() > 0 && request.share_milli() > 0)
      problems_.add(node.at, "a share is of one GPU: remove the count, which is of whole ones, or the share");
    if (request.count() == 0 && request.share_milli() == 0 && !request.all()) request.set_count(1);
    put(node, request);
  }

 private:
  // As Docker's: without a count all are meant.
  void load_request(const Node& item, bool says_what) {
    if (!expect_map(item, "a request for devices", problems_)) return;
    check_keys(item, kDeviceRequestKeys, problems_);
    if (!check_capabilities(item, says_what)) return;
    v1::GpuRequest request;
    const auto* driver = find_value(item, "driver");
    const auto vendor = driver ? read_text(*driver, "driver", problems_).value_or("") : "";
    if (const auto* ids = find_value(item, "device_ids")) return load_ids(*ids, vendor);
    request.set_vendor(vendor);
    if (!find_value(item, "count")) request.set_all(true);
    read_count(item, request);
    put(item, request);
  }

  bool check_capabilities(const Node& item, bool says_what) {
    const auto* node = find_value(item, "capabilities");
    if (!node) {
      if (says_what) problems_.add(item.at, "say which devices are meant: `capabilities: [gpu]`");
      return !says_what;
    }
    bool has_gpu = !says_what;
    for (const auto& word : read_list(*node, "capabilities", Single::kRefused, problems_)) {
      has_gpu = has_gpu || word == "gpu";
      if (word != "gpu" && std::ranges::find(kDriverParts, word) == std::end(kDriverParts)) {
        problems_.add(node->at, fmt::format("no devices of the kind `{}` are handed out: name a device file or a CDI "
                                            "device in `devices` of the service",
                                            word));
        return false;
      }
    }
    if (!has_gpu) problems_.add(node->at, "say that GPUs are meant: `capabilities: [gpu]`");
    return has_gpu;
  }

  void load_ids(const Node& node, const std::string& driver) {
    for (const auto& id : read_list(node, "device_ids", Single::kRefused, problems_)) {
      if (driver == "cdi" && core::is_cdi_name(id))
        container_.add_devices()->set_source(id);
      else
        return problems_.add(node.at, driver == "cdi"
                                          ? fmt::format("`{}` isn't a device of CDI: write vendor.com/class=name", id)
                                          : "which GPUs it gets is chosen where it runs: write `count` instead, and "
                                            "constrain it with `placement`");
    }
  }

  void read_count(const Node& node, v1::GpuRequest& request) {
    const auto* count = find_value(node, "count");
    if (!count) return;
    if (count->is_scalar() && count->text == "all") return request.set_all(true);
    request.set_count(static_cast<std::uint32_t>(read_integer(*count, "count", 1, kGpusMax, problems_).value_or(0)));
  }

  void read_share(const Node& node, v1::GpuRequest& request) {
    const auto text = read_text(node, "share", problems_);
    if (!text) return;
    char* end = nullptr;
    const double share = std::strtod(text->c_str(), &end);
    const auto milli = std::lround(share * kWhole);
    if (*end != '\0' || text->empty() || !(share > 0 && share < 1) || milli < 1 || milli >= std::lround(kWhole))
      return problems_.add(node.at, fmt::format("`{}` isn't a share of a GPU: write a part of 1, as 0.25, or the "
                                                "`count` of whole ones",
                                                *text));
    request.set_share_milli(static_cast<std::uint32_t>(milli));
  }

  void put(const Node& at, const v1::GpuRequest& request) {
    if (container_.has_gpus())
      problems_.add(at.at, "GPUs are asked for twice: say it once, in `x-orchion.gpus`, `gpus` or `deploy`");
    *container_.mutable_gpus() = request;
  }

  v1::ContainerSpec& container_;
  Problems& problems_;
};

const Node* below(const Node* node, std::string_view key) {
  return node != nullptr && node->is_map() ? find_value(*node, key) : nullptr;
}

}  // namespace

void load_gpus(const Node& service, v1::ContainerSpec& container, LoadContext& context) {
  GpuLoader loader(container, context.problems);
  if (const auto* node = find_value(service, "gpus")) loader.load_gpus(*node);
  const auto* resources = below(find_value(service, "deploy"), "resources");
  if (const auto* node = below(below(resources, "reservations"), "devices")) loader.load_devices(*node);
  if (const auto* node = below(find_value(service, "x-orchion"), "gpus")) loader.load_own(*node);
}

}  // namespace orchion::spec
