// Lines of cron: whatever is read is due at times that lie ahead, in order, in zones with odd shifts.

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "core/cron/cron.h"

namespace cron = orchion::core::cron;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto kZones = {cron::Zone::load("").value(),
                              cron::Zone::load("Australia/Lord_Howe").value_or(cron::Zone::load("").value())};
  const auto line = cron::parse({reinterpret_cast<const char*>(data), size});
  if (!line) return 0;
  for (const auto& zone : kZones) {
    orchion::base::WallTime time{std::chrono::seconds(1'775'000'000)};
    for (int i = 0; i < 3; ++i) {
      const auto slot = cron::next_slot(*line, zone, time);
      if (!slot) break;
      if (*slot <= time) std::abort();
      time = *slot;
    }
  }
  return 0;
}
