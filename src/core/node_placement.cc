#include "core/node_placement.h"

#include <algorithm>
#include <cctype>
#include <optional>

#include <fmt/core.h>
#include <fmt/ranges.h>
#include <google/protobuf/util/message_differencer.h>

#include "core/quantities.h"
#include "core/taints.h"
#include "core/validation.h"

namespace orchion::core {

namespace {

// As Kubernetes and Docker have them: "disk", "example.com/gpu", "zone.a_1". No '-' at the end: that takes away.
bool is_key(const std::string& text) {
  const auto fits = [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.' || c == '/';
  };
  return !text.empty() && text.size() <= kNodeTextBytesMax && std::ranges::all_of(text, fits) && text.back() != '-';
}

bool is_value(const std::string& text) {
  const auto is_control = [](unsigned char c) { return std::iscntrl(c) != 0; };
  return text.size() <= kNodeTextBytesMax && std::ranges::none_of(text, is_control);
}

// Reads "KEY" or "KEY:EFFECT".
struct Pattern {
  std::string key;
  std::optional<v1::Taint::Effect> effect;

  static base::Result<Pattern> parse(const std::string& text) {
    const auto colon = text.find(':');
    Pattern pattern{text.substr(0, colon), std::nullopt};
    if (colon != std::string::npos) {
      ASSIGN_OR_RETURN(pattern.effect, parse_effect(std::string_view(text).substr(colon + 1)));
    }
    return pattern;
  }
  bool fits(const v1::Taint& taint) const { return taint.key() == key && (!effect || *effect == taint.effect()); }
};

class Placing {
 public:
  Placing(const v1::Node& node, const v1::SetNodePlacementRequest& request)
      : node_(node), request_(request), made_{node.spec(), {}} {}

  base::Result<NodePlacement> run() {
    check();
    RETURN_IF_ERROR(as_result(what(), std::move(violations_)));
    RETURN_IF_ERROR(take_away());
    add_taints();
    add_labels();
    reserve();
    if (static_cast<std::size_t>(made_.spec.taints_size()) > kNodeTaintsMax)
      add("/taints", fmt::format("would be more than the {} that a node may have", kNodeTaintsMax));
    if (made_.spec.labels().size() > kNodeLabelsMax)
      add("/labels", fmt::format("would be more than the {} that a node may have", kNodeLabelsMax));
    RETURN_IF_ERROR(as_result(what(), std::move(violations_)));
    return std::move(made_);
  }

 private:
  std::string what() const { return fmt::format("what is placed on node {}", node_.meta().name()); }
  void add(const std::string& where, std::string detail) { violations_.push_back({where, std::move(detail)}); }

  void check_key(const std::string& at, const std::string& key) {
    if (!is_key(key))
      add(at, fmt::format("\"{:.64}\" is no key: write at most {} letters, digits and - _ . /, the last no -", key,
                          kNodeTextBytesMax));
  }
  void check_value(const std::string& at, const std::string& value) {
    if (!is_value(value))
      add(at, fmt::format("is no value: write at most {} characters in one line", kNodeTextBytesMax));
  }

  void check() {
    for (int i = 0; i < request_.taints_size(); ++i) {
      const auto at = fmt::format("/taints/{}", i);
      check_key(at + "/key", request_.taints(i).key());
      check_value(at + "/value", request_.taints(i).value());
      if (!v1::Taint::Effect_IsValid(request_.taints(i).effect()))
        add(at + "/effect", "is none: use NO_NEW_TASKS, PREFER_OTHERS or NO_TASKS");
    }
    for (int i = 0; i < request_.remove_taints_size(); ++i)
      if (const auto pattern = Pattern::parse(request_.remove_taints(i)); !pattern)
        add(fmt::format("/removeTaints/{}", i), pattern.error().message);
    for (const auto& [key, value] : request_.labels()) {
      check_key("/labels", key);
      check_value("/labels", value);
    }
    if (request_.has_reserved()) check_reserved();
  }

  void check_amount(const char* at, std::int64_t amount, std::int64_t has, const std::string& text) {
    if (amount < 0) add(at, "is less than nothing");
    if (has > 0 && amount > has) add(at, fmt::format("is more than the {} that the node has", text));
  }

  void check_reserved() {
    const auto& reserved = request_.reserved();
    const auto& has = node_.status().capabilities();
    check_amount("/reserved/nanoCpus", reserved.nano_cpus(), has.nano_cpus(), format_cpus(has.nano_cpus()) + " CPUs");
    check_amount("/reserved/memoryBytes", reserved.memory_bytes(), has.memory_bytes(),
                 format_bytes(has.memory_bytes()));
    check_amount("/reserved/diskBytes", reserved.disk_bytes(), has.disk_bytes(), format_bytes(has.disk_bytes()));
    if (reserved.pids() != 0) add("/reserved/pids", "can't be kept: leave it out");
  }

  base::Result<> take_away() {
    auto& taints = *made_.spec.mutable_taints();
    for (const auto& text : request_.remove_taints()) {
      ASSIGN_OR_RETURN(const auto pattern, Pattern::parse(text));
      const auto begin = std::stable_partition(taints.begin(), taints.end(),
                                               [&](const v1::Taint& taint) { return !pattern.fits(taint); });
      if (begin == taints.end()) return not_there("taint", text);
      for (auto it = begin; it != taints.end(); ++it) made_.changes.push_back("no taint " + taint_text(*it));
      taints.erase(begin, taints.end());
    }
    for (const auto& key : request_.remove_labels()) {
      if (made_.spec.mutable_labels()->erase(key) == 0) return not_there("label", key);
      made_.changes.push_back("no label " + key);
    }
    return {};
  }

  base::Result<> not_there(std::string_view kind, const std::string& key) const {
    return base::fail(base::Code::kNotFound, fmt::format("node {0} has no {1} {2:.64}: see `orchion node inspect {0}`",
                                                         node_.meta().name(), kind, key));
  }

  void add_taints() {
    auto& taints = *made_.spec.mutable_taints();
    for (const auto& wanted : request_.taints()) {
      const auto found = std::ranges::find_if(taints, [&](const v1::Taint& taint) {
        return taint.key() == wanted.key() && taint.effect() == wanted.effect();
      });
      if (found != taints.end() && found->value() == wanted.value()) continue;
      *(found == taints.end() ? taints.Add() : &*found) = wanted;
      made_.changes.push_back("taint " + taint_text(wanted));
    }
  }

  void add_labels() {
    for (const auto& [key, value] : request_.labels()) {
      const auto found = made_.spec.labels().find(key);
      if (found != made_.spec.labels().end() && found->second == value) continue;
      (*made_.spec.mutable_labels())[key] = value;
      made_.changes.push_back(fmt::format("label {}={}", key, value));
    }
  }

  void reserve() {
    const auto& wanted = request_.reserved();
    if (!request_.has_reserved() || google::protobuf::util::MessageDifferencer::Equals(made_.spec.reserved(), wanted))
      return;
    *made_.spec.mutable_reserved() = wanted;
    made_.changes.push_back(fmt::format("{} CPUs, {} of memory and {} of disk reserved",
                                        format_cpus(wanted.nano_cpus()), format_bytes(wanted.memory_bytes()),
                                        format_bytes(wanted.disk_bytes())));
  }

  const v1::Node& node_;
  const v1::SetNodePlacementRequest& request_;
  NodePlacement made_;
  Violations violations_;
};

}  // namespace

base::Result<NodePlacement> place_on_node(const v1::Node& node, const v1::SetNodePlacementRequest& request) {
  return Placing(node, request).run();
}

}  // namespace orchion::core
