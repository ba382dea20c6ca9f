#include "control/serving/reflection.h"

#include <set>

#include <google/protobuf/descriptor.pb.h>

#include "grpc/reflection.pb.h"

namespace orchion::control::serving {

namespace pb = google::protobuf;
namespace rf = ::grpc::reflection::v1alpha;
using base::Code;

namespace {

// The file and all it imports: the caller then needs no second question.
void add_files(const pb::FileDescriptor* file, std::set<const pb::FileDescriptor*>& seen,
               rf::FileDescriptorResponse& out) {
  if (!seen.insert(file).second) return;
  pb::FileDescriptorProto proto;
  file->CopyTo(&proto);
  out.add_file_descriptor_proto(proto.SerializeAsString());
  for (int i = 0; i < file->dependency_count(); ++i) add_files(file->dependency(i), seen, out);
}

void answer_file(const pb::FileDescriptor* file, rf::ServerReflectionResponse& response) {
  if (file == nullptr) {
    response.mutable_error_response()->set_error_code(static_cast<int>(Code::kNotFound));
    response.mutable_error_response()->set_error_message("the contract has nothing of that name");
    return;
  }
  std::set<const pb::FileDescriptor*> seen;
  add_files(file, seen, *response.mutable_file_descriptor_response());
}

void list_services(const core::MethodTable& table, rf::ListServiceResponse& out) {
  std::set<std::string> names;
  for (const auto& [name, method] : table.all()) names.insert(method.descriptor->service()->full_name());
  for (const auto& name : names) out.add_service()->set_name(name);
}

void answer_extension_numbers(const std::string& type_name, rf::ServerReflectionResponse& response) {
  const auto* pool = pb::DescriptorPool::generated_pool();
  const auto* type = pool->FindMessageTypeByName(type_name);
  if (type == nullptr) return answer_file(nullptr, response);
  std::vector<const pb::FieldDescriptor*> extensions;
  pool->FindAllExtensions(type, &extensions);
  auto& out = *response.mutable_all_extension_numbers_response();
  out.set_base_type_name(type_name);
  for (const auto* extension : extensions) out.add_extension_number(extension->number());
}

void answer_extension(const rf::ExtensionRequest& asked, rf::ServerReflectionResponse& response) {
  const auto* pool = pb::DescriptorPool::generated_pool();
  const auto* type = pool->FindMessageTypeByName(asked.containing_type());
  const auto* field = type == nullptr ? nullptr : pool->FindExtensionByNumber(type, asked.extension_number());
  answer_file(field == nullptr ? nullptr : field->file(), response);
}

rf::ServerReflectionResponse answer(const core::MethodTable& table, const rf::ServerReflectionRequest& request) {
  const auto* pool = pb::DescriptorPool::generated_pool();
  rf::ServerReflectionResponse response;
  response.set_valid_host(request.host());
  *response.mutable_original_request() = request;
  using Asked = rf::ServerReflectionRequest;
  switch (request.message_request_case()) {
    case Asked::kFileByFilename: answer_file(pool->FindFileByName(request.file_by_filename()), response); break;
    case Asked::kFileContainingSymbol:
      answer_file(pool->FindFileContainingSymbol(request.file_containing_symbol()), response);
      break;
    case Asked::kFileContainingExtension: answer_extension(request.file_containing_extension(), response); break;
    case Asked::kAllExtensionNumbersOfType:
      answer_extension_numbers(request.all_extension_numbers_of_type(), response);
      break;
    case Asked::kListServices: list_services(table, *response.mutable_list_services_response()); break;
    case Asked::MESSAGE_REQUEST_NOT_SET:
      response.mutable_error_response()->set_error_code(static_cast<int>(Code::kInvalidArgument));
      response.mutable_error_response()->set_error_message("the request asks nothing");
  }
  return response;
}

base::Co<> serve(const core::MethodTable* table, core::CallContext,
                 core::TypedStream<rf::ServerReflectionRequest, rf::ServerReflectionResponse> stream) {
  while (true) {
    CO_ASSIGN_OR_RETURN(const auto request, co_await stream.receive());
    if (!request) co_return base::Result<>{};
    auto response = answer(*table, *request);
    CO_RETURN_IF_ERROR(co_await stream.send(std::move(response)));
  }
}

}  // namespace

void add_reflection(core::MethodTable& table) {
  table.stream<rf::ServerReflectionRequest, rf::ServerReflectionResponse>(
      "grpc.reflection.v1alpha.ServerReflection.ServerReflectionInfo",
      [table = &table](core::CallContext context, auto stream) { return serve(table, std::move(context), stream); });
}

}  // namespace orchion::control::serving
