#pragma once

namespace orchion::daemon {

inline constexpr char kVersion[] = "0.1.0";

}  // namespace orchion::daemon
