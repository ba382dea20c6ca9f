#pragma once

// JSON schemas (2020-12) of the contract's messages. Private to this folder.

#include <set>
#include <string>
#include <vector>

#include <boost/json/object.hpp>

#include <google/protobuf/descriptor.h>

#include "control/serving/comments.h"

namespace orchion::control::serving {

// Writes schemas and remembers which messages they name. `comments` outlives it.
class Schemas {
 public:
  explicit Schemas(const Comments& comments) : comments_(comments) {}

  // With the field's comment.
  boost::json::object of(const google::protobuf::FieldDescriptor& field);
  boost::json::object reference(const google::protobuf::Descriptor& type);

  // All that were named, and what they name, by their names.
  boost::json::object all();

 private:
  std::string description(const google::protobuf::FieldDescriptor& field) const;
  boost::json::object plain(const google::protobuf::FieldDescriptor& field);
  boost::json::object of_one(const google::protobuf::FieldDescriptor& field);
  boost::json::object sub_message(const google::protobuf::Descriptor& type);
  boost::json::object message(const google::protobuf::Descriptor& type);

  const Comments& comments_;
  std::set<const google::protobuf::Descriptor*> known_;
  std::vector<const google::protobuf::Descriptor*> waiting_;
};

}  // namespace orchion::control::serving
