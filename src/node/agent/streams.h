#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/task_group.h"
#include "node/agent/control_link.h"
#include "node/agent/output_folder.h"
#include "node/agent/task_table.h"
#include "node/images/images.h"
#include "node/logs/log_keeper.h"

namespace orchion::node::agent {

// Serves what the control plane wants on streams of their own: output, usage, commands in containers, their files and
// ports, images. Each request is dialled, served and ended by itself. One executor.
class StreamServer {
 public:
  struct Parts {
    ControlLink& link;
    base::Clock& clock;
    images::Images& images;
    const TaskTable& tasks;
    const Executors& executors;
    const OutputFolder& outputs;
    base::TaskGroup& group;
    base::WorkerPool* workers = nullptr;
    logs::LogKeeper* log_keeper = nullptr;  // null: nothing of gone tasks is kept
    std::function<void()> images_changed;
  };
  explicit StreamServer(Parts parts) : parts_(std::move(parts)) {}

  // Returns at once.
  void serve(v1::StreamRequest request);

 private:
  base::Co<> run(v1::StreamRequest request);
  base::Co<> answer(v1::StreamRequest request, std::shared_ptr<DataStream> stream);
  base::Co<> logs(v1::NodeLogs want, std::shared_ptr<DataStream> stream);
  base::Co<> exec(v1::NodeExec want, std::shared_ptr<DataStream> stream);
  base::Co<> containers(std::shared_ptr<DataStream> stream);
  base::Co<> attach(v1::NodeAttach want, std::shared_ptr<DataStream> stream);
  base::Co<> copy_from(v1::NodeCopyFrom want, std::shared_ptr<DataStream> stream);
  base::Co<> copy_into(v1::NodeCopyInto want, std::shared_ptr<DataStream> stream);
  base::Co<> artifact(v1::NodeArtifact want, std::shared_ptr<DataStream> stream);
  base::Co<> forward(v1::NodeForward want, std::shared_ptr<DataStream> stream);
  base::Co<> health(v1::NodeHealth want, std::shared_ptr<DataStream> stream);
  base::Co<> usage(v1::NodeUsage want, std::shared_ptr<DataStream> stream);
  base::Co<> pulls(std::shared_ptr<DataStream> stream);
  base::Co<> import(v1::NodeImport want, std::shared_ptr<DataStream> stream);
  base::Co<> push(v1::NodePush want, std::shared_ptr<DataStream> stream);
  base::Co<> remove_image(v1::NodeRemoveImage want, std::shared_ptr<DataStream> stream);
  base::Co<> prune(std::shared_ptr<DataStream> stream);
  base::Co<> export_image(v1::NodeExport want, std::shared_ptr<DataStream> stream);
  base::Co<std::shared_ptr<images::ByteSource>> save_image(std::string reference);
  base::Co<> send_image(base::Result<images::ImageRecord> record, std::shared_ptr<DataStream> stream);

  Parts parts_;
};

}  // namespace orchion::node::agent
