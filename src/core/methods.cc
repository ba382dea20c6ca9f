#include "core/methods.h"

#include <cassert>

#include "v1/options.pb.h"

namespace orchion::core {

const Method* MethodTable::find(std::string_view full_name) const {
  const auto it = methods_.find(full_name);
  return it == methods_.end() ? nullptr : &it->second;
}

void MethodTable::wrap(std::string_view name, const std::function<Handler(const Method&, Handler)>& around) {
  const auto it = methods_.find(name);
  assert(it != methods_.end() && "there is no handler to wrap");
  it->second.call = around(it->second, std::move(it->second.call));
}

void MethodTable::share(std::string_view name, const MethodTable& other) {
  const auto* method = other.find(name);
  assert(method != nullptr && "there is no handler to share");
  methods_.insert_or_assign(std::string(name), *method);
}

void MethodTable::insert(std::string_view name, const google::protobuf::Descriptor* request,
                         const google::protobuf::Descriptor* response, Method method) {
  const auto* descriptor = google::protobuf::DescriptorPool::generated_pool()->FindMethodByName(std::string(name));
  assert(descriptor != nullptr && "no such rpc in api/");
  assert(descriptor->input_type() == request && descriptor->output_type() == response);
  (void)request;
  (void)response;
  method.descriptor = descriptor;
  const bool added = methods_.emplace(std::string(name), std::move(method)).second;
  assert(added && "this rpc has a handler already");
  (void)added;
}

std::string permission_of(const google::protobuf::MethodDescriptor& method) {
  return method.options().GetExtension(v1::permission);
}

}  // namespace orchion::core
