#pragma once

#include <algorithm>
#include <initializer_list>
#include <string>
#include <string_view>

#include <boost/json.hpp>

#include "spec/node.h"

namespace orchion::spec {

// For tests: the part of JSON Schema that ours uses.
class SchemaValidator {
 public:
  explicit SchemaValidator(const std::string& schema) : root_(boost::json::parse(schema)) {}

  bool accepts(const Node& node) const { return accepts(root_.as_object(), node); }

 private:
  static bool has_type(const boost::json::array& types, const Node& node) {
    // A scalar's type isn't known any more: it is a text, or what a text may stand for.
    const auto is_one_of = [&](std::initializer_list<std::string_view> names) {
      return std::any_of(types.begin(), types.end(), [&](const boost::json::value& type) {
        return std::find(names.begin(), names.end(), std::string_view(type.as_string())) != names.end();
      });
    };
    switch (node.kind) {
      case Node::Kind::kNull: return is_one_of({"null"});
      case Node::Kind::kScalar: return is_one_of({"string", "number", "boolean"});
      case Node::Kind::kList: return is_one_of({"array"});
      case Node::Kind::kMap: return is_one_of({"object"});
    }
    return false;
  }

  bool accepts(const boost::json::value& schema, const Node& node) const {
    if (schema.is_bool()) return schema.as_bool();
    const auto& object = schema.as_object();
    if (const auto* reference = object.if_contains("$ref")) {
      const std::string_view name = reference->as_string();
      if (!accepts(root_.at("$defs").at(name.substr(name.rfind('/') + 1)), node)) return false;
    }
    if (const auto* types = object.if_contains("type"); types && types->is_array())
      if (!has_type(types->as_array(), node)) return false;
    if (const auto* items = object.if_contains("items"))
      for (const auto& item : node.items)
        if (!accepts(*items, item)) return false;
    return std::all_of(node.entries.begin(), node.entries.end(),
                       [&](const Node::Entry& entry) { return accepts_entry(object, entry); });
  }

  bool accepts_entry(const boost::json::object& schema, const Node::Entry& entry) const {
    if (const auto* properties = schema.if_contains("properties"))
      if (const auto* property = properties->as_object().if_contains(entry.key)) return accepts(*property, entry.value);
    if (is_extension(entry.key)) return true;
    const auto* rest = schema.if_contains("additionalProperties");
    return !rest || accepts(*rest, entry.value);
  }

  boost::json::value root_;
};

}  // namespace orchion::spec
