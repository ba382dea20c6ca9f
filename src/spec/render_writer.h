#pragma once

#include <map>
#include <string>
#include <string_view>

#include <fmt/core.h>
#include <google/protobuf/duration.pb.h>
#include <google/protobuf/map.h>

#include "spec/yaml_writer.h"

namespace orchion::spec {

// YAML with what a Compose file is made of: fields that are left out where they say nothing, variables escaped.
class RenderWriter : public YamlWriter {
 public:
  using Texts = google::protobuf::Map<std::string, std::string>;

  // Taken literally when it is read again.
  void literal(const std::string& value) {
    std::string out;
    for (const char c : value) {
      if (c == '$') out += '$';
      out += c;
    }
    text(out);
  }
  void field(std::string_view name, const std::string& value) {
    if (value.empty()) return;
    key(name);
    literal(value);
  }
  void flag(std::string_view name, bool value) {
    if (!value) return;
    key(name);
    plain("true");
  }
  void number(std::string_view name, std::int64_t value) {
    key(name);
    plain(std::to_string(value));
  }
  void number_if(std::string_view name, std::int64_t value) {
    if (value != 0) number(name, value);
  }
  template <class Strings>
  void list(std::string_view name, const Strings& values) {
    key(name);
    begin_list();
    for (const auto& value : values) literal(value);
    end_list();
  }
  template <class Strings>
  void list_if(std::string_view name, const Strings& values) {
    if (!values.empty()) list(name, values);
  }
  void pairs(std::string_view name, const Texts& values) {
    if (values.empty()) return;
    const std::map<std::string, std::string> sorted(values.begin(), values.end());
    key(name);
    begin_map();
    for (const auto& [one, value] : sorted) {
      key(one);
      literal(value);
    }
    end_map();
  }
  void labels(const Texts& values) { pairs("labels", values); }
  void duration(std::string_view name, bool there, const google::protobuf::Duration& value) {
    if (!there) return;
    std::string out = value.seconds() != 0 || value.nanos() == 0 ? fmt::format("{}s", value.seconds()) : "";
    if (value.nanos() != 0) out += fmt::format("{}ns", value.nanos());
    field(name, out);
  }
};

}  // namespace orchion::spec
