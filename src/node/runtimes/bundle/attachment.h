#pragma once

#include "node/runtimes/attach/attach_stream.h"
#include "node/runtimes/bundle/bundle_store.h"

namespace orchion::node::runtimes::bundle {

// What a bundle says to somebody who would attach to its newest attempt.
struct Attachment {
  std::string id;
  std::uint32_t attempt = 0;
  bool runs = false;  // as far as the records know
  bool tty = false;
  ProcessIdentity shim;
  int terminal = -1;  // of the shim's
  attach::AttachParts parts;
};

// kNotFound, kFailedPrecondition as Runtime::attach() has them. Blocks.
base::Result<Attachment> find_attachment(const BundleStore& store, const std::string& id, AttachConfig config);

// The stream, once its input is in place.
base::Co<std::unique_ptr<attach::AttachedStream>> begin_attachment(base::Executor executor,
                                                                   std::filesystem::path log_folder, Attachment found,
                                                                   AttachConfig config, base::Co<ExitStatus> end);

}  // namespace orchion::node::runtimes::bundle
