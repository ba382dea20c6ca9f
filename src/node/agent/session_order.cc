#include "node/agent/session_order.h"

#include <cstdlib>

#include <fmt/core.h>
#include <google/protobuf/util/message_differencer.h>

namespace orchion::node::agent {

base::Result<> SessionOrder::check(const v1::ToAgent& message) {
  if (message.has_welcome() == welcomed_)
    return base::fail(base::Code::kAborted, welcomed_ ? "the control plane welcomed this agent twice"
                                                      : "the control plane spoke before it welcomed this agent");
  welcomed_ = true;
  return message.has_assignments() ? check_assignments(message.assignments()) : base::Result<>{};
}

base::Result<> SessionOrder::check_assignments(const v1::Assignments& assignments) {
  if (!sequence_ && !assignments.full())
    return base::fail(base::Code::kAborted, "the control plane sent a change of assignments before the full set");
  if (sequence_ && assignments.sequence() != *sequence_ + 1)
    return base::fail(base::Code::kAborted, fmt::format("assignments {} are missing: {} came after {}", *sequence_ + 1,
                                                        assignments.sequence(), *sequence_));
  sequence_ = assignments.sequence();
  return {};
}

namespace {

constexpr std::int64_t kNoticedShare = 20;
constexpr std::uint32_t kNoticedPoints = 20;  // of a hundred
constexpr std::uint32_t kNoticedDegrees = 10;

bool moved(std::int64_t before, std::int64_t after, std::int64_t whole) {
  return std::abs(before - after) * kNoticedShare >= whole && before != after;
}

// How busy a GPU is changes all the time.
bool gpu_moved(const v1::Gpu& before, const v1::Gpu& after) {
  const auto points = [](std::uint32_t a, std::uint32_t b) { return a > b ? a - b : b - a; };
  return moved(before.memory_free_bytes(), after.memory_free_bytes(), after.memory_bytes()) ||
         points(before.utilisation_percent(), after.utilisation_percent()) >= kNoticedPoints ||
         points(before.temperature_celsius(), after.temperature_celsius()) >= kNoticedDegrees;
}

// `gpu` with what changes all the time as it is in `now`.
void take_changing(const v1::Gpu& now, v1::Gpu& gpu) {
  gpu.set_memory_free_bytes(now.memory_free_bytes());
  gpu.set_utilisation_percent(now.utilisation_percent());
  gpu.set_temperature_celsius(now.temperature_celsius());
  gpu.set_power_milliwatts(now.power_milliwatts());
}

}  // namespace

bool differs_enough(const v1::NodeCapabilities& before, const v1::NodeCapabilities& after) {
  if (moved(before.memory_available_bytes(), after.memory_available_bytes(), after.memory_bytes())) return true;
  if (moved(before.disk_free_bytes(), after.disk_free_bytes(), after.disk_bytes())) return true;
  auto rest = before;
  for (int i = 0; i < std::min(before.gpus_size(), after.gpus_size()); ++i) {
    if (gpu_moved(before.gpus(i), after.gpus(i))) return true;
    take_changing(after.gpus(i), *rest.mutable_gpus(i));
  }
  rest.set_memory_available_bytes(after.memory_available_bytes());
  rest.set_disk_free_bytes(after.disk_free_bytes());
  return !google::protobuf::util::MessageDifferencer::Equals(rest, after);
}

}  // namespace orchion::node::agent
