#include "control/serving/operation_headers.h"

#include <algorithm>
#include <array>

namespace orchion::control::serving {

namespace {

// What only the handlers know, by the rpcs' names: the contract's options don't say it. tests/e2e/contract_test.py
// holds a server to both lists.
constexpr std::array kIfMatch = {
    std::string_view("ApplyStack"),    std::string_view("DeleteStack"),    std::string_view("ScaleService"),
    std::string_view("DeleteService"), std::string_view("RestartService"), std::string_view("StopService"),
    std::string_view("StartService"),  std::string_view("RemoveNode"),     std::string_view("SetNodeAvailability"),
};
constexpr std::array kIdempotencyKey = {
    std::string_view("ApplyStack"),     std::string_view("CreateService"), std::string_view("ScaleService"),
    std::string_view("RestartService"), std::string_view("StopService"),   std::string_view("StartService"),
    std::string_view("InviteNode"),
};

template <class Names>
bool names(const Names& names, const Route& route) {
  return std::ranges::find(names, route.method->descriptor->name()) != names.end();
}

}  // namespace

bool heeds_if_match(const Route& route) {
  return names(kIfMatch, route);
}

bool heeds_idempotency_key(const Route& route) {
  return names(kIdempotencyKey, route);
}

bool resumes(const Route& route) {
  return route.kind == RouteKind::kEvents &&
         route.method->descriptor->input_type()->FindFieldByName("since") != nullptr;
}

bool answers_etag(const Route& route) {
  const auto* meta = route.method->descriptor->output_type()->FindFieldByName("meta");
  const bool one = route.kind == RouteKind::kUnary || route.kind == RouteKind::kUpload;
  return one && meta != nullptr && !meta->is_repeated() && meta->message_type() != nullptr &&
         meta->message_type()->FindFieldByName("revision") != nullptr;
}

}  // namespace orchion::control::serving
