#pragma once

#include <string_view>

namespace orchion::core {

// "vendor.com/class=name": a device as the Container Device Interface names it.
// Source: https://github.com/cncf-tags/container-device-interface/blob/main/SPEC.md
bool is_cdi_name(std::string_view text);

// Its part before the equals sign.
bool is_cdi_kind(std::string_view text);

// Its part after it.
bool is_cdi_device(std::string_view text);

}  // namespace orchion::core
