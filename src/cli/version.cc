#include <iostream>

#include <google/protobuf/empty.pb.h>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "cli/commands.h"
#include "cli/output.h"
#include "v1/control.pb.h"

namespace orchion::cli {

namespace {

// Empty where none answers.
std::string server_version(Context& context) {
  auto api = context.api();
  if (!api) return "";
  const auto info =
      context.run((*api)->call<v1::ServerInfo>("orchion.v1.ServerService.GetServer", google::protobuf::Empty()));
  return info ? info->version() : "";
}

}  // namespace

// The server's version too, where one answers; it may be another.
int run_version(Context& context, const std::string& version) {
  const auto server = server_version(context);
  if (wants_object(context))
    return print_object(context, boost::json::serialize(boost::json::object{{"version", version}, {"server", server}}));
  if (context.options().output.format == OutputFormat::kName) {
    std::cout << version << "\n";
    return kExitOk;
  }
  std::cout << "orchion " << version << "\n";
  if (!server.empty()) std::cout << "server  " << server << "\n";
  return kExitOk;
}

}  // namespace orchion::cli
