#pragma once

// Carries an image from a node that has it to one that needs it.

#include "control/services/context.h"
#include "control/services/node_streams.h"

namespace orchion::control::services {

// Whether a node other than this one that is ready now holds the image; `digest` where it isn't empty: that one.
bool is_held_elsewhere(const store::View& view, const std::string& reference, const std::string& digest,
                       const std::string& node_name);

// The next piece of an archive that a node sends, as NodeExport describes; nullopt: its end.
base::Co<std::optional<std::string>> next_piece(NodeStream* from);

// Answers an agent's ImageFetch: the archive in pieces, as NodeExport describes, the next one read when the last was
// taken. kNotFound where no node that is ready holds the image; kUnavailable where none could give it.
base::Co<> carry_image(ServiceContext context, NodeStreams& streams, v1::ImageFetch fetch, AgentStream to);

}  // namespace orchion::control::services
