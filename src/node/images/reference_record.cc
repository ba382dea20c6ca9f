#include "node/images/reference_record.h"

#include <boost/json.hpp>

#include "node/images/digest.h"

namespace orchion::node::images {

namespace json = boost::json;

std::string write_reference_record(const StoredImage& image) {
  json::array layers;
  for (const auto& layer : image.layers)
    layers.push_back({{"digest", layer.digest}, {"diffId", layer.diff_id}, {"bytes", layer.bytes}});
  return json::serialize(json::object{{"version", 1},
                                      {"reference", image.record.reference},
                                      {"manifest", image.record.digest},
                                      {"pin", image.record.pin},
                                      {"config", image.config_digest},
                                      {"fromRegistry", image.origin == Origin::kRegistry},
                                      {"createdAtNs", image.record.created_at.time_since_epoch().count()},
                                      {"layers", std::move(layers)}}) +
         "\n";
}

base::Result<StoredImage> parse_reference_record(std::string_view text) {
  try {
    const auto value = json::parse({text.data(), text.size()});
    StoredImage image;
    image.record.reference = json::value_to<std::string>(value.at("reference"));
    image.record.digest = json::value_to<std::string>(value.at("manifest"));
    image.record.created_at = base::WallTime(base::Duration(value.at("createdAtNs").to_number<std::int64_t>()));
    // Records of earlier versions don't say.
    const auto* pin = value.as_object().if_contains("pin");
    image.record.pin = pin != nullptr ? json::value_to<std::string>(*pin) : image.record.digest;
    const auto* from_registry = value.as_object().if_contains("fromRegistry");
    if (from_registry && from_registry->as_bool()) image.origin = Origin::kRegistry;
    image.config_digest = json::value_to<std::string>(value.at("config"));
    bool sound = is_digest(image.record.digest) && is_digest(image.record.pin) && is_digest(image.config_digest);
    for (const auto& layer : value.at("layers").as_array()) {
      image.layers.push_back({json::value_to<std::string>(layer.at("digest")),
                              json::value_to<std::string>(layer.at("diffId")),
                              layer.at("bytes").to_number<std::int64_t>()});
      sound = sound && is_digest(image.layers.back().digest) && is_digest(image.layers.back().diff_id);
    }
    if (!sound) return base::fail(base::Code::kDataLoss, "a digest is damaged");
    return image;
  } catch (const std::exception& e) {
    return base::fail(base::Code::kDataLoss, e.what());
  }
}

}  // namespace orchion::node::images
