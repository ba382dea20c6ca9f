#pragma once

#include <filesystem>
#include <memory>
#include <optional>

#include "node/logs/segment_follower.h"
#include "node/runtimes/runtime.h"

namespace orchion::node::runtimes::attach {

// Output of one attempt from its beginning, as far as that is kept. One executor; one call at a time.
class AttachOutput {
 public:
  virtual ~AttachOutput() = default;

  // Waits for the next piece; nullopt: there is no more. kDataLoss: it was written faster than it was read.
  virtual base::Co<std::optional<ExecOutput>> next() = 0;

  // The attempt has ended: what it wrote is still given. Allowed while next() waits.
  virtual void finish() = 0;
};

// What the captured segments in `folder` have of it. kNotFound: nothing is captured there.
base::Result<std::unique_ptr<AttachOutput>> open_segment_output(base::Executor executor, std::filesystem::path folder,
                                                                std::uint32_t attempt);

// Of both kinds.
base::Error output_lost();

}  // namespace orchion::node::runtimes::attach
