#pragma once

// Rules about health checks. Pure.

#include <optional>
#include <string>
#include <string_view>

#include "core/image_health_check.h"
#include "v1/specs.pb.h"

namespace orchion::core {

// Whether there is anything to run.
bool is_check(const v1::HealthCheck& check);

// Whether it was chosen by the image's name, and by nobody else.
bool is_of_known_image(const v1::HealthCheck& check);

// The origin of such a check: "known image postgres".
std::string known_image_origin(std::string_view name);

v1::HealthCheck to_message(const ImageHealthCheck& check);

// What holds for a container: what was asked for, and where that is silent what its image says. nullopt: nothing is
// checked. As Docker does it: https://docs.docker.com/reference/compose-file/services/#healthcheck
std::optional<v1::HealthCheck> effective_check(const v1::ContainerSpec& container,
                                               const std::optional<ImageHealthCheck>& of_image);

}  // namespace orchion::core
