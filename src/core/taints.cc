#include "core/taints.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

#include <fmt/core.h>

namespace orchion::core {

namespace {

struct EffectName {
  std::string_view ours;
  std::string_view of_kubernetes;  // in lower case
  v1::Taint::Effect effect;
};

constexpr std::array<EffectName, 3> kEffects{{{"no-new-tasks", "noschedule", v1::Taint::NO_NEW_TASKS},
                                              {"prefer-others", "prefernoschedule", v1::Taint::PREFER_OTHERS},
                                              {"no-tasks", "noexecute", v1::Taint::NO_TASKS}}};

}  // namespace

bool tolerates(const google::protobuf::RepeatedPtrField<v1::Toleration>& tolerations, const v1::Taint& taint) {
  return std::ranges::any_of(tolerations, [&](const v1::Toleration& toleration) {
    return toleration.key().empty() ||
           (toleration.key() == taint.key() && (toleration.value().empty() || toleration.value() == taint.value()));
  });
}

const v1::Taint* drives_away(const google::protobuf::RepeatedPtrField<v1::Taint>& taints,
                             const google::protobuf::RepeatedPtrField<v1::Toleration>& tolerations) {
  for (const auto& taint : taints)
    if (taint.effect() == v1::Taint::NO_TASKS && !tolerates(tolerations, taint)) return &taint;
  return nullptr;
}

base::Result<v1::Taint::Effect> parse_effect(std::string_view text) {
  std::string plain(text);
  for (char& c : plain) c = c == '_' ? '-' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  for (const auto& name : kEffects)
    if (plain == name.ours || plain == name.of_kubernetes) return name.effect;
  return base::fail(base::Code::kInvalidArgument,
                    fmt::format("\"{}\" is no effect of a taint: write NoSchedule (no-new-tasks), PreferNoSchedule "
                                "(prefer-others) or NoExecute (no-tasks)",
                                text));
}

std::string taint_text(const v1::Taint& taint) {
  const auto found = std::ranges::find(kEffects, taint.effect(), &EffectName::effect);
  return fmt::format("{}{}{}:{}", taint.key(), taint.value().empty() ? "" : "=", taint.value(),
                     found == kEffects.end() ? kEffects[0].ours : found->ours);
}

}  // namespace orchion::core
