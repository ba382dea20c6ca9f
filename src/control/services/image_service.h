#pragma once

#include <memory>
#include <vector>

#include "control/services/context.h"
#include "control/services/node_streams.h"
#include "core/methods.h"
#include "v1/control.pb.h"

namespace orchion::control::services {

// Images live on nodes; each call here is carried to the nodes that it concerns.
class ImageService {
 public:
  using Nodes = std::vector<std::shared_ptr<const v1::Node>>;

  ImageService(ServiceContext context, NodeStreams& streams) : context_(context), streams_(streams) {}

  base::Co<v1::Image> pull(core::CallContext call, v1::PullImageRequest request);
  base::Co<v1::Image> push(core::CallContext call, v1::PushImageRequest request);
  base::Co<> import(core::CallContext call, core::TypedStream<v1::ImportImageRequest, v1::Image> stream);
  // From a node that holds it; else from one whose engine has it, which nobody but the node knows.
  base::Co<> export_image(core::CallContext call, core::TypedStream<v1::ExportImageRequest, v1::ImagePiece> stream);
  base::Co<> watch_pulls(core::CallContext call, core::TypedStream<v1::WatchPullsRequest, v1::PullProgress> stream);
  base::Co<v1::Image> tag(core::CallContext call, v1::TagImageRequest request);
  base::Co<google::protobuf::Empty> remove(core::CallContext call, v1::RemoveImageRequest request);
  base::Co<v1::PruneImagesResponse> prune(core::CallContext call, v1::PruneImagesRequest request);

 private:
  // Checks what the first message says, and reads the rest without keeping it.
  base::Co<> import_nothing(v1::ImportImageRequest first, Nodes nodes,
                            core::TypedStream<v1::ImportImageRequest, v1::Image> stream);
  base::Result<google::protobuf::Empty> would_remove(const std::string& reference, const Nodes& nodes) const;

  // The node of that name, or every ready one; an error where there is none.
  base::Result<Nodes> targets(const std::string& name) const;
  base::Result<Nodes> holders(const std::string& reference) const;
  base::Co<v1::StreamFromAgent> ask(std::string node_uid, v1::StreamRequest request);
  base::Co<v1::Image> ask_each(Nodes nodes, v1::StreamRequest request);

  ServiceContext context_;
  NodeStreams& streams_;
};

void add_image_service(core::MethodTable& table, std::shared_ptr<ImageService> service);

}  // namespace orchion::control::services
