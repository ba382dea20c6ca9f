#pragma once

// JSON schemas (2020-12) of the contract's messages. Private to this folder.

#include <set>
#include <vector>

#include <boost/json/object.hpp>

#include <google/protobuf/descriptor.h>

namespace orchion::control::serving {

// Writes schemas and remembers which messages they name.
class Schemas {
 public:
  boost::json::object of(const google::protobuf::FieldDescriptor& field);
  boost::json::object reference(const google::protobuf::Descriptor& type);

  // All that were named, and what they name, by their names.
  boost::json::object all();

 private:
  boost::json::object of_one(const google::protobuf::FieldDescriptor& field);
  boost::json::object sub_message(const google::protobuf::Descriptor& type);
  boost::json::object message(const google::protobuf::Descriptor& type);

  std::set<const google::protobuf::Descriptor*> known_;
  std::vector<const google::protobuf::Descriptor*> waiting_;
};

}  // namespace orchion::control::serving
