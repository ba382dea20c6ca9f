#include <iostream>

#include <google/protobuf/empty.pb.h>

#include "cli/commands.h"
#include "v1/control.pb.h"

namespace orchion::cli {

// The server's version too, where one answers; it may be another.
int run_version(Context& context, const std::string& version) {
  std::cout << "orchion " << version << "\n";
  auto api = context.api();
  if (!api) return kExitOk;
  auto info =
      context.run((*api)->call<v1::ServerInfo>("orchion.v1.ServerService.GetServer", google::protobuf::Empty()));
  if (info) std::cout << "server  " << info->version() << "\n";
  return kExitOk;
}

}  // namespace orchion::cli
